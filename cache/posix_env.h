#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/result.h"
#include "backend/base/text.h"

namespace cabinetfs {

// The file calls of the caches: everything in cache/ that touches a local file (besides SQLite)
// goes through here. Calls that a signal interrupts are repeated. A missing file is kNotFound, a
// full disk or local quota kNoSpace, an existing one (exclusive create) kExists, anything else kIo;
// the context holds the operation, the path and the system's words.
//
// The free functions are thread safe.
Error file_error(int system_error, const std::string& what);

// An open file; closes itself. Movable. read_at() and write_at() and the rest may run on several
// threads at once on one File, as on one descriptor; moving and closing may not run beside them.
class File {
 public:
  File() = default;
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  static Result<File> open_read(const std::string& path);
  static Result<File> open_write(const std::string& path);  // reading and writing, must exist
  // Reading and writing, mode 0600.
  static Result<File> create_exclusive(const std::string& path);  // kExists
  static Result<File> open_or_create(const std::string& path);

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }

  // Fills `out` up to the end of the file; the count is smaller only there.
  Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) const;
  // The same, but a file that ends too early is kCorrupt.
  Result<void> read_exactly_at(std::uint64_t offset, MutableBytes out) const;
  // All of it. After an error any part may have been written.
  Result<void> write_at(std::uint64_t offset, Bytes bytes) const;
  Result<void> truncate(std::uint64_t size) const;
  // Gives the range back to the disk; it reads as zeros and the size stays. Where the local
  // filesystem has no holes, zeros are written instead.
  Result<void> punch_hole(std::uint64_t offset, std::uint64_t length) const;
  // Takes the range from the disk now, growing the file if need be; kNoSpace when it is not there.
  // kNotSupported where the local filesystem cannot.
  Result<void> allocate(std::uint64_t offset, std::uint64_t length) const;
  // fdatasync: contents and size are on stable storage. After a failure the kernel may have dropped
  // what it could not write, and a second call would succeed without it: never retry, write again.
  Result<void> sync_data() const;
  Result<std::uint64_t> size() const;
  // What the file takes on the disk, holes left out.
  Result<std::uint64_t> disk_bytes() const;
  // Reports what close() itself has to say; the destructor ignores it.
  Result<void> close();

 private:
  File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  static Result<File> open(const std::string& path, int flags);

  int fd_ = -1;
  std::string path_;
};

struct FileEntry {
  std::string name;
  bool directory = false;
};
struct DiskSpace {
  std::uint64_t free = 0;  // bytes that this user may still take
  std::uint64_t total = 0;
};

bool file_exists(const std::string& path);
Result<void> rename_file(const std::string& from, const std::string& to);  // replaces `to`
Result<void> remove_file(const std::string& path);                         // a missing one is fine
Result<void> remove_dir(const std::string& path);  // empty; a missing one is fine
Result<void> make_dirs(const std::string& path);   // with parents, 0700; existing ones are fine
// Makes creations, renames and removals in the directory durable.
Result<void> sync_dir(const std::string& path);
// Without "." and "..", in no order.
Result<std::vector<FileEntry>> list_dir(const std::string& path);
Result<DiskSpace> disk_space(const std::string& path);
// The directory part of a path: "a/b" -> "a", "/b" -> "/", "b" -> ".".
std::string parent_dir(const std::string& path);

// The whole file; kTooLarge beyond `max_bytes`.
Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes = 16u << 20);
// The path holds either the old or the new content whatever happens, and the new one durably when
// this returns. Mode 0600. Two writers of one path at once: one of them wins.
Result<void> atomic_write_file(const std::string& path, Bytes content);

// Keeps a second process out of a directory: an flock on its file "lock", which ends with the
// process, however it ends. The lock is shared with children made by fork().
class DirLock {
 public:
  // kBusy, with the other process's id, when it is taken. Makes the directory if need be.
  static Result<DirLock> acquire(const std::string& dir);
  // Writes this process's id into the lock file: for the child of a fork that takes over.
  Result<void> claim() const;

 private:
  explicit DirLock(File file) : file_(std::move(file)) {}
  File file_;
};

// For tests: called with the operation ("open", "read", "write", "sync", "truncate", "punch",
// "allocate", "rename", "remove", ...) and the path before it is done; anything but 0 is the errno
// that it fails with. An empty function takes it away.
using FileFaultHook = std::function<int(const char* operation, const std::string& path)>;
void set_file_fault_hook(FileFaultHook hook);

}  // namespace cabinetfs
