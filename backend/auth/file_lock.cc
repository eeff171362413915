#include "backend/auth/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "backend/base/mutex.h"
#include "backend/base/text.h"

namespace cabinetfs {
namespace {

// flock cannot wait with a deadline. The holder keeps it for a round trip, so asking 50 times a
// second costs nothing.
constexpr std::chrono::milliseconds kPollEvery{20};

}  // namespace

Result<void> make_private_parents(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    const std::string parent = path.substr(0, at);
    if (::mkdir(parent.c_str(), 0700) != 0 && errno != EEXIST) {
      return fail(ErrorCode::kIo, parent + ": " + errno_text(errno));
    }
  }
  return {};
}

Result<FileLock> FileLock::acquire(const std::string& path, const CallContext& call) {
  TRY(make_private_parents(path));
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail(ErrorCode::kIo, path + ": " + errno_text(errno));
  FileLock held(fd);
  Mutex mutex;
  CondVar changed;
  const auto registration = call.cancel.on_cancel([&] {
    MutexLock lock(mutex);
    changed.notify_all();
  });
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return fail(ErrorCode::kIo, path + ": " + errno_text(errno));
    }
    const SteadyTime now = Clock::system().steady();
    if (call.deadline <= now) return fail(ErrorCode::kTimeout, path + " is locked by another");
    MutexLock lock(mutex);
    if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, path);
    changed.wait_until(mutex, std::min(call.deadline, now + kPollEvery));
  }
  return held;
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace cabinetfs
