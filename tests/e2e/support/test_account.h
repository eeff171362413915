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

  virtual std::optional<std::string> content(const std::string& path) = 0;
  virtual std::string id_of(const std::string& path) = 0;  // empty when there is nothing
  // How many versions the file has.
  virtual std::size_t versions(const std::string& path) = 0;
  // Paths of live objects below `path`, sorted, folders with a slash at the end.
  virtual std::vector<std::string> tree(const std::string& path) = 0;
  // Requests of one kind since reset_requests(): "list", "put", "upload", "read", or "" for all.
  virtual std::uint64_t requests(const std::string& kind) = 0;
  virtual void reset_requests() = 0;

  // What somebody else does meanwhile.
  virtual void write(const std::string& path, const std::string& content) = 0;
  virtual void mkdir(const std::string& path) = 0;
  virtual void remove(const std::string& path) = 0;
  virtual void rename(const std::string& path, const std::string& name) = 0;
  // False where the account cannot make one file of a folder read-only.
  virtual bool make_read_only(const std::string& path) = 0;
  virtual void lock(const std::string& path) = 0;
};

// In memory, with the rules of Kiteworks and stricter.
std::unique_ptr<TestAccount> make_fake_account();
// A local Kiteworks server with the real client in front of it; null where that is not built in.
std::unique_ptr<TestAccount> make_sandbox_account();
bool has_sandbox_account();

}  // namespace cabinetfs
