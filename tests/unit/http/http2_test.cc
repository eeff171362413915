// The engine against a real server that offers HTTP/2.
#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <set>
#include <sstream>
#include <thread>

#include "tests/support/dav_servers.h"
#include "tests/support/needs.h"
#include "tests/support/test_certificates.h"
#include "tests/unit/http/http_test_util.h"

namespace cabinetfs {
namespace {

class Http2 : public testing::Test {
 protected:
  void SetUp() override {
    CABINET_NEEDS(DavServer::missing(DavServer::Kind::kNginx));
    const TestAuthority authority = make_test_authority();
    DavServerOptions options;
    options.certificate = authority.server.certificate;
    options.private_key = authority.server.private_key;
    options.http2 = true;
    server_ = std::make_unique<DavServer>(DavServer::Kind::kNginx, options);
    const std::filesystem::path ca = server_->directory() / "ca.pem";
    std::ofstream(ca) << authority.ca_certificate;
    HttpClientOptions http = quick_options();
    http.ca_file = ca.string();
    client_ = std::make_unique<CurlHttpClient>(http);
  }

  void put_file(const std::string& name, const std::string& text) {
    std::ofstream(server_->directory() / name, std::ios::binary) << text;
  }
  HttpRequest get(const std::string& name) const {
    HttpRequest request = get_request(server_->url() + "/" + name);
    request.idempotent = true;
    return request;
  }
  std::string body(const std::string& name) {
    const auto answer = client_->perform(soon(), get(name));
    return answer ? answer->body : to_string(answer.error());
  }

  // Of the requests for `name`. The server writes its log after the answer: waits for `count`.
  struct Logged {
    std::size_t requests = 0;
    std::set<std::string> protocols, connections;
  };
  Logged logged(const std::string& name, std::size_t count) const {
    const auto until = Stopwatch::now() + std::chrono::seconds(10);
    Logged out = read_log(name);
    while (out.requests < count && Stopwatch::now() < until) {
      std::this_thread::yield();
      out = read_log(name);
    }
    EXPECT_EQ(out.requests, count) << name;
    return out;
  }
  Logged read_log(const std::string& name) const {
    Logged out;
    std::istringstream lines(server_->access_log());
    std::string method, target, status, size, protocol, connection;
    while (lines >> method >> target >> status >> size >> protocol >> connection) {
      if (!target.ends_with("/" + name)) continue;
      ++out.requests;
      out.protocols.insert(protocol);
      out.connections.insert(connection);
    }
    return out;
  }

  std::unique_ptr<DavServer> server_;
  std::unique_ptr<CurlHttpClient> client_;
};

TEST_F(Http2, RequestsAtTheSameTimeShareAConnection) {
  const std::string text(10'000, 'x');
  put_file("a", text);
  ASSERT_EQ(body("a"), text);  // the connection is open, and known to take many
  std::vector<std::future<std::string>> bodies;
  for (int i = 0; i < 16; ++i)
    bodies.push_back(std::async(std::launch::async, [&] { return body("a"); }));
  for (auto& each : bodies) EXPECT_EQ(each.get(), text);
  const Logged seen = logged("a", 17);
  EXPECT_EQ(seen.protocols, std::set<std::string>{"HTTP/2.0"});
  EXPECT_EQ(seen.connections.size(), 1u);
}

TEST_F(Http2, ALargeTransferHasAConnectionOfItsOwn) {
  const std::string text(2'000'000, 'y');
  put_file("large", text);
  put_file("small", "s");
  ASSERT_EQ(body("small"), "s");
  HttpRequest request = get("large");
  request.own_connection = true;
  request.max_body = text.size();
  const auto answer = client_->perform(soon(), request);
  ASSERT_TRUE(answer.has_value()) << to_string(answer.error());
  EXPECT_EQ(answer->body, text);
  const Logged large = logged("large", 1), small = logged("small", 1);
  EXPECT_EQ(large.protocols, std::set<std::string>{"HTTP/1.1"});
  EXPECT_NE(large.connections, small.connections);
}

TEST_F(Http2, ABodyIsSentAndAnErrorIsReported) {
  HttpRequest request;
  request.method = "PUT";
  request.url = server_->url() + "/sent";
  std::string text;
  for (int i = 0; i < 40'000; ++i) text += std::to_string(i);
  request.body = HttpBody::from_string(text);
  request.idempotent = true;
  const auto answer = client_->perform(soon(), request);
  ASSERT_TRUE(answer.has_value()) << to_string(answer.error());
  EXPECT_EQ(answer->status, 201);
  std::ifstream in(server_->directory() / "sent", std::ios::binary);
  std::ostringstream there;
  there << in.rdbuf();
  EXPECT_TRUE(there.str() == text);
  EXPECT_EQ(logged("sent", 1).protocols, std::set<std::string>{"HTTP/2.0"});
  const auto missing = client_->perform(soon(), get("nothing"));
  ASSERT_TRUE(missing.has_value());
  EXPECT_EQ(missing->status, 404);
}

TEST_F(Http2, CancellingOneLeavesTheOthersOnTheConnection) {
  put_file("a", "text");
  put_file("endless", std::string(20'000'000, 'z'));
  ASSERT_EQ(body("a"), "text");
  CancelSource cancel;
  CallContext call = soon();
  call.cancel = cancel.token();
  HttpRequest request = get("endless");
  request.max_body = 20'000'000;
  bool told = false;
  request.sink = [&](Bytes) {
    told = true;
    cancel.cancel();
    return true;
  };
  const auto answer = client_->perform(call, request);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(told);
  EXPECT_EQ(body("a"), "text");
  EXPECT_EQ(logged("a", 2).connections.size(), 1u);
}

TEST_F(Http2, AServerThatWentAwayIsFoundAgain) {
  put_file("a", "text");
  ASSERT_EQ(body("a"), "text");
  server_->stop();
  server_->start();
  // The old connection is dead; a read is repeated on a new one.
  EXPECT_EQ(body("a"), "text");
  EXPECT_EQ(logged("a", 2).requests, 2u);
}

}  // namespace
}  // namespace cabinetfs
