#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend/base/mutex.h"
#include "cache/block_index.h"
#include "cache/block_map.h"
#include "cache/block_memory.h"
#include "cache/content.h"
#include "cache/content_hash.h"
#include "cache/fetcher.h"
#include "cache/slot_file.h"

namespace cabinetfs {

class CachedFile;

struct ContentCounters {
  std::atomic<std::uint64_t> hits{0}, misses{0}, fetched{0}, prefetched{0}, prefetched_unused{0},
      evicted{0}, corrupt{0};
};

// What a cached content needs of the store that it lives in, which outlives it. None of these is
// called with a lock held.
class CachedHost {
 public:
  virtual ~CachedHost() = default;
  virtual const ContentOptions& options() const = 0;
  virtual const Sealer& sealer() const = 0;
  virtual BlockMemory& memory() = 0;
  virtual Fetcher& fetcher() = 0;
  virtual Executor& disk() = 0;  // writes blocks, checks hashes
  virtual ContentCounters& counters() = 0;
  virtual BlockIndex& index() = 0;
  // Takes so much of the cache's disk budget, evicting others for it. False: it cannot be had.
  virtual bool charge(std::uint64_t bytes) = 0;
  virtual void refund(std::uint64_t bytes) = 0;
  // Its map should be saved before long.
  virtual void changed(std::shared_ptr<CachedFile> file) = 0;
  // How many bytes may lie prefetched and unread for one handle: less when much was fetched in
  // vain. note_prefetch() tells how it went.
  virtual std::uint64_t prefetch_allowance() = 0;
  virtual void note_prefetch(std::uint64_t used, std::uint64_t unused) = 0;
};

// A version's blocks: in memory, on the way to the disk (pending), on the disk (map), on the way
// from the server (fetches), or nowhere. See CachedContent; handles on it are CachedHandle.
//
// Locks: hash_mutex_ before mutex_. Nothing is waited for under mutex_ but its condition; no disk,
// network, pool or host call is made under it (BlockMemory, a leaf, excepted).
class CachedFile final : public FetchTarget, public std::enable_shared_from_this<CachedFile> {
 public:
  CachedFile(CachedHost& host, ContentKey key, const BlockIndex::Name& name);
  // Takes over what the index has of it. Called once, before anybody else sees the object.
  void load(const BlockIndex::Row& row) EXCLUDES(mutex_);
  ~CachedFile() override;

  const ContentKey& key() const { return key_; }
  const BlockIndex::Name& name() const { return name_; }
  ContentId id() const EXCLUDES(mutex_);
  std::uint64_t size() const { return key_.size; }
  std::uint64_t cached_bytes() const EXCLUDES(mutex_);
  Result<std::size_t> read(const CallContext& call, std::uint64_t offset, MutableBytes out)
      EXCLUDES(mutex_);
  std::uint64_t prefetch(std::uint64_t offset, std::uint64_t length) EXCLUDES(mutex_);
  Result<void> fetch_all(const CallContext& call) EXCLUDES(mutex_);
  void fill(const std::string& content) EXCLUDES(mutex_);
  std::uint64_t validation_mark() const EXCLUDES(mutex_);
  void validated(bool still_current, std::uint64_t mark) EXCLUDES(mutex_);
  bool needs_validation() const EXCLUDES(mutex_);

  // A hash that became known after the content was first opened.
  void learn_hashes(const ContentHashes& hashes) EXCLUDES(mutex_);
  // The last handle is gone: read-ahead for it ends, errors are forgotten.
  void released() EXCLUDES(mutex_);
  // Writes the map to the index if it has changed.
  void save() EXCLUDES(mutex_);
  // Everybody who waits gets kCancelled, nothing new is fetched.
  void shutdown() EXCLUDES(mutex_);
  // Writes to the disk what came since. Called by the disk pool, and once at the end.
  void write_pending() EXCLUDES(mutex_);
  // Deletes what is on the disk (eviction); the object starts again from nothing.
  void forget() EXCLUDES(mutex_);
  struct Checked {
    std::uint64_t blocks = 0, bad = 0;
  };
  Checked check(const CancelToken& cancel)
      EXCLUDES(mutex_);  // opens every block, drops the bad ones

