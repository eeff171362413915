#include "tests/sandbox/server_test.h"

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

class StateTest : public ServerTest {
 protected:
  Sandbox& start_with_state(std::uint16_t port = 0) {
    Options options;
    options.root = dir_ / "root";
    options.state_dir = dir_ / "state";
    options.port = port;
    server_ = Sandbox::start(options);
    return *server_;
  }
};

TEST_F(StateTest, EverythingSurvivesAStopOnTheSamePort) {
  std::string token;
  std::string session_uri;
  const std::string large(3 << 20, 'L');
  json before;
  std::uint16_t port = 0;
  {
    Client client = Client::of(start_with_state());
    port = server_->port();
    token = client.token;
    const std::string projects = client.top("Projects");
    client.upload(projects, "a.txt", "second");
    client.upload(projects, "large", large);
    client.send("DELETE", "/rest/files/" + client.child(projects, "b.txt"));
    client.send("PATCH", "/rest/files/" + client.child(projects, "a.txt") + "/actions/lock");
    session_uri = client.initiate(projects, "half", 6, 2).json().at("uri");
    client.chunk(session_uri, 1, "abc");
    set({{"max_page", 7}});
    before = admin("GET", "tree");
  }
  server_.reset();
  start_with_state(port);
  EXPECT_EQ(server_->port(), port);
  Client client(server_->url(), token);
  const auto by_id = [](const json& tree) {
    std::map<std::string, json> out;
    for (const json& node : tree.at("nodes")) out[node.at("id")] = node;
    return out;
  };
  EXPECT_EQ(by_id(admin("GET", "tree")), by_id(before));
  EXPECT_EQ(
      client.get("/rest/files/" + client.child(client.top("Projects"), "large") + "/content").body,
      large);
  EXPECT_EQ(client.chunk(session_uri, 2, "def").status, 201);
  EXPECT_EQ(admin("GET", "settings").at("max_page"), 7);
  EXPECT_EQ(client
                .send("PATCH", "/rest/files/" + client.child(client.top("Projects"), "a.txt") +
                                   "/actions/lock")
                .error_code(),
            "ERR_ENTITY_LOCKED");
}

TEST_F(StateTest, TheServedDirectoryIsNeverChanged) {
  Client client = Client::of(start_with_state());
  const std::string projects = client.top("Projects");
  client.upload(projects, "a.txt", "changed");
  const std::string sub = "/rest/folders/" + client.child(projects, "Sub");
  EXPECT_EQ(client.send("DELETE", sub).status, 204);
  EXPECT_EQ(client.send("DELETE", sub + "/actions/permanent").status, 204);
  server_.reset();
  std::ifstream in(dir_ / "root/Projects/a.txt");
  std::string text;
  in >> text;
  EXPECT_EQ(text, "alpha");
  EXPECT_TRUE(std::filesystem::exists(dir_ / "root/Projects/Sub/deep.txt"));
}

TEST_F(StateTest, RefusedNamesAreLeftOutAndCounted) {
  write("Projects/.hidden", "x");
  write("Projects/A.TXT", "clashes with a.txt");
  start();
  EXPECT_EQ(server_->skipped(), 2U);
}

TEST_F(StateTest, ThePortIsFreeAgainAfterStop) {
  const std::uint16_t port = start_with_state().port();
  server_->stop();
  server_.reset();
  EXPECT_EQ(start_with_state(port).port(), port);
  Options options;
  options.port = port;
  EXPECT_THROW(static_cast<void>(Sandbox::start(options)), std::runtime_error) << "taken";
  options.port = 0;
  options.vendor = "other";
  EXPECT_THROW(static_cast<void>(Sandbox::start(options)), std::runtime_error);
}

}  // namespace
}  // namespace cabinetfs::sandbox
