#include "backend/auth/authorized_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "backend/base/mutex.h"
#include "tests/support/scripted_http_server.h"
#include "tests/unit/auth/auth_test_util.h"

namespace cabinetfs {
namespace {

// Gives "t1", and after each rejection of the current one the next.
class CountingTokens final : public TokenSource {
 public:
  Result<std::string> token(const CallContext&) override {
    MutexLock lock(mutex_);
    return "t" + std::to_string(number_);
  }
  void invalidate(const std::string& rejected) override {
    MutexLock lock(mutex_);
    if (rejected == "t" + std::to_string(number_)) ++number_;
  }
  int number() {
    MutexLock lock(mutex_);
    return number_;
  }

 private:
  Mutex mutex_;
  int number_ GUARDED_BY(mutex_) = 1;
};

ScriptedAnswer only_for(const ScriptedRequest& request, const std::string& token) {
  if (request.headers.at("authorization") != "Bearer " + token) return {.status = 401};
  return {.body = "welcome"};
}

class AuthorizedClientTest : public testing::Test {
 protected:
  AuthorizedClient make(AuthorizedClientOptions options = {}) {
    options.origin = server_.url("/rest");
    return {http_, tokens_, options};
  }
  HttpRequest get(const std::string& target) {
    HttpRequest request;
    request.url = server_.url(target);
    request.label = "GET " + target;
    return request;
  }

  ScriptedHttpServer server_;
  CurlHttpClient http_{quick_http()};
  CountingTokens tokens_;
};

TEST_F(AuthorizedClientTest, AddsTokenAndHeaders) {
  server_.handle("/a", [](const ScriptedRequest& request) { return only_for(request, "t1"); });
  AuthorizedClientOptions options;
  options.headers = {{"X-Accellion-Version", "28"}};
  AuthorizedClient client = make(options);
  const auto answer = client.perform(soon(), get("/a"));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "welcome");
  EXPECT_EQ(server_.requests().at(0).headers.at("x-accellion-version"), "28");
}

TEST_F(AuthorizedClientTest, RejectedTokenIsReplacedAndTheRequestSentAgain) {
  server_.handle("/a", [](const ScriptedRequest& request) { return only_for(request, "t2"); });
  AuthorizedClient client = make();
  HttpRequest request = get("/a");
  request.method = "POST";  // refused, so it had no effect
  request.body = HttpBody::from_string("content");
  const auto answer = client.perform(soon(), request);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "welcome");
  EXPECT_EQ(server_.hits("/a"), 2u);
  EXPECT_EQ(server_.requests().at(1).body, "content");
}

TEST_F(AuthorizedClientTest, SecondRejectionEndsIt) {
  server_.script("/a", {{.status = 401}});
  AuthorizedClient client = make();
  const auto answer = client.perform(soon(), get("/a"));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnauthenticated);
  EXPECT_EQ(server_.hits("/a"), 2u);
}

TEST_F(AuthorizedClientTest, PredicateTellsADeadTokenFromAMissingRight) {
  server_.script("/a", {{.status = 401, .body = "ERR_ACCESS_USER"}});
  AuthorizedClientOptions options;
  options.token_rejected = [](const HttpResponse& response) {
    return response.status == 401 && response.body.find("ERR_ACCESS") == std::string::npos;
  };
  AuthorizedClient client = make(options);
  const auto answer = client.perform(soon(), get("/a"));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 401);
  EXPECT_EQ(server_.hits("/a"), 1u);
  EXPECT_EQ(tokens_.number(), 1);
}

TEST_F(AuthorizedClientTest, TokensGoNowhereElse) {
  ScriptedHttpServer other;
  AuthorizedClient client = make();
  HttpRequest request = get("/a");
  request.url = other.url("/a");
  const auto answer = client.perform(soon(), request);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kDenied);
  EXPECT_EQ(other.connections(), 0);
}

TEST_F(AuthorizedClientTest, ManyRejectionsOfOneTokenCountOnce) {
  server_.handle("/a", [](const ScriptedRequest& request) { return only_for(request, "t2"); });
  AuthorizedClient client = make();
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&] {
        const auto answer = client.perform(soon(), get("/a"));
        if (answer && answer->status == 200) ++good;
      });
    }
  }
  EXPECT_EQ(good, 16);
  EXPECT_EQ(tokens_.number(), 2);
}

TEST_F(AuthorizedClientTest, FixedTokenStaysRefused) {
  server_.script("/a", {{.status = 401}});
  const auto tokens = make_fixed_token_source("cad", SecretString("hush"));
  AuthorizedClientOptions options;
  options.origin = server_.url("/");
  AuthorizedClient client(http_, *tokens, options);
  const auto answer = client.perform(soon(), get("/a"));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnauthenticated);
  EXPECT_THAT(answer.error().context, testing::HasSubstr("cabinetfs login cad"));
  EXPECT_EQ(answer.error().context.find("hush"), std::string::npos);
  EXPECT_EQ(server_.hits("/a"), 1u);
}

}  // namespace
}  // namespace cabinetfs
