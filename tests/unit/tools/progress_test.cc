#include "tools/cabinetfs/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/base/text.h"

namespace cabinetfs {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

TEST(ProgressBar, FillsAndSaysHundredOnlyAtTheEnd) {
  EXPECT_EQ(progress_bar(0, 100, 10), "[..........]   0 %");
  EXPECT_EQ(progress_bar(50, 100, 10), "[#####.....]  50 %");
  EXPECT_EQ(progress_bar(999, 1000, 10), "[#########.]  99 %");
  EXPECT_EQ(progress_bar(100, 100, 10), "[##########] 100 %");
  EXPECT_EQ(progress_bar(5, 0, 10), "[..........]   0 %") << "nothing is known";
}

TEST(RateMeter, MeasuresBytesPerSecond) {
  RateMeter meter;
  SteadyTime now{};
  meter.add(1000, now);
  EXPECT_EQ(meter.per_second(), 0);
  meter.add(3000, now + 1s);
  EXPECT_DOUBLE_EQ(meter.per_second(), 2000);
}

TEST(UnsentDisplay, MeasuresAgainstTheMostThatWasLeft) {
  UnsentDisplay display(200);
  SteadyTime now{};
  EXPECT_THAT(display.line({4, 1000, "a.bin"}, now), HasSubstr("  0 %"));
  EXPECT_THAT(display.line({2, 500, "b.bin"}, now + 1s),
              ::testing::AllOf(HasSubstr(" 50 %"), HasSubstr("2 left, 500 B"), HasSubstr("500 B/s"),
                               HasSubstr("b.bin")));
  EXPECT_THAT(display.line({3, 1500, "c"}, now + 2s), HasSubstr(" 25 %")) << "more work came";
  EXPECT_THAT(display.line({0, 0, ""}, now + 3s), HasSubstr("100 %"));
}

TEST(UnsentDisplay, CountsItemsWhereThereAreNoBytes) {
  UnsentDisplay display(200);
  SteadyTime now{};
  display.line({4, 0, ""}, now);
  EXPECT_THAT(display.line({1, 0, ""}, now + 1s), HasSubstr(" 75 %"));
}

TEST(UnsentDisplay, FitsTheTerminal) {
  UnsentDisplay display(40);
  const std::string line = display.line({1, 10, std::string(100, 'x')}, SteadyTime{});
  EXPECT_LE(utf8_length(line), 40u);
  EXPECT_TRUE(line.ends_with("..."));
}

}  // namespace
}  // namespace cabinetfs
