#include "cache/staged_content.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/base/log.h"
#include "cache/sync_point.h"

namespace cabinetfs {

namespace {

// 2 MiB: enough to turn 4 KiB writes into megabyte writes to the disk, little enough for a hundred
// files at a time.
constexpr std::size_t kMaxDirtyBlocks = 32;
constexpr std::size_t kStoreBatch = 16;
constexpr std::uint64_t kMaxFileSize = 1ull << 62;
// 16 MiB: what is kept of a small file for a power loss before it is worth a sync.
constexpr std::uint64_t kKeptSlots = 256;

std::uint64_t block_of(std::uint64_t offset) { return offset / kBlockBytes; }
std::uint32_t in_block(std::uint64_t offset) {
  return static_cast<std::uint32_t>(offset % kBlockBytes);
}

// 1 TiB of hole punched into a base. The record's reader takes twice as many.
constexpr std::uint64_t kMaxHoleBlocks = 1u << 24;

}  // namespace

StagedFile::StagedFile(StagedHost& host, std::optional<ContentKey> base)
    : host_(host),
      file_(std::make_shared<SlotFile>(host.staged_dir(), new_content_id(), host.sealer(), false)),
      memory_id_(host.memory().new_content()) {
  host_.note_unsynced(file_->id(), true);
  if (!base) return;
  size_ = base_limit_ = base->size;
  base_ = std::make_shared<Base>(*std::move(base));
}

StagedFile::StagedFile(StagedHost& host, std::optional<ContentKey> base, ContentRecord record,
                       std::uint64_t file_slots)
    : host_(host),
      file_(
          std::make_shared<SlotFile>(host.staged_dir(), record.id, host.sealer(), file_slots > 0)),
      memory_id_(host.memory().new_content()),
      size_(record.size),
      base_limit_(record.base_limit),
      any_record_(true),
      next_sequence_(record.sequence + 1) {
  if (base) base_ = std::make_shared<Base>(*std::move(base));
  std::vector<Slot> used;
  record.map.for_each([&](std::uint64_t, const BlockEntry& entry) {
    if (entry.has_slot()) used.push_back(entry.slot);
  });
  careful_ = !host.is_unsynced(record.id);
  ++slot_writes_;
  slots_.load(used, file_slots, record.sequence, careful_);
  if (careful_) durable_.push_back(record.sequence - 1);
  auto state = std::make_shared<State>();
  state->sequence = record.sequence;
  state->size = size_;
  state->base_limit = base_limit_;
  state->map = record.map.copy();
  map_ = std::move(record.map);
  committed_ = state;
  records_.push_back(state);
}

Result<std::shared_ptr<StagedFile>> StagedFile::load(StagedHost& host, const std::string& record,
                                                     std::optional<ContentKey> base) {
  TRY_ASSIGN(const ContentRecordHead head, decode_content_record_head(record));
  SlotFile file(host.staged_dir(), head.id, host.sealer(), true);
  std::uint64_t slots = 0;
  if (auto size = file.size())
    slots = (*size + kSlotBytes - 1) / kSlotBytes;
  else if (size.error().code != ErrorCode::kNotFound)
    return fail(std::move(size).error());
  auto decoded = decode_content_record(record, slots);
  if (!decoded)
    return fail(ErrorCode::kCorrupt,
                fmt::format("{} holds less than its record says", file.path()));
  if (decoded->base_limit > (base ? base->size : 0))
    return fail(ErrorCode::kCorrupt, fmt::format("{} was staged over another base", file.path()));
  auto result = std::shared_ptr<StagedFile>(
      new StagedFile(host, std::move(base), *std::move(decoded), slots));
  MutexLock lock(result->mutex_);
  result->last_record_ = record;
  return result;
}

StagedFile::~StagedFile() {
  bool leftover = false, named = false;
  {
    MutexLock writers(writers_);
    MutexLock lock(mutex_);
    leftover = !given_away_ && (discarded_ || !any_record_);
    named = any_record_;
  }
  if (!leftover) return;
  host_.note_unsynced(file_->id(), false);
  if (named)
    host_.retire(file_);
  else
    file_->remove();
}

std::uint64_t StagedFile::size() const {
  MutexLock lock(mutex_);
  return size_;
}

// --- writing ---

Result<void> StagedFile::writable_locked() const {
  if (given_away_)
    return fail(ErrorCode::kStale, "this staged content is on the server; edit that version");
  return {};
}

Result<void> StagedFile::write(std::uint64_t offset, Bytes bytes) {
  if (bytes.empty()) return {};
  if (offset > kMaxFileSize || bytes.size() > kMaxFileSize - offset)
    return fail(ErrorCode::kTooLarge, fmt::format("write at {}", offset));
  MutexLock writers(writers_);
  TRY(writable_locked());
  while (!bytes.empty()) {
    const std::uint64_t block = block_of(offset);
    const std::uint32_t begin = in_block(offset);
    std::size_t taken = 0;
    if (begin == 0 && bytes.size() >= kBlockBytes) {
      const std::size_t count = std::min(bytes.size() / kBlockBytes, kStoreBatch);
      taken = count * kBlockBytes;
      TRY(write_full_locked(block, bytes.first(taken)));
    } else {
      taken = std::min<std::size_t>(bytes.size(), kBlockBytes - begin);
      TRY(write_part_locked(block, begin, static_cast<std::uint32_t>(taken), bytes.data(), true));
    }
    offset += taken;
    bytes = bytes.subspan(taken);
  }
  return {};
}

Result<void> StagedFile::write_full_locked(std::uint64_t block, Bytes bytes) {
  std::vector<SlotFile::PlainBlock> blocks;
  blocks.reserve(kStoreBatch);
  for (std::uint64_t at = 0; at < bytes.size(); at += kBlockBytes)
    blocks.push_back({block + at / kBlockBytes, bytes.subspan(at, kBlockBytes)});
  TRY_ASSIGN(const std::vector<Slot> slots, store_locked(blocks));
  std::vector<Dirty> replaced;  // die after the lock
  MutexLock lock(mutex_);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (const auto dirty = dirty_.find(blocks[i].block); dirty != dirty_.end()) {
      replaced.push_back(std::move(dirty->second));
      dirty_.erase(dirty);
    }
    release_locked(map_.find(blocks[i].block).slot);
    map_.set(blocks[i].block, slots[i]);
  }
  size_ = std::max(size_, block * kBlockBytes + bytes.size());
  ++changes_;
  return {};
}

