#include "backend/base/cancel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace cabinetfs {
namespace {

TEST(Cancel, DefaultTokenIsNeverCancelled) {
  const CancelToken token;
  bool called = false;
  const auto registration = token.on_cancel([&called] { called = true; });
  EXPECT_FALSE(token.cancelled());
  EXPECT_FALSE(called);
}

TEST(Cancel, CallsEveryCallbackOnce) {
  CancelSource source;
  int first = 0;
  int second = 0;
  const auto one = source.token().on_cancel([&first] { ++first; });
  const auto two = source.token().on_cancel([&second] { ++second; });
  source.cancel();
  source.cancel();
  EXPECT_TRUE(source.token().cancelled());
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 1);
}

TEST(Cancel, CallsAtOnceWhenItHasHappened) {
  CancelSource source;
  source.cancel();
  bool called = false;
  const auto registration = source.token().on_cancel([&called] { called = true; });
  EXPECT_TRUE(called);
}

TEST(Cancel, EndedRegistrationIsNotCalled) {
  CancelSource source;
  int calls = 0;
  {
    const auto ended = source.token().on_cancel([&calls] { ++calls; });
  }
  CancelToken::Registration moved;
  {
    auto inner = source.token().on_cancel([&calls] { calls += 10; });
    moved = std::move(inner);
  }
  source.cancel();
  EXPECT_EQ(calls, 10);
}

TEST(Cancel, EndingARegistrationWaitsForItsCallback) {
  CancelSource source;
  std::atomic<bool> inside = false;
  std::atomic<bool> go = false;
  std::atomic<bool> finished = false;
  auto registration = std::make_unique<CancelToken::Registration>(source.token().on_cancel([&] {
    inside = true;
    inside.notify_all();
    go.wait(false);
    finished = true;
  }));
  std::jthread canceller([&] { source.cancel(); });
  inside.wait(false);
  std::jthread releaser([&] {
    go = true;
    go.notify_all();
  });
  registration.reset();
  EXPECT_TRUE(finished);
}

TEST(Cancel, CallbackMayEndItsOwnRegistration) {
  CancelSource source;
  CancelToken::Registration registration;
  bool called = false;
  registration = source.token().on_cancel([&] {
    called = true;
    registration = CancelToken::Registration();
  });
  source.cancel();
  EXPECT_TRUE(called);
}

}  // namespace
}  // namespace cabinetfs
