#include "backend/base/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <stdexcept>

namespace cabinetfs {
namespace {

TEST(Executor, OneThreadRunsTasksInOrder) {
  std::vector<int> order;
  std::latch done(100);
  Executor executor("order", 1);
  for (int i = 0; i < 100; ++i) {
    executor.submit([&, i] {
      order.push_back(i);
      done.count_down();
    });
  }
  done.wait();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(Executor, RunsAsManyAtOnceAsItHasThreads) {
  std::latch all_inside(4);
  std::latch done(4);
  Executor executor("parallel", 4);
  for (int i = 0; i < 4; ++i) {
    executor.submit([&] {
      all_inside.arrive_and_wait();  // returns only when all four run
      done.count_down();
    });
  }
  done.wait();
}

TEST(Executor, DeclinesBeyondItsQueue) {
  std::latch started(1);
  std::latch release(1);
  Executor executor("bounded", 1, 2);
  executor.submit([&] {
    started.count_down();
    release.wait();
  });
  started.wait();
  EXPECT_TRUE(executor.try_submit([] {}));
  EXPECT_TRUE(executor.try_submit([] {}));
  EXPECT_FALSE(executor.try_submit([] {}));
  EXPECT_EQ(executor.queued(), 2u);
  release.count_down();
}

TEST(Executor, ShutdownDropsTheQueueAndWaitsForTheRunning) {
  std::latch started(1);
  std::latch release(1);
  std::atomic<bool> finished = false;
  std::atomic<bool> ran_queued = false;
  auto held = std::make_shared<int>(1);
  Executor executor("shutdown", 1);
  executor.submit([&] {
    started.count_down();
    release.wait();
    finished = true;
  });
  started.wait();
  executor.submit([&, held] { ran_queued = true; });
  std::jthread releaser([&] { release.count_down(); });
  executor.shutdown();
  EXPECT_TRUE(finished);
  // The dropped task's captures are gone, whether or not it got to run before.
  EXPECT_EQ(held.use_count(), 1);
  executor.submit([&, held] { ran_queued = true; });
  EXPECT_FALSE(executor.try_submit([] {}));
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Executor, SurvivesAThrowingTask) {
  std::latch done(1);
  Executor executor("throws", 1);
  executor.submit([] { throw std::runtime_error("a task's mistake"); });
  executor.submit([&done] { done.count_down(); });
  done.wait();
}

}  // namespace
}  // namespace cabinetfs
