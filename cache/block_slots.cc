#include "cache/block_slots.h"

#include <algorithm>

namespace cabinetfs {

void BlockSlots::load(const std::vector<Slot>& used, std::uint64_t file_slots, std::uint64_t record,
                      bool keep_others) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(file_slots, kMaxSlots));
  slots_.assign(count, State{record, 0});
  for (Slot slot = 0; slot < count; ++slot) free_.insert(free_.end(), slot);
  for (const Slot slot : used) {
    if (slot >= slots_.size()) continue;  // the caller has checked; reading it will fail
    free_.erase(slot);
    slots_[slot].serial = ++last_serial_;
  }
  if (!keep_others || record == 0) return;
  for (const Slot slot : free_) dead_.push_back({slot, 0, record - 1});
  free_.clear();
}

Result<Slot> BlockSlots::allocate(std::uint64_t record) {
  Slot slot = 0;
  if (!free_.empty()) {
    slot = *free_.begin();
    free_.erase(free_.begin());
  } else {
    if (slots_.size() >= kMaxSlots)
      return fail(ErrorCode::kTooLarge, "a staged file cannot hold more blocks");
    slot = static_cast<Slot>(slots_.size());
    slots_.emplace_back();
  }
  slots_[slot] = {record, ++last_serial_};
  return slot;
}

void BlockSlots::release(Slot slot, std::uint64_t record) {
  if (slot >= slots_.size()) return;
  if (slots_[slot].born >= record)
    free_.insert(slot);  // in no record
  else
    dead_.push_back({slot, slots_[slot].born, record - 1});
}

void BlockSlots::reclaim(const std::set<std::uint64_t>& live, std::uint64_t from) {
  std::erase_if(dead_, [&](const Dead& dead) {
    if (dead.last >= from) return false;
    const auto needed = live.lower_bound(dead.first);
    if (needed != live.end() && *needed <= dead.last) return false;
    free_.insert(dead.slot);
    return true;
  });
}

}  // namespace cabinetfs
