#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/base/result.h"
#include "fs/kernel_notifier.h"

namespace cabinetfs {

class CabinetXattrs;
class OpenHandles;
class RequestRunner;
class VirtualNodes;
class Volume;

struct ChannelOptions {
  std::string mount_point;
  std::string source;  // first column of /proc/mounts
  bool allow_other = false;
  bool read_only = false;
  std::vector<std::string> extra;  // of mount(8)
  unsigned threads = 8;
  std::uint32_t uid = 0, gid = 0;  // who owns everything
};

// What the operations work on; they outlive the channel.
struct ChannelParts {
  Volume& volume;
  VirtualNodes& virtual_nodes;
  CabinetXattrs& xattrs;
  RequestRunner& runner;
  OpenHandles& handles;
};

// The FUSE session: the device, the threads that read it, the operations (ops_*.cc) and the
// notifications. This and the ops files are all that knows libfuse.
//
// mount(), start(), stop_threads(), unmount() from one thread, in this order; KernelSink from the
// notifier's.
class FuseChannel : public KernelSink {
 public:
  static Result<std::unique_ptr<FuseChannel>> mount(const ChannelOptions& options,
                                                    ChannelParts parts);
  // `on_end` is called (from a reading thread, possibly more than once) when the kernel ended the
  // session, that is, after an unmount from outside.
  virtual Result<void> start(std::function<void()> on_end) = 0;
  // False when the kernel did not say hello in time.
  virtual bool wait_until_ready(std::chrono::milliseconds patience) = 0;
  // No request is read after this. Those that wait in a pool are not touched.
  virtual void stop_threads() = 0;
  // Detaches the mount point if it still is mounted. Requests that the kernel has not been answered
  // end with an error.
  virtual void unmount() = 0;
};

}  // namespace cabinetfs
