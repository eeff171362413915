#include "backend/http/transfer_slots.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace cabinetfs {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPrompt{30};
constexpr milliseconds kSlow{300};

class TransferSlotsTest : public testing::Test {
 protected:
  // As many as may run are running.
  void fill() {
    while (slots_.may_start("o", Priority::kForeground)) slots_.start("o");
  }
  // All of them are answered, each is followed by another.
  void round(milliseconds wait) {
    const std::size_t running = slots_.running();
    for (std::size_t i = 0; i < running; ++i) {
      slots_.answered("o", "GET", wait);
      slots_.finish("o");
      fill();
    }
  }
  std::size_t slots() const { return slots_.slots_of("o"); }

  FakeClock clock_;
  TransferSlots slots_{4, 32};
};

TEST_F(TransferSlotsTest, DoubleWhileTheServerAnswersPromptly) {
  fill();
  EXPECT_EQ(slots_.running(), 4u);
  round(kPrompt);
  EXPECT_EQ(slots(), 8u);
  round(kPrompt);
  EXPECT_EQ(slots(), 16u);
  for (int i = 0; i < 3; ++i) round(kPrompt);
  EXPECT_EQ(slots(), 32u);
  EXPECT_EQ(slots_.running(), 32u);
}

TEST_F(TransferSlotsTest, StayWhereAnswersBeginToWait) {
  fill();
  round(kPrompt);
  for (int i = 0; i < 3; ++i) round(kSlow);
  EXPECT_EQ(slots(), 8u);
}

TEST_F(TransferSlotsTest, EachKindOfAnswerHasItsOwnPace) {
  fill();
  slots_.answered("o", "GET", kPrompt);
  slots_.answered("o", "slow report", kSlow);
  EXPECT_EQ(slots(), 6u);
}

TEST_F(TransferSlotsTest, StayWhereTheyAreNotUsed) {
  for (int i = 0; i < 100; ++i) {
    slots_.start("o");
    slots_.answered("o", "GET", kPrompt);
    slots_.finish("o");
  }
  EXPECT_EQ(slots(), 4u);
}

TEST_F(TransferSlotsTest, WorkInTheBackgroundAloneUsesThemToo) {
  while (slots_.may_start("o", Priority::kPrefetch)) slots_.start("o");
  EXPECT_EQ(slots_.running(), 3u);
  slots_.answered("o", "GET", kPrompt);
  EXPECT_EQ(slots(), 5u);
}

TEST_F(TransferSlotsTest, HalveOnceWhenTheServerIsTooBusyAndGrowSlowlyAfterwards) {
  fill();
  round(kPrompt);
  round(kPrompt);
  ASSERT_EQ(slots(), 16u);
  const SteadyTime began = clock_.steady();
  clock_.advance(milliseconds(30));
  for (int i = 0; i < 5; ++i) slots_.too_busy("o", began, clock_.steady());
  EXPECT_EQ(slots(), 8u);
  while (slots_.running() > 8) slots_.finish("o");
  round(kPrompt);
  EXPECT_EQ(slots(), 9u);
  // A request that was sent after that is told so again.
  clock_.advance(milliseconds(30));
  const SteadyTime later = clock_.steady();
  clock_.advance(milliseconds(30));
  slots_.too_busy("o", later, clock_.steady());
  EXPECT_EQ(slots(), 4u);
}

TEST_F(TransferSlotsTest, AFewAreAlwaysLeft) {
  for (int i = 0; i < 10; ++i) {
    clock_.advance(milliseconds(1));
    slots_.too_busy("o", clock_.steady(), clock_.steady() + milliseconds(1));
    clock_.advance(milliseconds(1));
  }
  EXPECT_EQ(slots(), 2u);
}

TEST_F(TransferSlotsTest, OriginsDoNotLearnFromEachOther) {
  fill();
  round(kPrompt);
  EXPECT_EQ(slots_.slots_of("p"), 4u);
  slots_.too_busy("p", clock_.steady(), clock_.steady());
  EXPECT_EQ(slots_.slots_of("p"), 2u);
  EXPECT_EQ(slots(), 8u);
}

TEST_F(TransferSlotsTest, WithoutAFirstNumberAllAreThereAtOnce) {
  EXPECT_EQ(TransferSlots(0, 12).slots_of("o"), 12u);
  EXPECT_EQ(TransferSlots(40, 12).slots_of("o"), 12u);
}

}  // namespace
}  // namespace cabinetfs
