#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

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
  // `listing`: as it was at the open, or null.
  FolderHandle(InodeNumber ino, DirListing listing)
      : ino_(ino), listing_(std::move(listing)), unread_(listing_ != nullptr) {}
  InodeNumber ino() const { return ino_; }
  // What a read at the start, or one that goes on, is to be served from; null when it must be
  // fetched.
  DirListing listing_for(bool start) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (start && !unread_) return nullptr;  // rewound: what is there now
    unread_ = false;
    return listing_;
  }
  void set_listing(DirListing listing) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    listing_ = std::move(listing);
    unread_ = false;
  }

 private:
  const InodeNumber ino_;
  mutable Mutex mutex_;
  DirListing listing_ GUARDED_BY(mutex_);
  bool unread_ GUARDED_BY(mutex_);
};

// Which listing the kernel's cached pages of a directory were filled from. Thread safe.
class ServedListings {
 public:
  bool is(InodeNumber folder, const DirListing& listing) const EXCLUDES(mutex_);
  // A read from `listing`; one that goes on where another listing was begun leaves a mixture, which
  // no later open may keep.
  void read(InodeNumber folder, const DirListing& listing, bool start) EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kMaxFolders = 100'000;
  mutable Mutex mutex_;
  std::unordered_map<InodeNumber, std::weak_ptr<const std::vector<DirEntry>>> served_
      GUARDED_BY(mutex_);
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

  std::uint64_t add_folder(InodeNumber ino, DirListing listing) EXCLUDES(mutex_);
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
