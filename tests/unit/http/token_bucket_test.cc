#include "backend/http/token_bucket.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace cabinetfs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

int take_all(TokenBucket& bucket, Priority priority, SteadyTime now) {
  int taken = 0;
  while (taken < 1000 && bucket.try_take(priority, now)) ++taken;
  return taken;
}

TEST(TokenBucket, GivesTheBurstThenTheRate) {
  FakeClock clock;
  TokenBucket bucket(20, 10, clock.steady());
  EXPECT_EQ(take_all(bucket, Priority::kForeground, clock.steady()), 10);
  const SteadyTime ready = bucket.ready_at(Priority::kForeground, clock.steady());
  EXPECT_GT(ready, clock.steady() + milliseconds(49));
  EXPECT_LE(ready, clock.steady() + milliseconds(51));
  clock.advance(ready - clock.steady());
  EXPECT_TRUE(bucket.try_take(Priority::kForeground, clock.steady()));
  clock.advance(seconds(1));
  EXPECT_EQ(take_all(bucket, Priority::kForeground, clock.steady()), 10);
}

TEST(TokenBucket, NoRateMeansNoLimitButPausesHold) {
  FakeClock clock;
  TokenBucket bucket(0, 0, clock.steady());
  EXPECT_EQ(take_all(bucket, Priority::kPrefetch, clock.steady()), 1000);
  bucket.pause_until(clock.steady() + seconds(2));
  bucket.pause_until(clock.steady() + seconds(1));
  EXPECT_FALSE(bucket.try_take(Priority::kForeground, clock.steady()));
  EXPECT_EQ(bucket.ready_at(Priority::kForeground, clock.steady()), clock.steady() + seconds(2));
  clock.advance(seconds(2));
  EXPECT_TRUE(bucket.try_take(Priority::kForeground, clock.steady()));
}

TEST(TokenBucket, BackgroundLeavesTokensToTheForeground) {
  FakeClock clock;
  TokenBucket bucket(20, 20, clock.steady());
  EXPECT_EQ(take_all(bucket, Priority::kPrefetch, clock.steady()), 10);
  EXPECT_EQ(take_all(bucket, Priority::kUpload, clock.steady()), 5);
  EXPECT_EQ(take_all(bucket, Priority::kForeground, clock.steady()), 5);
}

TEST(TokenBucket, ABurstOfOneServesTheBackgroundToo) {
  FakeClock clock;
  TokenBucket bucket(20, 1, clock.steady());
  EXPECT_TRUE(bucket.try_take(Priority::kPrefetch, clock.steady()));
  EXPECT_FALSE(bucket.try_take(Priority::kPrefetch, clock.steady()));
  clock.advance(milliseconds(51));
  EXPECT_TRUE(bucket.try_take(Priority::kPrefetch, clock.steady()));
}

TEST(TokenBucket, DrainEmptiesIt) {
  FakeClock clock;
  TokenBucket bucket(20, 20, clock.steady());
  bucket.drain(clock.steady());
  EXPECT_FALSE(bucket.try_take(Priority::kForeground, clock.steady()));
  clock.advance(milliseconds(51));
  EXPECT_TRUE(bucket.try_take(Priority::kForeground, clock.steady()));
}

TEST(ByteBudget, DebtIsPaidByTime) {
  FakeClock clock;
  ByteBudget budget(1000, clock.steady());
  EXPECT_TRUE(budget.may_transfer(clock.steady()));
  budget.spend(500, clock.steady());
  EXPECT_FALSE(budget.may_transfer(clock.steady()));
  clock.advance(budget.ready_at(clock.steady()) - clock.steady());
  EXPECT_TRUE(budget.may_transfer(clock.steady()));
  ByteBudget unlimited(0, clock.steady());
  unlimited.spend(1u << 30, clock.steady());
  EXPECT_TRUE(unlimited.may_transfer(clock.steady()));
}

}  // namespace
}  // namespace cabinetfs
