#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/remote_store.h"

namespace cabinetfs {

// An account that end-to-end tests mount, and what they look at behind the mount's back. Paths are
// relative to the account's root, without a leading slash. All of it lies in the top folder "Work",
// since a root need not take files.
class TestAccount {
 public:
  virtual ~TestAccount() = default;
  // A store of its own for each mount.
  virtual std::unique_ptr<RemoteStore> connect() = 0;
  // What its stores say that they can do. From one thread.
  const Capabilities& capabilities();

  virtual std::optional<std::string> content(const std::string& path) = 0;
  virtual std::string id_of(const std::string& path) = 0;  // empty when there is nothing
  // What stays with an object that is moved, and not with one that is copied.
  virtual std::string identity(const std::string& path) { return id_of(path); }
  // How many versions the server has of the file; 1 where it keeps none.
  virtual std::size_t versions(const std::string& path) = 0;
  // True where the server keeps them, though perhaps no call shows them.
  virtual bool keeps_versions() { return capabilities().versions; }
  // Paths of live objects below `path`, sorted, folders with a slash at the end.
  virtual std::vector<std::string> tree(const std::string& path) = 0;
  // Contents that were sent, or begun to be, since reset_requests().
  virtual std::uint64_t uploads() = 0;
  virtual void reset_requests() = 0;

  // What somebody else does meanwhile.
  virtual void write(const std::string& path, const std::string& content) = 0;
  virtual void mkdir(const std::string& path) = 0;
  virtual void remove(const std::string& path) = 0;
  virtual void rename(const std::string& path, const std::string& name) = 0;
  // False where the account cannot make one file of a folder read-only.
  virtual bool make_read_only(const std::string& path) = 0;
  virtual void lock(const std::string& path) = 0;

  // As the server has it, where that can be looked at: its word for what the other user may do
  // with a folder, empty for nothing; whether the file's lock is this account's.
  virtual std::optional<std::string> access_of_other(const std::string& /*path*/) { return {}; }
  virtual std::optional<bool> locked_by_us(const std::string& /*path*/) { return {}; }
  // False where nothing limits the account.
  virtual bool set_quota(std::uint64_t /*bytes*/) { return false; }
  // True: nothing that is sent arrives, until it is called with false.
  virtual void stall(bool on) = 0;

  // False where some of what the server has cannot have any other name in its folder.
  virtual bool renames_to_any_name() { return capabilities().rename; }
  // The top folder whose files can be locked.
  virtual std::string lock_folder() const { return "Work"; }
  // By what the vendor knows the other user when something is shared, and when it tells of that.
  virtual std::string other_user() { return "bob@example.com"; }
  virtual std::string other_id() { return other_user(); }
  // False where a list of all whom something is shared with cannot be had.
  virtual bool lists_people() const { return true; }
  // False where only top folders can be shared.
  virtual bool shares_below_the_top() const { return true; }

 private:
  std::optional<Capabilities> told_;
};

// In memory, with the rules of Kiteworks and stricter.
std::unique_ptr<TestAccount> make_fake_account();
// Real clients, each with a server of its own. A vendor's test servers need not be built in.
std::unique_ptr<TestAccount> make_kiteworks_account();
std::unique_ptr<TestAccount> make_kenesto_account();
// A server that has only what its vendor describes: without renames.
std::unique_ptr<TestAccount> make_kenesto_as_documented_account();
std::unique_ptr<TestAccount> make_powerfolder_account();
std::unique_ptr<TestAccount> make_webdav_account();

struct AccountKind {
  std::string name;
  std::unique_ptr<TestAccount> (*make)();
  // Why it cannot run on this machine; empty when it can.
  std::string missing;
  // Programs run with their full numbers here, with fewer files on the others.
  bool thorough = false;
};
// Those that are built in.
const std::vector<AccountKind>& account_table();

}  // namespace cabinetfs
