#include "tests/model/model_runs.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/model/model_player.h"

namespace cabinetfs {
namespace {

// The same plays each time, so that a build says something about the change that it builds.
constexpr std::uint64_t kFirstSeed = 1;

bool is_set(const char* name) { return std::getenv(name) != nullptr; }

std::string world_from_env() {
  if (number_from_env("MODEL_PATHS", 0) != 0) return "paths";
  const char* const text = std::getenv("MODEL_WORLD");
  if (text != nullptr) return text;
  return is_set("MODEL_SEED") ? "memory" : "";
}

std::uint64_t first_seed() {
  if (is_set("MODEL_FIRST_SEED")) return number_from_env("MODEL_FIRST_SEED", 0);
  if (is_set("MODEL_ITERATIONS") || is_set("MODEL_MINUTES")) return std::random_device()();
  return kFirstSeed;
}

}  // namespace

std::uint64_t number_from_env(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

bool is_wanted(const ModelWorld& world) {
  const std::string wanted = world_from_env();
  return wanted.empty() || wanted == world.name;
}

std::string unknown_world(const std::vector<ModelWorld>& known) {
  if (std::ranges::any_of(known, is_wanted)) return {};
  std::string text = "no world \"" + world_from_env() + "\" here; MODEL_WORLD is one of";
  for (const ModelWorld& world : known) text += " " + world.name;
  return text;
}

std::string play_seed(const ModelWorld& world, std::uint64_t seed, bool others) {
  const std::uint64_t steps = number_from_env("MODEL_STEPS", 60);
  ModelPlayer player(world.play(seed, others));
  const auto wrong = player.play(steps_of(seed, steps, others));
  if (!wrong) return {};
  return "MODEL_SEED=" + std::to_string(seed) + (others ? " MODEL_OTHERS=1" : "") +
         " MODEL_WORLD=" + world.name + ": " + *wrong;
}

std::string play_many(const ModelWorld& world, bool others, const PlayBudget& budget) {
  if (!is_wanted(world)) return {};
  if (is_set("MODEL_SEED")) {
    const bool with_others = number_from_env("MODEL_OTHERS", 0) != 0;
    if (with_others != others) return {};
    return play_seed(world, number_from_env("MODEL_SEED", 0), others);
  }
  const bool timed = is_set("MODEL_MINUTES");
  const bool counted = is_set("MODEL_ITERATIONS");
  const std::uint64_t most = timed ? UINT64_MAX : number_from_env("MODEL_ITERATIONS", budget.most);
  const std::uint64_t least = timed ? 1 : counted ? most : budget.least;
  const auto time = timed ? std::chrono::minutes(number_from_env("MODEL_MINUTES", 1))
                          : std::chrono::duration_cast<std::chrono::seconds>(budget.time);
  const auto until = std::chrono::steady_clock::now() + time;
  const std::uint64_t first = first_seed();
  std::cout << "seeds from " << first << "\n";
  std::uint64_t played = 0;
  for (; played < most; ++played) {
    if (played >= least && std::chrono::steady_clock::now() > until) break;
    std::string wrong = play_seed(world, first + played, others);
    if (!wrong.empty()) return wrong;
  }
  std::cout << played << " plays\n";
  return {};
}

}  // namespace cabinetfs
