// The plays of model_test.cc on the vendors' real clients: each with a server of its own that has
// the vendor's habits, drops answers after their effect and ends sessions. Fewer and shorter plays;
// the environment says the same as there.
#include <gtest/gtest.h>

#include "tests/model/known_worlds.h"
#include "tests/model/model_runs.h"
#include "tests/model/served_worlds.h"

namespace cabinetfs {
namespace {

constexpr PlayBudget kFew{2, 50, std::chrono::seconds(5)};

[[maybe_unused]] const testing::Environment* const kKnown =
    testing::AddGlobalTestEnvironment(new KnownWorlds(served_worlds()));

class ModelOfClients : public testing::TestWithParam<ModelWorld> {};

TEST_P(ModelOfClients, OneWriterSeesAndSendsExactlyWhatItDid) {
  EXPECT_EQ(play_many(GetParam(), false, kFew), "");
}

TEST_P(ModelOfClients, TwoWritersLoseNothing) { EXPECT_EQ(play_many(GetParam(), true, kFew), ""); }

INSTANTIATE_TEST_SUITE_P(On, ModelOfClients, testing::ValuesIn(served_worlds()),
                         [](const auto& made) { return made.param.name; });

}  // namespace
}  // namespace cabinetfs
