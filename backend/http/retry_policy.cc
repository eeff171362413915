#include "backend/http/retry_policy.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace cabinetfs {
namespace {

enum class Wait { kBackoff, kThrottle };
enum class Pause { kNever, kWithRetryAfter, kAlways };

struct Row {
  AttemptEnd end;
  int status;           // 0: any, or none
  bool only_throttled;  // the row needs the vendor's word that this is throttling
  bool any_method;      // false: only what may happen twice
  int attempts;         // in all, the first included
  Wait wait;
  Pause pause;
  std::string_view reason;
};

// The first row that fits decides; without one the outcome is final.
constexpr std::array kRows = {
    Row{AttemptEnd::kNotSent, 0, false, true, 3, Wait::kBackoff, Pause::kNever,
        "nothing was sent, so nothing can have happened"},
    Row{AttemptEnd::kConnectTimeout, 0, false, true, 2, Wait::kBackoff, Pause::kNever,
        "nothing was sent; a lost SYN is the usual cause, and a second try shows whether it was"},
    Row{AttemptEnd::kConnectionLost, 0, false, false, 3, Wait::kBackoff, Pause::kNever,
        "servers and balancers close connections at will; repeating changes nothing"},
    Row{AttemptEnd::kStalled, 0, false, false, 2, Wait::kBackoff, Pause::kNever,
        "one dead path or worker; each try costs a whole stall timeout, so only once more"},
    Row{AttemptEnd::kAnswer, 429, false, true, 6, Wait::kThrottle, Pause::kAlways,
        "refused unread because of the request limit, which all our requests share"},
    Row{AttemptEnd::kAnswer, 403, true, true, 3, Wait::kThrottle, Pause::kWithRetryAfter,
        "the vendor's other way to refuse for the limit; few tries, since it may mean what it "
        "says"},
    Row{AttemptEnd::kAnswer, 503, false, false, 4, Wait::kBackoff, Pause::kWithRetryAfter,
        "overloaded or in maintenance; a proxy may have passed the request on before it said so"},
    Row{AttemptEnd::kAnswer, 500, false, false, 3, Wait::kBackoff, Pause::kNever,
        "often one bad worker; a real fault stays after two more tries"},
    Row{AttemptEnd::kAnswer, 502, false, false, 4, Wait::kBackoff, Pause::kNever,
        "the gateway lost its server, usually during a restart"},
    Row{AttemptEnd::kAnswer, 504, false, false, 3, Wait::kBackoff, Pause::kNever,
        "the gateway gave up waiting; its server may still be busy with the first one"},
    Row{AttemptEnd::kAnswer, 509, false, false, 3, Wait::kThrottle, Pause::kWithRetryAfter,
        "bandwidth limit of a hosted server"},
    Row{AttemptEnd::kAnswer, 408, false, false, 3, Wait::kBackoff, Pause::kNever,
        "the server saw the request arrive too slowly and dropped it"},
    Row{AttemptEnd::kAnswer, 425, false, true, 3, Wait::kBackoff, Pause::kNever,
        "refused unread because it came as TLS early data"},
};

const Row* find_row(const Attempt& attempt) {
  for (const Row& row : kRows) {
    if (row.end != attempt.end) continue;
    if (row.status != 0 && row.status != attempt.status) continue;
    if (row.only_throttled && !attempt.throttled) continue;
    return &row;
  }
  return nullptr;
}

std::chrono::nanoseconds doubled(std::chrono::milliseconds first, std::chrono::milliseconds limit,
                                 int number) {
  const int shift = std::clamp(number - 1, 0, 20);
  return std::min<std::chrono::nanoseconds>(first * (std::int64_t{1} << shift), limit);
}

// Reads a decimal number from the front.
std::optional<int> take_number(std::string_view& text) {
  std::size_t digits = 0;
  int value = 0;
  while (digits < text.size() && digits < 5 && text[digits] >= '0' && text[digits] <= '9') {
    value = value * 10 + (text[digits++] - '0');
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, std::string_view word) {
  if (text.substr(0, word.size()) != word) return false;
  text.remove_prefix(word.size());
  return true;
}

std::optional<unsigned> take_month(std::string_view& text) {
  static constexpr std::string_view kNames = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() < 3) return std::nullopt;
  const std::size_t at = kNames.find(text.substr(0, 3));
  if (at == std::string_view::npos || at % 3 != 0) return std::nullopt;
  text.remove_prefix(3);
  return static_cast<unsigned>(at / 3 + 1);
}

std::optional<std::chrono::seconds> take_clock(std::string_view& text) {
  const auto hour = take_number(text);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_number(text);
  if (!minute || !take(text, ":")) return std::nullopt;
  const auto second = take_number(text);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return std::chrono::seconds((*hour * 60 + *minute) * 60 + *second);
}

}  // namespace

