#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/scripted_http_server.h"
#include "tests/unit/http/http_test_util.h"

namespace cabinetfs {
namespace {

using Kind = ScriptedAnswer::Kind;

TEST(HttpClient, GivesStatusHeadersAndBody) {
  ScriptedHttpServer server;
  server.script("/a", {{.status = 200, .body = "hello", .headers = {{"X-Mixed-Case", " v "}}}});
  CurlHttpClient client(quick_options());
  HttpRequest request = get_request(server.url("/a?x=1"));
  request.headers = {{"X-Accellion-Version", "28"}, {"X-Empty", ""}};
  request.authorization = "Bearer abc";
  const auto answer = client.perform(soon(), request);
  ASSERT_TRUE(answer.has_value()) << to_string(answer.error());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "hello");
  ASSERT_NE(answer->find("x-mixed-case"), nullptr);
  EXPECT_EQ(*answer->find("x-mixed-case"), "v");
  EXPECT_EQ(answer->effective_url, server.url("/a?x=1"));
  const auto seen = server.requests().at(0);
  EXPECT_EQ(seen.target, "/a?x=1");
  EXPECT_EQ(seen.headers.at("x-accellion-version"), "28");
  EXPECT_EQ(seen.headers.at("x-empty"), "");
  EXPECT_EQ(seen.headers.at("authorization"), "Bearer abc");
  EXPECT_EQ(seen.headers.count("expect"), 0u);
}

TEST(HttpClient, AFreshConnectionIsMadeWhereOneIsAskedFor) {
  ScriptedHttpServer server;
  server.script("/a", {{.status = 200, .body = "x"}});
  CurlHttpClient client(quick_options());
  HttpRequest request = get_request(server.url("/a"));
  for (const bool fresh : {false, false, true}) {
    request.fresh_connection = fresh;
    ASSERT_TRUE(client.perform(soon(), request));
  }
  const auto seen = server.requests();
  EXPECT_EQ(seen.at(1).connection, seen.at(0).connection);
  EXPECT_NE(seen.at(2).connection, seen.at(0).connection);
}

TEST(HttpClient, ASignedPathIsSentAsItIs) {
  ScriptedHttpServer server;
  server.script("/a/../b/./c%2f%2F", {{.status = 200, .body = "x"}});
  CurlHttpClient client(quick_options());
  const auto answer =
      client.perform(soon(), get_request(server.url("/a/../b/./c%2f%2F?Signature=eW0%3D&x=%7e~")));
  ASSERT_TRUE(answer);
  EXPECT_EQ(server.requests().at(0).target, "/a/../b/./c%2f%2F?Signature=eW0%3D&x=%7e~");
}

TEST(HttpClient, ErrorAnswerIsAValue) {
  ScriptedHttpServer server;
  server.script("/gone", {{.status = 404, .body = "{\"errors\":[]}"}});
  CurlHttpClient client(quick_options());
  const auto answer = client.perform(soon(), get_request(server.url("/gone")));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->body, "{\"errors\":[]}");
}

TEST(HttpClient, ReadsChunkedBodies) {
  ScriptedHttpServer server;
  const std::string text(12'345, 'c');
  server.script("/c", {{.body = text, .kind = Kind::kChunked}});
  CurlHttpClient client(quick_options());
  const auto answer = client.perform(soon(), get_request(server.url("/c")));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, text);
}

TEST(HttpClient, BrokenChunksAreCorruptNotData) {
  ScriptedHttpServer server;
  server.script("/c", {{.body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
                        .kind = Kind::kRaw}});
  CurlHttpClient client(quick_options());
  const auto answer = client.perform(soon(), get_request(server.url("/c")));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kCorrupt);
}

TEST(HttpClient, TruncatedBodyIsAnErrorNotData) {
  ScriptedHttpServer server;
  server.script("/t", {{.body = std::string(1000, 't'), .kind = Kind::kDropMidBody}});
  CurlHttpClient client(quick_options());
  const auto answer = client.perform(soon(), get_request(server.url("/t")));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
}

