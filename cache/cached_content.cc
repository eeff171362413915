#include "cache/cached_content.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/base/log.h"

namespace cabinetfs {

namespace {

// What one look covers: the blocks of a slice are held in memory until they are copied out.
constexpr std::uint64_t kSliceBytes = 4u << 20;
// How often a reader looks again after something that was not its fault: a prefetch that failed, a
// block that did not open, a content that was fetched anew.
constexpr int kLooks = 4;
// Hashing this much on a caller who must not block costs less than sending it to another thread.
constexpr std::uint64_t kInlineHashBlocks = 16;

}  // namespace

CachedFile::CachedFile(CachedHost& host, ContentKey key, const BlockIndex::Name& name)
    : host_(host),
      key_(std::move(key)),
      name_(name),
      file_(std::make_shared<SlotFile>(host.options().cache_dir, new_content_id(), host.sealer(),
                                       false)),
      memory_id_(host.memory().new_content()),
      hashes_(key_.hashes) {
  if (key_.size > 0 && ContentHash::make(hashes_)) verdict_ = Verdict::kPending;
}

CachedFile::~CachedFile() {
  std::uint64_t reserved = 0;
  MutexLock lock(mutex_);
  for (const auto& [block, pending] : pending_) reserved += pending.block->size;
  host_.memory().release(reserved);
}

std::uint32_t CachedFile::block_bytes(std::uint64_t block) const {
  return static_cast<std::uint32_t>(std::min(kBlockBytes, key_.size - block * kBlockBytes));
}

ContentId CachedFile::id() const {
  MutexLock lock(mutex_);
  return file_->id();
}

std::uint64_t CachedFile::cached_bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

BlockPtr CachedFile::in_memory_locked(std::uint64_t block) {
  if (const auto found = pending_.find(block); found != pending_.end()) return found->second.block;
  return host_.memory().get(memory_id_, block);
}

bool CachedFile::present_locked(std::uint64_t block) {
  return map_.find(block).present() || in_memory_locked(block) != nullptr;
}

void CachedFile::mark_read_locked(std::uint64_t first, std::uint64_t last, std::uint64_t& used) {
  read_ = true;
  for (auto at = unread_.lower_bound(first); at != unread_.end() && *at <= last;) {
    used += block_bytes(*at);
    at = unread_.erase(at);
  }
}

Result<std::size_t> CachedFile::read(const CallContext& call, std::uint64_t offset,
                                     MutableBytes out) {
  if (offset >= key_.size || out.empty()) return 0;
  out =
      out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), key_.size - offset)));
  const bool last_block = offset + out.size() == key_.size;
  for (int look = 1;; ++look) {
    Slice all;
    bool replaced = false;
    for (std::size_t done = 0; done < out.size() && !replaced;) {
      // Up to a block's end, so that no block is looked at twice.
      const std::uint64_t at = offset + done;
      const std::uint64_t end = (at + kSliceBytes) / kBlockBytes * kBlockBytes;
      const auto slice = out.subspan(
          done, static_cast<std::size_t>(std::min<std::uint64_t>(out.size() - done, end - at)));
      TRY_ASSIGN(const Slice got, read_slice(call, at, slice));
      replaced = done > 0 && got.generation != all.generation;
      all.missed = all.missed || got.missed;
      all.generation = got.generation;
      done += slice.size();
      if (done < out.size() && call.may_block) (void)prefetch(offset + done, out.size() - done);
    }
    if (!replaced) {
      TRY_ASSIGN(const bool settled, settle(call, last_block, all));
      if (settled) return out.size();
    }
    if (look == kLooks) return fail(ErrorCode::kCorrupt, "read: the content keeps changing");
  }
}

