#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "backend/base/log.h"
#include "tests/support/scripted_http_server.h"
#include "tests/unit/http/http_test_util.h"

namespace cabinetfs {
namespace {

using Kind = ScriptedAnswer::Kind;

TEST(HttpRetry, ReadsAreRepeatedAfterServerErrors) {
  for (const int status : {500, 502, 503, 504, 509, 408}) {
    ScriptedHttpServer server;
    server.script("/a", {{.status = status}, {.body = "ok"}});
    CurlHttpClient client(quick_options());
    const auto answer = client.perform(soon(), get_request(server.url("/a")));
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->body, "ok") << status;
    EXPECT_EQ(client.stats().retries, 1u);
  }
}

TEST(HttpRetry, ChangesAreNotRepeatedAfterServerErrors) {
  for (const int status : {500, 502, 503, 504, 509, 408}) {
    ScriptedHttpServer server;
    server.script("/a", {{.status = status}, {.body = "ok"}});
    CurlHttpClient client(quick_options());
    const auto answer = client.perform(soon(), post_request(server.url("/a")));
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status, status);
    EXPECT_EQ(server.hits("/a"), 1u);
  }
}

TEST(HttpRetry, AGetThatChangesSomethingIsSentOnce) {
  for (const ScriptedAnswer& end :
       {ScriptedAnswer{.status = 503}, ScriptedAnswer{.kind = Kind::kDrop},
        ScriptedAnswer{.body = "cut", .kind = Kind::kDropMidBody}}) {
    ScriptedHttpServer server;
    server.script("/warm", {{.body = "ok"}});
    server.script("/delete", {end, {.body = "deleted twice"}});
    CurlHttpClient client(quick_options());
    HttpRequest request = get_request(server.url("/delete"));
    request.changes = true;
    // On a connection that was in use before, which libcurl would replace by itself.
    ASSERT_TRUE(client.perform(soon(), get_request(server.url("/warm"))));
    const auto answer = client.perform(soon(), request);
    if (answer) {
      EXPECT_EQ(answer->status, 503);
    } else {
      EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable) << to_string(answer.error());
    }
    EXPECT_EQ(server.hits("/delete"), 1u);
  }
}

TEST(HttpRetry, IdempotentChangesAreRepeatedWithTheirBody) {
  ScriptedHttpServer server;
  server.script("/a", {{.status = 502}, {.kind = Kind::kDrop}, {.body = "ok"}});
  CurlHttpClient client(quick_options());
  HttpRequest request = post_request(server.url("/a"), "the body");
  request.method = "PUT";
  request.idempotent = true;
  const auto answer = client.perform(soon(), request);
  ASSERT_TRUE(answer.has_value()) << to_string(answer.error());
  EXPECT_EQ(answer->body, "ok");
  for (const auto& seen : server.requests()) EXPECT_EQ(seen.body, "the body");
}

TEST(HttpRetry, LastAnswerIsReturnedWhenTriesRunOut) {
  ScriptedHttpServer server;
  server.script("/a", {{.status = 500, .body = "why"}});
  CurlHttpClient client(quick_options());
  const auto answer = client.perform(soon(), get_request(server.url("/a")));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 500);
  EXPECT_EQ(answer->body, "why");
  EXPECT_EQ(server.hits("/a"), 3u);
}

TEST(HttpRetry, ClientErrorsAreFinal) {
  ScriptedHttpServer server;
  for (const int status : {400, 401, 403, 404, 409, 422, 423, 490, 501}) {
    const std::string path = "/" + std::to_string(status);
    server.script(path, {{.status = status}});
    CurlHttpClient client(quick_options());
    ASSERT_TRUE(client.perform(soon(), get_request(server.url(path))).has_value());
    EXPECT_EQ(server.hits(path), 1u) << status;
  }
}