TEST(HttpClient, KeepsConnectionsForLaterRequests) {
  ScriptedHttpServer server;
  server.script("/a", {{.body = "x"}});
  CurlHttpClient client(quick_options());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(client.perform(soon(), get_request(server.url("/a"))).has_value());
    HttpRequest content = get_request(server.url("/a"));
    content.own_connection = true;
    ASSERT_TRUE(client.perform(soon(), content).has_value());
  }
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(client.stats().connections_opened, 1u);
}

TEST(HttpClient, SendsEveryMethodAsItIs) {
  ScriptedHttpServer server;
  server.script("/m", {{.status = 204}});
  CurlHttpClient client(quick_options());
  for (const char* method : {"DELETE", "PUT", "PATCH", "POST", "PROPFIND", "HEAD", "GET"}) {
    HttpRequest request = get_request(server.url("/m"));
    request.method = method;
    ASSERT_TRUE(client.perform(soon(), request).has_value()) << method;
    EXPECT_EQ(server.requests().back().method, method);
  }
}

TEST(HttpClient, BodylessPostSaysSo) {
  ScriptedHttpServer server;
  server.script("/m", {{.status = 200}});
  CurlHttpClient client(quick_options());
  HttpRequest request = get_request(server.url("/m"));
  request.method = "POST";
  ASSERT_TRUE(client.perform(soon(), request).has_value());
  EXPECT_EQ(server.requests().at(0).headers.at("content-length"), "0");
}

TEST(HttpClient, StreamsALargeMultipartBodyWithoutACopy) {
  ScriptedHttpServer server;
  server.handle("/up", [](const ScriptedRequest& request) {
    return ScriptedAnswer{.body = std::to_string(request.body_size)};
  });
  constexpr std::uint64_t kFile = 64u << 20;
  std::size_t largest_read = 0;
  HttpBody file;
  file.size = kFile;
  file.read = [&largest_read](std::uint64_t offset, MutableBytes out) {
    largest_read = std::max(largest_read, out.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<std::byte>((offset + i) % 251);
    }
    return out.size();
  };
  const std::string head = "--b\r\nContent-Disposition: form-data; name=\"body\"\r\n\r\n";
  const std::string tail = "\r\n--b--\r\n";
  HttpRequest request = post_request(server.url("/up"));
  request.headers = {{"Content-Type", "multipart/form-data; boundary=b"}};
  request.body = HttpBody::concat({HttpBody::from_string(head), file, HttpBody::from_string(tail)});
  CurlHttpClient client(quick_options());
  const auto answer = client.perform(soon(), request);
  ASSERT_TRUE(answer.has_value()) << to_string(answer.error());
  EXPECT_EQ(answer->body, std::to_string(head.size() + kFile + tail.size()));
  const ScriptedRequest seen = server.requests().at(0);
  EXPECT_TRUE(seen.body.starts_with(head));
  EXPECT_TRUE(seen.body.ends_with(tail));
  bool same = true;
  for (std::uint64_t i = 0; i < kFile; ++i) {
    same = same && static_cast<unsigned char>(seen.body[head.size() + i]) == i % 251;
  }
  EXPECT_TRUE(same);
  EXPECT_LE(largest_read, 4u << 20);
  EXPECT_GE(client.stats().bytes_out, kFile);
}

TEST(HttpClient, UnreadableBodyFailsTheRequest) {
  ScriptedHttpServer server;
  server.script("/up", {{.status = 200}});
  HttpRequest request = post_request(server.url("/up"));
  HttpBody body;
  body.size = 1'000'000;
  body.read = [](std::uint64_t offset, MutableBytes out) {
    return offset == 0 ? std::min<std::size_t>(out.size(), 10) : 0;
  };
  request.body = body;
  CurlHttpClient client(quick_options());
  const auto answer = client.perform(soon(), request);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kIo);
}

TEST(HttpClient, SinkGetsOnlyGoodAnswers) {
  ScriptedHttpServer server;
  server.script("/f", {{.status = 403, .body = "no"},
                       {.status = 206, .body = "content", .headers = {{"Content-Range", "x"}}}});
  CurlHttpClient client(quick_options());
  std::string got;
  int status = 0;
  HttpRequest request = get_request(server.url("/f"));
  request.on_headers = [&status](int code, const HttpHeaders&) {
    status = code;
    return true;
  };
  request.sink = [&got](Bytes bytes) {
    got += as_text(bytes);
    return true;
  };
  auto answer = client.perform(soon(), request);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "no");
  EXPECT_EQ(got, "");
  EXPECT_EQ(status, 0);
  answer = client.perform(soon(), request);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "");
  EXPECT_EQ(got, "content");
  EXPECT_EQ(status, 206);
}

