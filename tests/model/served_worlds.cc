#include "tests/model/served_worlds.h"

#include "tests/model/served_model_server.h"

namespace cabinetfs {
namespace {

PlayOptions served(const std::string& vendor, std::uint64_t seed, bool others) {
  PlayOptions play{seed, others, play_harness(seed, others), nullptr};
  // Kenesto changes no extension, and a name that begins with a dot is one.
  if (vendor == "kenesto") play.names.back() = "x";
  const std::shared_ptr<ServedModelServer> server = make_served_model_server(vendor, seed, "d1");
  server->mkdir("d0");
  server->mkdir("d1");
  server->write("d0/" + play.names.front(), "start 0");
  play.server = server;
  play.harness.volume.root_path = "Work";
  play.harness.connect = [server]() -> RemoteStore& { return server->connect(); };
  play.patience = std::chrono::seconds(60);
  return play;
}

}  // namespace

std::vector<ModelWorld> served_worlds() {
  std::vector<ModelWorld> all;
  for (const std::string& vendor : served_vendors()) {
    all.push_back({vendor, [vendor](std::uint64_t seed, bool others) {
                     return served(vendor, seed, others);
                   }});
  }
  return all;
}

}  // namespace cabinetfs
