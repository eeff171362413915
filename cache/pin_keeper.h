#pragma once

#include <atomic>
#include <string>
#include <unordered_map>

#include "backend/base/executor.h"
#include "cache/listing.h"
#include "cache/volume_core.h"
#include "cache/walk_ahead.h"

namespace cabinetfs {

// Keeps on this disk what is pinned, and whatever comes into a pinned folder later: other versions,
// new files. What is superseded, gone or unpinned may be evicted again. Thread safe.
class PinKeeper {
 public:
  PinKeeper(VolumeCore& core, ListingService& listings, WalkAhead& walk);
  // Looks at all that is pinned, soon, in the background. Cheap where nothing is.
  void wake();
  void shutdown();

 private:
  struct Pinned {
    ContentKey key;
    bool wanted = false;  // a version that programs read; not the base of an edit
  };
  using Contents = std::unordered_map<InodeNumber, Pinned>;

  void pass();
  Result<Contents> find();
  void fetch(const Contents& contents);

  VolumeCore& core_;
  ListingService& listings_;
  WalkAhead& walk_;
  std::atomic<bool> queued_ = false;
  // Of the one thread:
  std::unordered_map<InodeNumber, ContentKey> pinned_;  // as the cache knows it
  bool known_ = false;                                  // `pinned_` is what the cache has
  Executor pool_{"pins", 1};
};

}  // namespace cabinetfs
