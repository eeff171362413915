#include "tests/crash/crash_world.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "tests/crash/remote_pipe.h"
#ifdef CABINETFS_CRASH_CLIENTS
#include "tests/model/client_connection.h"
#include "tests/model/served_model_server.h"
#endif

namespace cabinetfs {
namespace {

constexpr const char* kVault = "d1";

// What the pipe knows, and so small that small contents take all ways.
FakeRemoteOptions options_of(const std::string& world) {
  FakeRemoteOptions options;
  if (world == "paths") options = FakeRemoteOptions::path_ids();
  if (world == "kenesto") options = FakeRemoteOptions::like_kenesto(false, kVault);
  Capabilities& able = options.capabilities;
  able.copy = able.change_feed = able.quota = false;
  able.locks = world == "kenesto";
  // Without versions nobody could tell that none is there twice.
  able.versions = true;
  able.bulk_read_max = 0;
  able.bulk_remove_max = 1;
  able.put_max = 64;
  able.chunk_size = 32;
  options.latency = std::chrono::microseconds(300);
  return options;
}

class FakeCrashServer final : public CrashServer {
 public:
  explicit FakeCrashServer(const std::string& world)
      : remote_({{"d0/a", "start"}, {"d1/", ""}}, options_of(world)),
        server_(make_fake_model_server(remote_)) {}
  RemoteStore& connect() override { return remote_; }
  ModelServer& server() override { return *server_; }
  std::string address() const override { return ""; }
  RemoteStore* piped() override { return &remote_; }
  std::vector<std::string> log() const override { return remote_.log(); }

 private:
  FakeRemoteStore remote_;
  std::unique_ptr<ModelServer> server_;
};

class PipedChildStore final : public ChildStore {
 public:
  PipedChildStore(const std::string& world, int socket)
      : store_(socket, options_of(world).capabilities) {}
  RemoteStore& store() override { return store_; }

 private:
  PipedRemoteStore store_;
};

#ifdef CABINETFS_CRASH_CLIENTS

constexpr std::string_view kClient = "-client";

bool is_client(const std::string& world) { return world.ends_with(kClient); }

class ServedCrashServer final : public CrashServer {
 public:
  explicit ServedCrashServer(const std::string& world)
      : server_(
            make_served_model_server(world.substr(0, world.size() - kClient.size()), 1, kVault)) {
    server_->mkdir("d0");
    server_->mkdir(kVault);
    server_->write("d0/a", "start");
  }
  RemoteStore& connect() override { return server_->connect(); }
  ModelServer& server() override { return *server_; }
  bool come_to_rest() override { return server_->come_to_rest(); }
  std::string address() const override { return server_->address().to_text(); }
  std::string root_path() const override { return "Work"; }

 private:
  std::unique_ptr<ServedModelServer> server_;
};

class ClientChildStore final : public ChildStore {
 public:
  explicit ClientChildStore(const std::string& address)
      : connection_(connect_client(ServerAddress::parse(address))) {}
  RemoteStore& store() override { return connection_->store(); }

 private:
  std::unique_ptr<ClientConnection> connection_;
};

#endif

}  // namespace

std::vector<std::string> crash_worlds() {
  std::vector<std::string> all{"memory", "paths", "kenesto"};
#ifdef CABINETFS_CRASH_CLIENTS
  for (const std::string& vendor : served_vendors()) all.push_back(vendor + std::string(kClient));
#endif
  return all;
}

std::unique_ptr<CrashServer> make_crash_server(const std::string& world) {
#ifdef CABINETFS_CRASH_CLIENTS
  if (is_client(world)) return std::make_unique<ServedCrashServer>(world);
#endif
  return std::make_unique<FakeCrashServer>(world);
}

std::unique_ptr<ChildStore> child_store(const std::string& world,
                                        [[maybe_unused]] const std::string& address,
                                        int remote_socket) {
#ifdef CABINETFS_CRASH_CLIENTS
  if (is_client(world)) return std::make_unique<ClientChildStore>(address);
#endif
  return std::make_unique<PipedChildStore>(world, remote_socket);
}

}  // namespace cabinetfs
