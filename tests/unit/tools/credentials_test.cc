#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <future>
#include <thread>

#include "backend/auth/oauth_token_source.h"
#include "backend/auth/secret_store.h"
#include "backend/http/curl_client.h"
#include "tests/support/gate.h"
#include "tests/support/scripted_http_server.h"
#include "tools/cabinetfs/connection.h"
#include "tools/cabinetfs/vendors/vendor.h"

namespace cabinetfs {
namespace {

class Credentials : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cfcXXXXXX";
    dir_ = std::filesystem::canonical(::mkdtemp(name));
    paths_ = {dir_ + "/config.toml", dir_ + "/state", dir_ + "/cache", dir_ + "/run"};
    options_.remote.secret_store = RemoteOptions::Secrets::kFile;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  // How often this process has the file open.
  static int open_count(const std::string& file) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      if (std::filesystem::read_symlink(entry.path(), gone) == file) ++count;
    }
    return count;
  }

  std::string dir_;
  Paths paths_;
  Options options_;
};

TEST_F(Credentials, ARefreshUnderWayDoesNotUndoALogout) {
  auto secrets = open_secrets(paths_, options_);
  ASSERT_TRUE(secrets) << secrets.error().context;
  SecretStore& store = **secrets;
  ASSERT_TRUE(store.set("work", kTokensKey,
                        encode_tokens({.access_token = SecretString("old"),
                                       .refresh_token = SecretString("once"),
                                       .obtained_at = WallTime{},
                                       .expires_at = WallTime{} + std::chrono::seconds(10)})));
  ASSERT_TRUE(store.set("work", kClientSecretKey, SecretString("secret")));

  Gate gate;
  gate.close();
  ScriptedHttpServer server;
  server.handle("/token", [&](const ScriptedRequest&) -> ScriptedAnswer {
    static_cast<void>(gate.pass(CallContext::within(std::chrono::seconds(20))));
    return {.body = R"({"access_token":"new","refresh_token":"next","expires_in":1000})"};
  });
  // The mount's part.
  HttpClientOptions http;
  http.remote = "work";
  CurlHttpClient client(http);
  OAuthTokenSourceOptions source;
  source.remote = "work";
  source.lock_file = token_lock_file(paths_, "work");
  source.client.token_url = server.url("/token");
  OAuthTokenSource tokens(client, store, source);
  auto refresh = std::async(std::launch::async, [&] {
    return tokens.token(CallContext::within(std::chrono::seconds(20)));
  });
  ASSERT_TRUE(gate.wait_for_waiting(1));

  auto logout = std::async(std::launch::async,
                           [&] { return forget_credentials(paths_, store, "work", options_); });
  // It has the lock's file open now, or has not asked for the lock.
  while (open_count(source.lock_file) < 2 &&
         logout.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    std::this_thread::yield();
  }
  gate.open();
  const auto renewed = refresh.get();
  ASSERT_TRUE(renewed) << renewed.error().context;
  EXPECT_EQ(*renewed, "new");
  const auto forgotten = logout.get();
  ASSERT_TRUE(forgotten) << forgotten.error().context;
  for (const char* key : {kTokensKey, kClientSecretKey}) {
    const auto left = store.get("work", key);
    ASSERT_TRUE(left) << left.error().context;
    EXPECT_FALSE(left->has_value()) << key;
  }
}

}  // namespace
}  // namespace cabinetfs