TEST(HttpClient, CallerMayRefuseByHeadersOrInTheMiddle) {
  ScriptedHttpServer server;
  server.script("/f", {{.generated = 50u << 20}});
  CurlHttpClient client(quick_options());
  HttpRequest request = get_request(server.url("/f"));
  request.on_headers = [](int, const HttpHeaders&) { return false; };
  request.sink = [](Bytes) { return true; };
  auto answer = client.perform(soon(), request);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
  request.on_headers = nullptr;
  std::uint64_t got = 0;
  request.sink = [&got](Bytes bytes) { return (got += bytes.size()) < 100'000; };
  answer = client.perform(soon(), request);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
  EXPECT_LT(got, 2'000'000u);
}

TEST(HttpClient, ThrowingCallbackIsAnErrorNotACrash) {
  ScriptedHttpServer server;
  server.script("/f", {{.body = "x"}});
  CurlHttpClient client(quick_options());
  HttpRequest request = get_request(server.url("/f"));
  request.sink = [](Bytes) -> bool { throw std::bad_alloc(); };
  const auto answer = client.perform(soon(), request);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kInternal);
}

TEST(HttpClient, BodyLimitHolds) {
  ScriptedHttpServer server;
  server.script("/big", {{.generated = 200u << 20}});
  server.script("/bad", {{.status = 400, .generated = 200u << 20}});
  CurlHttpClient client(quick_options());
  HttpRequest request = get_request(server.url("/big"));
  request.max_body = 1000;
  auto answer = client.perform(soon(), request);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kTooLarge);
  request.url = server.url("/bad");
  answer =
      client.perform(soon(), request);  // the status is known; the rest of the page is not needed
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 400);
  EXPECT_EQ(answer->body.size(), 1000u);
}

TEST(HttpClient, HeaderLimitHolds) {
  ScriptedHttpServer server;
  std::string head = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 300; ++i) head += "X-Pad: " + std::string(1000, 'p') + "\r\n";
  server.script("/h", {{.body = head + "\r\n", .kind = Kind::kRaw}});
  CurlHttpClient client(quick_options());
  const auto answer = client.perform(soon(), get_request(server.url("/h")));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kTooLarge);
}

TEST(HttpClient, LineBreaksInHeadersAreRefused) {
  ScriptedHttpServer server;
  CurlHttpClient client(quick_options());
  HttpRequest request = get_request(server.url("/a"));
  request.headers = {{"X-Name", "a\r\nX-Evil: 1"}};
  const auto answer = client.perform(soon(), request);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(server.connections(), 0);
}

TEST(HttpClient, PlainHttpOnlyToLoopbackOrWhenAllowed) {
  CurlHttpClient client(quick_options());
  const auto answer = client.perform(soon(), get_request("http://files.example.invalid/a"));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kDenied);
  EXPECT_THAT(answer.error().context, testing::HasSubstr("allow_http"));
  HttpClientOptions options = quick_options();
  options.allow_http = true;
  options.proxy = "http://127.0.0.1:1";  // nobody listens: it must not get further than this
  CurlHttpClient open(options);
  const auto unreachable = open.perform(soon(), get_request("http://files.example.invalid/a"));
  ASSERT_FALSE(unreachable.has_value());
  EXPECT_EQ(unreachable.error().code, ErrorCode::kUnavailable);
}

TEST(HttpClient, UsesTheProxyThatItIsGiven) {
  ScriptedHttpServer proxy;
  HttpClientOptions options = quick_options();
  options.allow_http = true;
  options.proxy = "http://127.0.0.1:" + std::to_string(proxy.port());
  CurlHttpClient client(options);
  const auto answer = client.perform(soon(), get_request("http://files.example.invalid/a"));
  ASSERT_TRUE(answer.has_value()) << to_string(answer.error());
  EXPECT_EQ(proxy.requests().at(0).target, "http://files.example.invalid/a");
}