RetryDecision decide_retry(const Attempt& attempt, const RetryTimes& times, double jitter) {
  RetryDecision decision;
  const Row* row = find_row(attempt);
  if (row == nullptr) {
    decision.reason = "final";
    return decision;
  }
  decision.over_limit =
      attempt.end == AttemptEnd::kAnswer && (attempt.status == 429 || row->only_throttled);
  decision.reason = row->reason;
  if (attempt.retry_after) {
    // Never sooner than asked; up to a tenth later.
    const double seconds = std::min(*attempt.retry_after,
                                    std::chrono::duration<double>(times.retry_after_max).count()) *
                           (1 + jitter / 10);
    decision.wait = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(seconds));
  } else {
    const auto first = row->wait == Wait::kThrottle ? times.throttle_first : times.backoff_first;
    const auto full = doubled(first, std::max(times.backoff_max, first), attempt.number);
    decision.wait = std::chrono::duration_cast<std::chrono::nanoseconds>(full * (0.5 + jitter / 2));
  }
  decision.pause_remote = row->pause == Pause::kAlways ||
                          (row->pause == Pause::kWithRetryAfter && attempt.retry_after.has_value());
  if (!row->any_method && !attempt.idempotent) {
    decision.reason = "not repeated: it may have happened already";
    return decision;
  }
  if (attempt.number >= row->attempts) {
    decision.reason = "tried often enough";
    return decision;
  }
  decision.retry = true;
  return decision;
}

std::optional<WallTime> parse_http_date(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const bool has_comma = text[space - (space > 0 ? 1 : 0)] == ',';
  text.remove_prefix(space + 1);
  std::optional<int> day;
  std::optional<unsigned> month;
  std::optional<int> year;
  std::optional<std::chrono::seconds> clock;
  if (has_comma) {  // "Sun, 06 Nov 1994 08:49:37 GMT" or "Sunday, 06-Nov-94 08:49:37 GMT"
    day = take_number(text);
    const bool dashes = take(text, "-");
    if (!day || (!dashes && !take(text, " "))) return std::nullopt;
    month = take_month(text);
    if (!month || !take(text, dashes ? "-" : " ")) return std::nullopt;
    const std::size_t before = text.size();
    year = take_number(text);
    if (!year) return std::nullopt;
    if (before - text.size() == 2) *year += *year < 70 ? 2000 : 1900;
    if (!take(text, " ")) return std::nullopt;
    clock = take_clock(text);
    if (!clock || text != " GMT") return std::nullopt;
  } else {  // "Sun Nov  6 08:49:37 1994"
    month = take_month(text);
    if (!month || !take(text, " ")) return std::nullopt;
    take(text, " ");
    day = take_number(text);
    if (!day || !take(text, " ")) return std::nullopt;
    clock = take_clock(text);
    if (!clock || !take(text, " ")) return std::nullopt;
    year = take_number(text);
    if (!year || !text.empty()) return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(*month),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  // Nanoseconds in 64 bits reach from 1677 to 2262.
  if (!date.ok() || *year < 1678 || *year > 2261) return std::nullopt;
  return WallTime(std::chrono::sys_days(date).time_since_epoch() + *clock);
}

std::optional<double> parse_retry_after(std::string_view value, std::string_view date,
                                        WallTime now) {
  if (value.empty()) return std::nullopt;
  if (value.find_first_not_of("0123456789.") == std::string_view::npos) {
    double seconds = 0;
    double unit = 0;
    bool digits = false;
    for (const char c : value) {
      if (c == '.') {
        if (unit > 0) return std::nullopt;
        unit = 1;
      } else if (unit > 0) {
        unit /= 10;
        seconds += unit * (c - '0');
        digits = true;
      } else {
        seconds = seconds * 10 + (c - '0');
        digits = true;
      }
    }
    if (!digits) return std::nullopt;
    return std::min(seconds, 1e9);
  }
  const auto until = parse_http_date(value);
  if (!until) return std::nullopt;
  const WallTime from = parse_http_date(date).value_or(now);
  return std::max(0.0, std::chrono::duration<double>(*until - from).count());
}

}  // namespace cabinetfs