Result<void> StagedFile::write_part_locked(std::uint64_t block, std::uint32_t begin,
                                           std::uint32_t length, const std::byte* bytes,
                                           bool grow) {
  Dirty fresh;
  bool make = false, full = false;
  {
    MutexLock lock(mutex_);
    make = !dirty_.contains(block);
    full = dirty_.size() >= kMaxDirtyBlocks;
  }
  if (make) {
    if (full) TRY(spill_locked());
    BlockEntry entry;
    {
      MutexLock lock(mutex_);
      entry = map_.find(block);  // entry.valid may be used unlocked: only writers change the map
    }
    fresh.data = std::make_unique<std::byte[]>(kBlockBytes);
    if (entry.present()) {
      fresh.valid = entry.valid ? *entry.valid : BlockRanges(0, kBlockBytes);
      const auto& ranges = fresh.valid.ranges();
      const bool overwritten = begin <= ranges.front().begin && ranges.back().end <= begin + length;
      if (entry.has_slot() && !overwritten)
        TRY(file_->read(entry.slot, block, MutableBytes(fresh.data.get(), entry.stored)));
    }
  }
  MutexLock lock(mutex_);
  Dirty& dirty = make ? dirty_.emplace(block, std::move(fresh)).first->second : dirty_.at(block);
  if (bytes)
    std::memcpy(dirty.data.get() + begin, bytes, length);
  else
    std::memset(dirty.data.get() + begin, 0, length);
  dirty.valid.add(begin, begin + length);
  if (grow) size_ = std::max(size_, block * kBlockBytes + begin + length);
  ++changes_;
  return {};
}

