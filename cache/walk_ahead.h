#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/base/executor.h"
#include "backend/base/mutex.h"
#include "cache/listing.h"
#include "cache/volume_core.h"

namespace cabinetfs {

// Notices that a program walks a tree and works ahead of it: lists child folders (`find`, `ls -R`)
// and fetches small files in the order of the listing (`tar`, `grep -r`, `cp -r`). What it does
// ahead and nobody asks for makes it stop. Thread safe.
class WalkAhead {
 public:
  WalkAhead(VolumeCore& core, ListingService& listings);
  ~WalkAhead();

  // A program has opened this folder's listing, whose children are `children` in listing order.
  void listed(InodeNumber folder, InodeNumber parent, const DirListing& children) EXCLUDES(mutex_);
  // A program has opened this file for reading.
  void opened(const NodeRecord& file) EXCLUDES(mutex_);
  // Fetches the contents of these files, several at a time, and many in one request where the
  // vendor can. Returns when all are here, or at the deadline; goes on after a failure, and returns
  // the first.
  Result<void> fetch_all(const CallContext& call, const std::vector<InodeNumber>& files);
  void shutdown();

 private:
  // Contents that are to be fetched together, by remote id.
  struct Wanted {
    std::vector<RemoteEntry> entries;
    std::unordered_map<std::string, std::shared_ptr<CachedContent>> contents;
  };
  struct Waiting;
  struct Folder {
    SteadyTime listed{};
    DirListing children;
    std::unordered_map<InodeNumber, std::size_t> position;  // filled when files are read
    std::size_t next = 0;      // the position after the last file that was read
    unsigned in_a_row = 0;     // files read in order
    std::size_t ahead_to = 0;  // fetched up to here
    bool below = false;        // all folders in it are listed, or have been asked for
  };

  // Lists the folders in it ahead. False: enough has been listed for now.
  bool list_in(const DirListing& children) EXCLUDES(mutex_);
  void list_below(InodeNumber folder, int depth) EXCLUDES(mutex_);
  bool list_ahead(const NodeRecord& folder, int depth) EXCLUDES(mutex_);
  void fetch(std::vector<InodeNumber> files);
  Wanted missing_of(const std::vector<InodeNumber>& files, std::uint64_t max_size);
  std::vector<Wanted> in_parts(Wanted all, std::size_t parts) const;
  // Small files in one request; what did not come that way is not here.
  void fetch_bulk(const CallContext& call, const Wanted& part);

  VolumeCore& core_;
  ListingService& listings_;
  Mutex mutex_;
  std::unordered_map<InodeNumber, Folder> folders_ GUARDED_BY(mutex_);
  std::deque<InodeNumber> order_ GUARDED_BY(mutex_);
  std::uint64_t asked_ahead_ GUARDED_BY(mutex_) = 0;  // folders listed ahead
  std::uint64_t used_ GUARDED_BY(mutex_) = 0;         // of them, listed by a program later
  std::unordered_map<InodeNumber, SteadyTime> ahead_ GUARDED_BY(mutex_);
  SteadyTime reading_walk_ GUARDED_BY(mutex_){};  // last time that files were read in listing order
  Executor pool_;
  Executor waited_for_;  // fetch_all(): takes as long as large files take
};

}  // namespace cabinetfs
