// What a cached content fetches: which blocks, in which requests, and who gets them.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cache/cached_content.h"

namespace cabinetfs {

namespace {

// A file up to here is fetched whole with its first read: another round trip would cost more than
// its bytes.
constexpr std::uint64_t kSmallFile = 1u << 20;
// Present blocks between two missing stretches that are fetched again rather than asked around:
// 128 KiB take 10 ms at 100 Mbit/s, a request of its own a round trip.
constexpr std::uint64_t kBridgeBlocks = 2;
// The smallest piece of a prefetch, and how many pieces one extension of the window is split into
// at least. With the full window of 64 MiB that makes 16 requests of 4 MiB: each connection is busy
// for 335 ms at 100 Mbit/s, so that a round trip of 30 ms between them costs little.
constexpr std::uint64_t kMinPiece = 256u << 10;
constexpr std::uint64_t kPieces = 4;

}  // namespace

std::shared_ptr<Fetch> CachedFile::fetch_of_locked(std::uint64_t block) {
  auto after = fetches_.upper_bound(block);
  if (after == fetches_.begin()) return nullptr;
  const auto& fetch = std::prev(after)->second;
  return block < fetch->end() ? fetch : nullptr;
}

void CachedFile::add_fetch_locked(std::uint64_t first, std::uint64_t count, Priority priority,
                                  Fetches& start) {
  auto fetch = std::make_shared<Fetch>(shared_from_this(), key_, first, count, priority, false);
  fetch->reserved = fetch->bytes();
  fetches_[first] = fetch;
  start.push_back(std::move(fetch));
}

void CachedFile::promote_locked(std::uint64_t first, std::uint64_t last, Priority priority,
                                Fetches& promote) {
  for (std::uint64_t block = first; block <= last; ++block) {
    const auto fetch = fetch_of_locked(block);
    if (!fetch) continue;
    block = fetch->end() - 1;
    if (fetch->claimed || fetch->priority <= priority) continue;
    fetch->priority = priority;
    promote.push_back(fetch);
  }
}

void CachedFile::start_missing_locked(std::uint64_t first, std::uint64_t last, Priority priority,
                                      Fetches& start, Fetches& promote) {
  promote_locked(first, last, priority, promote);
  if (key_.size <= kSmallFile) {
    first = 0;
    last = blocks() - 1;
  }
  const std::uint64_t piece = std::max<std::uint64_t>(1, host_.options().range_bytes / kBlockBytes);
  std::uint64_t run = 0, end = 0;  // [run, end) is missing; empty: none yet
  std::vector<std::pair<std::uint64_t, std::uint64_t>> runs;
  const auto flush = [&] {
    for (; run < end; run += std::min(piece, end - run))
      runs.emplace_back(run, std::min(piece, end - run));
    run = end = 0;
  };
  for (std::uint64_t block = first; block <= last; ++block) {
    if (fetch_of_locked(block)) {
      flush();
    } else if (present_locked(block)) {
      if (run < end && block >= end + kBridgeBlocks) flush();
    } else {
      if (run == end) run = block;
      end = block + 1;
    }
  }
  flush();
  for (const auto& [block, count] : runs) {
    add_fetch_locked(block, count, priority, start);
    host_.memory().reserve(start.back()->reserved);
  }
}

void CachedFile::start_whole_locked(std::uint64_t first, std::uint64_t last, Priority priority,
                                    Fetches& start, Fetches& promote, Fetches& ended) {
  promote_locked(first, last, priority, promote);
  bool missing = false;
  for (std::uint64_t block = first; block <= last && !missing; ++block) {
    // Also what has passed, and for which there was no room.
    const auto fetch = fetch_of_locked(block);
    const bool coming = fetch && block >= fetch->first + fetch->delivered;
    missing = !coming && !present_locked(block);
  }
  if (!missing) return;
  while (!fetches_.empty()) detach_locked(fetches_.begin()->second, ended);
  if (key_.size <= kSmallFile) {
    add_fetch_locked(0, blocks(), priority, start);
    host_.memory().reserve(start.back()->reserved);
    return;
  }
  // Too large to hold memory for all of it: publish() takes that block by block.
  auto fetch = std::make_shared<Fetch>(shared_from_this(), key_, 0, blocks(), priority, true);
  fetches_[0] = fetch;
  start.push_back(std::move(fetch));
}

void CachedFile::launch(Fetches& start, Fetches& promote) {
  for (auto& fetch : start) host_.fetcher().start(std::move(fetch));
  for (auto& fetch : promote) host_.fetcher().promote(std::move(fetch));
}

std::uint64_t CachedFile::prefetch(std::uint64_t offset, std::uint64_t length) {
  if (offset >= key_.size || length == 0) return length;
  const std::uint64_t wanted = length;
  length = std::min(length, key_.size - offset);
  const std::uint64_t allowance = host_.prefetch_allowance();
  std::uint64_t first = offset / kBlockBytes, end = (offset + length - 1) / kBlockBytes + 1;
  const std::uint64_t limit = std::max(kMinPiece, host_.options().range_bytes);
  std::uint64_t piece = std::clamp(length / kPieces, kMinPiece, limit) / kBlockBytes;
  const bool whole_only = !host_.fetcher().ranges();
  if (whole_only) {
    // A small file at once; a large one comes whole with its first read.
    if (key_.size > kSmallFile) return wanted;
    first = 0;
    piece = end = blocks();
  }
  Fetches start, promote;
  std::uint64_t reached = end;
  {
    MutexLock lock(mutex_);
    if (stopped_ || stale_ || corrupt_ || bytes_ == key_.size) return wanted;
    if (whole_only && (bytes_ > 0 || !fetches_.empty())) return wanted;
    std::uint64_t ahead = unread_.size() * kBlockBytes;
    for (const auto& [block, fetch] : fetches_)
      if (fetch->priority == Priority::kPrefetch)
        ahead += (fetch->count - fetch->delivered) * kBlockBytes;
    for (std::uint64_t block = first; block < end && reached == end;) {
      if (const auto fetch = fetch_of_locked(block)) {
        block = fetch->end();
        continue;
      }
      if (present_locked(block)) {
        ++block;
        continue;
      }
      std::uint64_t count = 1;
      while (count < piece && block + count < end && !fetch_of_locked(block + count) &&
             !present_locked(block + count))
        ++count;
      const std::uint64_t bytes =
          std::min((block + count) * kBlockBytes, key_.size) - block * kBlockBytes;
      if (ahead + bytes > allowance || !host_.memory().try_reserve(bytes)) {
        reached = block;
        break;
      }
      ahead += bytes;
      add_fetch_locked(block, count, Priority::kPrefetch, start);
      block += count;
    }
  }
  launch(start, promote);
  if (reached == end) return wanted;
  return reached * kBlockBytes > offset ? reached * kBlockBytes - offset : 0;
}

Result<void> CachedFile::fetch_all(const CallContext& call) {
  const std::uint64_t range = std::max(kBlockBytes, host_.options().range_bytes);
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min(range, key_.size)));
  for (std::uint64_t at = 0; at < key_.size; at += range) {
    {
      // What is here is not read again.
      MutexLock lock(mutex_);
      if (bytes_ == key_.size && verdict_ != Verdict::kPending) break;
      bool here = at + range < key_.size;
      for (std::uint64_t b = at / kBlockBytes; here && b < (at + range) / kBlockBytes; ++b)
        here = map_.find(b).present() || pending_.contains(b);
      if (here) continue;
    }
    if (call.may_block) (void)prefetch(at + range, std::min(host_.options().max_window, key_.size));
    TRY(read(call, at, MutableBytes(buffer)));
  }
  // Blocks on their way to the disk may still be refused there, so they do not count yet.
  const auto registration = call.cancel.on_cancel([this] {
    MutexLock lock(mutex_);
    written_.notify_all();
  });
  MutexLock lock(mutex_);
  while (!pending_.empty()) {
    if (stopped_ || call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "fetch: given up");
    const auto now = Clock::system().steady();
    if (now >= call.deadline)
      return fail(ErrorCode::kTimeout, "fetch: the disk has not taken all of it in time");
    written_.wait_until(mutex_, std::min(call.deadline, now + std::chrono::hours(1)));
  }
  if (bytes_ < key_.size)
    return fail(ErrorCode::kNoSpace, "the cache has no room for the whole of this file");
  return {};
}

