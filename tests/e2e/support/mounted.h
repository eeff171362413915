#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "cache/content.h"
#include "cache/volume.h"
#include "tests/e2e/support/test_account.h"
#include "tests/e2e/support/test_mount.h"

namespace cabinetfs {

class MetaStore;
class Sealer;

struct MountedOptions {
  VolumeOptions volume = fast();
  MountOptions mount;
  std::string state_dir;  // empty: one of its own, gone at the end

  // A volume that sends soon, so that a test waits for milliseconds.
  static VolumeOptions fast();
};

// All of a mount but the command: store, volume, FUSE session.
class MountedAccount {
 public:
  explicit MountedAccount(TestAccount& account, MountedOptions options = {});
  ~MountedAccount();

  // Below the mount's "Work".
  std::string path(const std::string& name = {}) const;
  const std::string& root() const { return mount_->path(); }
  Volume& volume() { return *volume_; }
  TestMount& mount() { return *mount_; }
  // Waits until the server has everything; the error's text, empty when all is well.
  std::string settle(std::chrono::seconds patience = std::chrono::seconds(120));

 private:
  TemporaryDirectory own_state_;
  std::unique_ptr<RemoteStore> store_;
  std::unique_ptr<Sealer> sealer_;
  std::unique_ptr<MetaStore> meta_;
  std::unique_ptr<ContentStore> contents_;
  std::unique_ptr<Volume> volume_;
  std::unique_ptr<TestMount> mount_;
};

// A test on one mounted account, run for each kind of account that is built in.
class Mounted : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::string p(const std::string& name = {}) const { return mounted_->path(name); }
  std::string q(const std::string& name = {}) const { return "'" + p(name) + "'"; }  // for sh
  // Runs a command with the mount's "Work" as its directory.
  ShellResult sh(const std::string& command, int seconds = 240) const {
    return run_shell("cd " + q() + " && { " + command + "\n}", seconds);
  }
  std::string on_server(const std::string& name) {
    return account_->content("Work/" + name).value_or("(nothing)");
  }
  std::string id(const std::string& name) { return account_->id_of("Work/" + name); }
  std::size_t versions(const std::string& name) { return account_->versions("Work/" + name); }
  std::vector<std::string> server_tree(const std::string& name = {}) {
    return account_->tree(name.empty() ? "Work" : "Work/" + name);
  }
  std::string identity(const std::string& name) { return account_->identity("Work/" + name); }
  // The versions of a file after so many different contents.
  std::size_t kept(std::size_t contents) { return account_->keeps_versions() ? contents : 1; }
  const Capabilities& can() { return account_->capabilities(); }
  std::string settle() { return mounted_->settle(); }
  void mount(MountedOptions options = {});
  void remount(MountedOptions options = {});  // with the same state
  // With a new one: what is there then has come from the server.
  void remount_from_server(MountedOptions options = {});

  bool thorough_ = false;  // see AccountKind
  std::unique_ptr<TestAccount> account_;
  std::unique_ptr<MountedAccount> mounted_;
  std::unique_ptr<TemporaryDirectory> state_;
};

std::vector<std::string> account_kinds();
inline std::string kind_name(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

// The deadline of a test that cannot see an event.
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

}  // namespace cabinetfs

// Once in each file, in the suite's namespace.
#define CABINET_FOR_EACH_ACCOUNT(Suite)                                                  \
  INSTANTIATE_TEST_SUITE_P(On, Suite, ::testing::ValuesIn(::cabinetfs::account_kinds()), \
                           ::cabinetfs::kind_name)
