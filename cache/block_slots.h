#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "backend/base/result.h"
#include "cache/block_map.h"

namespace cabinetfs {

// Which slots of a staged content's file may be written. Records are numbered; a slot that was
// taken while record r was in the making and let go while record s was, belongs to the records r to
// s - 1, and is written again only when none of those can be asked for any more.
//
// Not thread safe.
class BlockSlots {
 public:
  // The slots of a loaded record, before anything else; `file_slots`: how long the file is.
  // `keep_others`: the slots that it does not name may belong to an earlier one.
  void load(const std::vector<Slot>& used, std::uint64_t file_slots, std::uint64_t record,
            bool keep_others = false);

  // Lowest free slots first, so that a sequential writer gets neighbours. `record`: the number that
  // the next record will have.
  Result<Slot> allocate(std::uint64_t record);
  // The working map does not use the slot any more.
  void release(Slot slot, std::uint64_t record);
  // Frees what none of the `live` record numbers needs, and no record from `from` on.
  void reclaim(const std::set<std::uint64_t>& live, std::uint64_t from = UINT64_MAX);

  // Changes whenever the slot is allocated, and never repeats: what is remembered under it cannot
  // be confused with what the slot held before.
  std::uint64_t serial(Slot slot) const { return slots_[slot].serial; }
  std::uint64_t file_slots() const { return slots_.size(); }
  std::uint64_t used() const { return slots_.size() - free_.size(); }
  // Those that only earlier records need.
  std::uint64_t kept() const { return dead_.size(); }

 private:
  struct State {
    std::uint64_t born = 0;
    std::uint64_t serial = 0;
  };
  struct Dead {
    Slot slot;
    std::uint64_t first, last;  // records that it belongs to
  };
  std::vector<State> slots_;
  std::set<Slot> free_;
  std::vector<Dead> dead_;
  std::uint64_t last_serial_ = 0;
};

}  // namespace cabinetfs
