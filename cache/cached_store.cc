// What a cached content keeps on the disk, and how the whole is checked against the server's hash.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backend/base/log.h"
#include "cache/cached_content.h"
#include "cache/content_record.h"

namespace cabinetfs {

namespace {

constexpr std::size_t kWriteBatch = 16;
// One turn of hashing on the disk pool, so that files take turns.
constexpr std::uint64_t kHashTurn = 64;
// Blocks from earlier runs are read again for the hash only in files up to here: the reader of the
// last block waits for it.
constexpr std::uint64_t kRehash = 64u << 20;

}  // namespace

void CachedFile::load(const BlockIndex::Row& row) {
  auto file = std::make_shared<SlotFile>(host_.options().cache_dir, row.id, host_.sealer(), true);
  std::uint64_t slots = 0;
  if (auto size = file->size()) slots = (*size + kSlotBytes - 1) / kSlotBytes;
  Result<ContentRecord> record = fail(ErrorCode::kCorrupt, "no record");
  if (auto text = host_.sealer().open_text(as_text(Bytes(name_)), row.map))
    record = decode_content_record(*text, slots);
  if (!record || record->id != row.id || record->size != key_.size) {
    ++host_.counters().corrupt;
    log_warn("the cache entry of id={} is not usable; it is fetched again", key_.file.value);
    file->remove();
    (void)host_.index().erase(name_);
    host_.refund(row.bytes);
    return;
  }
  // What was appended after the map was last saved is not known any more.
  if (slots > record->slots) (void)file->truncate(static_cast<Slot>(record->slots));
  MutexLock lock(mutex_);
  file_ = std::move(file);
  next_slot_ = record->slots;
  charged_ = row.bytes;
  map_ = std::move(record->map);
  std::uint64_t bytes = 0;
  map_.for_each([&](std::uint64_t block, const BlockEntry&) { bytes += block_bytes(block); });
  bytes_ = bytes;
  if (record->verified || (bytes_ > 0 && key_.size > kRehash)) verdict_ = Verdict::kNone;
  verified_ = record->verified;
}

void CachedFile::save() {
  ContentRecord record;
  std::uint64_t bytes = 0;
  {
    MutexLock lock(mutex_);
    if (!map_changed_) return;
    map_changed_ = false;
    record.id = file_->id();
    record.size = key_.size;
    record.slots = next_slot_;
    record.verified = verified_;
    record.map = map_.copy();
    // Nobody knows yet whether these belong to the version.
    for (const auto& [block, arrival] : unvalidated_) record.map.erase(block);
    bytes = next_slot_ * kSlotBytes;
  }
  host_.index().put(
      {name_, record.id, bytes,
       host_.sealer().seal_text(as_text(Bytes(name_)), encode_content_record(record))});
}

void CachedFile::schedule_locked(bool& write, bool& hash) {
  if (!writing_ && !stopped_)
    writing_ = write = std::any_of(pending_.begin(), pending_.end(),
                                   [](const auto& entry) { return !entry.second.source; });
  if (!hashing_ && !stopped_ && verdict_ == Verdict::kPending && bytes_ > 0) hashing_ = hash = true;
}

void CachedFile::run_scheduled(bool write, bool hash) {
  if (write) host_.disk().submit([self = shared_from_this()] { self->write_pending(); });
  if (hash) host_.disk().submit([self = shared_from_this()] { self->hash_some(); });
}

void CachedFile::write_pending() {
  std::uint64_t after = 0;  // round and round, so that a failing block does not stop the others
  while (true) {
    std::vector<std::pair<std::uint64_t, BlockPtr>> batch;
    std::shared_ptr<SlotFile> file;
    std::uint64_t first_slot = 0;
    {
      MutexLock lock(mutex_);
      for (auto at = pending_.lower_bound(after);
           at != pending_.end() && batch.size() < kWriteBatch; ++at)
        if (!at->second.source) batch.emplace_back(at->first, at->second.block);
      if (batch.empty()) {
        if (after > 0) {
          after = 0;
          continue;
        }
        writing_ = false;
        break;
      }
      after = batch.back().first + 1;
      file = file_;
      first_slot = next_slot_;
      next_slot_ += batch.size();
    }
    const std::uint64_t cost = batch.size() * kSlotBytes;
    std::vector<SlotFile::PlainBlock> plain;
    for (const auto& [block, bytes] : batch) plain.push_back({block, bytes->bytes()});
    bool stored = first_slot + batch.size() < kMaxSlots && host_.charge(cost);
    const bool charged = stored;
    if (stored) {
      if (auto result = file->write(static_cast<Slot>(first_slot), plain); !result) {
        log_warn("the cache cannot keep blocks of id={}: {}", key_.file.value,
                 to_string(result.error()));
        stored = false;
      }
    }
    MutexLock lock(mutex_);
    if (file != file_) {
      // All was forgotten meanwhile, this batch too.
      lock.unlock();
      if (charged) host_.refund(cost);
      file->remove();
      continue;
    }
    if (charged) charged_ += cost;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto found = pending_.find(batch[i].first);
      if (found == pending_.end() || found->second.block != batch[i].second) continue;
      host_.memory().release(found->second.block->size);
      if (stored) {
        map_.set(batch[i].first, static_cast<Slot>(first_slot + i));
        map_changed_ = true;
      } else {
        // It stays in memory as long as there is room.
        bytes_ -= found->second.block->size;
      }
      pending_.erase(found);
    }
    if (pending_.empty()) written_.notify_all();
    if (!charged && next_slot_ == first_slot + batch.size()) next_slot_ = first_slot;
  }
  host_.changed(shared_from_this());
}