Result<CachedFile::Slice> CachedFile::read_slice(const CallContext& call, std::uint64_t offset,
                                                 MutableBytes out) {
  const std::uint64_t first = offset / kBlockBytes;
  const std::uint64_t last = (offset + out.size() - 1) / kBlockBytes;
  const std::size_t count = static_cast<std::size_t>(last - first + 1);
  // Lets a cancelled reader go at once. Made and ended outside the mutex: the callback takes it.
  Waiter waiter;
  const auto registration = call.cancel.on_cancel([&] {
    MutexLock lock(mutex_);
    waiter.changed.notify_all();
  });
  Slice slice;
  for (int look = 1;; ++look) {
    const bool ranges = host_.fetcher().ranges();
    struct OnDisk {
      std::uint64_t block;
      Slot slot;
    };
    std::vector<BlockPtr> found(count);
    std::vector<OnDisk> disk;
    std::shared_ptr<SlotFile> file;
    std::uint64_t memory_id = 0, used = 0, misses = 0;
    Fetches start, promote, abandoned, ended;
    {
      MutexLock lock(mutex_);
      if (corrupt_)
        return fail(ErrorCode::kCorrupt, fmt::format("read id={}: the content does not agree with "
                                                     "the server's hash of it",
                                                     key_.file.value));
      slice.generation = generation_;
      waiter.first = first;
      waiter.blocks.assign(count, nullptr);
      waiter.wanted.assign(count, false);
      waiter.missing = 0;
      waiter.priority = call.priority;
      waiter.error.reset();
      waiter.again = false;
      for (std::size_t i = 0; i < count; ++i) {
        if ((found[i] = in_memory_locked(first + i))) continue;
        if (const BlockEntry entry = map_.find(first + i); entry.present()) {
          disk.push_back({first + i, entry.slot});
        } else {
          waiter.wanted[i] = true;
          ++waiter.missing;
        }
      }
      misses = waiter.missing;
      if (misses > 0) {
        if (stopped_) return fail(ErrorCode::kCancelled, "read: the mount is ending");
        if (stale_)
          return fail(ErrorCode::kStale,
                      fmt::format("read id={}: the version is gone", key_.file.value));
        if (!call.may_block) return fail(ErrorCode::kWouldBlock, "read: not on this disk");
        slice.missed = true;
        if (ranges)
          start_missing_locked(first, last, call.priority, start, promote);
        else
          start_whole_locked(first, last, call.priority, start, promote, ended);
        waiters_.push_back(&waiter);
      } else if (!call.may_block && verdict_ == Verdict::kPending && bytes_ == key_.size &&
                 blocks() > kInlineHashBlocks && last + 1 == blocks()) {
        return fail(ErrorCode::kWouldBlock, "read: the whole is still to be checked");
      }
      mark_read_locked(first, last, used);
      file = file_;
      memory_id = memory_id_;
    }
    for (const auto& fetch : ended) fetch->cancel.cancel();
    launch(start, promote);
    host_.counters().misses += misses;
    host_.counters().hits += count - misses;
    if (used > 0) host_.note_prefetch(used, 0);

    bool bad = false;
    const auto copy = [&](std::uint64_t block, const Block& bytes) {
      const std::uint64_t begin = block * kBlockBytes;
      const std::uint64_t from = std::max(begin, offset);
      const std::uint64_t to = std::min(begin + bytes.size, offset + out.size());
      std::memcpy(out.data() + (from - offset), bytes.data.get() + (from - begin), to - from);
    };
    const auto read_disk = [&](const OnDisk& place) -> Result<void> {
      const std::uint64_t begin = place.block * kBlockBytes;
      const std::uint32_t length = block_bytes(place.block);
      const bool whole = begin >= offset && begin + length <= offset + out.size();
      if (place.slot == kZeroSlot) {
        const std::uint64_t from = std::max(begin, offset);
        const std::uint64_t to = std::min(begin + length, offset + out.size());
        std::memset(out.data() + (from - offset), 0, to - from);
        return {};
      }
      if (whole) return file->read(place.slot, place.block, out.subspan(begin - offset, length));
      auto block = std::make_shared<Block>(length);
      TRY(file->read(place.slot, place.block, block->mutable_bytes()));
      copy(place.block, *block);
      host_.memory().put(memory_id, place.block, std::move(block));
      return {};
    };
    for (std::size_t i = 0; i < count; ++i)
      if (found[i]) copy(first + i, *found[i]);
    for (const OnDisk& place : disk) {
      auto result = read_disk(place);
      if (result) continue;
      log_warn("cached block {} of id={} is not usable: {}", place.block, key_.file.value,
               to_string(result.error()));
      drop_bad(place.block, place.slot, slice.generation);
      bad = true;
    }
    if (misses > 0) {
      Result<void> result;
      {
        MutexLock lock(mutex_);
        result = wait_locked(call, waiter);
        leave_locked(waiter, abandoned);
      }
      for (const auto& fetch : abandoned) fetch->cancel.cancel();
      for (std::size_t i = 0; i < count; ++i)
        if (waiter.blocks[i]) copy(first + i, *waiter.blocks[i]);
      if (!result && !(waiter.again && look < kLooks)) return fail(std::move(result).error());
      if (!result) continue;
    }
    if (!bad) return slice;
    if (look == kLooks) return fail(ErrorCode::kIo, "read: cached blocks keep failing");
  }
}

Result<void> CachedFile::wait_locked(const CallContext& call, Waiter& waiter) {
  while (true) {
    if (waiter.error) return fail(*waiter.error);
    if (waiter.missing == 0) return {};
    if (stopped_) return fail(ErrorCode::kCancelled, "read: the mount is ending");
    if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "read: given up");
    const auto now = Clock::system().steady();
    if (now >= call.deadline)
      return fail(ErrorCode::kTimeout,
                  fmt::format("read id={}: no answer in time", key_.file.value));
    // In steps: a deadline of "never" overflows some implementations of the wait.
    waiter.changed.wait_until(mutex_, std::min(call.deadline, now + std::chrono::hours(1)));
  }
}