// --- what comes back ---

void CachedFile::add_pending_locked(std::uint64_t block, BlockPtr bytes, const Fetch* source) {
  bytes_ += bytes->size;
  if (key_.version.empty()) unvalidated_[block] = ++arrivals_;
  pending_[block] = {std::move(bytes), source};
}

bool CachedFile::publish(Fetch& fetch, std::uint64_t block, BlockPtr bytes) {
  ContentCounters& counters = host_.counters();
  const bool prefetch = fetch.priority == Priority::kPrefetch;
  counters.fetched += bytes->size;
  if (prefetch) counters.prefetched += bytes->size;
  bool write = false, hash = false;
  MutexLock lock(mutex_);
  if (fetch.detached || stopped_) return false;
  fetch.delivered = block + 1 - fetch.first;
  if (!fetch.stream) fetch.reserved -= bytes->size;
  bool awaited = false;
  for (Waiter* waiter : waiters_) {
    if (block < waiter->first || block >= waiter->first + waiter->blocks.size()) continue;
    const std::size_t at = static_cast<std::size_t>(block - waiter->first);
    awaited = true;
    if (!waiter->wanted[at] || waiter->blocks[at]) continue;
    waiter->blocks[at] = bytes;
    if (--waiter->missing == 0) waiter->changed.notify_all();
  }
  host_.memory().put(memory_id_, block, bytes);
  if (prefetch && !awaited) unread_.insert(block);
  const bool kept = map_.find(block).present() || pending_.contains(block);
  if (!fetch.stream) {
    if (kept)
      host_.memory().release(bytes->size);  // fetched again in passing
    else
      add_pending_locked(block, std::move(bytes), &fetch);
    return true;
  }
  // Written as it passes. Where the disk does not keep up, what nobody waits for is let go.
  if (kept || !host_.memory().try_reserve(bytes->size)) return true;
  add_pending_locked(block, std::move(bytes), nullptr);
  schedule_locked(write, hash);
  lock.unlock();
  run_scheduled(write, hash);
  return true;
}

