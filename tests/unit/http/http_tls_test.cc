#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <thread>

#include "tests/support/scripted_http_server.h"
#include "tests/support/test_certificates.h"
#include "tests/unit/http/http_test_util.h"

namespace cabinetfs {
namespace {

class HttpTls : public testing::Test {
 protected:
  static void SetUpTestSuite() { authority_ = new TestAuthority(make_test_authority()); }
  static void TearDownTestSuite() {
    delete authority_;
    authority_ = nullptr;
  }

  static ScriptedHttpServer::Options tls_options() {
    return {.certificate = authority_->server.certificate,
            .private_key = authority_->server.private_key,
            .keep_bodies = true};
  }
  static std::string write_ca(const std::string& pem) {
    const std::string path =
        testing::TempDir() + "ca-" + std::to_string(std::hash<std::string>()(pem)) + ".pem";
    std::FILE* file = std::fopen(path.c_str(), "w");
    std::fwrite(pem.data(), 1, pem.size(), file);
    std::fclose(file);
    return path;
  }
  static HttpClientOptions trusting_options() {
    HttpClientOptions options = quick_options();
    options.ca_file = write_ca(authority_->ca_certificate);
    return options;
  }

  static TestAuthority* authority_;
};
TestAuthority* HttpTls::authority_ = nullptr;

TEST_F(HttpTls, OwnAuthorityIsTrusted) {
  ScriptedHttpServer server(tls_options());
  server.script("/a", {{.body = "secret"}});
  CurlHttpClient client(trusting_options());
  const auto answer = client.perform(soon(), get_request(server.url("/a")));
  ASSERT_TRUE(answer.has_value()) << to_string(answer.error());
  EXPECT_EQ(answer->body, "secret");
}

TEST_F(HttpTls, UnknownAuthorityIsRefusedAtOnce) {
  ScriptedHttpServer server(tls_options());
  server.script("/a", {{.body = "secret"}});
  HttpClientOptions other = quick_options();
  other.ca_file = write_ca(make_test_authority().ca_certificate);
  for (const HttpClientOptions& options : {quick_options(), other}) {
    CurlHttpClient client(options);
    const auto answer = client.perform(soon(), get_request(server.url("/a")));
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, ErrorCode::kNoAccess);
    EXPECT_THAT(answer.error().context, testing::HasSubstr("certificate"));
    EXPECT_EQ(client.stats().retries, 0u);
  }
  EXPECT_EQ(server.hits("/a"), 0u);
}

TEST_F(HttpTls, MissingAuthorityFileIsNamed) {
  ScriptedHttpServer server(tls_options());
  HttpClientOptions options = quick_options();
  options.ca_file = "/nowhere/own-ca.pem";
  CurlHttpClient client(options);
  const auto answer = client.perform(soon(), get_request(server.url("/a")));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kNoAccess);
  EXPECT_THAT(answer.error().context, testing::HasSubstr("/nowhere/own-ca.pem"));
}

TEST_F(HttpTls, WrongHostNameIsRefused) {
  ScriptedHttpServer server(tls_options());
  server.script("/a", {{.status = 200}});
  CurlHttpClient client(trusting_options());
  const auto answer = client.perform(
      soon(), get_request("https://127.0.0.2:" + std::to_string(server.port()) + "/a"));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(server.hits("/a"), 0u);
}

TEST_F(HttpTls, Http2IsOfferedExceptForContent) {
  ScriptedHttpServer server(tls_options());
  server.script("/a", {{.body = "a"}});
  {
    CurlHttpClient client(trusting_options());
    ASSERT_TRUE(client.perform(soon(), get_request(server.url("/a"))).has_value());
  }
  {
    CurlHttpClient client(trusting_options());
    HttpRequest content = get_request(server.url("/a"));
    content.own_connection = true;
    ASSERT_TRUE(client.perform(soon(), content).has_value());
  }
  const auto offered = server.offered_protocols();
  ASSERT_EQ(offered.size(), 2u);
  EXPECT_THAT(offered[0], testing::HasSubstr("h2"));
  EXPECT_EQ(offered[1], "http/1.1");
}

TEST_F(HttpTls, ParallelContentUsesParallelConnections) {
  ScriptedHttpServer server(tls_options());
  std::atomic<int> arrived = 0;
  server.handle("/range", [&arrived](const ScriptedRequest&) {
    ++arrived;
    arrived.notify_all();
    for (int seen = arrived; seen < 8; seen = arrived) arrived.wait(seen);
    return ScriptedAnswer{.body = std::string(100'000, 'r')};
  });
  CurlHttpClient client(trusting_options());
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        HttpRequest request = get_request(server.url("/range"));
        request.own_connection = true;
        const auto answer = client.perform(soon(), request);
        if (answer && answer->body.size() == 100'000) ++good;
      });
    }
  }
  EXPECT_EQ(good, 8);
  EXPECT_EQ(server.connections(), 8);
}

TEST_F(HttpTls, ClientSurvivesAPeerThatGoesAwayWhileItSends) {
  ScriptedHttpServer server(tls_options());
  HttpClientOptions options = trusting_options();
  options.stall_timeout = std::chrono::seconds(2);
  CurlHttpClient client(options);
  HttpBody body;
  body.size = 512u << 20;
  body.read = [&server](std::uint64_t offset, MutableBytes out) {
    if (offset > (4u << 20)) server.drop_connections();
    return out.size();
  };
  HttpRequest request = post_request(server.url("/up"));
  request.body = body;
  const auto answer = client.perform(soon(), request);
  ASSERT_FALSE(answer.has_value());
  // A peer that ends the connection with its window full is only found out by its silence: libcurl
  // (7.88) waits for room to send, and the kernel has no reset to tell of.
  EXPECT_THAT(answer.error().code, testing::AnyOf(ErrorCode::kUnavailable, ErrorCode::kTimeout));
}

}  // namespace
}  // namespace cabinetfs
