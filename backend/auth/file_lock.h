#pragma once

#include <string>

#include "backend/base/call.h"
#include "backend/base/result.h"

namespace cabinetfs {

// An exclusive lock between processes (and between holders in one process), by flock on a file that
// stays where it is. Released by the destructor, or by the kernel when the process dies.
class FileLock {
 public:
  // Makes the file (0600) where it is missing. Polls until the lock is free; kTimeout, kCancelled,
  // kIo.
  static Result<FileLock> acquire(const std::string& path, const CallContext& call);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

// Makes the directories above `path`, those that are missing with mode 0700.
Result<void> make_private_parents(const std::string& path);

}  // namespace cabinetfs