void CachedFile::finished(const std::shared_ptr<Fetch>& fetch, Result<void> result) {
  bool write = false, hash = false;
  {
    MutexLock lock(mutex_);
    host_.memory().release(std::exchange(fetch->reserved, 0));
    conclude_fetch_locked(*fetch, std::move(result));
    schedule_locked(write, hash);
  }
  run_scheduled(write, hash);
}

void CachedFile::conclude_fetch_locked(const Fetch& fetch, Result<void> result) {
  const std::uint64_t came = fetch.first + fetch.delivered;
  const bool corrupt = !result && result.error().code == ErrorCode::kCorrupt;
  for (std::uint64_t block = fetch.first; block < came; ++block) {
    if (fetch.stream && corrupt) drop_block_locked(block);  // perhaps on the disk by now
    const auto found = pending_.find(block);
    if (found == pending_.end() || found->second.source != &fetch) continue;
    // The answer was not what was asked for: neither is what came before that was noticed. Else
    // what came stays, also of a fetch that was given up, and may be written now.
    if (corrupt)
      drop_block_locked(block);
    else
      found->second.source = nullptr;
  }
  // Those who waited for a detached one were told then.
  if (fetch.detached) return;
  fetches_.erase(fetch.first);
  if (!result) {
    Error error = std::move(result).error();
    const bool whole_only = error.code == ErrorCode::kNotSupported && !host_.fetcher().ranges();
    // Gone, or another version by now.
    if (is_gone(error.code) || error.code == ErrorCode::kConflict) error.code = ErrorCode::kStale;
    for (Waiter* waiter : waiters_) {
      const std::uint64_t from = std::max(came, waiter->first);
      const std::uint64_t to = std::min(fetch.end(), waiter->first + waiter->blocks.size());
      for (std::uint64_t block = from; block < to; ++block) {
        const std::size_t at = static_cast<std::size_t>(block - waiter->first);
        if (!waiter->wanted[at] || waiter->blocks[at]) continue;
        waiter->error = error;
        // A prefetch gives up earlier than a reader would; or it takes another request.
        waiter->again = whole_only || fetch.priority > waiter->priority;
        waiter->changed.notify_all();
        break;
      }
    }
  }
}