Result<std::vector<Slot>> StagedFile::store_locked(
    const std::vector<SlotFile::PlainBlock>& blocks) {
  std::vector<Slot> slots;
  slots.reserve(blocks.size());
  Result<void> result;
  {
    MutexLock lock(mutex_);
    for (std::size_t i = 0; i < blocks.size() && result; ++i) {
      if (auto slot = slots_.allocate(next_sequence_))
        slots.push_back(*slot);
      else
        result = fail(std::move(slot).error());
    }
  }
  for (std::size_t i = 0; i < blocks.size() && result;) {
    std::size_t run = 1;
    while (i + run < blocks.size() && slots[i + run] == slots[i] + run) ++run;
    const auto part = std::span(blocks).subspan(i, run);
    result = file_->write(slots[i], part);
    if (!result && result.error().code == ErrorCode::kNoSpace && host_.make_room(run * kSlotBytes))
      result = file_->write(slots[i], part);
    i += run;
  }
  MutexLock lock(mutex_);
  ++slot_writes_;
  if (result) return slots;
  for (const Slot slot : slots) slots_.release(slot, next_sequence_);
  return fail(std::move(result).error());
}

Result<void> StagedFile::spill_locked() {
  while (true) {
    std::vector<SlotFile::PlainBlock> blocks;
    {
      MutexLock lock(mutex_);
      for (const auto& [block, dirty] : dirty_) {
        if (blocks.size() == kStoreBatch) break;
        blocks.push_back({block, Bytes(dirty.data.get(), dirty.valid.end())});
      }
    }
    if (blocks.empty()) return {};
    // The buffers do not change meanwhile: only writers write, and we are the writer.
    TRY_ASSIGN(const std::vector<Slot> slots, store_locked(blocks));
    std::vector<Dirty> written;  // die after the lock
    MutexLock lock(mutex_);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const auto dirty = dirty_.find(blocks[i].block);
      release_locked(map_.find(blocks[i].block).slot);
      const std::uint32_t stored = dirty->second.valid.end();
      map_.set_partial(blocks[i].block, slots[i], stored, dirty->second.valid);
      written.push_back(std::move(dirty->second));
      dirty_.erase(dirty);
    }
  }
}

void StagedFile::release_locked(Slot slot) {
  if (slot < kMaxSlots) slots_.release(slot, next_sequence_);
}

void StagedFile::erase_between_locked(std::uint64_t first, std::uint64_t end) {
  dirty_.erase(dirty_.lower_bound(first), dirty_.lower_bound(end));
  std::vector<Slot> released;
  map_.erase_between(first, end, [&](Slot slot) { released.push_back(slot); });
  for (const Slot slot : released) release_locked(slot);
}

void StagedFile::drop_block_locked(std::uint64_t block) {
  release_locked(map_.find(block).slot);
  map_.erase(block);
  dirty_.erase(block);
}

void StagedFile::shrink_locked(std::uint64_t size) {
  const std::uint64_t whole = block_of(size);
  const std::uint32_t tail = in_block(size);
  const std::uint64_t first_gone = whole + (tail != 0);
  erase_between_locked(first_gone, UINT64_MAX);
  base_limit_ = std::min(base_limit_, size);
  if (tail == 0) return;
  // What was behind the new end must not come back when the file grows again.
  if (const auto dirty = dirty_.find(whole); dirty != dirty_.end()) {
    dirty->second.valid.remove(tail, kBlockBytes);
    if (dirty->second.valid.empty()) drop_block_locked(whole);
    return;
  }
  const BlockEntry entry = map_.find(whole);
  if (!entry.present()) return;
  BlockRanges valid = entry.valid ? *entry.valid : BlockRanges(0, kBlockBytes);
  valid.remove(tail, kBlockBytes);
  if (valid.empty())
    drop_block_locked(whole);
  else
    map_.set_partial(whole, entry.slot, entry.stored, std::move(valid));
}

Result<void> StagedFile::truncate(std::uint64_t size) {
  if (size > kMaxFileSize) return fail(ErrorCode::kTooLarge, fmt::format("truncate to {}", size));
  MutexLock writers(writers_);
  TRY(writable_locked());
  MutexLock lock(mutex_);
  if (size == size_) return {};
  if (size < size_) shrink_locked(size);
  size_ = size;
  ++changes_;
  return {};
}

