#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/remote_store.h"
#include "tests/model/model_server.h"
#include "tests/support/fake_remote_store.h"

namespace cabinetfs {

// The server that outlives the children, as the parent has it. Below its folder "Work", or in its
// root, are "d0/a" with "start", and "d1/".
class CrashServer {
 public:
  virtual ~CrashServer() = default;
  // The parent's own store; another one after each call, as after a restart.
  virtual RemoteStore& connect() = 0;
  virtual ModelServer& server() = 0;
  // A child is dead: whatever it has sent is done when this returns. A server that gets to a
  // request only after the next mount has looked is nothing that a client can tell from a lost
  // request.
  virtual bool come_to_rest() { return true; }
  // How a child gets there: the text that child_store() takes.
  virtual std::string address() const = 0;
  // Serves one child through the socket until it is gone; null where children have a network.
  virtual RemoteStore* piped() { return nullptr; }
  virtual std::string root_path() const { return ""; }
  // The server's last calls, where it has a log.
  virtual std::vector<std::string> log() const { return {}; }
};

// Kinds of server: stores in memory behind a pipe ("memory", "paths", "kenesto"), and the vendors'
// real clients with a server each ("kiteworks-client", ...).
std::vector<std::string> crash_worlds();
std::unique_ptr<CrashServer> make_crash_server(const std::string& world);

// What a child works on; ends the process where there is nothing to work on.
class ChildStore {
 public:
  virtual ~ChildStore() = default;
  virtual RemoteStore& store() = 0;
};
std::unique_ptr<ChildStore> child_store(const std::string& world, const std::string& address,
                                        int remote_socket);

}  // namespace cabinetfs
