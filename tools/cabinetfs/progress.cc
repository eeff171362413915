#include "tools/cabinetfs/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "backend/base/text.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/units.h"

namespace cabinetfs {
namespace {

// At most `width` characters, cut at a character's border.
std::string cut(const std::string& text, std::size_t width) {
  if (utf8_length(text) <= width) return text;
  if (width < 4) return {};
  std::size_t bytes = 0, characters = 0;
  while (bytes < text.size() && characters < width - 3) {
    ++bytes;
    while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) ++bytes;
    ++characters;
  }
  return text.substr(0, bytes) + "...";
}

}  // namespace

std::string progress_bar(std::uint64_t done, std::uint64_t total, unsigned width) {
  const double share =
      total == 0 ? 0.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto filled = static_cast<unsigned>(share * width);
  return fmt::format("[{}{}] {:3.0f} %", std::string(filled, '#'), std::string(width - filled, '.'),
                     std::min(share * 100, done < total ? 99.0 : 100.0));
}

void RateMeter::add(std::uint64_t total, SteadyTime now) {
  if (!started_) {
    started_ = true;
    last_ = total;
    when_ = now;
    return;
  }
  const double seconds = std::chrono::duration<double>(now - when_).count();
  if (seconds < 0.2) return;
  const double rate = total >= last_ ? static_cast<double>(total - last_) / seconds : 0.0;
  rate_ = rate_ == 0 ? rate : 0.7 * rate_ + 0.3 * rate;
  last_ = total;
  when_ = now;
}

std::string UnsentDisplay::line(const UnsentProgress& progress, SteadyTime now) {
  if (started_ && last_left_ > progress.bytes) sent_ += last_left_ - progress.bytes;
  started_ = true;
  last_left_ = progress.bytes;
  rate_.add(sent_, now);
  most_items_ = std::max(most_items_, progress.items);
  most_bytes_ = std::max(most_bytes_, sent_ + progress.bytes);
  // Folders, renames and deletions have no bytes: then items are what is counted.
  const bool by_bytes = most_bytes_ > 0;
  std::string out = by_bytes ? progress_bar(sent_, most_bytes_, 24)
                             : progress_bar(most_items_ - progress.items, most_items_, 24);
  out += fmt::format("  {} left", progress.items);
  if (by_bytes) out += fmt::format(", {}", format_size(progress.bytes));
  if (rate_.per_second() >= 1)
    out += fmt::format("  {}/s", format_size(static_cast<std::uint64_t>(rate_.per_second())));
  if (!progress.what.empty()) out += "  " + printable(progress.what);
  return cut(out, width_);
}

void ProgressLine::show(const std::string& line, SteadyTime now) {
  if (terminal_) {
    fmt::print(stderr, "\r{}\x1b[K", line);
  } else {
    if (next_ == SteadyTime{}) next_ = now + kFirstAfter;
    if (now < next_) return;
    next_ = now + kQuietInterval;
    fmt::print(stderr, "{}\n", line);
  }
  std::fflush(stderr);
  shown_ = true;
}

void ProgressLine::clear() {
  if (terminal_ && shown_) {
    std::fputs("\r\x1b[K", stderr);
    std::fflush(stderr);
  }
  shown_ = false;
}

}  // namespace cabinetfs
