#include <algorithm>

#include "cache/content.h"

namespace cabinetfs {

namespace {

constexpr std::uint64_t kFirstWindow = 256u << 10;
// A file up to here comes whole with its first read.
constexpr std::uint64_t kSmallFile = 1u << 20;
// The window is extended when a quarter of it has been read, so that its requests stay large.
constexpr std::uint64_t kSteps = 4;

}  // namespace

void ReadAhead::on_read(CachedContent& content, std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t size = content.size();
  if (size <= kSmallFile || length == 0 || offset >= size) return;
  const std::uint64_t end = std::min(size, offset + std::min(length, size - offset));
  // The kernel's own read-ahead comes from several threads, a little out of order.
  const std::uint64_t slack = std::max<std::uint64_t>(kFirstWindow, 4 * length);
  const bool begins = next_offset_ == 0 && offset == 0 && length >= kBlockBytes;
  const bool near =
      next_offset_ > 0 && offset + slack >= next_offset_ && offset <= next_offset_ + slack;
  if (!begins && !near) {
    // Random, or the first read: nothing is expected after it until the next one continues here.
    window_ = 0;
    prefetched_to_ = 0;
    next_offset_ = std::max<std::uint64_t>(end, 1);
    return;
  }
  if (!begins && end <= next_offset_) return;  // a straggler
  next_offset_ = end;
  window_ = window_ == 0 ? kFirstWindow : std::min(window_ * 2, max_window_);
  const std::uint64_t from = std::max(end, prefetched_to_);
  const std::uint64_t to = std::min(size, end + window_);
  if (from >= to || (to < size && to - from < window_ / kSteps)) return;
  prefetched_to_ = from + std::min(to - from, content.prefetch(from, to - from));
}

}  // namespace cabinetfs
