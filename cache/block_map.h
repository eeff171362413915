#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "cache/block_ranges.h"
#include "cache/content.h"

namespace cabinetfs {

// The place of a sealed block in a slot file: slot i begins at byte i * kSlotBytes.
using Slot = std::uint32_t;
constexpr Slot kNoSlot = 0xffffffff;    // this map knows nothing of the block
constexpr Slot kZeroSlot = 0xfffffffe;  // all of the block is zeros
constexpr Slot kMaxSlots = 0xfffffff0;

// Where a block is and how much of it.
struct BlockEntry {
  Slot slot = kNoSlot;
  std::uint32_t stored = kBlockBytes;  // plain bytes in the slot
  // Which bytes are known; nullptr: the whole block. Owned by the map.
  const BlockRanges* valid = nullptr;
  bool present() const { return slot != kNoSlot; }
  bool has_slot() const { return slot < kMaxSlots; }
  bool whole() const { return present() && valid == nullptr; }
};

// From block number to slot. Sparse: memory goes with the number of 16 MiB stretches that have a
// block. A copy is cheap and shares unchanged stretches with the original; each copy may be used by
// another thread, one copy by one thread at a time.
class BlockMap {
 public:
  BlockMap() = default;
  BlockMap(BlockMap&&) noexcept = default;
  BlockMap& operator=(BlockMap&&) noexcept = default;
  // Both sides may be changed afterwards; neither sees the other's changes.
  BlockMap copy();

  BlockEntry find(std::uint64_t block) const;
  // A whole block.
  void set(std::uint64_t block, Slot slot);
  // A short or partly known block: `stored` plain bytes of which `valid` are known (not empty).
  // The whole of a full block is stored as set() does.
  void set_partial(std::uint64_t block, Slot slot, std::uint32_t stored, BlockRanges valid);
  void erase(std::uint64_t block);
  // Erases all blocks from `block` on; `dropped(slot)` is called for those that had one.
  template <class F>
  void erase_from(std::uint64_t block, F dropped) {
    erase_between(block, UINT64_MAX, dropped);
  }
  // The same for blocks in [first, end).
  template <class F>
  void erase_between(std::uint64_t first, std::uint64_t end, F dropped) {
    for (auto at = next(first); at && *at < end; at = next(*at + 1)) {
      if (const BlockEntry entry = find(*at); entry.has_slot()) dropped(entry.slot);
      erase(*at);
    }
  }

  // The first present block at or after `block`.
  std::optional<std::uint64_t> next(std::uint64_t block) const;
  // Calls visit(block, entry) in order.
  template <class F>
  void for_each(F visit) const {
    for (auto at = next(0); at; at = next(*at + 1)) visit(*at, find(*at));
  }
  std::uint64_t count() const { return count_; }

 private:
  static constexpr std::uint64_t kChunkBlocks = 256;
  struct Partial {
    std::uint32_t stored = 0;
    BlockRanges valid;
  };
  struct Chunk {
    Chunk() { slots.fill(kNoSlot); }
    std::uint64_t owner = 0;  // the only map that may change it
    std::uint32_t present = 0;
    std::array<Slot, kChunkBlocks> slots;
    std::map<std::uint32_t, Partial> partial;
  };
  BlockMap(const BlockMap&) = default;
  Chunk& own(std::uint64_t chunk);

  std::map<std::uint64_t, std::shared_ptr<Chunk>> chunks_;
  std::uint64_t count_ = 0;
  // Identifies this map's own chunks. Not a reference count: counts can be read only with a race.
  std::uint64_t owner_ = new_owner();
  static std::uint64_t new_owner();
};

}  // namespace cabinetfs
