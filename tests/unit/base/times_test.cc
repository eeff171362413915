#include "backend/base/times.h"

#include <gtest/gtest.h>

namespace cabinetfs {
namespace {

TEST(Times, FormatsWholeSecondsRoundedDown) {
  EXPECT_EQ(format_rfc3339(WallTime{}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_rfc3339(WallTime{} + std::chrono::milliseconds(1999)), "1970-01-01T00:00:01Z");
  EXPECT_EQ(format_rfc3339(WallTime{} - std::chrono::nanoseconds(1)), "1969-12-31T23:59:59Z");
}

TEST(Times, ReadsEveryFormThatServersSend) {
  const WallTime expected = *parse_rfc3339("2026-01-21T20:43:42Z");
  EXPECT_EQ(format_rfc3339(expected), "2026-01-21T20:43:42Z");
  for (const char* text :
       {"2026-01-21T20:43:42+0000", "2026-01-21T20:43:42+00:00", "2026-01-21T20:43:42+00",
        "2026-01-21 20:43:42", "2026-01-21t20:43:42z", "2026-01-21T21:43:42+01:00",
        "2026-01-21T15:13:42-0530", "2026-01-21T20:43:42.000Z"}) {
    ASSERT_TRUE(parse_rfc3339(text).has_value()) << text;
    EXPECT_EQ(*parse_rfc3339(text), expected) << text;
  }
}

TEST(Times, KeepsFractionsToNanoseconds) {
  const WallTime whole = *parse_rfc3339("2026-01-21T20:43:42Z");
  EXPECT_EQ(*parse_rfc3339("2026-01-21T20:43:42.5Z"), whole + std::chrono::milliseconds(500));
  EXPECT_EQ(*parse_rfc3339("2026-01-21T20:43:42.123456789123Z"),
            whole + std::chrono::nanoseconds(123'456'789));
}

TEST(Times, LeapSecondsAndDays) {
  EXPECT_EQ(*parse_rfc3339("2016-12-31T23:59:60Z"), *parse_rfc3339("2017-01-01T00:00:00Z"));
  EXPECT_TRUE(parse_rfc3339("2024-02-29T00:00:00Z").has_value());
  EXPECT_FALSE(parse_rfc3339("2026-02-29T00:00:00Z").has_value());
}

TEST(Times, RefusesEverythingElse) {
  for (const char* text : {"", "2026", "2026-01-21", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
                           "2026-01-21T24:00:00Z", "2026-01-21T20:60:00Z", "2026-01-21T20:43:61Z",
                           "2026-01-21T20:43:42.Z", "2026-01-21T20:43:42+24:00",
                           "2026-01-21T20:43:42+1", "2026-01-21T20:43:42Zx", "0000-01-01T00:00:00Z",
                           "9999-12-31T23:59:59Z", "2026-1-21T20:43:42Z", "-026-01-21T20:43:42Z"}) {
    EXPECT_FALSE(parse_rfc3339(text).has_value()) << text;
  }
}

TEST(Times, RoundTripsAcrossTheRange) {
  for (std::int64_t seconds = -9'000'000'000; seconds < 9'000'000'000; seconds += 123'456'789) {
    const WallTime time{std::chrono::seconds(seconds)};
    ASSERT_EQ(parse_rfc3339(format_rfc3339(time)), time) << seconds;
  }
}

}  // namespace
}  // namespace cabinetfs
