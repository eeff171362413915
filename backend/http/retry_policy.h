#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "backend/base/clock.h"

namespace cabinetfs {

// How one attempt of a request ended.
enum class AttemptEnd {
  kAnswer,          // a complete answer, whatever its status
  kNotSent,         // broke before a byte of the request was sent
  kConnectTimeout,  // no connection within the connect timeout
  kConnectionLost,  // broke after that: the request may have been carried out
  kStalled,         // no byte in either direction for the stall timeout
};

struct Attempt {
  AttemptEnd end = AttemptEnd::kAnswer;
  int status = 0;          // of kAnswer
  bool throttled = false;  // the vendor says that this answer means "too many requests"
  bool idempotent = false;
  int number = 1;  // 1 = the first
  std::optional<double> retry_after;
};

struct RetryTimes {
  std::chrono::milliseconds backoff_first;
  std::chrono::milliseconds backoff_max;
  std::chrono::milliseconds throttle_first;
  std::chrono::milliseconds retry_after_max;
};

struct RetryDecision {
  bool retry = false;
  std::chrono::nanoseconds wait{0};
  // The remote as a whole wants silence for `wait`, not only this request.
  bool pause_remote = false;
  // The remote counts requests and we were over its limit.
  bool over_limit = false;
  std::string_view reason;
};

// Looks the attempt up in the retry table. `jitter` from 0 to 1 spreads the waits: the same instant
// for all clients would only move the crowd. Pure.
RetryDecision decide_retry(const Attempt& attempt, const RetryTimes& times, double jitter);

// Seconds from now, at least 0: "120", "1.5" or an HTTP date. A date is compared with the server's
// own Date header where there is one (`date`, may be empty), since the clocks may differ.
std::optional<double> parse_retry_after(std::string_view value, std::string_view date,
                                        WallTime now);

// RFC 9110 dates in all three forms; nullopt for anything else.
std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace cabinetfs
