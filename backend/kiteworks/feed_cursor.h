#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "backend/base/clock.h"

namespace cabinetfs::kiteworks {

// How far the activity log has been read. The log is ordered by time with whole seconds, its ids
// grow, but an event may turn up a little later than its time says; so every look goes back a
// while, and the ids of that while are remembered.
struct FeedCursor {
  std::int64_t newest = 0;       // unix seconds of the newest event seen; 0 = the log was empty
  std::set<std::uint64_t> seen;  // ids of events within the overlap before it

  std::string to_text() const;
  // nullopt: not made by to_text().
  static std::optional<FeedCursor> parse(const std::string& text);
};

inline constexpr std::int64_t kFeedOverlap = 120;  // seconds

}  // namespace cabinetfs::kiteworks