  // FetchTarget
  bool publish(Fetch& fetch, std::uint64_t block, BlockPtr bytes) override EXCLUDES(mutex_);
  void finished(const std::shared_ptr<Fetch>& fetch, Result<void> result) override EXCLUDES(mutex_);

 private:
  struct Pending {
    BlockPtr block;
    const Fetch* source = nullptr;  // still running; its blocks are not written before it ended
  };
  // A reader that waits for blocks.
  struct Waiter {
    std::uint64_t first = 0;
    std::vector<BlockPtr> blocks;
    std::vector<bool> wanted;
    std::size_t missing = 0;
    Priority priority = Priority::kForeground;
    std::optional<Error> error;
    bool again = false;  // the error is not ours: look once more
    CondVar changed;
  };
  using Fetches = std::vector<std::shared_ptr<Fetch>>;
  enum class Verdict { kNone, kPending, kGood };
  struct Slice {
    bool missed = false;  // something came from the network
    std::uint64_t generation = 0;
  };

  std::uint64_t blocks() const { return (key_.size + kBlockBytes - 1) / kBlockBytes; }
  std::uint32_t block_bytes(std::uint64_t block) const;

  // Reading (cached_content.cc).
  Result<Slice> read_slice(const CallContext& call, std::uint64_t offset, MutableBytes out)
      EXCLUDES(mutex_);
  Result<void> wait_locked(const CallContext& call, Waiter& waiter) REQUIRES(mutex_);
  void leave_locked(Waiter& waiter, Fetches& abandoned) REQUIRES(mutex_);
  Result<bool> settle(const CallContext& call, bool last_block, const Slice& slice)
      EXCLUDES(mutex_, hash_mutex_);
  BlockPtr in_memory_locked(std::uint64_t block) REQUIRES(mutex_);
  bool present_locked(std::uint64_t block) REQUIRES(mutex_);
  void mark_read_locked(std::uint64_t first, std::uint64_t last, std::uint64_t& used)
      REQUIRES(mutex_);
  void drop_bad(std::uint64_t block, Slot slot, std::uint64_t generation) EXCLUDES(mutex_);

  // Fetching (cached_fetch.cc).
  std::shared_ptr<Fetch> fetch_of_locked(std::uint64_t block) REQUIRES(mutex_);
  void start_missing_locked(std::uint64_t first, std::uint64_t last, Priority priority,
                            Fetches& start, Fetches& promote) REQUIRES(mutex_);
  // The same from a server without ranges: one request for everything, `ended` are those that it
  // replaces.
  void start_whole_locked(std::uint64_t first, std::uint64_t last, Priority priority,
                          Fetches& start, Fetches& promote, Fetches& ended) REQUIRES(mutex_);
  void promote_locked(std::uint64_t first, std::uint64_t last, Priority priority, Fetches& promote)
      REQUIRES(mutex_);
  void add_fetch_locked(std::uint64_t first, std::uint64_t count, Priority priority, Fetches& start)
      REQUIRES(mutex_);
  void launch(Fetches& start, Fetches& promote);
  void conclude_fetch_locked(const Fetch& fetch, Result<void> result) REQUIRES(mutex_);
  void detach_locked(const std::shared_ptr<Fetch>& fetch, Fetches& cancelled) REQUIRES(mutex_);
  void add_pending_locked(std::uint64_t block, BlockPtr bytes, const Fetch* source)
      REQUIRES(mutex_);
  // Erases it wherever it is.
  void drop_block_locked(std::uint64_t block) REQUIRES(mutex_);
  struct Dropped {
    Fetches fetches;  // to be cancelled
    std::shared_ptr<SlotFile> file;
    std::uint64_t bytes = 0;  // of the disk
    std::uint64_t unused = 0;
  };
  // Forgets all blocks. Waiters get `error`; with `again` they look once more instead.
  Dropped reset_locked(const Error& error, bool again) REQUIRES(mutex_);
  void dispose(Dropped dropped) EXCLUDES(mutex_);

  // Disk and hash (cached_store.cc).
  void schedule_locked(bool& write, bool& hash) REQUIRES(mutex_);
  void run_scheduled(bool write, bool hash);
  void hash_some() EXCLUDES(hash_mutex_, mutex_);
  // Hashes at most `limit` blocks; true when there is no more to do now.
  bool advance_hash(std::uint64_t limit) EXCLUDES(hash_mutex_, mutex_);
  void conclude(bool matches, std::uint64_t generation) EXCLUDES(mutex_);