void CachedFile::hash_some() {
  const bool idle = advance_hash(kHashTurn);
  bool again = false;
  {
    MutexLock lock(mutex_);
    again = !idle && !stopped_;
    hashing_ = again;
  }
  if (again) host_.disk().submit([self = shared_from_this()] { self->hash_some(); });
}

bool CachedFile::advance_hash(std::uint64_t limit) {
  MutexLock hash_lock(hash_mutex_);
  for (std::uint64_t i = 0; i <= limit; ++i) {
    BlockPtr block;
    Slot slot = kNoSlot;
    std::shared_ptr<SlotFile> file;
    std::uint64_t generation = 0;
    bool whole = false;
    {
      MutexLock lock(mutex_);
      if (verdict_ != Verdict::kPending) return true;
      generation = generation_;
      if (!hash_ || hash_generation_ != generation) {
        hash_ = ContentHash::make(hashes_);
        hash_next_ = 0;
        hash_generation_ = generation;
      }
      whole = hash_next_ == blocks();
      if (!whole) {
        block = in_memory_locked(hash_next_);
        slot = map_.find(hash_next_).slot;
        file = file_;
        if (!block && slot == kNoSlot) return true;
      }
    }
    if (whole) {
      const bool matches = hash_->matches();
      hash_.reset();
      conclude(matches, generation);
      return true;
    }
    if (i == limit) return false;
    if (!block) {
      auto fresh = std::make_shared<Block>(block_bytes(hash_next_));
      if (slot == kZeroSlot) {
        std::fill_n(fresh->data.get(), fresh->size, std::byte{0});
      } else if (!file->read(slot, hash_next_, fresh->mutable_bytes())) {
        drop_bad(hash_next_, slot, generation);
        return true;
      }
      block = std::move(fresh);
    }
    hash_->update(block->bytes());
    ++hash_next_;
  }
  return false;
}