TEST(HttpRetry, DroppedChangeIsNotRepeatedAndSaysSo) {
  ScriptedHttpServer server;
  server.script("/a", {{.kind = Kind::kDrop}, {.body = "ok"}});
  CurlHttpClient client(quick_options());
  const auto answer = client.perform(soon(), post_request(server.url("/a")));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(answer.error().context, testing::HasSubstr("may have been carried out"));
  EXPECT_EQ(server.hits("/a"), 1u);
}

// libcurl itself would send the request again when a kept connection breaks before the answer.
TEST(HttpRetry, DroppedChangeOnAKeptConnectionIsNotRepeatedEither) {
  for (const bool with_body : {true, false}) {
    ScriptedHttpServer server;
    server.script("/warm", {{.status = 200}});
    server.script("/a", {{.kind = Kind::kDrop}, {.body = "ok"}});
    CurlHttpClient client(quick_options());
    ASSERT_TRUE(client.perform(soon(), get_request(server.url("/warm"))).has_value());
    HttpRequest request = post_request(server.url("/a"), "body");
    if (!with_body) {
      request.method = "DELETE";
      request.body.reset();
    }
    const auto answer = client.perform(soon(), request);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(server.hits("/a"), 1u);
    EXPECT_EQ(server.requests().back().connection, 1);  // it was the kept one
  }
}

TEST(HttpRetry, DroppedReadOnAKeptConnectionIsRepeated) {
  ScriptedHttpServer server;
  server.script("/warm", {{.status = 200}});
  server.script("/a", {{.kind = Kind::kDrop}, {.body = "ok"}});
  CurlHttpClient client(quick_options());
  ASSERT_TRUE(client.perform(soon(), get_request(server.url("/warm"))).has_value());
  const auto answer = client.perform(soon(), get_request(server.url("/a")));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "ok");
}

TEST(HttpRetry, ChangeWhoseConnectionNeverStoodIsRepeated) {
  std::uint16_t port = 0;
  {
    ScriptedHttpServer gone;
    port = gone.port();
  }
  CurlHttpClient client(quick_options());
  const auto answer =
      client.perform(soon(), post_request("http://127.0.0.1:" + std::to_string(port) + "/a"));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(answer.error().context.find("carried out"), std::string::npos);
  EXPECT_EQ(client.stats().retries, 2u);
}

TEST(HttpRetry, DeliveredBytesAreNotDeliveredAgainUnasked) {
  ScriptedHttpServer server;
  const std::string text(1000, 'd');
  server.script("/f", {{.body = text, .kind = Kind::kDropMidBody}, {.body = text}});
  CurlHttpClient client(quick_options());
  std::string got;
  HttpRequest request = get_request(server.url("/f"));
  request.sink = [&got](Bytes bytes) {
    got += as_text(bytes);
    return true;
  };
  const auto answer = client.perform(soon(), request);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(got.size(), 500u);
  EXPECT_EQ(server.hits("/f"), 1u);
}

TEST(HttpRetry, RestartCallbackAllowsAnotherTry) {
  ScriptedHttpServer server;
  const std::string text(1000, 'd');
  server.script("/f", {{.body = text, .kind = Kind::kDropMidBody}, {.body = text}});
  CurlHttpClient client(quick_options());
  std::string got;
  HttpRequest request = get_request(server.url("/f"));
  request.sink = [&got](Bytes bytes) {
    got += as_text(bytes);
    return true;
  };
  request.on_restart = [&got] {
    got.clear();
    return true;
  };
  ASSERT_TRUE(client.perform(soon(), request).has_value());
  EXPECT_EQ(got, text);
}

TEST(HttpRetry, NoRetryPastTheDeadline) {
  ScriptedHttpServer server;
  server.script("/a", {{.status = 503, .body = "later"}});
  HttpClientOptions options = quick_options();
  options.backoff_first = std::chrono::seconds(20);
  options.backoff_max = std::chrono::seconds(20);
  CurlHttpClient client(options);
  const auto start = std::chrono::steady_clock::now();
  const auto answer =
      client.perform(CallContext::within(std::chrono::seconds(5)), get_request(server.url("/a")));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(server.hits("/a"), 1u);
  EXPECT_LT(ms_since(start), 4000);
}

