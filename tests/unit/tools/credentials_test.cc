#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <sstream>
#include <thread>

#include "backend/auth/oauth_token_source.h"
#include "backend/auth/secret_store.h"
#include "backend/http/curl_client.h"
#include "backend/kenesto/kenesto.h"
#include "tests/support/gate.h"
#include "tests/support/scripted_http_server.h"
#include "tools/cabinetfs/commands.h"
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

// After a login on a desktop, from where its keyring is not reachable.
class KeyringOutOfReach : public Credentials {
 protected:
  void SetUp() override {
    Credentials::SetUp();
    if (const char* bus = std::getenv("DBUS_SESSION_BUS_ADDRESS")) bus_ = bus;
    ::setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
    options_.remote.secret_store = RemoteOptions::Secrets::kAutomatic;
    options_.remote.url = server_.url("");
    options_.remote.client_id = "id";
    options_.remote.user = "me@example.com";
    http_options_.remote = "work";
    http_ = std::make_unique<CurlHttpClient>(http_options_);
  }
  void TearDown() override {
    if (bus_.empty())
      ::unsetenv("DBUS_SESSION_BUS_ADDRESS");
    else
      ::setenv("DBUS_SESSION_BUS_ADDRESS", bus_.c_str(), 1);
    Credentials::TearDown();
  }
  void open(std::initializer_list<const char*> in_keyring) {
    const auto file = make_file_secret_store(paths_.secrets_file());
    for (const char* key : in_keyring)
      ASSERT_TRUE(file->set("work", std::string(key) + "@keyring", SecretString("yes")));
    auto secrets = open_secrets(paths_, options_);
    ASSERT_TRUE(secrets) << secrets.error().context;
    secrets_ = *std::move(secrets);
  }
  Result<void> log_in(const Vendor& vendor, bool token, const std::string& lines) {
    LoginCommand command;
    command.remote = "work";
    command.secret_stdin = true;
    command.token = token;
    std::istringstream in(lines);
    std::streambuf* const before = std::cin.rdbuf(in.rdbuf());
    auto done = vendor.log_in({paths_, command, options_, *secrets_, *http_});
    std::cin.rdbuf(before);
    std::cin.clear();
    return done;
  }
  std::string value_of(const char* key) {
    const auto value = secrets_->get("work", key);
    return !value ? to_string(value.error()) : *value ? (*value)->reveal() : "none";
  }

  std::string bus_;
  ScriptedHttpServer server_;
  HttpClientOptions http_options_;
  std::unique_ptr<HttpClient> http_;
  std::unique_ptr<SecretStore> secrets_;
};

TEST_F(KeyringOutOfReach, ASignedAssertionNeedsNothingFromIt) {
  options_.remote.auth = RemoteOptions::Auth::kJwt;
  options_.remote.jwt_key_file = dir_ + "/key.pem";
  open({kTokensKey, kClientSecretKey});
  const auto account = kiteworks_vendor().open(paths_, "work", options_, *http_, *secrets_);
  EXPECT_TRUE(account) << account.error().context;
  EXPECT_EQ(value_of(kTokensKey), "none");
  ASSERT_TRUE(secrets_->set("work", kTokensKey, SecretString("{}")));
  EXPECT_EQ(value_of(kTokensKey), "{}");
}

TEST_F(KeyringOutOfReach, ANewLoginDoesNotAskForTheOldSecret) {
  server_.handle("/oauth/token", [](const ScriptedRequest&) -> ScriptedAnswer {
    return {.body = R"({"access_token":"new","refresh_token":"next","expires_in":1000})"};
  });
  open({kTokensKey, kClientSecretKey});
  const auto done = log_in(kiteworks_vendor(), false, "secret\nrefresh\n");
  ASSERT_TRUE(done) << done.error().context;
  EXPECT_EQ(value_of(kClientSecretKey), "secret");
  EXPECT_TRUE(kiteworks_vendor().check_credentials(*secrets_, "work", options_));
}

TEST_F(KeyringOutOfReach, AnEarlierSecretThatCannotBeReadIsNone) {
  open({kClientSecretKey});
  LoginCommand command;
  command.remote = "work";
  const LoginContext login{paths_, command, options_, *secrets_, *http_};
  const auto secret = earlier_secret(login, kClientSecretKey);
  ASSERT_TRUE(secret) << secret.error().context;
  EXPECT_FALSE(secret->has_value());
  ASSERT_TRUE(secrets_->set("work", kClientSecretKey, SecretString("known")));
  EXPECT_EQ((*earlier_secret(login, kClientSecretKey))->reveal(), "known");
}

TEST_F(KeyringOutOfReach, AKenestoTokenIsTakenAlthoughAPasswordStaysBehind) {
  options_.remote.vendor = "kenesto";
  open({"access_key", "password"});
  const auto done = log_in(kenesto_vendor(), true, "token\n");
  ASSERT_TRUE(done) << done.error().context;
  EXPECT_TRUE(kenesto_vendor().check_credentials(*secrets_, "work", options_));
}

TEST_F(KeyringOutOfReach, AKenestoTokenThatStaysBehindWouldCountMoreThanAPassword) {
  options_.remote.vendor = "kenesto";
  server_.handle("/Kenesto.Web.API/Access.svc/Authenticate/json/key", [](const ScriptedRequest&) {
    return ScriptedAnswer{.body = R"({"AuthenticateJsonResult":{"ResponseStatus":"OK","Token":"a",
        "Organizations":[{"OrganizationIdentifier":"org","IsDefault":true}]}})"};
  });
  server_.handle("/Kenesto.Web.API/Access.svc/Login/json/org", [](const ScriptedRequest&) {
    return ScriptedAnswer{.body = R"({"LoginJsonResult":{"ResponseStatus":"OK","Token":"b"}})"};
  });
  open({kKenestoSessionToken});
  const auto done = log_in(kenesto_vendor(), false, "key\npassword\n");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kIo) << done.error().context;
}

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
