#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/model/model_server.h"
#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {

// What one play needs besides its steps.
struct PlayOptions {
  std::uint64_t seed = 1;
  bool others = false;
  HarnessOptions harness;
  // Null: the store in memory. It has "d0/" with the first of the names in it, and "d1/".
  std::shared_ptr<ModelServer> server;
  // What things are called.
  std::vector<std::string> names{"f0", "d0", "f1", "d1", ".x"};
  // Until all is sent in the end.
  std::chrono::seconds patience{20};
};

// A kind of server, with other habits for each seed.
struct ModelWorld {
  std::string name;
  std::function<PlayOptions(std::uint64_t seed, bool others)> play;
  friend void PrintTo(const ModelWorld& world, std::ostream* out) { *out << world.name; }
};

// Stores in memory: "memory" has all that a vendor can have, of "paths" the ids are paths,
// "kenesto" neither moves nor has conditions, renames or does not, and has a vault.
const std::vector<ModelWorld>& memory_worlds();

// Of all worlds: sizes, encryption, and how the volume behaves.
HarnessOptions play_harness(std::uint64_t seed, bool others);

}  // namespace cabinetfs
