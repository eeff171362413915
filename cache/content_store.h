#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/executor.h"
#include "backend/base/mutex.h"
#include "cache/block_index.h"
#include "cache/block_memory.h"
#include "cache/cached_content.h"
#include "cache/content.h"
#include "cache/fetcher.h"
#include "cache/staged_content.h"

namespace cabinetfs {

// The registry of what is open, the disk budget, and the thread that saves maps. Contents must not
// outlive it.
//
// Locks: evict_mutex_, then mutex_; both before the index's own. mutex_ may be held over a call of
// the index and over CachedFile::load (short, local), never over the network.
class ContentStoreImpl final : public ContentStore, public CachedHost, public StagedHost {
 public:
  ContentStoreImpl(ContentOptions options, const Sealer& sealer, RemoteStore& remote,
                   std::unique_ptr<BlockIndex> index);
  ~ContentStoreImpl() override;

  // ContentStore
  Result<std::shared_ptr<CachedContent>> open_cached(const ContentKey& key) override;
  std::uint64_t cached_bytes(const ContentKey& key) override;
  void drop_cached(const ContentKey& key) override;
  void rename_cached(const std::vector<ContentRename>& renames) override;
  void set_pins(const std::vector<ContentKey>& keys) override;
  void hold(const ContentKey& key, bool held) override EXCLUDES(held_mutex_);
  Result<std::shared_ptr<StagedContent>> create_staged(
      const std::optional<ContentKey>& base) override;
  Result<std::shared_ptr<StagedContent>> load_staged(
      const std::string& record, const std::optional<ContentKey>& base) override;
  void adopt(const std::shared_ptr<StagedContent>& content, const ContentKey& key) override;
  void discard_staged(const std::shared_ptr<StagedContent>& content) override;
  void set_row_sync(std::function<Result<void>()> sync) override EXCLUDES(row_sync_mutex_);
  void collect_staged(const std::vector<std::string>& live_records) override;
  ContentStats stats() const override;
  bool make_room(std::uint64_t bytes) override;  // also StagedHost
  void clear_cache() override;
  void collect_garbage() override;
  using ContentStore::verify;
  VerifyReport verify(const CancelToken& cancel) override;
  void shutdown() override;

 private:
  struct NameHash {
    std::size_t operator()(const BlockIndex::Name& name) const;
  };
  struct Known {
    std::weak_ptr<CachedFile> file;
    std::weak_ptr<CachedHandle> handle;
  };
  using Name = BlockIndex::Name;

  // CachedHost, StagedHost
  const ContentOptions& options() const override { return options_; }
  const Sealer& sealer() const override { return sealer_; }
  BlockMemory& memory() override { return memory_; }
  Fetcher& fetcher() override { return fetcher_; }
  Executor& disk() override { return disk_; }
  ContentCounters& counters() override { return counters_; }
  BlockIndex& index() override { return *index_; }
  bool charge(std::uint64_t bytes) override;
  void refund(std::uint64_t bytes) override { cache_bytes_ -= bytes; }
  void changed(std::shared_ptr<CachedFile> file) override;
  std::uint64_t prefetch_allowance() override;
  void note_prefetch(std::uint64_t used, std::uint64_t unused) override;
  const std::string& staged_dir() const override { return options_.staged_dir; }
  Result<std::shared_ptr<CachedContent>> open_base(const ContentKey& key) override {
    return open_cached(key);
  }
  void note_unsynced(const ContentId& id, bool unsynced) override EXCLUDES(unsynced_mutex_) {
    MutexLock lock(unsynced_mutex_);
    if (unsynced)
      unsynced_.insert(id);
    else
      unsynced_.erase(id);
  }
  bool is_unsynced(const ContentId& id) override EXCLUDES(unsynced_mutex_) {
    MutexLock lock(unsynced_mutex_);
    return unsynced_.contains(id);
  }

  void retire(std::shared_ptr<SlotFile> file) override EXCLUDES(changed_mutex_);
  // Removes what has been retired, once no row can name it any more. False: nothing went.
  bool remove_retired() EXCLUDES(row_sync_mutex_, changed_mutex_);

