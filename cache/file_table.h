#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/base/mutex.h"
#include "cache/content.h"
#include "cache/inode.h"
#include "cache/tree.h"
#include "cache/volume.h"

namespace cabinetfs {

// What all handles on one file share while it is open or being uploaded. There is never more than
// one StagedContent for a file: it is reached through here only.
struct FileState {
  explicit FileState(InodeNumber number) : ino(number) {}

  const InodeNumber ino;
  std::atomic<int> handles = 0;
  std::atomic<int> writers = 0;
  // The committed state that somebody who wrote was told is saved when he closed it: it does not
  // wait for those who go on writing.
  std::atomic<std::uint64_t> closed_generation = 0;
  // Written but not committed: what getattr shows instead of the row. Written under `mutex`, read
  // without.
  std::atomic<bool> live = false;
  std::atomic<std::uint64_t> live_size = 0;
  std::atomic<std::int64_t> live_mtime = 0;  // ns since 1970

  // The content is a copy of what only the server has: saved when the server has made it.
  std::atomic<bool> borrowed = false;

  // Taken before the tree's mutex; held while a write goes to memory or the slot file, and over a
  // commit. Never over the network.
  Mutex mutex;
  std::shared_ptr<StagedContent> staged GUARDED_BY(mutex);
  // Of `staged`, until the commit writes them into the row:
  std::optional<ContentKey> base GUARDED_BY(mutex);
  Validator base_validator GUARDED_BY(mutex);
  WallTime base_modified GUARDED_BY(mutex){};
  std::uint32_t base_version GUARDED_BY(mutex) = 0;
  bool fresh_edit GUARDED_BY(mutex) = false;  // `staged` began after the last upload
  // The content after the last upload, for handles that were opened before it.
  std::shared_ptr<CachedContent> clean GUARDED_BY(mutex);
  std::uint64_t epoch GUARDED_BY(mutex) = 0;  // counts uploads
  // A rename of ours gave the same content another validator: old to new, for handles that were
  // opened before it.
  std::map<std::string, Validator> validators GUARDED_BY(mutex);
  // What the last open was told that the kernel's pages hold, and whether others have been read
  // since.
  std::string opened GUARDED_BY(mutex);
  bool mixed GUARDED_BY(mutex) = false;
  // The row as it was when the name went away.
  NodePtr orphan GUARDED_BY(mutex);
};

class FileTable {
 public:
  std::shared_ptr<FileState> acquire(InodeNumber ino) EXCLUDES(mutex_);
  std::shared_ptr<FileState> find(InodeNumber ino) EXCLUDES(mutex_);
  bool has_writers(InodeNumber ino) EXCLUDES(mutex_);
  // Somebody writes it, and what is committed may wait until he closes it.
  bool waits_for_writers(const NodeRecord& node) EXCLUDES(mutex_);
  bool is_open(InodeNumber ino) EXCLUDES(mutex_);
  std::vector<std::shared_ptr<FileState>> open_files() EXCLUDES(mutex_);
  void purge() EXCLUDES(mutex_);

 private:
  Mutex mutex_;  // leaf
  std::unordered_map<InodeNumber, std::weak_ptr<FileState>> files_ GUARDED_BY(mutex_);
  std::size_t acquired_ GUARDED_BY(mutex_) = 0;
};

class OpenFileImpl final : public OpenFile {
 public:
  OpenFileImpl(std::shared_ptr<FileState> state, OpenFlags open_flags, std::uint64_t max_window)
      : file(std::move(state)), flags_(open_flags), ahead(max_window) {
    ++file->handles;
    if (flags_.write) ++file->writers;
  }
  ~OpenFileImpl() override { drop(); }

  InodeNumber ino() const override { return file->ino; }
  OpenFlags flags() const override { return flags_; }
  bool keep_cache() const override { return keep_cache_; }
  // Once; the destructor does it if nobody has.
  void drop() {
    if (dropped_.exchange(true)) return;
    --file->handles;
    if (flags_.write) --file->writers;
  }

  const std::shared_ptr<FileState> file;

 private:
  const OpenFlags flags_;
  std::atomic<bool> dropped_ = false;

 public:
  bool keep_cache_ = false;  // set before the handle is given out
  std::atomic<bool> wrote = false;
  std::uint64_t epoch = 0;  // of `clean`; the same
  Mutex mutex;              // leaf
  std::shared_ptr<CachedContent> clean GUARDED_BY(mutex);
  ReadAhead ahead GUARDED_BY(mutex);
  std::uint64_t ahead_seen GUARDED_BY(mutex) =
      UINT64_MAX;  // offset that the read-ahead has seen last
  SteadyTime validated GUARDED_BY(mutex){};
};

}  // namespace cabinetfs
