// A name server that does not answer. This program has a getaddrinfo() of its own, which libcurl's
// resolver threads call: it waits at a gate for one name, and is the system's for all others.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <cstring>
#include <future>
#include <thread>

#include "tests/support/gate.h"
#include "tests/support/scripted_http_server.h"
#include "tests/unit/http/http_test_util.h"

namespace cabinetfs {
namespace {

constexpr const char* kSlowHost = "slow.test";

// Threads of libcurl may stand at it when the program ends.
Gate& name_server() {
  static Gate& gate = *new Gate;
  return gate;
}

}  // namespace
}  // namespace cabinetfs

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  if (node != nullptr && std::strcmp(node, cabinetfs::kSlowHost) == 0) {
    static_cast<void>(cabinetfs::name_server().pass(cabinetfs::CallContext{}));
    return EAI_AGAIN;
  }
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto next = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return next(node, service, hints, result);
}

namespace cabinetfs {
namespace {

class HttpDns : public ::testing::Test {
 protected:
  void SetUp() override {
    name_server().close();
    server_.script("/a", {{.status = 200, .body = "hello"}});
  }
  // Also lets an engine go that waits for the resolver. Nobody of this test stands at the gate when
  // the next one closes it.
  void TearDown() override {
    name_server().open();
    while (name_server().waiting() > 0) std::this_thread::yield();
  }

  HttpClientOptions options() {
    HttpClientOptions options = quick_options();
    options.proxy = "none";
    options.allow_http = true;
    return options;
  }
  static HttpRequest slow_request() {
    return get_request(std::string("http://") + kSlowHost + "/x");
  }
  void expect_answer(CurlHttpClient& client) {
    auto answer = std::async(
        std::launch::async, [&] { return client.perform(soon(), get_request(server_.url("/a"))); });
    const bool prompt = answer.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
    EXPECT_TRUE(prompt) << "the engine waits for the name server";
    if (!prompt) name_server().open();
    const auto got = answer.get();
    ASSERT_TRUE(got) << to_string(got.error());
    EXPECT_EQ(got->body, "hello");
  }

  ScriptedHttpServer server_;
};

TEST_F(HttpDns, ANameServerThatDoesNotAnswerHoldsUpNoOtherRequest) {
  CurlHttpClient client(options());
  CancelSource cancel;
  CallContext call = soon();
  call.cancel = cancel.token();
  auto slow = std::async(std::launch::async, [&] { return client.perform(call, slow_request()); });
  ASSERT_TRUE(name_server().wait_for_waiting(1));
  expect_answer(client);

  cancel.cancel();
  expect_answer(client);
  const bool prompt = slow.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  EXPECT_TRUE(prompt) << "a cancelled request waits for the name server";
  if (!prompt) name_server().open();
  const auto got = slow.get();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(name_server().waiting(), 1);  // as a thread of nobody's
}

TEST_F(HttpDns, ADeadlineEndsAWaitForAName) {
  CurlHttpClient client(options());
  auto slow = std::async(std::launch::async, [&] {
    return client.perform(CallContext::within(std::chrono::milliseconds(200)), slow_request());
  });
  const bool prompt = slow.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  EXPECT_TRUE(prompt) << "a request out of time waits for the name server";
  if (!prompt) name_server().open();
  const auto got = slow.get();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::kTimeout);
  expect_answer(client);
}

TEST_F(HttpDns, AClientEndsWhileANameIsLookedUp) {
  auto client = std::make_unique<CurlHttpClient>(options());
  auto slow = std::async(std::launch::async, [engine = client.get()] {
    return engine->perform(soon(), slow_request());
  });
  ASSERT_TRUE(name_server().wait_for_waiting(1));
  auto ended = std::async(std::launch::async, [&] { client.reset(); });
  const bool prompt = ended.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  EXPECT_TRUE(prompt) << "the end waits for the name server";
  if (!prompt) name_server().open();
  ended.get();
  const auto got = slow.get();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace cabinetfs