  bool is_held(const Name& name) EXCLUDES(held_mutex_);

  Name name_of(const ContentKey& key) const;
  std::shared_ptr<CachedFile> find_file(const Name& name) EXCLUDES(mutex_);
  void rename_one(const Name& from, const Name& to) EXCLUDES(evict_mutex_, mutex_);
  bool is_known_locked(const Name& name) const REQUIRES(mutex_);
  // Evicts contents that nobody uses, holds or has pinned, oldest first, until `need` bytes went or
  // none is left; then on to `want`. Returns what went.
  std::uint64_t evict_locked(std::uint64_t need, std::uint64_t want) REQUIRES(evict_mutex_)
      EXCLUDES(mutex_);
  std::uint64_t evict(std::uint64_t bytes) EXCLUDES(evict_mutex_, mutex_);
  bool evict_one(const BlockIndex::Row& row) EXCLUDES(mutex_);
  std::uint64_t over_limit(std::uint64_t more);
  CachedFile::Checked check_closed(const Name& name, const CancelToken& cancel) EXCLUDES(mutex_);
  void remove_strangers();
  void save_changed() EXCLUDES(changed_mutex_);
  void keep_unvalidated(const std::set<std::shared_ptr<CachedFile>>& saved)
      EXCLUDES(changed_mutex_);
  void run_saver(const std::stop_token& stop) EXCLUDES(changed_mutex_);
  // adopt(): the version's blocks, in the staged file.
  ContentRecord make_adopted(const StagedFile::Adopted& adopted, ReadableContent& snapshot,
                             const ContentKey& key);
  // The staged file becomes a file of the cache. False: it could not.
  bool move_to_cache(const StagedFile::Adopted& adopted, std::uint64_t slots);

  const ContentOptions options_;
  const Sealer& sealer_;
  const std::unique_ptr<BlockIndex> index_;
  ContentCounters counters_;
  BlockMemory memory_;
  std::atomic<std::uint64_t> cache_bytes_{0};
  std::atomic<std::uint64_t> free_checked_{0};   // free bytes of the disk when last looked
  std::atomic<std::uint64_t> charged_since_{0};  // since then
  std::atomic<bool> stopped_{false};

  Mutex held_mutex_;  // leaf
  std::unordered_map<Name, std::size_t, NameHash> held_ GUARDED_BY(held_mutex_);

  Mutex evict_mutex_;  // one eviction at a time
  mutable Mutex mutex_;
  std::unordered_map<Name, Known, NameHash> cached_ GUARDED_BY(mutex_);
  std::set<ContentId> adopting_ GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::weak_ptr<StagedFile>> staged_ GUARDED_BY(mutex_);

  Mutex unsynced_mutex_;  // leaf
  std::set<ContentId> unsynced_ GUARDED_BY(unsynced_mutex_);
  Mutex prefetch_mutex_;
  double prefetch_used_ GUARDED_BY(prefetch_mutex_) = 0;
  double prefetch_unused_ GUARDED_BY(prefetch_mutex_) = 0;

  Mutex changed_mutex_;
  CondVar changed_cond_;
  std::set<std::shared_ptr<CachedFile>> changed_ GUARDED_BY(changed_mutex_);
  // Saved, but not all that is in them; since when.
  std::map<std::shared_ptr<CachedFile>, SteadyTime> unvalidated_ GUARDED_BY(changed_mutex_);
  std::vector<std::shared_ptr<SlotFile>> retired_ GUARDED_BY(changed_mutex_);
  bool has_row_sync_ GUARDED_BY(changed_mutex_) = false;
  bool stop_saver_ GUARDED_BY(changed_mutex_) = false;

  Mutex row_sync_mutex_;  // held while rows are synced; changed_mutex_ is taken inside
  std::function<Result<void>()> row_sync_ GUARDED_BY(row_sync_mutex_);

  Executor disk_;
  Fetcher fetcher_;
  std::jthread saver_;
};

}  // namespace cabinetfs
