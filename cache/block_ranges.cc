#include "cache/block_ranges.h"

#include <algorithm>

namespace cabinetfs {

void BlockRanges::add(std::uint32_t begin, std::uint32_t end) {
  if (begin >= end) return;
  // The first range that touches or follows the new one.
  auto first = std::lower_bound(ranges_.begin(), ranges_.end(), begin,
                                [](const Range& r, std::uint32_t b) { return r.end < b; });
  auto last = first;
  while (last != ranges_.end() && last->begin <= end) {
    begin = std::min(begin, last->begin);
    end = std::max(end, last->end);
    ++last;
  }
  if (first == last) {
    ranges_.insert(first, Range{begin, end});
    return;
  }
  *first = Range{begin, end};
  ranges_.erase(first + 1, last);
}

void BlockRanges::remove(std::uint32_t begin, std::uint32_t end) {
  if (begin >= end) return;
  std::vector<Range> kept;
  kept.reserve(ranges_.size() + 1);
  for (const Range& r : ranges_) {
    if (r.begin < std::min(r.end, begin)) kept.push_back({r.begin, std::min(r.end, begin)});
    if (std::max(r.begin, end) < r.end) kept.push_back({std::max(r.begin, end), r.end});
  }
  ranges_ = std::move(kept);
}

bool BlockRanges::covers(std::uint32_t begin, std::uint32_t end) const {
  if (begin >= end) return true;
  const auto found = std::lower_bound(ranges_.begin(), ranges_.end(), end,
                                      [](const Range& r, std::uint32_t e) { return r.end < e; });
  return found != ranges_.end() && found->begin <= begin;
}

}  // namespace cabinetfs
