#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/base/result.h"

namespace cabinetfs {

class Volume;

struct MountOptions {
  std::string mount_point;  // absolute
  std::string remote;       // its name in the configuration: fsname and `user.cabinet.remote`
  bool allow_other = false;
  bool read_only = false;
  std::uint32_t uid = 0, gid = 0;  // who owns everything, as VolumeOptions says
  unsigned threads = 8;            // that read from the FUSE device
  unsigned waiting_threads = 64;   // requests that wait, of data, names and fsync each
  std::chrono::milliseconds call_timeout{60'000};  // of one request
  std::vector<std::string> extra;                  // further options of mount(8), such as "noatime"
  std::string config_text;                         // `.cabinet/config.toml`, without secrets
  std::function<std::string()> extra_metrics;      // appended to `.cabinet/metrics`; may be empty
};

// One mounted volume: FUSE session, kernel notifier, request threads.
//
// Threads: run() from one thread, once; stop() from any. The volume outlives the mount and is
// started and stopped by the caller: stop it after run() has returned and before the mount is
// destroyed.
class Mount {
 public:
  // Mounts. A dead mount point (left by a killed process) is cleared first. kNotFound and
  // kNotDirectory: the mount point; kBusy: something is mounted there; kDenied; kNotSupported: no
  // /dev/fuse.
  static Result<std::unique_ptr<Mount>> create(MountOptions options, Volume& volume);
  // Unmounts if run() did not.
  virtual ~Mount() = default;

  // Serves until the file system is unmounted from outside or stop() is called; then ends what is
  // running, commits what open handles hold, and returns with nothing mounted. `ready` is called
  // once programs can use the mount. `on_signals`: SIGTERM, SIGINT and SIGHUP are a stop(); they
  // must be blocked in all threads (block_stop_signals()).
  virtual Result<void> run(const std::function<void()>& ready, bool on_signals) = 0;
  virtual void stop() = 0;

  // Blocks the three signals in the calling thread; called by main before any thread is started.
  static void block_stop_signals();
};

// A mount point whose server is gone: killed, or cut off.
bool is_dead_mount(const std::string& mount_point);
// Detaches a mount point whose server is gone. Anything else is left alone.
Result<void> clear_dead_mount(const std::string& mount_point);
// What keeps fusermount3 from unmounting for this user; empty: nothing that is known.
std::string fusermount_obstacle();

}  // namespace cabinetfs
