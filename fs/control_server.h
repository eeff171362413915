#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "backend/base/result.h"

namespace cabinetfs {

class ContentStore;
class Volume;

// What the control socket can reach. The pointers outlive the server.
struct ControlServices {
  Volume* volume = nullptr;
  ContentStore* contents = nullptr;              // may be null: no cache commands
  std::function<nlohmann::json()> extra_status;  // merged into "status" and "stats"; may be empty
  std::function<void()> unmount;                 // asks the mount to end; must not wait for it
  std::chrono::milliseconds call_timeout{60'000};
};

// Listens on a unix socket for the command (fs/control_client.h has the protocol). Only the mount's
// owner and root are served. A thread for each connection, at most 32; a bad request is answered, a
// silent client costs a thread only.
class ControlServer {
 public:
  // Makes the socket's directory (0700) if it is missing and replaces a dead socket. kBusy when a
  // living one listens there.
  static Result<std::unique_ptr<ControlServer>> start(const std::string& socket_path,
                                                      ControlServices services);
  // Gives up running requests, waits for their threads, removes the socket.
  ~ControlServer();

 private:
  class Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cabinetfs
