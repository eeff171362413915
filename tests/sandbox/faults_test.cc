#include <curl/curl.h>

#include <chrono>
#include <thread>

#include "tests/sandbox/server_test.h"

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

class FaultsTest : public ServerTest {
 protected:
  void fault(const json& rule) const { admin("POST", "faults", rule); }
  // Waits until a condition on the server holds; the deadline only matters when it never does.
  template <class Condition>
  static bool eventually(Condition condition) {
    const auto deadline = steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
};

TEST_F(FaultsTest, StatusRuleSkipsThenHitsThenIsSpent) {
  Client client = Client::of(start());
  fault({{"match", {{"method", "GET"}, {"path", "^/rest/users/me$"}}},
         {"action", "status"},
         {"status", 503},
         {"body", "busy"},
         {"headers", {{"Retry-After", "7"}}},
         {"skip", 1},
         {"times", 2}});
  EXPECT_EQ(client.get("/rest/users/me").status, 200);
  const Reply busy = client.get("/rest/users/me");
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.body, "busy");
  EXPECT_EQ(busy.headers.at("retry-after"), "7");
  EXPECT_EQ(client.get("/rest/users/me").status, 503);
  EXPECT_EQ(client.get("/rest/users/me").status, 200);
  EXPECT_EQ(admin("GET", "faults").at(0).at("hits"), 2);
}

TEST_F(FaultsTest, DropBeforeLeavesNoTraceAndDropAfterEffectLeavesTheFile) {
  Client client = Client::of(start());
  client.fresh = true;
  const std::string folder = client.top("Projects");
  const std::string path = "/rest/folders/" + folder + "/folders";
  fault({{"match", {{"method", "POST"}, {"path", "/folders$"}}}, {"action", "drop_before"}});
  EXPECT_EQ(client.send("POST", path, {{"name", "One"}}).curl_code, CURLE_GOT_NOTHING);
  EXPECT_TRUE(client.get("/rest/search?path=Projects/One").json().at("folders").empty());
  fault({{"match", {{"method", "POST"}, {"path", "/folders$"}}}, {"action", "drop_after_effect"}});
  EXPECT_EQ(client.send("POST", path, {{"name", "Two"}}).curl_code, CURLE_GOT_NOTHING);
  EXPECT_EQ(client.get("/rest/search?path=Projects/Two").json().at("folders").size(), 1U);
}

TEST_F(FaultsTest, ResetTruncateAndCorrupt) {
  Client client = Client::of(start());
  client.fresh = true;
  const std::string content =
      "/rest/files/" + client.child(client.top("Projects"), "b.txt") + "/content";
  fault({{"match", {{"path", "/content$"}}}, {"action", "reset"}});
  const Reply reset = client.get(content);
  EXPECT_EQ(reset.status, 0);
  EXPECT_EQ(reset.curl_code, CURLE_RECV_ERROR);
  fault({{"match", {{"path", "/content$"}}}, {"action", "truncate"}, {"bytes", 4}});
  const Reply cut = client.get(content);
  EXPECT_EQ(cut.curl_code, CURLE_PARTIAL_FILE);
  EXPECT_EQ(cut.body, "beta");
  fault({{"match", {{"path", "/content$"}}}, {"action", "corrupt"}, {"offset", 1}});
  const Reply spoilt = client.get(content);
  EXPECT_EQ(spoilt.curl_code, 0);
  EXPECT_EQ(spoilt.body, "bdta beta");
  EXPECT_EQ(client.get(content).body, "beta beta");
}

TEST_F(FaultsTest, DropUploadClosesInTheMiddleOfTheBody) {
  Client client = Client::of(start());
  client.fresh = true;
  const std::string uri =
      client.initiate(client.top("Projects"), "big", 4 << 20, 1).json().at("uri");
  fault({{"match", {{"path", "/rest/uploads/"}}}, {"action", "drop_upload"}, {"bytes", 1 << 20}});
  const std::string content(4 << 20, 'x');
  EXPECT_NE(client.chunk(uri, 1, content).curl_code, 0);
  EXPECT_EQ(client.chunk(uri, 1, content).status, 201) << "the session is as it was";
}

TEST_F(FaultsTest, StallIsAGate) {
  start();
  fault({{"match", {{"path", "^/rest/users/me$"}}}, {"action", "stall"}});
  Reply reply;
  std::thread thread([&] { reply = Client::of(*server_).get("/rest/users/me"); });
  EXPECT_TRUE(eventually([&] { return admin("GET", "faults").at(0).at("waiting") == 1; }));
  EXPECT_EQ(admin("GET", "counts").at("in_flight"), 1);
  admin("DELETE", "faults");
  thread.join();
  EXPECT_EQ(reply.status, 200);
}