  CachedHost& host_;
  const ContentKey key_;
  const BlockIndex::Name name_;

  mutable Mutex mutex_;
  std::shared_ptr<SlotFile> file_ GUARDED_BY(mutex_);
  std::uint64_t memory_id_ GUARDED_BY(mutex_);
  std::uint64_t generation_ GUARDED_BY(mutex_) = 0;  // counts how often all was forgotten
  BlockMap map_ GUARDED_BY(mutex_);
  std::uint64_t next_slot_ GUARDED_BY(mutex_) = 0;
  std::uint64_t charged_ GUARDED_BY(mutex_) = 0;  // of the disk budget, bytes
  std::map<std::uint64_t, Pending> pending_ GUARDED_BY(mutex_);
  CondVar written_;  // pending_ has become empty, or nobody will empty it
  std::uint64_t bytes_ GUARDED_BY(mutex_) = 0;  // of blocks in map_ and pending_
  std::map<std::uint64_t, std::shared_ptr<Fetch>> fetches_ GUARDED_BY(mutex_);  // by first block
  std::list<Waiter*> waiters_ GUARDED_BY(mutex_);
  // Blocks of "the current version" that nobody has confirmed to be it, with when they came.
  std::map<std::uint64_t, std::uint64_t> unvalidated_ GUARDED_BY(mutex_);
  std::uint64_t arrivals_ GUARDED_BY(mutex_) = 0;
  std::set<std::uint64_t> unread_ GUARDED_BY(mutex_);  // prefetched and not read
  bool read_ GUARDED_BY(mutex_) = false;               // a handle has read something
  bool stale_ GUARDED_BY(mutex_) = false;
  bool stopped_ GUARDED_BY(mutex_) = false;
  bool map_changed_ GUARDED_BY(mutex_) = false;
  bool verified_ GUARDED_BY(mutex_) =
      false;  // the whole agreed with the hash, in this run or before
  bool writing_ GUARDED_BY(mutex_) = false;
  bool hashing_ GUARDED_BY(mutex_) = false;

  // The whole against the server's hash.
  Verdict verdict_ GUARDED_BY(mutex_) = Verdict::kNone;
  ContentHashes hashes_ GUARDED_BY(mutex_);
  bool served_ GUARDED_BY(mutex_) = false;   // data went out before the verdict
  bool retried_ GUARDED_BY(mutex_) = false;  // fetched once more after a mismatch
  bool corrupt_ GUARDED_BY(mutex_) = false;  // until the last handle is gone
  Mutex hash_mutex_;
  std::unique_ptr<ContentHash> hash_ GUARDED_BY(hash_mutex_);
  std::uint64_t hash_next_ GUARDED_BY(hash_mutex_) = 0;
  std::uint64_t hash_generation_ GUARDED_BY(hash_mutex_) = UINT64_MAX;
};

// What open_cached() gives: while one exists, the content is held.
class CachedHandle final : public CachedContent {
 public:
  explicit CachedHandle(std::shared_ptr<CachedFile> file) : file_(std::move(file)) {}
  ~CachedHandle() override { file_->released(); }

  std::uint64_t size() const override { return file_->size(); }
  Result<std::size_t> read(const CallContext& call, std::uint64_t offset,
                           MutableBytes out) override {
    return file_->read(call, offset, out);
  }
  const ContentKey& key() const override { return file_->key(); }
  std::uint64_t cached_bytes() const override { return file_->cached_bytes(); }
  std::uint64_t prefetch(std::uint64_t offset, std::uint64_t length) override {
    return file_->prefetch(offset, length);
  }
  Result<void> fetch_all(const CallContext& call) override { return file_->fetch_all(call); }
  void fill(const std::string& content) override { file_->fill(content); }
  std::uint64_t validation_mark() const override { return file_->validation_mark(); }
  void validated(bool still_current, std::uint64_t mark) override {
    file_->validated(still_current, mark);
  }
  bool needs_validation() const override { return file_->needs_validation(); }
  CachedFile& file() { return *file_; }

 private:
  const std::shared_ptr<CachedFile> file_;
};

}  // namespace cabinetfs