void CachedFile::leave_locked(Waiter& waiter, Fetches& abandoned) {
  waiters_.remove(&waiter);
  if (waiter.missing == 0) return;
  // A fetch that was made for a reader who has gone, and that nobody else waits for, ends: a dead
  // network must not fill the pool with requests that no one wants.
  const std::uint64_t end = waiter.first + waiter.blocks.size();
  for (auto at = fetches_.begin(); at != fetches_.end();) {
    const std::shared_ptr<Fetch> fetch = (at++)->second;
    if (fetch->first >= end || fetch->end() <= waiter.first) continue;
    // A stream is worth as much as has come already; it ends with the last handle.
    if (fetch->priority == Priority::kPrefetch || fetch->stream) continue;
    const bool needed = std::any_of(waiters_.begin(), waiters_.end(), [&](const Waiter* other) {
      return fetch->first < other->first + other->blocks.size() && other->first < fetch->end();
    });
    if (!needed) detach_locked(fetch, abandoned);
  }
}

void CachedFile::drop_bad(std::uint64_t block, Slot slot, std::uint64_t generation) {
  ++host_.counters().corrupt;
  MutexLock lock(mutex_);
  if (generation != generation_ || map_.find(block).slot != slot) return;
  drop_block_locked(block);
}

// Data of a content whose hash is known: when this read could be the one that makes it whole, it
// waits for the verdict, so that a copying program sees an error and not the damage. True: the data
// may be used. False: look again.
Result<bool> CachedFile::settle(const CallContext& call, bool last_block, const Slice& slice) {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (corrupt_)
        return fail(ErrorCode::kCorrupt, fmt::format("read id={}: the content does not agree with "
                                                     "the server's hash of it",
                                                     key_.file.value));
      if (slice.generation != generation_) return false;
      if (verdict_ != Verdict::kPending) return true;
      if (bytes_ != key_.size || !(last_block || slice.missed)) {
        served_ = true;
        return true;
      }
    }
    if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "read: given up");
    if (Clock::system().steady() >= call.deadline)
      return fail(ErrorCode::kTimeout, "read: the whole could not be checked in time");
    if (!advance_hash(kInlineHashBlocks)) continue;
    // No verdict and nothing to do: a block has gone meanwhile.
    MutexLock lock(mutex_);
    if (slice.generation == generation_ && verdict_ == Verdict::kPending && !corrupt_) {
      served_ = true;
      return true;
    }
  }
}

void CachedFile::released() {
  Fetches cancelled;
  std::uint64_t unused = 0;
  {
    MutexLock lock(mutex_);
    // Read-ahead was for that reader. A content that nobody has read yet was prefetched on its own
    // account, and goes on.
    if (read_) {
      for (auto at = fetches_.begin(); at != fetches_.end();) {
        const std::shared_ptr<Fetch> fetch = (at++)->second;
        if (fetch->priority == Priority::kPrefetch || fetch->stream)
          detach_locked(fetch, cancelled);
      }
      for (const std::uint64_t block : unread_) unused += block_bytes(block);
      unread_.clear();
      read_ = false;
    }
    corrupt_ = served_ = retried_ = false;
  }
  for (const auto& fetch : cancelled) fetch->cancel.cancel();
  if (unused > 0) host_.note_prefetch(0, unused);
  host_.changed(shared_from_this());
}

void CachedFile::shutdown() {
  Fetches cancelled;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    while (!fetches_.empty()) detach_locked(fetches_.begin()->second, cancelled);
    for (Waiter* waiter : waiters_) waiter->changed.notify_all();
    written_.notify_all();
  }
  for (const auto& fetch : cancelled) fetch->cancel.cancel();
}

std::uint64_t CachedFile::validation_mark() const {
  MutexLock lock(mutex_);
  return arrivals_;
}

bool CachedFile::needs_validation() const {
  MutexLock lock(mutex_);
  return !unvalidated_.empty();
}

void CachedFile::validated(bool still_current, std::uint64_t mark) {
  Dropped dropped;
  bool write = false, hash = false;
  {
    MutexLock lock(mutex_);
    if (still_current) {
      stale_ = false;
      std::erase_if(unvalidated_, [&](const auto& entry) { return entry.second <= mark; });
      map_changed_ = true;
    } else {
      stale_ = true;
      if (unvalidated_.empty() && fetches_.empty()) return;
      const Error error{ErrorCode::kStale,
                        fmt::format("read id={}: the version is gone", key_.file.value)};
      // Only what is known to be the version stays.
      while (!fetches_.empty()) {
        const auto fetch = fetches_.begin()->second;
        for (std::uint64_t block = fetch->first; block < fetch->first + fetch->delivered; ++block)
          if (unvalidated_.contains(block)) drop_block_locked(block);
        detach_locked(fetch, dropped.fetches);
      }
      while (!unvalidated_.empty()) drop_block_locked(unvalidated_.begin()->first);
      ++generation_;
      for (Waiter* waiter : waiters_) {
        waiter->error = error;
        waiter->changed.notify_all();
      }
    }
    schedule_locked(write, hash);
  }
  dispose(std::move(dropped));
  run_scheduled(write, hash);
  host_.changed(shared_from_this());
}

}  // namespace cabinetfs
