#include "cache/posix_env.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <system_error>

#include "backend/base/mutex.h"

namespace cabinetfs {
namespace {

// The flag keeps the cost of the hook at one relaxed load where no test has set one.
std::atomic<bool> fault_hook_set{false};
Mutex fault_hook_mutex;
std::shared_ptr<const FileFaultHook> fault_hook GUARDED_BY(fault_hook_mutex);

// 0, or the errno that a test wants the operation to fail with.
int injected_fault(const char* operation, const std::string& path) {
  if (!fault_hook_set.load(std::memory_order_acquire)) return 0;
  std::shared_ptr<const FileFaultHook> hook;
  {
    MutexLock lock(fault_hook_mutex);
    hook = fault_hook;
  }
  return hook && *hook ? (*hook)(operation, path) : 0;
}

// Runs a system call that returns -1 with errno; repeats it after a signal. 0, or the errno.
template <class Call>
int run(const char* operation, const std::string& path, Call call) {
  if (const int fault = injected_fault(operation, path)) return fault;
  while (call() < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

tl::unexpected<Error> failed(int system_error, const char* operation, const std::string& path) {
  return fail(file_error(system_error, fmt::format("{} {}", operation, path)));
}

off_t as_offset(std::uint64_t value) { return static_cast<off_t>(value); }

Result<void> write_zeros(const File& file, std::uint64_t offset, std::uint64_t length) {
  static constexpr std::array<std::byte, 64u << 10> kZeros{};
  TRY_ASSIGN(const std::uint64_t size, file.size());
  if (offset >= size) return {};
  for (length = std::min(length, size - offset); length > 0;) {
    const auto part = std::min<std::uint64_t>(length, kZeros.size());
    TRY(file.write_at(offset, Bytes(kZeros).first(static_cast<std::size_t>(part))));
    offset += part;
    length -= part;
  }
  return {};
}

Result<struct stat> stat_of(const File& file) {
  struct stat info {};
  if (const int error = run("stat", file.path(), [&] { return ::fstat(file.fd(), &info); }))
    return failed(error, "stat", file.path());
  return info;
}

}  // namespace

Error file_error(int system_error, const std::string& what) {
  auto code = ErrorCode::kIo;
  if (system_error == ENOENT) code = ErrorCode::kNotFound;
  if (system_error == EEXIST) code = ErrorCode::kExists;
  if (system_error == ENOSPC || system_error == EDQUOT) code = ErrorCode::kNoSpace;
  return {code, fmt::format("{}: {}", what, std::system_category().message(system_error))};
}

void set_file_fault_hook(FileFaultHook hook) {
  auto shared = hook ? std::make_shared<const FileFaultHook>(std::move(hook)) : nullptr;
  MutexLock lock(fault_hook_mutex);
  fault_hook_set.store(shared != nullptr, std::memory_order_release);
  fault_hook = std::move(shared);
}

File::File(File&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

Result<File> File::open(const std::string& path, int flags) {
  int fd = -1;
  if (const int error = run("open", path, [&] {
        fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, 0600);
        return fd;
      }))
    return failed(error, "open", path);
  return File(fd, path);
}

Result<File> File::open_read(const std::string& path) { return open(path, O_RDONLY); }
Result<File> File::open_write(const std::string& path) { return open(path, O_RDWR); }
Result<File> File::create_exclusive(const std::string& path) {
  return open(path, O_RDWR | O_CREAT | O_EXCL);
}
Result<File> File::open_or_create(const std::string& path) { return open(path, O_RDWR | O_CREAT); }

Result<std::size_t> File::read_at(std::uint64_t offset, MutableBytes out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    ssize_t got = 0;
    if (const int error = run("read", path_, [&] {
          got = ::pread(fd_, out.data() + done, out.size() - done, as_offset(offset + done));
          return got;
        }))
      return failed(error, "read", path_);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<void> File::read_exactly_at(std::uint64_t offset, MutableBytes out) const {
  TRY_ASSIGN(const std::size_t got, read_at(offset, out));
  if (got != out.size())
    return fail(ErrorCode::kCorrupt, fmt::format("read {}: ends at {}, expected {} more bytes",
                                                 path_, offset + got, out.size() - got));
  return {};
}

Result<void> File::write_at(std::uint64_t offset, Bytes bytes) const {
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t put = 0;
    if (const int error = run("write", path_, [&] {
          put = ::pwrite(fd_, bytes.data() + done, bytes.size() - done, as_offset(offset + done));
          return put;
        }))
      return failed(error, "write", path_);
    // A regular file takes something or fails; anything else would spin here for ever.
    if (put == 0) return failed(EIO, "write", path_);
    done += static_cast<std::size_t>(put);
  }
  return {};
}

Result<void> File::truncate(std::uint64_t size) const {
  if (const int error = run("truncate", path_, [&] { return ::ftruncate(fd_, as_offset(size)); }))
    return failed(error, "truncate", path_);
  return {};
}

Result<void> File::punch_hole(std::uint64_t offset, std::uint64_t length) const {
  if (length == 0) return {};
  const int error = run("punch", path_, [&] {
    return ::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, as_offset(offset),
                       as_offset(length));
  });
  if (error == EOPNOTSUPP || error == ENOSYS) return write_zeros(*this, offset, length);
  if (error != 0) return failed(error, "punch", path_);
  return {};
}

Result<void> File::allocate(std::uint64_t offset, std::uint64_t length) const {
  if (length == 0) return {};
  const int error = run("allocate", path_,
                        [&] { return ::fallocate(fd_, 0, as_offset(offset), as_offset(length)); });
  if (error == EOPNOTSUPP || error == ENOSYS)
    return fail(ErrorCode::kNotSupported, fmt::format("allocate {}: no fallocate here", path_));
  if (error != 0) return failed(error, "allocate", path_);
  return {};
}

Result<void> File::sync_data() const {
  if (const int error = run("sync", path_, [&] { return ::fdatasync(fd_); }))
    return failed(error, "sync", path_);
  return {};
}

Result<std::uint64_t> File::size() const {
  TRY_ASSIGN(const struct stat info, stat_of(*this));
  return static_cast<std::uint64_t>(info.st_size);
}

Result<std::uint64_t> File::disk_bytes() const {
  TRY_ASSIGN(const struct stat info, stat_of(*this));
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

Result<void> File::close() {
  // After EINTR the descriptor is gone on Linux: a second close could hit somebody else's.
  if (fd_ >= 0 && ::close(std::exchange(fd_, -1)) < 0 && errno != EINTR)
    return failed(errno, "close", path_);
  return {};
}

bool file_exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (const int error = run("rename", from, [&] { return ::rename(from.c_str(), to.c_str()); }))
    return failed(error, "rename", fmt::format("{} to {}", from, to));
  return {};
}

Result<void> remove_file(const std::string& path) {
  const int error = run("remove", path, [&] { return ::unlink(path.c_str()); });
  if (error != 0 && error != ENOENT) return failed(error, "remove", path);
  return {};
}

Result<void> remove_dir(const std::string& path) {
  const int error = run("rmdir", path, [&] { return ::rmdir(path.c_str()); });
  if (error != 0 && error != ENOENT) return failed(error, "rmdir", path);
  return {};
}

Result<void> make_dirs(const std::string& path) {
  for (std::size_t at = 0; at != std::string::npos;) {
    at = path.find('/', at + 1);
    const std::string part = path.substr(0, at);
    const int error = run("mkdir", part, [&] { return ::mkdir(part.c_str(), 0700); });
    if (error == 0 || error == EEXIST) continue;
    // A parent may be read-only to us and still be there.
    struct stat info {};
    if (::stat(part.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) continue;
    return failed(error, "mkdir", part);
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return failed(errno, "mkdir", path);
  if (!S_ISDIR(info.st_mode)) return failed(ENOTDIR, "mkdir", path);
  return {};
}

Result<void> sync_dir(const std::string& path) {
  int fd = -1;
  if (const int error = run("open", path, [&] {
        fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd;
      }))
    return failed(error, "open", path);
  const int error = run("sync", path, [&] { return ::fsync(fd); });
  ::close(fd);
  // Some network filesystems refuse to sync a directory; they order these changes themselves.
  if (error != 0 && error != EINVAL) return failed(error, "sync", path);
  return {};
}

Result<std::vector<FileEntry>> list_dir(const std::string& path) {
  if (const int fault = injected_fault("list", path)) return failed(fault, "list", path);
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  if (!dir) return failed(errno, "list", path);
  std::vector<FileEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN) {
      struct stat info {};
      directory =
          ::stat(fmt::format("{}/{}", path, name).c_str(), &info) == 0 && S_ISDIR(info.st_mode);
    }
    entries.push_back({std::move(name), directory});
  }
  if (errno != 0) return failed(errno, "list", path);
  return entries;
}

Result<DiskSpace> disk_space(const std::string& path) {
  struct statvfs info {};
  if (const int error = run("statvfs", path, [&] { return ::statvfs(path.c_str(), &info); }))
    return failed(error, "statvfs", path);
  return DiskSpace{static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize,
                   static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize};
}

std::string parent_dir(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes) {
  TRY_ASSIGN(const File file, File::open_read(path));
  TRY_ASSIGN(const std::uint64_t size, file.size());
  if (size > max_bytes)
    return fail(ErrorCode::kTooLarge, fmt::format("read {}: {} bytes", path, size));
  std::string content(static_cast<std::size_t>(size), '\0');
  TRY_ASSIGN(const std::size_t got,
             file.read_at(0, std::as_writable_bytes(std::span(content.data(), content.size()))));
  content.resize(got);
  return content;
}

Result<void> atomic_write_file(const std::string& path, Bytes content) {
  // The process id keeps two processes apart, the counter two threads.
  static std::atomic<unsigned> counter{0};
  const std::string temporary = fmt::format("{}.{}.{}.tmp", path, ::getpid(), counter++);
  const auto write = [&]() -> Result<void> {
    TRY_ASSIGN(File file, File::create_exclusive(temporary));
    TRY(file.write_at(0, content));
    TRY(file.sync_data());
    TRY(file.close());
    return rename_file(temporary, path);
  };
  if (auto written = write(); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_dir(parent_dir(path));
}

Result<DirLock> DirLock::acquire(const std::string& dir) {
  TRY(make_dirs(dir));
  TRY_ASSIGN(File file, File::open_or_create(dir + "/lock"));
  const int error = run("lock", file.path(), [&] { return ::flock(file.fd(), LOCK_EX | LOCK_NB); });
  if (error == EWOULDBLOCK) {
    std::array<char, 32> text{};
    TRY_ASSIGN(const std::size_t got, file.read_at(0, std::as_writable_bytes(std::span(text))));
    long pid = 0;
    std::from_chars(text.data(), text.data() + got, pid);
    return fail(ErrorCode::kBusy, pid > 0 ? fmt::format("{} is in use by process {}", dir, pid)
                                          : fmt::format("{} is in use by another process", dir));
  }
  if (error != 0) return failed(error, "lock", file.path());
  DirLock lock(std::move(file));
  TRY(lock.claim());
  return lock;
}

Result<void> DirLock::claim() const {
  const std::string text = fmt::format("{}\n", ::getpid());
  TRY(file_.truncate(0));
  return file_.write_at(0, as_bytes(text));
}

}  // namespace cabinetfs
