#include "cache/block_map.h"

#include <atomic>
#include <utility>

namespace cabinetfs {

std::uint64_t BlockMap::new_owner() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

BlockMap BlockMap::copy() {
  BlockMap result(*this);
  // From now on both sides clone a chunk before they change it.
  result.owner_ = new_owner();
  owner_ = new_owner();
  return result;
}

BlockMap::Chunk& BlockMap::own(std::uint64_t chunk) {
  std::shared_ptr<Chunk>& place = chunks_[chunk];
  if (!place) {
    place = std::make_shared<Chunk>();
    place->owner = owner_;
  } else if (place->owner != owner_) {
    place = std::make_shared<Chunk>(*place);
    place->owner = owner_;
  }
  return *place;
}

BlockEntry BlockMap::find(std::uint64_t block) const {
  BlockEntry entry;
  const auto found = chunks_.find(block / kChunkBlocks);
  if (found == chunks_.end()) return entry;
  const Chunk& chunk = *found->second;
  const auto index = static_cast<std::uint32_t>(block % kChunkBlocks);
  entry.slot = chunk.slots[index];
  if (entry.slot == kNoSlot || chunk.partial.empty()) return entry;
  if (const auto partial = chunk.partial.find(index); partial != chunk.partial.end()) {
    entry.stored = partial->second.stored;
    entry.valid = &partial->second.valid;
  }
  return entry;
}

void BlockMap::set(std::uint64_t block, Slot slot) {
  Chunk& chunk = own(block / kChunkBlocks);
  const auto index = static_cast<std::uint32_t>(block % kChunkBlocks);
  if (chunk.slots[index] == kNoSlot) {
    ++chunk.present;
    ++count_;
  }
  chunk.slots[index] = slot;
  chunk.partial.erase(index);
}

void BlockMap::set_partial(std::uint64_t block, Slot slot, std::uint32_t stored,
                           BlockRanges valid) {
  set(block, slot);
  if (stored == kBlockBytes && valid.covers(0, kBlockBytes)) return;
  Chunk& chunk = own(block / kChunkBlocks);
  chunk.partial[static_cast<std::uint32_t>(block % kChunkBlocks)] = {stored, std::move(valid)};
}

void BlockMap::erase(std::uint64_t block) {
  if (!find(block).present()) return;
  const std::uint64_t number = block / kChunkBlocks;
  Chunk& chunk = own(number);
  const auto index = static_cast<std::uint32_t>(block % kChunkBlocks);
  chunk.slots[index] = kNoSlot;
  chunk.partial.erase(index);
  --count_;
  if (--chunk.present == 0) chunks_.erase(number);
}

std::optional<std::uint64_t> BlockMap::next(std::uint64_t block) const {
  auto at = chunks_.lower_bound(block / kChunkBlocks);
  while (at != chunks_.end()) {
    const std::uint64_t base = at->first * kChunkBlocks;
    for (std::uint64_t index = block > base ? block - base : 0; index < kChunkBlocks; ++index)
      if (at->second->slots[index] != kNoSlot) return base + index;
    ++at;
  }
  return std::nullopt;
}

}  // namespace cabinetfs
