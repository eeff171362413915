#include "fs/request_runner.h"

#include <fmt/format.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <optional>

#include "tests/support/gate.h"

namespace cabinetfs {
namespace {

using ::testing::ElementsAre;

// What the kernel sees of one request.
struct Wire {
  Mutex mutex;
  CondVar changed;
  std::vector<std::string> replies GUARDED_BY(mutex);
  std::function<void()> interrupt GUARDED_BY(mutex);
  bool interrupted GUARDED_BY(mutex) = false;

  void reply(std::string text) {
    MutexLock lock(mutex);
    replies.push_back(std::move(text));
    changed.notify_all();
  }
  // As libfuse does: inside the request's lock.
  void send_interrupt() {
    MutexLock lock(mutex);
    interrupted = true;
    if (interrupt) interrupt();
  }
  std::vector<std::string> wait() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    MutexLock lock(mutex);
    while (replies.empty() && changed.wait_until(mutex, until)) {
    }
    return replies;
  }
};

class FakeRequest {
 public:
  explicit FakeRequest(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}
  FakeRequest(FakeRequest&&) noexcept = default;
  void watch(std::function<void()> interrupted) {
    MutexLock lock(wire_->mutex);
    wire_->interrupt = std::move(interrupted);
    if (wire_->interrupted && wire_->interrupt) wire_->interrupt();
  }
  pid_t caller() const { return 0; }
  void fail(const Error& error) { wire_->reply(std::string(to_string(error.code))); }
  void succeed(const std::string& text) { wire_->reply(text); }

