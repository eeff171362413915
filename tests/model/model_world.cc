#include "tests/model/model_world.h"

namespace cabinetfs {
namespace {

// Small, so that small files go through sessions of several chunks and streams too.
void make_small(Capabilities& able) {
  able.put_max = 64;
  able.chunk_size = 32;
}

PlayOptions in_memory(std::uint64_t seed, bool others) {
  PlayOptions play{seed, others, play_harness(seed, others), nullptr};
  play.harness.remote.seed = seed;
  make_small(play.harness.remote.capabilities);
  return play;
}

PlayOptions with_path_ids(std::uint64_t seed, bool others) {
  PlayOptions play{seed, others, play_harness(seed, others), nullptr};
  FakeRemoteOptions& remote = play.harness.remote;
  remote = FakeRemoteOptions::path_ids();
  // With others, only versions show that nothing of ours is lost.
  remote.capabilities.versions = others || seed % 2 == 0;
  remote.hashes = seed % 3 == 0;
  remote.seed = seed;
  make_small(remote.capabilities);
  return play;
}

PlayOptions like_kenesto(std::uint64_t seed, bool others) {
  PlayOptions play{seed, others, play_harness(seed, others), nullptr};
  FakeRemoteOptions& remote = play.harness.remote;
  remote = FakeRemoteOptions::like_kenesto(seed % 2 == 0, "d1");
  remote.listing_lag = static_cast<int>(seed % 4);
  remote.seed = seed;
  make_small(remote.capabilities);
  return play;
}

}  // namespace

HarnessOptions play_harness(std::uint64_t seed, bool others) {
  HarnessOptions options;
  options.encrypt = seed % 4 == 0;
  options.volume.conflict =
      seed % 3 == 0 && others ? ConflictPolicy::kCopy : ConflictPolicy::kVersions;
  options.volume.fresh = others ? std::chrono::milliseconds(0) : std::chrono::milliseconds(10'000);
  if (seed % 5 == 0) options.volume.loaded_nodes = 4;
  return options;
}

const std::vector<ModelWorld>& memory_worlds() {
  static const std::vector<ModelWorld> all{
      {"memory", in_memory}, {"paths", with_path_ids}, {"kenesto", like_kenesto}};
  return all;
}

}  // namespace cabinetfs
