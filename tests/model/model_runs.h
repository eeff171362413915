#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/model/model_world.h"

namespace cabinetfs {

// What the environment says, as model_test.cc tells.
std::uint64_t number_from_env(const char* name, std::uint64_t otherwise);

// Whether the environment asks for plays on that world; empty, or why it asks for none of these.
bool is_wanted(const ModelWorld& world);
std::string unknown_world(const std::vector<ModelWorld>& known);

// One play; nothing when all is well, else how to repeat it and what is wrong.
std::string play_seed(const ModelWorld& world, std::uint64_t seed, bool others);

// How much is played unless the environment says otherwise: at least `least` plays, and then until
// `most` or the time is up.
struct PlayBudget {
  std::uint64_t least = 5, most = 200;
  std::chrono::seconds time{8};
};
// Plays one seed after the other. Ends at the first that goes wrong, with what play_seed() says.
std::string play_many(const ModelWorld& world, bool others, const PlayBudget& budget);

}  // namespace cabinetfs
