#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "backend/base/cancel.h"
#include "backend/base/result.h"

namespace cabinetfs {

// The command's end of a mount's control socket.
//
// One request is one line of JSON, `{"cmd": "...", ...}`. The answer is any number of lines
// `{"progress": {...}}` and then one `{"ok": true, "result": {...}}` or
// `{"ok": false, "error": {"code": "not-found", "message": "..."}}`. A connection serves one
// request after the other. Closing it gives up the running one.
//
// `path` is relative to the mount root, "" is the root. `timeout` is in seconds (default: the
// mount's call_timeout; 0 = none for flush and prefetch). Commands:
//
//   status                       what the mount is and what is unsent, see fs/status_json.h
//   stats                        counters: {"volume", "content", "fuse"}
//   account, quota, capabilities
//   info       path              what is known of a node, see fs/status_json.h
//   flush      path timeout      waits until nothing below is unsent; progress: as status
//   retry|discard|refresh path
//   prefetch   path timeout
//   pin        path state        state: pinned | unpinned | inherit
//   sync       path mode         mode: local | remote | inherit
//   versions|history|permissions path     result {"items": [...]}
//   promote    path version      a number
//   lock       path
//   unlock     path comment
//   share      path who level
//   unshare    path who
//   describe   path text
//   send       to cc bcc (arrays) subject body draft files: [{"path"} on the mount or {"file"}
//   absolute
//              path on this machine, read by the mount's process]
//   cache-stats|cache-verify|cache-gc|cache-clear
//   log        result {"lines": [...]};  log-level level (trace|debug|info|warn|error|off)
//   unmount                      the mount ends once this is answered; what is unsent is kept
//
// Not thread safe.
class ControlClient {
 public:
  // kUnavailable when nobody listens there.
  static Result<ControlClient> connect(const std::string& socket_path);
  ControlClient(ControlClient&& other) noexcept;
  ControlClient& operator=(ControlClient&& other) noexcept;
  ~ControlClient();

  using Progress = std::function<void(const nlohmann::json&)>;
  // The "result" of the answer, or its "error". kCancelled; kIo when no answer came within
  // `patience` (zero: wait as long as the server lives) or the server is gone, so that kTimeout and
  // kUnavailable are what the remote has done. After either the connection is closed.
  Result<nlohmann::json> call(const nlohmann::json& request,
                              std::chrono::milliseconds patience = std::chrono::milliseconds(0),
                              const Progress& progress = {}, const CancelToken& cancel = {});

 private:
  explicit ControlClient(int fd) : fd_(fd) {}
  Result<std::string> read_line(std::chrono::steady_clock::time_point until,
                                const CancelToken& cancel);
  void close();

  int fd_ = -1;
  std::string buffer_;
};

}  // namespace cabinetfs
