#include "tools/cabinetfs/transfer_rates.h"

#include <gtest/gtest.h>

namespace cabinetfs {
namespace {

using std::chrono::seconds;

TEST(TransferRates, AreThoseOfTheLastSeconds) {
  TransferRates rates;
  const SteadyTime start{seconds(1000)};
  EXPECT_EQ(rates.per_second({500, 500}, start).down, 0u) << "nothing to compare with";
  rates.note({1'000, 0}, start);
  EXPECT_EQ(rates.per_second({9'000, 9'000}, start).up, 0u) << "in no time";
  for (int i = 1; i <= 5; ++i)
    rates.note({1'000 + 2'000u * static_cast<unsigned>(i), 500u * static_cast<unsigned>(i)},
               start + seconds(i));
  EXPECT_EQ(rates.per_second({11'000, 2'500}, start + seconds(5)).down, 2'000u);
  EXPECT_EQ(rates.per_second({11'000, 2'500}, start + seconds(5)).up, 500u);
  // A pause, and what was before it is forgotten.
  for (int i = 6; i <= 30; ++i) rates.note({11'000, 2'500}, start + seconds(i));
  EXPECT_EQ(rates.per_second({11'000, 2'500}, start + seconds(30)).down, 0u);
  EXPECT_EQ(rates.per_second({11'000, 7'500}, start + seconds(30)).up, 5'000u / 9);
}

}  // namespace
}  // namespace cabinetfs
