// Random plays against a map, on stores in memory; model_clients_test.cc has them on real clients.
//
// A build plays the seeds from 1 on for some seconds, the same each time. Somebody who looks for
// more says how much, by environment, for this program and for the other:
//
//   MODEL_MINUTES=30        so long with each kind of play, seeds from a random one on
//   MODEL_ITERATIONS=1000   so many plays of each kind, the same way
//   MODEL_FIRST_SEED=S      not from a random seed on
//   MODEL_WORLD=NAME        on that kind of server only: memory, paths, kenesto (in the other
//                           program kiteworks, kenesto, powerfolder, webdav); a program that has
//                           no such kind fails
//   MODEL_STEPS=N           steps of a play (60)
//   MODEL_SEED=S MODEL_WORLD=NAME MODEL_OTHERS=1    that one play; this is what a failure prints.
//                           Without MODEL_OTHERS: with one writer. MODEL_PATHS=1 is
//                           MODEL_WORLD=paths.
//   CABINETFS_TEST_LOG=1    with the log of the cache
//
//   MODEL_MINUTES=60 build/dev/tests/model/model_test --gtest_filter=-*ShortPlays*
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include "tests/model/known_worlds.h"
#include "tests/model/model_player.h"
#include "tests/model/model_runs.h"

namespace cabinetfs {
namespace {

[[maybe_unused]] const testing::Environment* const kKnown =
    testing::AddGlobalTestEnvironment(new KnownWorlds(memory_worlds()));

class Model : public testing::TestWithParam<ModelWorld> {};

TEST_P(Model, OneWriterSeesAndSendsExactlyWhatItDid) {
  EXPECT_EQ(play_many(GetParam(), false, PlayBudget{}), "");
}

TEST_P(Model, TwoWritersLoseNothing) { EXPECT_EQ(play_many(GetParam(), true, PlayBudget{}), ""); }

INSTANTIATE_TEST_SUITE_P(On, Model, testing::ValuesIn(memory_worlds()),
                         [](const auto& made) { return made.param.name; });

// Steps that rapidcheck makes up, so that a failure is made as short as it can be. The seed for
// RC_PARAMS is printed with it.
class ModelOfAnySteps : public testing::TestWithParam<ModelWorld> {};

TEST_P(ModelOfAnySteps, ShortPlaysOfAnySteps) {
  if (std::getenv("MODEL_SEED") != nullptr) GTEST_SKIP() << "one seed only";
  if (!is_wanted(GetParam())) GTEST_SKIP() << "another kind of server is asked for";
  const rc::Gen<Step> steps = rc::gen::map(
      rc::gen::tuple(rc::gen::inRange(0, static_cast<int>(Step::Kind::kTheyWrite)),
                     rc::gen::arbitrary<std::uint8_t>(), rc::gen::arbitrary<std::uint8_t>(),
                     rc::gen::arbitrary<std::uint16_t>()),
      [](const std::tuple<int, std::uint8_t, std::uint8_t, std::uint16_t>& made) {
        return Step{static_cast<Step::Kind>(std::get<0>(made)), std::get<1>(made),
                    std::get<2>(made), std::get<3>(made)};
      });
  // So many, also where they take longer; the first ones are the shortest.
  constexpr int kLeast = 8;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(4);
  const bool endless = std::getenv("MODEL_ITERATIONS") != nullptr;
  // The same plays in each build.
  if (!endless) setenv("RC_PARAMS", "seed=1", 0);
  bool failed = false;
  int plays = 0;
  std::size_t played_steps = 0;
  const bool fine = rc::check("any steps", [&] {
    // The time is up for looking, not for making a failure short.
    const bool over = plays >= kLeast && std::chrono::steady_clock::now() > until;
    if (!endless && !failed && over) return;
    const std::vector<Step> play = *rc::gen::container<std::vector<Step>>(steps);
    ++plays;
    played_steps += play.size();
    ModelPlayer player(GetParam().play(1, false));
    const auto wrong = player.play(play);
    if (wrong) {
      failed = true;
      RC_FAIL(*wrong);
    }
  });
  EXPECT_TRUE(fine);
  std::cout << plays << " plays, " << played_steps << " steps\n";
  EXPECT_GE(plays, kLeast);
  EXPECT_GT(played_steps, 0u);
}

INSTANTIATE_TEST_SUITE_P(On, ModelOfAnySteps, testing::ValuesIn(memory_worlds()),
                         [](const auto& made) { return made.param.name; });

}  // namespace
}  // namespace cabinetfs
