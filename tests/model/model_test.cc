// Random plays against a map. MODEL_ITERATIONS=N: so many plays of each kind. MODEL_SEED=S: that
// one play only (with MODEL_OTHERS=1: with a second writer; with MODEL_PATHS=1: ids are paths).
// MODEL_STEPS=N: steps of a play.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/model/model_player.h"

namespace cabinetfs {
namespace {

std::uint64_t from_env(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::size_t step_count() { return from_env("MODEL_STEPS", 60); }

// CI plays until it has played for this long; somebody who names a number gets it.
constexpr std::chrono::seconds kTimeInCi{18};

// Says nothing when all is well.
std::string play_seed(std::uint64_t seed, bool others, bool paths = false) {
  ModelPlayer player(seed, others, paths);
  const auto wrong = player.play(steps_of(seed, step_count(), others));
  if (!wrong) return {};
  return "MODEL_SEED=" + std::to_string(seed) + (others ? " MODEL_OTHERS=1" : "") +
         (paths ? " MODEL_PATHS=1" : "") + ": " + *wrong;
}

void play_many(bool others, bool paths = false) {
  if (std::getenv("MODEL_SEED") != nullptr) {
    if ((from_env("MODEL_OTHERS", 0) != 0) == others &&
        (from_env("MODEL_PATHS", 0) != 0) == paths) {
      EXPECT_EQ(play_seed(from_env("MODEL_SEED", 0), others, paths), "");
    }
    return;
  }
  const bool endless = std::getenv("MODEL_ITERATIONS") != nullptr;
  const std::uint64_t iterations = from_env("MODEL_ITERATIONS", paths ? 100 : 200);
  const auto until = std::chrono::steady_clock::now() + kTimeInCi;
  std::random_device device;
  const std::uint64_t first = from_env("MODEL_FIRST_SEED", device());
  std::cout << "seeds from " << first << "\n";
  std::uint64_t played = 0;
  for (; played < iterations; ++played) {
    if (!endless && played >= 10 && std::chrono::steady_clock::now() > until) break;
    ASSERT_EQ(play_seed(first + played, others, paths), "");
  }
  std::cout << played << " plays\n";
}

TEST(Model, OneWriterSeesAndSendsExactlyWhatItDid) { play_many(false); }

TEST(Model, TwoWritersLoseNothing) { play_many(true); }

TEST(Model, OneWriterWhereIdsArePaths) { play_many(false, true); }

TEST(Model, TwoWritersWhereIdsArePaths) { play_many(true, true); }

// Steps that rapidcheck makes up, so that a failure is made as short as it can be. The seed for
// RC_PARAMS is printed with it.
TEST(Model, ShortPlaysOfAnySteps) {
  if (std::getenv("MODEL_SEED") != nullptr) GTEST_SKIP() << "one seed only";
  const rc::Gen<Step> steps = rc::gen::map(
      rc::gen::tuple(rc::gen::inRange(0, static_cast<int>(Step::Kind::kTheyWrite)),
                     rc::gen::arbitrary<std::uint8_t>(), rc::gen::arbitrary<std::uint8_t>(),
                     rc::gen::arbitrary<std::uint16_t>()),
      [](const std::tuple<int, std::uint8_t, std::uint8_t, std::uint16_t>& made) {
        return Step{static_cast<Step::Kind>(std::get<0>(made)), std::get<1>(made),
                    std::get<2>(made), std::get<3>(made)};
      });
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  const bool endless = std::getenv("MODEL_ITERATIONS") != nullptr;
  bool failed = false;
  const bool fine = rc::check("any steps", [&] {
    // The time is up for looking, not for making a failure short.
    if (!endless && !failed && std::chrono::steady_clock::now() > until) return;
    const std::vector<Step> play = *rc::gen::container<std::vector<Step>>(steps);
    ModelPlayer player(1, false);
    const auto wrong = player.play(play);
    if (wrong) {
      failed = true;
      RC_FAIL(*wrong);
    }
  });
  EXPECT_TRUE(fine);
}

// Plays that once failed.
class Regression : public testing::TestWithParam<std::pair<std::uint64_t, bool>> {};

TEST_P(Regression, StaysFixed) { EXPECT_EQ(play_seed(GetParam().first, GetParam().second), ""); }

INSTANTIATE_TEST_SUITE_P(Model, Regression,
                         testing::Values(std::pair<std::uint64_t, bool>{1, false},
                                         std::pair<std::uint64_t, bool>{1, true}));

}  // namespace
}  // namespace cabinetfs
