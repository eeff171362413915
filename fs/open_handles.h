#pragma once

#include <cstdint>
#include <memory>
#include <unordered_set>

#include "backend/base/mutex.h"
#include "cache/volume.h"

namespace cabinetfs {

// What a file descriptor of the kernel stands for: an open file of the volume, or the content of a
// virtual node.
struct FileHandle {
  std::shared_ptr<OpenFile> file;
  std::shared_ptr<ReadableContent> content;
};

// An open directory. The kernel may read one from several threads.
class FolderHandle {
 public:
  explicit FolderHandle(InodeNumber ino) : ino_(ino) {}
  InodeNumber ino() const { return ino_; }
  DirListing listing() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return listing_;
  }
  void set_listing(DirListing listing) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    listing_ = std::move(listing);
  }

 private:
  const InodeNumber ino_;
  mutable Mutex mutex_;
  DirListing listing_ GUARDED_BY(mutex_);
};

// All handles that the kernel holds, as the numbers that it knows them by. A handle is valid from
// add() until its remove(); the kernel asks for nothing else. What is left at the end (a killed
// program, a forced unmount) is closed by release_all(), which commits what was written. Thread
// safe.
class OpenHandles {
 public:
  explicit OpenHandles(Volume& volume) : volume_(volume) {}
  ~OpenHandles();

  std::uint64_t add(FileHandle handle) EXCLUDES(mutex_);
  static FileHandle& file(std::uint64_t number) { return *reinterpret_cast<FileHandle*>(number); }
  void remove_file(std::uint64_t number) EXCLUDES(mutex_);

  std::uint64_t add_folder(InodeNumber ino) EXCLUDES(mutex_);
  static FolderHandle& folder(std::uint64_t number) {
    return *reinterpret_cast<FolderHandle*>(number);
  }
  void remove_folder(std::uint64_t number) EXCLUDES(mutex_);

  // Once no request is running any more.
  void release_all() EXCLUDES(mutex_);
  std::size_t open_files() const EXCLUDES(mutex_);

 private:
  Volume& volume_;
  mutable Mutex mutex_;
  std::unordered_set<FileHandle*> files_ GUARDED_BY(mutex_);
  std::unordered_set<FolderHandle*> folders_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
