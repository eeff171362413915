#include "tests/model/model_steps.h"

#include <fmt/format.h>

#include <array>
#include <random>

namespace cabinetfs {
namespace {

struct Weight {
  const char* name;
  int alone;
  int with_others;
};

constexpr std::array<Weight, static_cast<std::size_t>(Step::Kind::kCount)> kWeights{{
    {"save", 10, 10},       {"write-at", 6, 5},       {"append", 4, 3},
    {"truncate", 4, 3},     {"save-by-rename", 6, 5}, {"save-by-backup", 4, 3},
    {"rename", 14, 10},     {"exchange", 5, 3},       {"unlink", 6, 5},
    {"mkdir", 7, 6},        {"rmdir", 5, 4},          {"copy", 3, 2},
    {"attributes", 2, 1},   {"open", 4, 0},           {"handle-write", 5, 0},
    {"handle-fsync", 2, 0}, {"handle-flush", 2, 0},   {"handle-close", 4, 0},
    {"pass", 6, 6},         {"settle", 8, 8},         {"drain", 2, 2},
    {"restart", 3, 3},      {"faults", 4, 3},         {"offline", 1, 1},
    {"heal", 3, 3},         {"compare", 3, 3},        {"they-write", 0, 9},
    {"they-remove", 0, 4},  {"they-rename", 0, 4},    {"they-move", 0, 3},
    {"they-mkdir", 0, 2},
}};

}  // namespace

const char* name_of(Step::Kind kind) { return kWeights.at(static_cast<std::size_t>(kind)).name; }

std::string to_string(const Step& step) {
  return fmt::format("{}({},{},{})", name_of(step.kind), step.a, step.b, step.n);
}

std::vector<Step> steps_of(std::uint64_t seed, std::size_t count, bool others) {
  std::mt19937_64 random(seed);
  int total = 0;
  for (const Weight& weight : kWeights) total += others ? weight.with_others : weight.alone;
  std::vector<Step> steps;
  while (steps.size() < count) {
    // Not std::uniform_int_distribution: a seed means the same everywhere.
    int pick = static_cast<int>(random() % static_cast<std::uint64_t>(total));
    std::size_t kind = 0;
    while (true) {
      const int weight = others ? kWeights[kind].with_others : kWeights[kind].alone;
      if (pick < weight) break;
      pick -= weight;
      ++kind;
    }
    Step step;
    step.kind = static_cast<Step::Kind>(kind);
    step.a = static_cast<std::uint8_t>(random());
    step.b = static_cast<std::uint8_t>(random());
    step.n = static_cast<std::uint16_t>(random());
    steps.push_back(step);
  }
  return steps;
}

}  // namespace cabinetfs