TEST(HttpRetry, TooManyRequestsIsObeyedByEverybody) {
  ScriptedHttpServer server;
  server.script("/a", {{.status = 429, .headers = {{"Retry-After", "0.3"}}}, {.body = "ok"}});
  server.script("/b", {{.body = "b"}});
  CurlHttpClient client(quick_options());
  const auto start = std::chrono::steady_clock::now();
  std::jthread first([&] {
    const auto answer = client.perform(soon(), post_request(server.url("/a")));
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->body, "ok");  // refused unread, so any method may be sent again
  });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (client.stats().throttled == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  const auto answer = client.perform(soon(), get_request(server.url("/b")));
  ASSERT_TRUE(answer.has_value());
  EXPECT_GE(ms_since(start), 300);
  first.join();
  EXPECT_EQ(client.stats().throttled, 1u);
}

TEST(HttpRetry, AStoreThatWantsAPauseDoesNotSilenceTheRemote) {
  ScriptedHttpServer remote;
  ScriptedHttpServer store;
  store.script("/a", {{.status = 429, .headers = {{"Retry-After", "60"}}}});
  store.script("/b", {{.body = "b"}});
  remote.script("/c", {{.body = "c"}});
  CurlHttpClient client(quick_options());
  const auto start = std::chrono::steady_clock::now();
  HttpRequest request = get_request(store.url("/a"));
  request.metered = false;
  const auto first = client.perform(soon(), request);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->status, 429);
  request = get_request(store.url("/b"));
  request.metered = false;
  const auto second = client.perform(soon(), request);
  ASSERT_FALSE(second.has_value()) << "the store itself is left alone";
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(client.perform(soon(), get_request(remote.url("/c"))).has_value());
  EXPECT_LT(ms_since(start), 5000);
}

TEST(HttpRetry, AStoreIsAskedAgainAfterThePauseThatItWants) {
  ScriptedHttpServer store;
  store.script("/a", {{.status = 429, .headers = {{"Retry-After", "0.3"}}}, {.body = "ok"}});
  store.script("/b", {{.body = "b"}});
  CurlHttpClient client(quick_options());
  const auto start = std::chrono::steady_clock::now();
  const auto get = [&](const char* path) {
    HttpRequest request = get_request(store.url(path));
    request.metered = false;
    return client.perform(soon(), request);
  };
  std::jthread first([&] { EXPECT_EQ(get("/a")->body, "ok"); });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (client.stats().throttled == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(get("/b")->body, "b");
  EXPECT_GE(ms_since(start), 300);
}

TEST(HttpRetry, RetryAfterMayBeADate) {
  ScriptedHttpServer server;
  server.script("/a", {{.status = 503,
                        .headers = {{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                                    {"Retry-After", "Sun, 06 Nov 1994 08:49:38 GMT"}}},
                       {.body = "ok"}});
  CurlHttpClient client(quick_options());
  const auto start = std::chrono::steady_clock::now();
  const auto answer = client.perform(soon(), get_request(server.url("/a")));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "ok");
  EXPECT_GE(ms_since(start), 1000);
}

TEST(HttpRetry, WhoCannotOutlastThePauseKnowsAtOnce) {
  ScriptedHttpServer server;
  server.script("/a", {{.status = 429, .headers = {{"Retry-After", "60"}}}});
  server.script("/b", {{.body = "b"}});
  CurlHttpClient client(quick_options());
  const auto start = std::chrono::steady_clock::now();
  const auto first = client.perform(soon(), get_request(server.url("/a")));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->status, 429);
  ASSERT_TRUE(first->retry_after.has_value());
  EXPECT_EQ(*first->retry_after, 60);
  const auto second = client.perform(soon(), get_request(server.url("/b")));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  HttpRequest elsewhere = get_request(server.url("/b"));
  elsewhere.metered = false;
  EXPECT_TRUE(client.perform(soon(), elsewhere).has_value());
  EXPECT_LT(ms_since(start), 5000);
}