Result<void> StagedFile::punch(std::uint64_t offset, std::uint64_t length) {
  MutexLock writers(writers_);
  TRY(writable_locked());
  std::uint64_t end = 0, base_limit = 0;
  {
    MutexLock lock(mutex_);
    if (offset >= size_) return {};
    end = length > size_ - offset ? size_ : offset + length;
    base_limit = base_limit_;
  }
  const std::uint64_t first = block_of(offset + kBlockBytes - 1), last = block_of(end);
  if (first > last || (first == last && block_of(offset) == last)) {
    // All in one block.
    if (end > offset)
      TRY(write_part_locked(block_of(offset), in_block(offset),
                            static_cast<std::uint32_t>(end - offset), nullptr, false));
    return {};
  }
  if (first * kBlockBytes > offset)
    TRY(write_part_locked(block_of(offset), in_block(offset),
                          static_cast<std::uint32_t>(first * kBlockBytes - offset), nullptr,
                          false));
  if (end > last * kBlockBytes)
    TRY(write_part_locked(last, 0, static_cast<std::uint32_t>(end - last * kBlockBytes), nullptr,
                          false));
  if (first == last) return {};
  const bool to_base_end = last * kBlockBytes >= base_limit;
  MutexLock lock(mutex_);
  if (!to_base_end && map_.count() + (last - first) > kMaxHoleBlocks)
    return fail(ErrorCode::kNotSupported, "the hole is too large for this file's map");
  erase_between_locked(first, last);
  // Beyond the base nothing reads as zeros; over it zeros must be said.
  if (to_base_end) {
    base_limit_ = std::min(base_limit_, first * kBlockBytes);
  } else {
    for (std::uint64_t block = first; block < last; ++block) map_.set(block, kZeroSlot);
  }
  ++changes_;
  return {};
}

Result<void> StagedFile::reserve(std::uint64_t bytes) {
  // Each block is sealed; the rest is for the partly filled last one.
  const std::uint64_t needed = bytes / kBlockBytes * kSlotBytes + kSlotBytes;
  TRY_ASSIGN(DiskSpace space, disk_space(host_.staged_dir()));
  if (space.free < needed && host_.make_room(needed - space.free)) {
    TRY_ASSIGN(space, disk_space(host_.staged_dir()));
  }
  if (space.free < needed)
    return fail(ErrorCode::kNoSpace, fmt::format("{} bytes wanted, {} bytes free in {}", needed,
                                                 space.free, host_.staged_dir()));
  return {};
}

// --- records ---

Result<std::string> StagedFile::prepare() {
  MutexLock writers(writers_);
  {
    MutexLock lock(mutex_);
    if (any_record_ && changes_ == changes_prepared_) return last_record_;
  }
  TRY(writable_locked());
  TRY(spill_locked());
  TRY(sync_slots(false));
  auto state = std::make_shared<State>();
  ContentRecord record;
  {
    MutexLock lock(mutex_);
    state->sequence = next_sequence_++;
    state->size = size_;
    state->base_limit = base_limit_;
    state->map = map_.copy();
    record.map = map_.copy();
    records_.push_back(state);
    any_record_ = true;
    changes_prepared_ = changes_;
  }
  record.id = file_->id();
  record.sequence = state->sequence;
  record.size = state->size;
  record.base_limit = state->base_limit;
  std::string text = encode_content_record(record);
  MutexLock lock(mutex_);
  last_record_ = text;
  return text;
}

void StagedFile::committed(const std::string& record) {
  const auto head = decode_content_record_head(record);
  if (!head || head->id != file_->id()) {
    log_error("a record that is not {}'s was committed to it", to_hex(Bytes(file_->id())));
    return;
  }
  std::deque<std::shared_ptr<const State>> old;  // dies after the lock
  {
    MutexLock lock(mutex_);
    const auto found = std::find_if(records_.begin(), records_.end(), [&](const auto& state) {
      return state->sequence == head->sequence;
    });
    if (found == records_.end()) return;
    committed_ = *found;
    discarded_ = false;  // a row refers to it
    while (records_.front() != committed_) {
      old.push_back(std::move(records_.front()));
      records_.pop_front();
    }
    reclaim_locked();
  }
}

void StagedFile::reclaim_locked() {
  std::set<std::uint64_t> live(snapshots_.begin(), snapshots_.end());
  for (const auto& state : records_) live.insert(state->sequence);
  live.insert(durable_.begin(), durable_.end());
  // A row of any state since the oldest of these may be what a power loss leaves.
  slots_.reclaim(live, careful_ && !durable_.empty() ? durable_.front() : UINT64_MAX);
}