TEST_F(FaultsTest, StoppingTheServerEndsAStall) {
  start();
  fault({{"match", {{"path", "^/rest/users/me$"}}}, {"action", "stall"}});
  Reply reply;
  std::thread thread([&] { reply = Client::of(*server_).get("/rest/users/me"); });
  EXPECT_TRUE(eventually([&] { return admin("GET", "faults").at(0).at("waiting") == 1; }));
  server_->stop();
  thread.join();
  EXPECT_NE(reply.curl_code, 0);
}

TEST_F(FaultsTest, DelaySlowAndLatencyTakeTime) {
  Client client = Client::of(start());
  const std::string me = "/rest/users/me";
  const auto timed = [&](const std::string& path) {
    const auto begin = steady_clock::now();
    EXPECT_EQ(client.get(path).status, 200);
    return steady_clock::now() - begin;
  };
  fault({{"match", {{"path", "^/rest/users/me$"}}}, {"action", "delay"}, {"ms", 60}});
  EXPECT_GE(timed(me), milliseconds(60));
  fault(
      {{"match", {{"path", "^/rest/users/me$"}}}, {"action", "slow"}, {"bytes_per_second", 4000}});
  EXPECT_GE(timed(me), milliseconds(80)) << "some 500 bytes at 4,000 a second";
  set({{"latency_ms", 50}});
  EXPECT_GE(timed(me), milliseconds(50));
  set({{"latency_ms", 0}, {"bandwidth", 4000}});
  EXPECT_GE(timed(me), milliseconds(80));
}

TEST_F(FaultsTest, RulesMayBeForOneUserAndAreCheckedWhenTheyAreAdded) {
  start();
  fault({{"match", {{"user", "bob@example.com"}}},
         {"action", "status"},
         {"status", 500},
         {"times", 0}});
  EXPECT_EQ(Client::of(*server_, 0).get("/rest/users/me").status, 200);
  EXPECT_EQ(Client::of(*server_, 1).get("/rest/users/me").status, 500);
  EXPECT_THROW(fault({{"action", "explode"}}), std::runtime_error);
  EXPECT_THROW(fault({{"action", "drop"}, {"mach", json::object()}}), std::runtime_error);
  EXPECT_THROW(set({{"no_such_setting", 1}}), std::runtime_error);
  EXPECT_THROW(set({{"list_shape", "round"}}), std::runtime_error);
}

TEST_F(FaultsTest, RateLimitIs403WithoutACodeOr429) {
  Client client = Client::of(start(R"({"rate": 0.01, "rate_burst": 2})"));
  EXPECT_EQ(client.get("/rest/users/me").status, 200);
  EXPECT_EQ(client.get("/rest/users/me").status, 200);
  const Reply refused = client.get("/rest/users/me");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.error_code(), "");
  set({{"rate_status", 429}, {"retry_after", 3}});
  const Reply later = client.get("/rest/users/me");
  EXPECT_EQ(later.status, 429);
  EXPECT_EQ(later.headers.at("retry-after"), "3");
  set({{"retry_after_date", true}});
  EXPECT_NE(client.get("/rest/users/me").headers.at("retry-after").find("GMT"), std::string::npos);
  EXPECT_EQ(client.get("/_admin/counts").status, 200) << "the administration is not limited";
}

TEST_F(FaultsTest, CountsByEndpointAndStatus) {
  Client client = Client::of(start());
  const std::string folder = client.top("Projects");
  EXPECT_TRUE(eventually([&] { return admin("GET", "counts").at("in_flight") == 0; }));
  admin("POST", "counts/reset");
  client.get("/rest/folders/" + folder + "/children?deleted=false");
  client.upload(folder, "x", "y");
  client.get("/nothing");
  // The log is written when an answer is through, which the client may notice a little earlier.
  EXPECT_TRUE(eventually([&] { return admin("GET", "counts").at("in_flight") == 0; }));
  const json counts = admin("GET", "counts");
  EXPECT_EQ(counts.at("total"), 4);
  EXPECT_EQ(counts.at("endpoints").at("GET /rest/folders/{id}/children"), 1);
  EXPECT_EQ(counts.at("endpoints").at("POST /{host}/rest/uploads/{id}"), 1);
  EXPECT_EQ(counts.at("statuses").at("404"), 1);
  const json requests = admin("GET", "requests");
  EXPECT_EQ(requests.size(), 4U);
  EXPECT_EQ(requests.at(0).at("user"), "alice@example.com");
  EXPECT_EQ(requests.at(0).at("query"), "deleted=false");
}

TEST_F(FaultsTest, ManyConnectionsAtOnce) {
  start(R"({"latency_ms": 1500})");  // all of them have connected by then, also on a busy machine
  std::vector<std::thread> threads;
  std::vector<Reply> replies(64);
  for (std::size_t i = 0; i < replies.size(); ++i) {
    threads.emplace_back(
        [this, &replies, i] { replies[i] = Client::of(*server_).get("/rest/users/me"); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Reply& reply : replies) EXPECT_EQ(reply.status, 200);
  EXPECT_GE(admin("GET", "counts").at("max_in_flight"), 32);
}

}  // namespace
}  // namespace cabinetfs::sandbox
