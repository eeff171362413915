#include "backend/kenesto/listings.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/fake_clock.h"
#include "tests/support/gate.h"

namespace cabinetfs::kenesto {
namespace {

using Items = std::vector<WireItem>;

class ListingsTest : public ::testing::Test {
 protected:
  static CallContext soon() { return CallContext::within(std::chrono::seconds(30)); }
  // What the server lists when it is asked: the number of the request, as a name.
  ApiResult<Items> answer() {
    const int number = ++asked_;
    static_cast<void>(gate_.pass(soon()));
    WireItem item;
    item.entry.name = std::to_string(number);
    return Items{item};
  }
  ApiResult<ListingPtr> get(const CallContext& call, SteadyTime since) {
    return listings_.get(
        call, folder_, [this](const CallContext&) { return answer(); }, since);
  }
  std::string name(const CallContext& call = soon(), SteadyTime since = SteadyTime::max()) {
    const auto listing = get(call, since);
    if (!listing) return std::string(to_string(listing.error().code));
    return (*listing)->items.front().entry.name;
  }
  bool recent(const std::string& of = "a.txt") {
    return listings_.recent(folder_, of, std::chrono::milliseconds(500)) != nullptr;
  }

  FakeClock clock_;
  Gate gate_;
  std::atomic<int> asked_ = 0;
  const RemoteId folder_{"f"};
  Listings listings_{clock_};
};

// Who asks while a listing is under way gets the next one, all of them the same.
TEST_F(ListingsTest, OneServesAllWhoAskedBeforeItBegan) {
  gate_.close();
  std::string first;
  std::vector<std::string> later(8);
  {
    std::jthread leader([&] { first = name(); });
    ASSERT_TRUE(gate_.wait_for_waiting(1));
    std::vector<std::jthread> callers;
    for (std::string& one : later) callers.emplace_back([&] { one = name(); });
    while (listings_.waiting(folder_) < 9) std::this_thread::yield();
    gate_.open();
  }
  EXPECT_EQ(first, "1");
  for (const std::string& one : later) EXPECT_EQ(one, "2");
  EXPECT_EQ(asked_, 2);
  EXPECT_EQ(name(), "3") << "what has come before is no answer to a later question";
}

TEST_F(ListingsTest, OneServesWhoWantsToKnowOfAMomentBeforeItBegan) {
  const SteadyTime before = clock_.steady();
  clock_.advance(std::chrono::milliseconds(1));
  gate_.close();
  {
    std::jthread leader([&] { EXPECT_EQ(name(), "1"); });
    ASSERT_TRUE(gate_.wait_for_waiting(1));
    std::jthread meanwhile([&] { EXPECT_EQ(name(soon(), before), "1"); });
    while (listings_.waiting(folder_) < 2) std::this_thread::yield();
    gate_.open();
  }
  EXPECT_EQ(name(soon(), before), "1") << "there already";
  EXPECT_EQ(name(soon(), clock_.steady()), "2") << "as old as the moment";
  listings_.changed(folder_, "a.txt");
  EXPECT_EQ(name(soon(), before), "3") << "it may be of before our change";
}

TEST_F(ListingsTest, FoldersDoNotWaitForEachOther) {
  gate_.close();
  std::jthread slow([&] { EXPECT_EQ(name(), "1"); });
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  const auto other =
      listings_.get(soon(), RemoteId{"g"}, [](const CallContext&) { return Items(); });
  EXPECT_TRUE(other);
  gate_.open();
}

TEST_F(ListingsTest, AFailureIsForAllWhoWaited) {
  const auto failed = listings_.get(soon(), folder_, [](const CallContext&) -> ApiResult<Items> {
    ApiFailure failure;
    failure.code = ErrorCode::kDenied;
    return tl::unexpected<ApiFailure>(failure);
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kDenied);
  EXPECT_EQ(name(), "1") << "and for nobody later";
}

TEST_F(ListingsTest, WhoGivesUpDoesSoForHimself) {
  gate_.close();
  CancelSource cancel;
  CallContext call = soon();
  call.cancel = cancel.token();
  std::string other;
  std::jthread leader([&] {
    const auto listing = listings_.get(call, folder_, [&](const CallContext&) -> ApiResult<Items> {
      static_cast<void>(gate_.pass(soon()));
      ApiFailure failure;
      failure.code = ErrorCode::kCancelled;
      return tl::unexpected<ApiFailure>(failure);
    });
    EXPECT_FALSE(listing);
  });
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  std::jthread waiter([&] { other = name(); });
  CallContext cancelled = soon();
  cancelled.cancel = cancel.token();
  std::jthread impatient([&] { EXPECT_EQ(name(cancelled), to_string(ErrorCode::kCancelled)); });
  while (listings_.waiting(folder_) < 3) std::this_thread::yield();
  cancel.cancel();
  impatient.join();
  gate_.open();
  leader.join();
  waiter.join();
  EXPECT_EQ(other, "1");
}

TEST_F(ListingsTest, TheMostUrgentOfThoseWhoWaitCounts) {
  gate_.close();
  std::jthread leader([&] { name(); });
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  std::atomic<Priority> asked_with = Priority::kPrefetch;
  const auto ask = [&](Priority priority) {
    EXPECT_TRUE(listings_.get(CallContext::within(std::chrono::seconds(30), priority), folder_,
                              [&](const CallContext& call) -> ApiResult<Items> {
                                asked_with = call.priority;
                                return Items();
                              }));
  };
  std::jthread upload(ask, Priority::kUpload);
  std::jthread person(ask, Priority::kForeground);
  while (listings_.waiting(folder_) < 3) std::this_thread::yield();
  gate_.open();
  upload.join();
  person.join();
  EXPECT_EQ(asked_with, Priority::kForeground);
}

TEST_F(ListingsTest, TheLastOneIsRecentForAMoment) {
  EXPECT_FALSE(recent());
  ASSERT_EQ(name(), "1");
  EXPECT_TRUE(recent());
  clock_.advance(std::chrono::milliseconds(499));
  EXPECT_TRUE(recent());
  clock_.advance(std::chrono::milliseconds(2));
  EXPECT_FALSE(recent());
}

TEST_F(ListingsTest, AChangeOfOursEndsItForThatName) {
  ASSERT_EQ(name(), "1");
  listings_.changed(folder_, "B.txt");
  EXPECT_TRUE(recent("a.txt"));
  EXPECT_FALSE(recent("b.TXT")) << "as the vendor compares names";
  EXPECT_FALSE(recent(""));
  clock_.advance(std::chrono::milliseconds(1));
  ASSERT_EQ(name(), "2");
  EXPECT_TRUE(recent("b.txt"));
  listings_.changed(folder_, "");
  EXPECT_FALSE(recent("a.txt"));
}

// A listing that was under way while something of ours changed may have passed it before.
TEST_F(ListingsTest, AChangeDuringAListingIsNotForgotten) {
  gate_.close();
  std::jthread lister([&] { name(); });
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  clock_.advance(std::chrono::milliseconds(1));
  listings_.changed(folder_, "b.txt");
  clock_.advance(std::chrono::milliseconds(1));
  listings_.changed(RemoteId{"elsewhere"}, "c.txt");
  gate_.open();
  lister.join();
  EXPECT_TRUE(recent("a.txt"));
  EXPECT_FALSE(recent("b.txt"));
}

}  // namespace
}  // namespace cabinetfs::kenesto