TEST(HttpClient, FollowsRedirectsWithinTheHost) {
  ScriptedHttpServer server;
  server.script("/a", {{.status = 302, .headers = {{"Location", "/b?x=1"}}}});
  server.script("/b", {{.status = 307, .headers = {{"Location", server.url("/c")}}}});
  server.script("/c", {{.body = "end"}});
  CurlHttpClient client(quick_options());
  HttpRequest request = get_request(server.url("/a"));
  request.authorization = "Bearer abc";
  const auto answer = client.perform(soon(), request);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "end");
  EXPECT_EQ(answer->effective_url, server.url("/c"));
  EXPECT_EQ(server.requests().at(2).headers.at("authorization"), "Bearer abc");
}

TEST(HttpClient, RedirectsOfChangesAreReturned) {
  ScriptedHttpServer server;
  server.script("/a", {{.status = 307, .headers = {{"Location", "/b"}}}});
  CurlHttpClient client(quick_options());
  const auto answer = client.perform(soon(), post_request(server.url("/a")));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 307);
  EXPECT_EQ(server.hits("/b"), 0u);
}

TEST(HttpClient, EndlessRedirectsEnd) {
  ScriptedHttpServer server;
  server.script("/a", {{.status = 302, .headers = {{"Location", "/a"}}}});
  CurlHttpClient client(quick_options());
  const auto answer = client.perform(soon(), get_request(server.url("/a")));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(server.hits("/a"), 6u);
}

TEST(HttpClient, AnotherHostIsFollowedOnlyOnRequestAndWithoutCredentials) {
  ScriptedHttpServer server;
  ScriptedHttpServer storage;
  server.script("/a", {{.status = 302, .headers = {{"Location", storage.url("/blob?sig=1")}}}});
  storage.script("/blob", {{.body = "bytes"}});
  CurlHttpClient client(quick_options());
  HttpRequest request = get_request(server.url("/a"));
  request.authorization = "Bearer abc";
  request.headers = {{"X-Session-Token", "t"}, {"Cookie", "c=1"}, {"Range", "bytes=0-4"}};
  auto answer = client.perform(soon(), request);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 302);
  EXPECT_EQ(storage.connections(), 0);
  request.redirects = HttpRequest::Redirects::kAnyHost;
  answer = client.perform(soon(), request);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "bytes");
  const auto seen = storage.requests().at(0);
  EXPECT_EQ(seen.headers.count("authorization"), 0u);
  EXPECT_EQ(seen.headers.count("cookie"), 0u);
  EXPECT_EQ(seen.headers.count("x-session-token"), 0u);
  EXPECT_EQ(seen.headers.at("range"), "bytes=0-4");
}

TEST(HttpClient, CountsPerLabelAndStatus) {
  ScriptedHttpServer server;
  server.script("/a", {{.body = "12345"}});
  CurlHttpClient client(quick_options());
  HttpRequest request = get_request(server.url("/a"));
  request.label = "GET /a";
  ASSERT_TRUE(client.perform(soon(), request).has_value());
  ASSERT_TRUE(client.perform(soon(), request).has_value());
  request.url = server.url("/none");
  ASSERT_TRUE(client.perform(soon(), request).has_value());
  const HttpStats stats = client.stats();
  ASSERT_EQ(stats.rows.size(), 2u);
  EXPECT_EQ(stats.rows[0].label, "GET /a");
  EXPECT_EQ(stats.rows[0].status, 200);
  EXPECT_EQ(stats.rows[0].count, 2u);
  EXPECT_EQ(stats.rows[1].status, 404);
  EXPECT_EQ(stats.requests(), 3u);
  EXPECT_EQ(stats.bytes_in, 10 + std::string_view("no such path").size());
}

TEST(HttpClient, ManyThreadsShareIt) {
  ScriptedHttpServer server;
  server.handle(
      "/n", [](const ScriptedRequest& request) { return ScriptedAnswer{.body = request.target}; });
  CurlHttpClient client(quick_options());
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 16; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          const std::string target = "/n?" + std::to_string(t * 1000 + i);
          const auto answer = client.perform(soon(), get_request(server.url(target)));
          if (answer && answer->body == target) ++good;
        }
      });
    }
  }
  EXPECT_EQ(good, 800);
  EXPECT_LE(server.connections(), 32);
}

}  // namespace
}  // namespace cabinetfs
