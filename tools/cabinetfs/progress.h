#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "backend/base/clock.h"

namespace cabinetfs {

// "[#########.......] 56 %", `width` characters of bar; `total` 0 gives an empty bar.
std::string progress_bar(std::uint64_t done, std::uint64_t total, unsigned width);

// A smoothed rate from a counter that grows.
class RateMeter {
 public:
  void add(std::uint64_t total, SteadyTime now);
  double per_second() const { return rate_; }

 private:
  std::uint64_t last_ = 0;
  SteadyTime when_{};
  bool started_ = false;
  double rate_ = 0;
};

// How far a wait for unsent changes has come. The work may grow while it goes on; the bar never
// runs back for that, it only slows down.
struct UnsentProgress {
  std::uint64_t items = 0;  // left
  std::uint64_t bytes = 0;  // left
  std::string what;         // the item being sent now
};

// The line that a wait for unsent changes shows: "[###....] 42 %  3 left, 1.2 MiB  3.4 MiB/s
// report.docx".
class UnsentDisplay {
 public:
  explicit UnsentDisplay(unsigned width) : width_(width) {}
  std::string line(const UnsentProgress& progress, SteadyTime now);

 private:
  const unsigned width_;
  std::uint64_t most_bytes_ = 0, most_items_ = 0;
  std::uint64_t last_left_ = 0, sent_ = 0;
  bool started_ = false;
  RateMeter rate_;
};

// Rewrites one line on a terminal's standard error; on anything else prints one now and then, and
// none for a short wait. clear() removes it.
class ProgressLine {
 public:
  explicit ProgressLine(bool terminal) : terminal_(terminal) {}
  ~ProgressLine() { clear(); }
  void show(const std::string& line, SteadyTime now);
  void clear();

 private:
  static constexpr std::chrono::seconds kFirstAfter{3};
  static constexpr std::chrono::seconds kQuietInterval{10};
  const bool terminal_;
  bool shown_ = false;
  SteadyTime next_{};
};

}  // namespace cabinetfs
