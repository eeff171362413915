#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/remote_types.h"
#include "tests/support/fake_remote_store.h"

namespace cabinetfs {

// The far end of a play: looked at behind the client's back, and changed by somebody else. Paths
// are below the mount's root, in the server's spelling. What is asked for and cannot be done (by
// now) is a std::exception, and nothing has happened.
class ModelServer {
 public:
  struct Object {
    NodeKind kind = NodeKind::kFile;
    std::vector<std::string> versions;  // contents, oldest first; the current one last
  };

  virtual ~ModelServer() = default;
  // All live objects. `contents` false: without versions.
  virtual std::map<std::string, Object> dump(bool contents) = 0;
  // What is not there any more, as far as the server knows it: what we have deleted, and what
  // others have deleted or, where no versions are kept, written over.
  virtual std::vector<Object> deleted_by_us() = 0;
  virtual std::vector<Object> deleted_by_them() = 0;
  // Files whose lock this account holds.
  virtual std::vector<std::string> locked_by_us() = 0;

  virtual void write(const std::string& path, const std::string& content) = 0;
  virtual void mkdir(const std::string& path) = 0;
  virtual void remove(const std::string& path) = 0;  // folders with all that is in them
  virtual void rename(const std::string& path, const std::string& name) = 0;
  virtual void move(const std::string& path, const std::string& folder) = 0;

  // Faults of the server itself for what comes next, until heal(). Which, the seed says.
  virtual void trouble(std::uint64_t /*seed*/) {}
  // Everybody sees everything, and nothing fails.
  virtual void heal() {}
};

// The store in memory, which outlives this.
std::unique_ptr<ModelServer> make_fake_model_server(FakeRemoteStore& remote);

}  // namespace cabinetfs