void CachedFile::conclude(bool matches, std::uint64_t generation) {
  Dropped dropped;
  {
    MutexLock lock(mutex_);
    if (generation != generation_ || verdict_ != Verdict::kPending) return;
    if (matches) {
      verdict_ = Verdict::kGood;
      verified_ = true;
      map_changed_ = true;
      unvalidated_.clear();  // whatever the server's version is now, this is the one of the key
    } else {
      ++host_.counters().corrupt;
      // Nobody has seen the bad data: fetch it once more. Else the programs that have must learn
      // it.
      const bool again = !served_ && !retried_;
      log_warn("the content of id={} does not agree with its hash{}", key_.file.value,
               again ? "; fetching it again" : "");
      retried_ = true;
      corrupt_ = !again;
      dropped = reset_locked(
          {ErrorCode::kCorrupt, fmt::format("read id={}: the content does not agree with the "
                                            "server's hash of it",
                                            key_.file.value)},
          again);
    }
  }
  dispose(std::move(dropped));
  host_.changed(shared_from_this());
}

void CachedFile::learn_hashes(const ContentHashes& hashes) {
  bool write = false, hash = false;
  {
    MutexLock lock(mutex_);
    if (verified_ || verdict_ != Verdict::kNone || key_.size == 0 || ContentHash::make(hashes_) ||
        !ContentHash::make(hashes) || (bytes_ > 0 && key_.size > kRehash))
      return;
    hashes_ = hashes;
    verdict_ = Verdict::kPending;
    schedule_locked(write, hash);
  }
  run_scheduled(write, hash);
}

void CachedFile::fill(const std::string& content) {
  if (content.size() != key_.size || content.empty()) return;
  const Bytes bytes = as_bytes(content);
  bool write = false, hash = false;
  bool good = false;
  {
    MutexLock lock(mutex_);
    if (bytes_ == key_.size || stopped_ || stale_ || corrupt_) return;
    if (auto check = ContentHash::make(hashes_)) {
      check->update(bytes);
      good = check->matches();
      if (!good) {
        ++host_.counters().corrupt;
        return;
      }
    }
    for (std::uint64_t block = 0; block < blocks(); ++block) {
      if (map_.find(block).present() || pending_.contains(block)) continue;
      auto fresh = std::make_shared<Block>(block_bytes(block));
      const auto part = bytes.subspan(block * kBlockBytes, fresh->size);
      std::copy(part.begin(), part.end(), fresh->data.get());
      host_.memory().reserve(fresh->size);
      host_.memory().put(memory_id_, block, fresh);
      unread_.insert(block);
      add_pending_locked(block, std::move(fresh), nullptr);
      host_.counters().prefetched += block_bytes(block);
      host_.counters().fetched += block_bytes(block);
    }
    schedule_locked(write, hash);
  }
  run_scheduled(write, hash);
}

void CachedFile::forget() {
  Dropped dropped;
  {
    MutexLock lock(mutex_);
    dropped = reset_locked({ErrorCode::kCancelled, "read: the cache was cleared"}, true);
    verified_ = false;
    verdict_ = key_.size > 0 && ContentHash::make(hashes_) ? Verdict::kPending : Verdict::kNone;
  }
  dispose(std::move(dropped));
}

CachedFile::Checked CachedFile::check(const CancelToken& cancel) {
  Checked checked;
  struct Place {
    std::uint64_t block;
    Slot slot;
  };
  std::vector<Place> places;
  std::shared_ptr<SlotFile> file;
  std::uint64_t generation = 0;
  {
    MutexLock lock(mutex_);
    map_.for_each([&places](std::uint64_t block, const BlockEntry& entry) {
      if (entry.has_slot()) places.push_back({block, entry.slot});
    });
    file = file_;
    generation = generation_;
  }
  std::vector<std::byte> buffer(kBlockBytes);
  for (const Place& place : places) {
    if (cancel.cancelled()) break;
    ++checked.blocks;
    if (file->read(place.slot, place.block, MutableBytes(buffer).first(block_bytes(place.block))))
      continue;
    ++checked.bad;
    drop_bad(place.block, place.slot, generation);
  }
  if (checked.bad > 0) save();
  return checked;
}

}  // namespace cabinetfs
