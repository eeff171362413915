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
  FolderHandle(InodeNumber ino, DirListing listing, bool uses_pages)
      : ino_(ino),
        uses_pages_(uses_pages),
        listing_(std::move(listing)),
        unread_(listing_ != nullptr) {}
  InodeNumber ino() const { return ino_; }
  // Fills the kernel's pages of the directory with what it reads, and is served from them.
  bool uses_pages() const { return uses_pages_; }
  // The kernel may read the start from pages that it has, unseen. A read of the start is then a
  // rewinddir() after a change, more often than not.
  void start_is_in_pages() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    unread_ = false;
  }
  // What a read at the start, or one that goes on, is to be served from; null when it must be
  // asked for.
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
  const bool uses_pages_;
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

  // The kernel has one set of pages for each directory, and goes on in them at an offset that it
  // got from other pages when they were filled anew. Offsets are places in one handle's listing, so
  // only one open handle of a directory may use the pages; the others ask for all that they read.
  std::uint64_t add_folder(InodeNumber ino, DirListing listing, bool may_use_pages)
      EXCLUDES(mutex_);
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
  std::unordered_set<InodeNumber> page_users_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
