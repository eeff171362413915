#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "backend/base/mutex.h"
#include "fs/mount.h"

namespace cabinetfs {

// Why nothing can be mounted here; empty when it can. For CABINET_NEEDS.
std::string why_no_fuse();

// A directory of its own that is removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A volume mounted by this process on a directory of its own, from construction to unmount() or
// destruction. A watcher process detaches it when the test dies without doing so.
class TestMount {
 public:
  // Ends the test process when mounting fails: why_no_fuse() was asked before.
  explicit TestMount(Volume& volume, MountOptions options = {});
  ~TestMount();
  const std::string& path() const { return path_; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }
  // Ends it as SIGTERM would and waits.
  void unmount();
  // Waits until it has ended for another reason.
  void wait_until_ended();
  // Detaches the mount point while it is served, as `umount -l` would.
  void detach();

 private:
  void finish();

  std::string path_;
  std::unique_ptr<Mount> mount_;
  std::thread thread_;
  int watcher_pipe_ = -1;
  int watcher_pid_ = -1;
};

struct ShellResult {
  int exit_code = -1;  // 128 + signal when it was killed; 124 when it took too long
  std::string output;  // standard output and error
};
// Runs a command with sh; `seconds` is the limit.
ShellResult run_shell(const std::string& command, int seconds = 120);

// A running command, killed at destruction.
class ShellProcess {
 public:
  explicit ShellProcess(const std::string& command);
  ~ShellProcess();
  int pid() const { return pid_; }
  void signal(int number);
  // The exit code as in ShellResult; 124 when it did not end in time.
  int wait(std::chrono::milliseconds patience = std::chrono::seconds(30));

 private:
  int pid_ = -1;
};

// Polls until `condition` holds; false when it did not within `patience`.
bool eventually(const std::function<bool()>& condition,
                std::chrono::milliseconds patience = std::chrono::seconds(20));

std::string read_file(const std::string& path);  // "(errno: ...)" when it cannot
bool write_file(const std::string& path, const std::string& content);  // errno is left

}  // namespace cabinetfs
