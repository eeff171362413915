#include <algorithm>

#include "tests/e2e/support/forwarding_store.h"
#include "tests/e2e/support/test_account.h"
#include "tests/support/fake_remote_store.h"
#include "tests/support/gate.h"

namespace cabinetfs {
namespace {

FakeRemoteOptions like_kiteworks() {
  FakeRemoteOptions options;
  options.capabilities = FakeRemoteOptions::like_kiteworks();
  return options;
}

class FakeAccount final : public TestAccount {
 public:
  FakeAccount() : store_(like_kiteworks()) { store_.mkdir_as_other("Work"); }

  std::unique_ptr<RemoteStore> connect() override {
    return std::make_unique<ForwardingStore>(store_);
  }
  std::optional<std::string> content(const std::string& path) override {
    return store_.content(path);
  }
  std::string id_of(const std::string& path) override { return store_.id_of(path).value; }
  std::size_t versions(const std::string& path) override {
    const auto all = store_.dump();
    const auto found = all.find(path);
    return found == all.end() ? 0 : found->second.versions.size();
  }
  std::vector<std::string> tree(const std::string& path) override {
    std::vector<std::string> out;
    for (const auto& [name, entry] : store_.dump()) {
      if (!name.starts_with(path + "/")) continue;
      out.push_back(name.substr(path.size() + 1) + (entry.kind == NodeKind::kFolder ? "/" : ""));
    }
    std::ranges::sort(out);
    return out;
  }
  std::uint64_t uploads() override { return store_.calls("put") + store_.calls("upload_chunk"); }
  void reset_requests() override { store_.reset_calls(); }

  void write(const std::string& path, const std::string& content) override {
    store_.write_file_as_other(path, content);
  }
  void mkdir(const std::string& path) override { store_.mkdir_as_other(path); }
  void remove(const std::string& path) override { store_.remove_as_other(path); }
  void rename(const std::string& path, const std::string& name) override {
    store_.rename_as_other(path, name);
  }
  bool make_read_only(const std::string& path) override {
    store_.set_rights(path, Rights().add(Right::kList).add(Right::kRead).add(Right::kVersions));
    return true;
  }
  void lock(const std::string& path) override { store_.lock_as_other(path); }
  std::optional<bool> locked_by_us(const std::string& path) override {
    return std::ranges::count(store_.locked_by_us(), path) > 0;
  }
  bool set_quota(std::uint64_t bytes) override {
    store_.set_quota(bytes);
    return true;
  }
  void stall(bool on) override {
    if (on) {
      gate_.close();
      store_.set_gate("put", &gate_);
      return;
    }
    gate_.open();
  }

 private:
  Gate gate_;
  FakeRemoteStore store_;
};

}  // namespace

std::unique_ptr<TestAccount> make_fake_account() { return std::make_unique<FakeAccount>(); }

}  // namespace cabinetfs
