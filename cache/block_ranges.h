#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cabinetfs {

// Sorted, disjoint, non-adjacent byte ranges inside one block: which of its bytes are known. A
// plain value; not thread safe.
class BlockRanges {
 public:
  struct Range {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;  // one past the last byte
    friend bool operator==(const Range&, const Range&) = default;
  };

  BlockRanges() = default;
  BlockRanges(std::uint32_t begin, std::uint32_t end) { add(begin, end); }

  // Empty ranges are ignored.
  void add(std::uint32_t begin, std::uint32_t end);
  void remove(std::uint32_t begin, std::uint32_t end);
  void clear() { ranges_.clear(); }

  bool empty() const { return ranges_.empty(); }
  bool covers(std::uint32_t begin, std::uint32_t end) const;
  // One past the last known byte; 0 when there is none.
  std::uint32_t end() const { return ranges_.empty() ? 0 : ranges_.back().end; }
  const std::vector<Range>& ranges() const { return ranges_; }
  friend bool operator==(const BlockRanges&, const BlockRanges&) = default;

 private:
  std::vector<Range> ranges_;
};

}  // namespace cabinetfs
