// The vendor's date forms.

#include <charconv>

#include "backend/base/times.h"
#include "backend/kenesto/wire.h"

namespace cabinetfs::kenesto {
namespace {

// What nanoseconds in 64 bits hold with room to spare: 1700 to 2240.
constexpr std::int64_t kEarliestMs = -8'520'336'000'000;
constexpr std::int64_t kLatestMs = 8'520'336'000'000;

bool take(std::string_view& text, std::string_view word) {
  if (text.substr(0, word.size()) != word) return false;
  text.remove_prefix(word.size());
  return true;
}

std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return value;
}

// "/Date(1502371717000+0200)/": the zone only says what kind of time it was, the instant is UTC.
std::optional<WallTime> parse_wcf(std::string_view text) {
  if (!take(text, "/Date(")) return std::nullopt;
  const auto ms = take_number(text);
  if (!ms) return std::nullopt;
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
    text.remove_prefix(1);
    if (text.size() < 4 || text.substr(0, 4).find_first_not_of("0123456789") != std::string::npos) {
      return std::nullopt;
    }
    text.remove_prefix(4);
  }
  if (text != ")/" || *ms < kEarliestMs || *ms > kLatestMs) return std::nullopt;
  return WallTime(std::chrono::milliseconds(*ms));
}

std::optional<WallTime> parse_slashes(std::string_view text, bool day_first) {
  const auto one = take_number(text);
  if (!one || !take(text, "/")) return std::nullopt;
  const auto two = take_number(text);
  if (!two || !take(text, "/")) return std::nullopt;
  const auto year = take_number(text);
  if (!year || *year < 1700 || *year > 2239 || *one < 1 || *one > 31 || *two < 1 || *two > 31) {
    return std::nullopt;
  }
  const auto day = static_cast<unsigned>(day_first ? *one : *two);
  const auto month = static_cast<unsigned>(day_first ? *two : *one);
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  std::chrono::seconds clock{0};
  if (!text.empty()) {
    if (!take(text, " ")) return std::nullopt;
    const auto hour = take_number(text);
    if (!hour || !take(text, ":")) return std::nullopt;
    const auto minute = take_number(text);
    if (!minute || !take(text, ":")) return std::nullopt;
    const auto second = take_number(text);
    if (!second || !text.empty() || *hour < 0 || *hour > 23 || *minute < 0 || *minute > 59 ||
        *second < 0 || *second > 60) {
      return std::nullopt;
    }
    clock = std::chrono::seconds((*hour * 60 + *minute) * 60 + *second);
  }
  return WallTime(std::chrono::sys_days(date).time_since_epoch() + clock);
}

}  // namespace

std::optional<WallTime> parse_time(std::string_view text) {
  if (const auto wcf = parse_wcf(text)) return wcf;
  if (text.find('/') != std::string_view::npos) return parse_slashes(text, false);
  // Nanoseconds cannot hold the year 1.
  if (text.substr(0, 2) < "17" || text.substr(0, 3) > "223") return std::nullopt;
  return parse_rfc3339(text);
}

std::optional<WallTime> parse_day_first(std::string_view text) { return parse_slashes(text, true); }

}  // namespace cabinetfs::kenesto
