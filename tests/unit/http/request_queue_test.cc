#include "backend/http/request_queue.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace cabinetfs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class RequestQueueTest : public testing::Test {
 protected:
  void push(std::uint64_t id, Priority priority, bool metered = true,
            milliseconds backoff = milliseconds(0), const std::string& origin = "o") {
    queue_.push({.id = id,
                 .priority = priority,
                 .origin = origin,
                 .metered = metered,
                 .queued = now(),
                 .not_before = now() + backoff});
  }
  std::uint64_t pop() {
    const auto next = queue_.pop_ready(now(), bucket_, slots_);
    return next ? next->id : 0;
  }
  SteadyTime now() const { return clock_.steady(); }

  FakeClock clock_;
  RequestQueue queue_;
  TokenBucket bucket_{0, 0, clock_.steady()};
  TransferSlots slots_{0, 4};
};

TEST_F(RequestQueueTest, OrdersByPriorityThenArrival) {
  push(1, Priority::kPrefetch);
  push(2, Priority::kUpload);
  push(3, Priority::kForeground);
  push(4, Priority::kMetadata);
  push(5, Priority::kForeground);
  std::vector<std::uint64_t> order;
  while (const auto id = pop()) order.push_back(id);
  EXPECT_EQ(order, (std::vector<std::uint64_t>{3, 5, 4, 2, 1}));
}

TEST_F(RequestQueueTest, WaitingMovesUploadsUpButNotPrefetch) {
  push(1, Priority::kUpload);
  push(2, Priority::kPrefetch);
  clock_.advance(seconds(11));
  push(3, Priority::kForeground);
  EXPECT_EQ(pop(), 1u);
  EXPECT_EQ(pop(), 3u);
  EXPECT_EQ(pop(), 2u);
}

TEST_F(RequestQueueTest, BackoffIsWaitedFor) {
  push(1, Priority::kForeground, true, milliseconds(100));
  push(2, Priority::kPrefetch);
  EXPECT_EQ(pop(), 2u);
  EXPECT_EQ(pop(), 0u);
  EXPECT_EQ(queue_.next_ready_at(now(), bucket_, slots_), now() + milliseconds(100));
  clock_.advance(milliseconds(100));
  EXPECT_EQ(pop(), 1u);
}

TEST_F(RequestQueueTest, BackgroundLeavesTheLastSlots) {
  for (int i = 0; i < 3; ++i) slots_.start("o");
  push(1, Priority::kPrefetch);
  push(2, Priority::kUpload);
  EXPECT_EQ(pop(), 0u);
  EXPECT_EQ(queue_.next_ready_at(now(), bucket_, slots_), SteadyTime::max());
  push(3, Priority::kMetadata);
  EXPECT_EQ(pop(), 3u);
  slots_.finish("o");
  EXPECT_EQ(pop(), 2u);
  EXPECT_EQ(pop(), 1u);
}

TEST_F(RequestQueueTest, HostsDoNotBlockEachOther) {
  for (int i = 0; i < 4; ++i) slots_.start("o");
  push(1, Priority::kForeground);
  push(2, Priority::kPrefetch, true, milliseconds(0), "other");
  EXPECT_EQ(pop(), 2u);
  EXPECT_EQ(pop(), 0u);
}

TEST_F(RequestQueueTest, OneSlotServesEverybody) {
  const TransferSlots one(0, 1);
  push(1, Priority::kPrefetch);
  EXPECT_TRUE(queue_.pop_ready(now(), bucket_, one).has_value());
}

TEST_F(RequestQueueTest, UnmeteredRequestsPassAPause) {
  bucket_.pause_until(now() + seconds(1));
  push(1, Priority::kForeground);
  push(2, Priority::kPrefetch, false);
  EXPECT_EQ(pop(), 2u);
  EXPECT_EQ(pop(), 0u);
  EXPECT_EQ(queue_.next_ready_at(now(), bucket_, slots_), now() + seconds(1));
}

TEST_F(RequestQueueTest, EraseForgets) {
  push(1, Priority::kForeground);
  EXPECT_TRUE(queue_.erase(1));
  EXPECT_FALSE(queue_.erase(1));
  EXPECT_EQ(pop(), 0u);
}

}  // namespace
}  // namespace cabinetfs
