#include "backend/http/retry_policy.h"

#include <gtest/gtest.h>

#include <optional>

#include "backend/base/times.h"

namespace cabinetfs {
namespace {

using std::chrono::milliseconds;

constexpr RetryTimes kTimes{milliseconds(250), milliseconds(15'000), milliseconds(1000),
                            milliseconds(120'000)};

struct RowCase {
  AttemptEnd end;
  int status;
  bool throttled;
  int tries_if_idempotent;
  int tries_otherwise;
  bool pauses_without_retry_after;
  bool pauses_with_retry_after;
};

int tries(RowCase row, bool idempotent) {
  int number = 1;
  while (decide_retry({.end = row.end,
                       .status = row.status,
                       .throttled = row.throttled,
                       .idempotent = idempotent,
                       .number = number,
                       .retry_after = std::nullopt},
                      kTimes, 0.5)
             .retry) {
    ++number;
  }
  return number;
}

TEST(RetryPolicy, EveryRow) {
  const RowCase rows[] = {
      {AttemptEnd::kNotSent, 0, false, 3, 3, false, false},
      {AttemptEnd::kConnectTimeout, 0, false, 2, 2, false, false},
      {AttemptEnd::kConnectionLost, 0, false, 3, 1, false, false},
      {AttemptEnd::kStalled, 0, false, 2, 1, false, false},
      {AttemptEnd::kAnswer, 429, false, 6, 6, true, true},
      {AttemptEnd::kAnswer, 403, true, 3, 3, false, true},
      {AttemptEnd::kAnswer, 403, false, 1, 1, false, false},
      {AttemptEnd::kAnswer, 503, false, 4, 1, false, true},
      {AttemptEnd::kAnswer, 500, false, 3, 1, false, false},
      {AttemptEnd::kAnswer, 502, false, 4, 1, false, false},
      {AttemptEnd::kAnswer, 504, false, 3, 1, false, false},
      {AttemptEnd::kAnswer, 509, false, 3, 1, false, true},
      {AttemptEnd::kAnswer, 408, false, 3, 1, false, false},
      {AttemptEnd::kAnswer, 425, false, 3, 3, false, false},
      {AttemptEnd::kAnswer, 200, false, 1, 1, false, false},
      {AttemptEnd::kAnswer, 302, false, 1, 1, false, false},
      {AttemptEnd::kAnswer, 401, false, 1, 1, false, false},
      {AttemptEnd::kAnswer, 404, false, 1, 1, false, false},
      {AttemptEnd::kAnswer, 423, false, 1, 1, false, false},
      {AttemptEnd::kAnswer, 490, false, 1, 1, false, false},
      {AttemptEnd::kAnswer, 501, false, 1, 1, false, false},
      {AttemptEnd::kAnswer, 507, false, 1, 1, false, false},
  };
  for (const RowCase& row : rows) {
    SCOPED_TRACE(testing::Message() << "end " << static_cast<int>(row.end) << " status "
                                    << row.status << " throttled " << row.throttled);
    EXPECT_EQ(tries(row, true), row.tries_if_idempotent);
    EXPECT_EQ(tries(row, false), row.tries_otherwise);
    Attempt attempt{.end = row.end,
                    .status = row.status,
                    .throttled = row.throttled,
                    .idempotent = true,
                    .number = 1,
                    .retry_after = std::nullopt};
    EXPECT_EQ(decide_retry(attempt, kTimes, 0).pause_remote, row.pauses_without_retry_after);
    EXPECT_FALSE(decide_retry(attempt, kTimes, 0).reason.empty());
    attempt.retry_after = 3;
    EXPECT_EQ(decide_retry(attempt, kTimes, 0).pause_remote, row.pauses_with_retry_after);
  }
}

TEST(RetryPolicy, BackoffDoublesWithJitterUpToALimit) {
  Attempt attempt{.end = AttemptEnd::kConnectionLost,
                  .status = 0,
                  .throttled = false,
                  .idempotent = true,
                  .number = 1,
                  .retry_after = std::nullopt};
  EXPECT_EQ(decide_retry(attempt, kTimes, 0).wait, milliseconds(125));
  EXPECT_EQ(decide_retry(attempt, kTimes, 1).wait, milliseconds(250));
  attempt.number = 2;
  EXPECT_EQ(decide_retry(attempt, kTimes, 1).wait, milliseconds(500));
  attempt.number = 60;
  EXPECT_EQ(decide_retry(attempt, kTimes, 1).wait, milliseconds(15'000));
}

TEST(RetryPolicy, RetryAfterIsNeverCutShortExceptByTheLimit) {
  Attempt attempt{.end = AttemptEnd::kAnswer,
                  .status = 429,
                  .throttled = false,
                  .idempotent = false,
                  .number = 1,
                  .retry_after = 10};
  EXPECT_GE(decide_retry(attempt, kTimes, 0).wait, std::chrono::seconds(10));
  EXPECT_LE(decide_retry(attempt, kTimes, 1).wait, std::chrono::seconds(11));
  attempt.retry_after = 1e9;
  EXPECT_LE(decide_retry(attempt, kTimes, 1).wait, std::chrono::seconds(132));
}

TEST(RetryPolicy, ParsesHttpDatesInAllThreeForms) {
  for (const char* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"}) {
    const auto time = parse_http_date(text);
    ASSERT_TRUE(time.has_value()) << text;
    EXPECT_EQ(format_rfc3339(*time), "1994-11-06T08:49:37Z");
  }
  for (const char* text : {"", "tomorrow", "Sun, 06 Foo 1994 08:49:37 GMT",
                           "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:00:00 GMT",
                           "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nov 99999 08:49:37 GMT"}) {
    EXPECT_FALSE(parse_http_date(text).has_value()) << text;
  }
}

TEST(RetryPolicy, ParsesRetryAfter) {
  const WallTime now = *parse_rfc3339("1994-11-06T08:49:00Z");
  EXPECT_EQ(parse_retry_after("120", "", now), 120);
  EXPECT_EQ(parse_retry_after("0", "", now), 0);
  EXPECT_EQ(parse_retry_after("1.5", "", now), 1.5);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", "", now), 37);
  // The server's clock is an hour behind ours.
  EXPECT_EQ(
      parse_retry_after("Sun, 06 Nov 1994 07:49:37 GMT", "Sun, 06 Nov 1994 07:49:30 GMT", now), 7);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", "", now), 0);
  EXPECT_LE(*parse_retry_after("99999999999999999999999999", "", now), 1e9);
  for (const char* bad : {"", "soon", "-5", "1.2.3", ".", "5 s"}) {
    EXPECT_FALSE(parse_retry_after(bad, "", now).has_value()) << bad;
  }
}

}  // namespace
}  // namespace cabinetfs