 private:
  std::shared_ptr<Wire> wire_;
};

const auto kAnswer = [](FakeRequest& request, const std::string& text) { request.succeed(text); };

bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

class Runner : public ::testing::Test {
 protected:
  // Waits at the gate where it may.
  auto slow(std::string text) {
    return [this, text](const CallContext& call) -> Result<std::string> {
      if (!call.may_block) return fail(ErrorCode::kWouldBlock, "slow");
      TRY(gate_.pass(call));
      return text;
    };
  }
  std::shared_ptr<Wire> run(RequestRunner& runner, const std::string& text,
                            RequestFamily family = RequestFamily::kData) {
    auto wire = std::make_shared<Wire>();
    runner.run(family, "test", FakeRequest(wire), slow(text), kAnswer);
    return wire;
  }
  Gate gate_;
};

TEST_F(Runner, AnswersOnTheCallingThreadWhatNeedsNoWait) {
  RequestRunner runner({});
  const auto wire = std::make_shared<Wire>();
  std::thread::id thread;
  runner.run(
      RequestFamily::kNames, "test", FakeRequest(wire),
      [&](const CallContext& call) -> Result<std::string> {
        EXPECT_FALSE(call.may_block);
        thread = std::this_thread::get_id();
        return std::string("done");
      },
      kAnswer);
  EXPECT_THAT(wire->wait(), ElementsAre("done"));
  EXPECT_EQ(thread, std::this_thread::get_id());
  EXPECT_EQ(runner.stats().answered_at_once, 1u);
}

TEST_F(Runner, RunsAgainElsewhereWhatWouldBlock) {
  RequestRunner runner({});
  const auto wire = run(runner, "slow");
  EXPECT_THAT(wire->wait(), ElementsAre("slow"));
  EXPECT_EQ(runner.stats().waited, 1u);
}

TEST_F(Runner, PassesErrorsOn) {
  RequestRunner runner({});
  const auto wire = std::make_shared<Wire>();
  runner.run(
      RequestFamily::kNames, "test", FakeRequest(wire),
      [](const CallContext&) -> Result<std::string> { return fail(ErrorCode::kDenied, "no"); },
      kAnswer);
  EXPECT_THAT(wire->wait(), ElementsAre("denied"));
}

TEST_F(Runner, WhatThrowsIsAnInternalErrorOnBothThreads) {
  RequestRunner runner({});
  for (const bool later : {false, true}) {
    const auto wire = std::make_shared<Wire>();
    runner.run(
        RequestFamily::kNames, "test", FakeRequest(wire),
        [later](const CallContext& call) -> Result<std::string> {
          if (later && !call.may_block) return fail(ErrorCode::kWouldBlock, "later");
          throw std::runtime_error("a bug");
        },
        kAnswer);
    EXPECT_THAT(wire->wait(), ElementsAre("internal"));
  }
  EXPECT_EQ(runner.stats().crashed, 2u);
}

TEST_F(Runner, InterruptCancelsWhatRuns) {
  gate_.close();
  RequestRunner runner({});
  const auto wire = run(runner, "never");
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  wire->send_interrupt();
  EXPECT_THAT(wire->wait(), ElementsAre("cancelled"));
}

TEST_F(Runner, ASignalThatEndsNothingWaitsForTheAnswer) {
  gate_.close();
  std::atomic<int> looks = 0;
  RequestRunnerOptions options;
  options.ends_call = [&](pid_t) {
    ++looks;
    return false;
  };
  RequestRunner runner(options);
  const auto wire = run(runner, "slow");
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  wire->send_interrupt();
  EXPECT_TRUE(eventually([&] { return looks >= 3; })) << "another may come";
  EXPECT_EQ(gate_.waiting(), 1);
  gate_.open();
  EXPECT_THAT(wire->wait(), ElementsAre("slow"));
  EXPECT_EQ(runner.stats().interrupted, 0u);
}

TEST_F(Runner, ASignalThatComesAfterOneThatEndsNothingCancels) {
  gate_.close();
  std::atomic<bool> ends = false;
  RequestRunnerOptions options;
  options.ends_call = [&](pid_t) { return ends.load(); };
  RequestRunner runner(options);
  const auto wire = run(runner, "never");
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  wire->send_interrupt();
  ends = true;
  EXPECT_THAT(wire->wait(), ElementsAre("cancelled"));
}

std::string status_with(const char* own, const char* shared, const char* blocked,
                        const char* ignored, const char* caught) {
  return fmt::format(
      "Name:\tcat\nSigPnd:\t{}\nShdPnd:\t{}\nSigBlk:\t{}\nSigIgn:\t{}\nSigCgt:\t{}\n", own, shared,
      blocked, ignored, caught);
}

TEST(Signals, WhatEndsAProgramEndsItsCall) {
  const char* const none = "0000000000000000";
  const char* const kill = "0000000000000100";
  const char* const interrupt = "0000000000000002";
  const char* const alarm = "0000000000002000";
  const char* const stop = "0000000000080000";  // SIGTSTP
  EXPECT_TRUE(tells_of_an_ending_signal(status_with(kill, none, none, none, none)));
  EXPECT_TRUE(tells_of_an_ending_signal(status_with(none, kill, none, none, none)));
  EXPECT_TRUE(tells_of_an_ending_signal(status_with(none, interrupt, none, none, none)));
  EXPECT_TRUE(tells_of_an_ending_signal(status_with(none, interrupt, none, none, interrupt)))
      << "somebody wants it to end";
  EXPECT_TRUE(tells_of_an_ending_signal(status_with(none, alarm, none, none, none)))
      << "nobody catches it";
  EXPECT_FALSE(tells_of_an_ending_signal(status_with(none, alarm, none, none, alarm)));
  EXPECT_FALSE(tells_of_an_ending_signal(status_with(none, none, none, none, alarm)));
  EXPECT_FALSE(tells_of_an_ending_signal(status_with(none, interrupt, interrupt, none, none)));
  EXPECT_FALSE(tells_of_an_ending_signal(status_with(none, interrupt, none, interrupt, none)));
  EXPECT_FALSE(tells_of_an_ending_signal(status_with(none, stop, none, none, none)));
  EXPECT_TRUE(tells_of_an_ending_signal("")) << "it cannot be told";
}

TEST_F(Runner, InterruptAnswersWhatStandsInTheQueue) {
  gate_.close();
  RequestRunner runner({1, 100, std::chrono::seconds(60)});
  const auto first = run(runner, "first");
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  const auto second = run(runner, "second");
  second->send_interrupt();
  EXPECT_THAT(second->wait(), ElementsAre("cancelled"));
  gate_.open();
  EXPECT_THAT(first->wait(), ElementsAre("first"));
  EXPECT_EQ(runner.stats().interrupted, 1u);
}

TEST_F(Runner, InterruptThatCameFirstIsSeen) {
  gate_.close();
  RequestRunner runner({});
  const auto wire = std::make_shared<Wire>();
  wire->send_interrupt();
  runner.run(RequestFamily::kData, "test", FakeRequest(wire), slow("never"), kAnswer);
  EXPECT_THAT(wire->wait(), ElementsAre("cancelled"));
}

TEST_F(Runner, DeadlineCountsFromArrivalInTheQueueToo) {
  gate_.close();
  RequestRunner runner({1, 100, std::chrono::milliseconds(100)});
  const auto first = run(runner, "first");
  const auto second = run(runner, "second");
  EXPECT_THAT(first->wait(), ElementsAre("timeout"));
  EXPECT_THAT(second->wait(), ElementsAre("timeout"));
}

TEST_F(Runner, DeadlineIsKeptBehindARequestThatOverrunsItsOwn) {
  gate_.close();
  RequestRunner runner({1, 100, std::chrono::milliseconds(20)});
  // As a system call that hangs: it sees neither deadline nor cancellation.
  const auto stuck = std::make_shared<Wire>();
  runner.run_waiting(
      RequestFamily::kData, "test", FakeRequest(stuck),
      [&](const CallContext&) -> Result<std::string> {
        TRY(gate_.pass(CallContext{}));
        return std::string("at last");
      },
      kAnswer);
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  // Each comes when nothing before it is left to be timed.
  for (int i = 0; i < 5; ++i) {
    const auto late = run(runner, "never");
    const auto replies = late->wait();
    EXPECT_THAT(replies, ElementsAre("timeout"));
    if (replies.empty()) break;
    while (runner.stats().waiting > 1) std::this_thread::yield();
  }
  gate_.open();
  EXPECT_THAT(stuck->wait(), ElementsAre("at last"));
}

TEST_F(Runner, OneFamilyDoesNotStandBeforeTheOthers) {
  gate_.close();
  RequestRunner runner({1, 100, std::chrono::seconds(60)});
  const auto data = run(runner, "data", RequestFamily::kData);
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  const auto names = run(runner, "names", RequestFamily::kNames);
  EXPECT_TRUE(gate_.wait_for_waiting(2));
  const auto sync = run(runner, "sync", RequestFamily::kSync);
  EXPECT_TRUE(gate_.wait_for_waiting(3));
  gate_.open();
  EXPECT_THAT(data->wait(), ElementsAre("data"));
  EXPECT_THAT(names->wait(), ElementsAre("names"));
  EXPECT_THAT(sync->wait(), ElementsAre("sync"));
}

TEST_F(Runner, TooManyWaitersAreRefused) {
  gate_.close();
  RequestRunner runner({1, 1, std::chrono::seconds(60)});
  const auto first = run(runner, "1");
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  const auto second = run(runner, "2");
  const auto third = run(runner, "3");
  EXPECT_THAT(third->wait(), ElementsAre("try-again"));
  gate_.open();
  EXPECT_THAT(second->wait(), ElementsAre("2"));
  EXPECT_THAT(first->wait(), ElementsAre("1"));
}

TEST_F(Runner, ShutdownAnswersEverythingOnce) {
  gate_.close();
  std::vector<std::shared_ptr<Wire>> wires;
  {
    RequestRunner runner({2, 100, std::chrono::seconds(60)});
    for (int i = 0; i < 10; ++i) wires.push_back(run(runner, "never"));
    ASSERT_TRUE(gate_.wait_for_waiting(2));
    runner.refuse_waiting();
    wires.push_back(run(runner, "late"));
  }
  for (const auto& wire : wires) EXPECT_THAT(wire->wait(), ElementsAre("cancelled"));
}

// Interrupts, deadlines, answers and the end of the runner, all at once.
TEST_F(Runner, EachRequestIsAnsweredExactlyOnceInAnyRace) {
  std::vector<std::shared_ptr<Wire>> wires;
  {
    RequestRunner runner({4, 1000, std::chrono::milliseconds(20)});
    std::vector<std::thread> threads;
    std::mutex mutex;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          if (i % 10 == t) gate_.close();
          const auto wire =
              run(runner, "ok", i % 2 == 0 ? RequestFamily::kData : RequestFamily::kNames);
          if (i % 3 == 0) wire->send_interrupt();
          if (i % 10 == 9 - t) gate_.open();
          const std::lock_guard lock(mutex);
          wires.push_back(wire);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  for (const auto& wire : wires) EXPECT_EQ(wire->wait().size(), 1u);
  EXPECT_EQ(wires.size(), 400u);
}

struct Borrowing {
  const std::string* text;
  std::string copy = {};
  void keep() { copy = *text; }
  Result<std::string> operator()(const CallContext& call) {
    if (!call.may_block) return fail(ErrorCode::kWouldBlock, "later");
    return copy;
  }
};

TEST_F(Runner, WhatIsBorrowedIsCopiedBeforeItLeavesTheThread) {
  RequestRunner runner({});
  const auto wire = std::make_shared<Wire>();
  {
    const std::string text = "borrowed";
    runner.run(RequestFamily::kData, "test", FakeRequest(wire), Borrowing{&text}, kAnswer);
  }
  EXPECT_THAT(wire->wait(), ElementsAre("borrowed"));
}

}  // namespace
}  // namespace cabinetfs