// `always`: also of a file of which nothing was ever made durable.
Result<void> StagedFile::sync_slots(bool always) {
  std::uint64_t writes = 0;
  {
    MutexLock lock(mutex_);
    if (sync_failed_)
      return fail(ErrorCode::kIo, fmt::format("{}: an earlier sync failed", file_->path()));
    if (slot_writes_ == slot_writes_synced_ || !(always || careful_)) return {};
    writes = slot_writes_;
  }
  auto result = file_->sync();
  internal::sync_point("slots.synced");
  MutexLock lock(mutex_);
  if (result)
    slot_writes_synced_ = std::max(slot_writes_synced_, writes);
  else
    // The kernel may have dropped what it could not write, and would report success next time.
    sync_failed_ = true;
  return result;
}

Result<std::uint64_t> StagedFile::sync() {
  std::uint64_t sequence = 0;
  {
    MutexLock lock(mutex_);
    sequence = committed_ ? committed_->sequence : 0;
    careful_ = true;
  }
  host_.note_unsynced(file_->id(), false);
  TRY(sync_slots(true));
  MutexLock lock(mutex_);
  if (sequence == 0 || (!durable_.empty() && durable_.back() >= sequence)) return sequence;
  durable_.push_back(sequence);
  if (durable_.size() > 2) durable_.pop_front();
  return sequence;
}

void StagedFile::row_synced(std::uint64_t state) {
  MutexLock lock(mutex_);
  while (durable_.size() > 1 && durable_.front() < state) durable_.pop_front();
  reclaim_locked();
}

bool StagedFile::wants_sync() const {
  MutexLock lock(mutex_);
  return careful_ && slots_.kept() > kKeptSlots + (slots_.used() - slots_.kept()) / 2;
}

bool StagedFile::clean() const {
  MutexLock lock(mutex_);
  return clean_locked();
}

bool StagedFile::clean_locked() const {
  return any_record_ && changes_ == changes_prepared_ && committed_ &&
         committed_->sequence + 1 == next_sequence_;
}

bool StagedFile::is_last_record(const std::string& record) const {
  MutexLock lock(mutex_);
  return any_record_ && last_record_ == record;
}

std::uint64_t StagedFile::staged_bytes() const {
  MutexLock lock(mutex_);
  return slots_.used() * kSlotBytes;
}

bool StagedFile::is_base() const {
  MutexLock lock(mutex_);
  return base_ && map_.count() == 0 && dirty_.empty() && size_ == base_->key.size &&
         base_limit_ == size_;
}

bool StagedFile::shows_base() const {
  MutexLock lock(mutex_);
  if (!base_) return false;
  if (!committed_) return true;
  const std::uint64_t limit = std::min(committed_->base_limit, committed_->size);
  for (std::uint64_t block = 0; block * kBlockBytes < limit; ++block) {
    const BlockEntry entry = committed_->map.find(block);
    if (entry.whole()) continue;
    const std::uint64_t end = std::min<std::uint64_t>(limit - block * kBlockBytes, kBlockBytes);
    if (!entry.present() || !entry.valid->covers(0, static_cast<std::uint32_t>(end))) return true;
  }
  return false;
}

std::optional<ContentKey> StagedFile::base_key() const {
  MutexLock lock(mutex_);
  if (!base_) return std::nullopt;
  return base_->key;
}

void StagedFile::rebase(const ContentKey& base) {
  MutexLock lock(mutex_);
  // The limit stays: behind it lies what was cut off here, whatever the newer version has there.
  if (base.size < base_limit_) {
    log_error("a staged content cannot stand on {} bytes, it shows {} of its base", base.size,
              base_limit_);
    return;
  }
  base_ = std::make_shared<Base>(base);
}

StagedFile::Adopted StagedFile::give_away() {
  MutexLock writers(writers_);
  MutexLock lock(mutex_);
  // With changes that no record has, the file stays with those who make them.
  if (!committed_ || given_away_ || !clean_locked()) return {};
  given_away_ = true;
  return {file_, committed_, slots_.file_slots()};
}

}  // namespace cabinetfs