TEST(HttpRetry, ALongPauseIsKeptAsAsked) {
  // In seconds, and the shortest and longest pause for it: up to a tenth more, half an hour at
  // most.
  struct Case {
    const char* asked;
    double from, to;
  };
  for (const Case& pause : {Case{"900", 890, 990}, Case{"86400", 1790, 1980}}) {
    ScriptedHttpServer server;
    server.script("/a", {{.status = 429, .headers = {{"Retry-After", pause.asked}}}});
    CurlHttpClient client(quick_options());
    const auto start = std::chrono::steady_clock::now();
    ASSERT_TRUE(client.perform(soon(), get_request(server.url("/a"))).has_value());
    const auto told = client.perform(soon(), get_request(server.url("/a")));
    ASSERT_FALSE(told.has_value());
    const std::string& context = told.error().context;
    const std::size_t at = context.find("asked for ");
    ASSERT_NE(at, std::string::npos) << context;
    const double seconds = std::stod(context.substr(at + 10));
    EXPECT_GE(seconds, pause.from);
    EXPECT_LE(seconds, pause.to);
    EXPECT_EQ(server.hits("/a"), 1u);
    EXPECT_LT(ms_since(start), 5000) << "who cannot wait for it does not";
  }
}

TEST(HttpRetry, VendorsWordMakesA403Throttling) {
  ScriptedHttpServer server;
  server.script("/a", {{.status = 403, .body = "slow down"}});
  server.script("/b", {{.status = 403, .body = "slow down"}, {.body = "ok"}});
  server.script("/c", {{.status = 403, .body = "ERR_ACCESS_USER"}});
  HttpClientOptions options = quick_options();
  options.is_throttled = [](const HttpResponse& response) {
    return response.body.find("ERR_") == std::string::npos;
  };
  CurlHttpClient client(options);
  auto answer = client.perform(soon(), post_request(server.url("/a")));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 403);
  EXPECT_EQ(server.hits("/a"), 3u);
  answer = client.perform(soon(), post_request(server.url("/b")));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "ok");
  answer = client.perform(soon(), post_request(server.url("/c")));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(server.hits("/c"), 1u);
}

TEST(HttpRetry, NoSecretReachesTheLog) {
  configure_log({.level = LogLevel::kDebug, .file = testing::TempDir() + "http_retry_log"});
  std::string log;
  {
    ScriptedHttpServer server;
    server.script("/a", {{.status = 429, .headers = {{"Retry-After", "0"}}},
                         {.status = 500},
                         {.kind = Kind::kDrop}});
    CurlHttpClient client(quick_options());
    HttpRequest request = get_request(server.url("/a?access_token=hush-1&code=hush-2&x=shown"));
    request.authorization = "Bearer hush-3";
    const auto answer = client.perform(soon(), request);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().context.find("hush"), std::string::npos) << answer.error().context;
    EXPECT_NE(answer.error().context.find("shown"), std::string::npos);
  }
  for (const std::string& line : recent_log()) log += line + "\n";
  EXPECT_NE(log.find("without requests"), std::string::npos);
  EXPECT_EQ(log.find("hush"), std::string::npos);
  std::FILE* file = std::fopen((testing::TempDir() + "http_retry_log").c_str(), "r");
  ASSERT_NE(file, nullptr);
  std::string text(1u << 20, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  EXPECT_NE(text.find("access_token=***"), std::string::npos);
  EXPECT_EQ(text.find("hush"), std::string::npos);
  configure_log({});
}

}  // namespace
}  // namespace cabinetfs