void CachedFile::detach_locked(const std::shared_ptr<Fetch>& fetch, Fetches& cancelled) {
  if (fetch->detached) return;
  fetch->detached = true;
  const std::shared_ptr<Fetch> keep = fetch;  // the map may hold the reference that we were given
  if (!keep->claimed.exchange(true)) {
    // It will never run, so nobody else gives this back.
    host_.memory().release(std::exchange(keep->reserved, 0));
  }
  for (Waiter* waiter : waiters_) {
    if (keep->first >= waiter->first + waiter->blocks.size() || keep->end() <= waiter->first)
      continue;
    // Somebody joined it meanwhile: they ask again.
    if (waiter->missing == 0 || waiter->error) continue;
    waiter->error = Error{ErrorCode::kCancelled, "read: the request was given up"};
    waiter->again = true;
    waiter->changed.notify_all();
  }
  cancelled.push_back(keep);
  fetches_.erase(keep->first);
}

void CachedFile::drop_block_locked(std::uint64_t block) {
  if (const auto found = pending_.find(block); found != pending_.end()) {
    bytes_ -= found->second.block->size;
    host_.memory().release(found->second.block->size);
    pending_.erase(found);
    if (pending_.empty()) written_.notify_all();
  }
  if (map_.find(block).present()) {
    bytes_ -= block_bytes(block);
    map_.erase(block);
    map_changed_ = true;
  }
  host_.memory().erase(memory_id_, block);
  unvalidated_.erase(block);
  unread_.erase(block);
}

CachedFile::Dropped CachedFile::reset_locked(const Error& error, bool again) {
  Dropped dropped;
  ++generation_;
  for (Waiter* waiter : waiters_) {
    waiter->error = error;
    waiter->again = again;
    waiter->changed.notify_all();
  }
  while (!fetches_.empty()) detach_locked(fetches_.begin()->second, dropped.fetches);
  for (const auto& [block, pending] : pending_) host_.memory().release(pending.block->size);
  pending_.clear();
  written_.notify_all();
  for (const std::uint64_t block : unread_) dropped.unused += block_bytes(block);
  unread_.clear();
  unvalidated_.clear();
  map_ = BlockMap();
  bytes_ = 0;
  memory_id_ = host_.memory().new_content();
  dropped.file =
      std::exchange(file_, std::make_shared<SlotFile>(host_.options().cache_dir, new_content_id(),
                                                      host_.sealer(), false));
  next_slot_ = 0;
  dropped.bytes = std::exchange(charged_, 0);
  map_changed_ = false;
  return dropped;
}

void CachedFile::dispose(Dropped dropped) {
  for (const auto& fetch : dropped.fetches) fetch->cancel.cancel();
  if (dropped.file) {
    dropped.file->remove();
    (void)host_.index().erase(name_);
  }
  if (dropped.bytes > 0) host_.refund(dropped.bytes);
  if (dropped.unused > 0) host_.note_prefetch(0, dropped.unused);
}

}  // namespace cabinetfs
