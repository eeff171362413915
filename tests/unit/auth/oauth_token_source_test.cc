#include "backend/auth/oauth_token_source.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <fstream>
#include <set>
#include <thread>

#include "backend/auth/file_lock.h"
#include "backend/auth/secret_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scripted_http_server.h"
#include "tests/support/test_certificates.h"
#include "tests/unit/auth/auth_test_util.h"

extern char** environ;

namespace cabinetfs {
namespace {

// Refuses to save on demand.
class MoodyStore final : public SecretStore {
 public:
  explicit MoodyStore(std::string path) : file_(make_file_secret_store(std::move(path))) {}
  Result<std::optional<SecretString>> get(std::string_view remote, std::string_view key) override {
    return file_->get(remote, key);
  }
  Result<void> set(std::string_view remote, std::string_view key,
                   const SecretString& value) override {
    if (full) return fail(ErrorCode::kNoSpace, "disk full");
    return file_->set(remote, key, value);
  }
  Result<void> erase(std::string_view remote, std::string_view key) override {
    return file_->erase(remote, key);
  }
  std::string description() const override { return "moody"; }

  std::atomic<bool> full = false;

 private:
  std::unique_ptr<SecretStore> file_;
};

class OAuthTokenSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    server_.handle("/token", [this](const ScriptedRequest& request) { return answer(request); });
    save({.access_token = SecretString("a0"),
          .refresh_token = SecretString("r0"),
          .obtained_at = clock_.wall(),
          .expires_at = clock_.wall() + std::chrono::seconds(1000)});
  }

  // A server with strict rotation: each refresh token works once.
  ScriptedAnswer answer(const ScriptedRequest& request) {
    const auto form = parse_query(request.body);
    MutexLock lock(mutex_);
    if (form.at("grant_type") == "refresh_token" &&
        form.at("refresh_token") != "r" + std::to_string(issued_)) {
      return {.status = 400, .body = R"({"error":"invalid_grant"})"};
    }
    ++issued_;
    const std::string n = std::to_string(issued_);
    return {.body = R"({"access_token":"a)" + n + R"(","refresh_token":"r)" + n +
                    R"(","expires_in":"1000"})"};
  }

  void save(const StoredTokens& tokens) {
    ASSERT_TRUE(store_.set("work", kTokensKey, encode_tokens(tokens)).has_value());
  }
  StoredTokens saved() { return *decode_tokens(**store_.get("work", kTokensKey)); }

  OAuthTokenSourceOptions options() {
    OAuthTokenSourceOptions options;
    options.remote = "work";
    options.lock_file = directory_.file("lock");
    options.client.token_url = server_.url("/token");
    options.client.client_id = "id";
    return options;
  }
  std::unique_ptr<OAuthTokenSource> make() {
    return std::make_unique<OAuthTokenSource>(http_, store_, options(), clock_);
  }
  void age(int seconds) { clock_.advance(std::chrono::seconds(seconds)); }

  TemporaryDirectory directory_;
  FakeClock clock_;
  Mutex mutex_;
  int issued_ GUARDED_BY(mutex_) = 0;
  ScriptedHttpServer server_;
  CurlHttpClient http_{quick_http()};
  MoodyStore store_{directory_.file("credentials.json")};
};

TEST_F(OAuthTokenSourceTest, StoredTokenIsUsedWithoutAskingTheServer) {
  const auto tokens = make();
  EXPECT_EQ(*tokens->token(soon()), "a0");
  EXPECT_EQ(server_.hits("/token"), 0u);
}

TEST_F(OAuthTokenSourceTest, ExpiredTokenIsRefreshedAndSavedBeforeUse) {
  age(1001);
  const auto tokens = make();
  EXPECT_EQ(*tokens->token(soon()), "a1");
  EXPECT_EQ(saved().access_token.reveal(), "a1");
  EXPECT_EQ(saved().refresh_token.reveal(), "r1");
  EXPECT_EQ(saved().expires_at, clock_.wall() + std::chrono::seconds(1000));
}

TEST_F(OAuthTokenSourceTest, RefreshedAheadOfTimeWhileTheOldOneServes) {
  std::atomic<bool> hold = true;
  server_.handle("/token", [&, this](const ScriptedRequest& request) {
    hold.wait(true);
    return answer(request);
  });
  const auto tokens = make();
  EXPECT_EQ(*tokens->token(soon()), "a0");
  age(799);
  EXPECT_EQ(*tokens->token(soon()), "a0");
  EXPECT_EQ(server_.hits("/token"), 0u);
  age(2);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(*tokens->token(soon()), "a0");
  EXPECT_TRUE(server_.wait_for_hits("/token", 1));
  hold = false;
  hold.notify_all();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (*tokens->token(soon()) == "a0" && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(*tokens->token(soon()), "a1");
  EXPECT_EQ(server_.hits("/token"), 1u);
}

TEST_F(OAuthTokenSourceTest, OneRefreshForSixteenThreads) {
  const auto tokens = make();
  ASSERT_EQ(*tokens->token(soon()), "a0");
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&] {
        tokens->invalidate("a0");  // all of them had a 401
        const auto token = tokens->token(soon());
        if (token && *token == "a1") ++good;
      });
    }
  }
  EXPECT_EQ(good, 16);
  EXPECT_EQ(server_.hits("/token"), 1u);
}

TEST_F(OAuthTokenSourceTest, LateRejectionOfAnOldTokenCostsNothing) {
  const auto tokens = make();
  ASSERT_EQ(*tokens->token(soon()), "a0");
  tokens->invalidate("a0");
  EXPECT_EQ(*tokens->token(soon()), "a1");
  tokens->invalidate("a0");
  EXPECT_EQ(*tokens->token(soon()), "a1");
  EXPECT_EQ(server_.hits("/token"), 1u);
}

TEST_F(OAuthTokenSourceTest, AnotherHolderOfTheSameFilesIsBelieved) {
  const auto first = make();
  const auto second = make();
  ASSERT_EQ(*first->token(soon()), "a0");
  ASSERT_EQ(*second->token(soon()), "a0");
  first->invalidate("a0");
  second->invalidate("a0");
  std::jthread thread([&] { EXPECT_EQ(*first->token(soon()), "a1"); });
  EXPECT_EQ(*second->token(soon()), "a1");
  thread.join();
  EXPECT_EQ(server_.hits("/token"), 1u);
}

TEST_F(OAuthTokenSourceTest, TwoProcessesCostOneRefresh) {
  // The helpers live in real time, in which the stored token has expired long ago.
  save({.access_token = SecretString("a0"),
        .refresh_token = SecretString("r0"),
        .obtained_at = WallTime{},
        .expires_at = WallTime{} + std::chrono::seconds(10)});
  std::vector<pid_t> helpers;
  for (int i = 0; i < 2; ++i) {
    std::vector<std::string> arguments = {TOKEN_HELPER, server_.url("/token"),
                                          directory_.file("credentials.json"),
                                          directory_.file("lock")};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const std::string out = directory_.file("out" + std::to_string(i));
    posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
    pid_t pid = 0;
    ASSERT_EQ(::posix_spawn(&pid, TOKEN_HELPER, &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    helpers.push_back(pid);
  }
  for (const pid_t pid : helpers) {
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  for (int i = 0; i < 2; ++i) {
    std::string token;
    std::ifstream(directory_.file("out" + std::to_string(i))) >> token;
    EXPECT_EQ(token, "a1");
  }
  EXPECT_EQ(server_.hits("/token"), 1u);
  EXPECT_EQ(saved().refresh_token.reveal(), "r1");
}

TEST_F(OAuthTokenSourceTest, DeadLoginIsSaidOnceAndANewLoginHelps) {
  save({.access_token = SecretString("a0"), .refresh_token = SecretString("stale")});
  const auto tokens = make();
  for (int i = 0; i < 3; ++i) {
    const auto token = tokens->token(soon());
    ASSERT_FALSE(token.has_value());
    EXPECT_EQ(token.error().code, ErrorCode::kUnauthenticated);
    EXPECT_THAT(token.error().context, testing::HasSubstr("cabinetfs login work"));
    EXPECT_EQ(token.error().context.find("stale"), std::string::npos);
  }
  EXPECT_EQ(server_.hits("/token"), 1u);
  OAuthTokens fresh;
  fresh.access_token = SecretString("login");
  fresh.refresh_token = SecretString("r0");
  ASSERT_TRUE(save_login(store_, "work", directory_.file("lock"), fresh, clock_.wall(), soon())
                  .has_value());
  EXPECT_EQ(*tokens->token(soon()), "login");
}

TEST_F(OAuthTokenSourceTest, NobodyLoggedIn) {
  ASSERT_TRUE(store_.erase("work", kTokensKey).has_value());
  const auto token = make()->token(soon());
  ASSERT_FALSE(token.has_value());
  EXPECT_EQ(token.error().code, ErrorCode::kUnauthenticated);
  EXPECT_EQ(server_.hits("/token"), 0u);
}

TEST_F(OAuthTokenSourceTest, UnreachableServerLeavesALivingTokenInUse) {
  server_.script("/token", {{.kind = ScriptedAnswer::Kind::kDrop}});
  const auto tokens = make();
  ASSERT_EQ(*tokens->token(soon()), "a0");
  age(900);
  EXPECT_EQ(*tokens->token(soon()), "a0");
  EXPECT_TRUE(server_.wait_for_hits("/token", 1));
  // The next try waits for its time, however many requests want a token.
  for (int i = 0; i < 50; ++i) EXPECT_EQ(*tokens->token(soon()), "a0");
  age(101);
  const auto dead = tokens->token(soon());
  ASSERT_FALSE(dead.has_value());
  EXPECT_EQ(dead.error().code, ErrorCode::kUnavailable);
  EXPECT_LE(server_.hits("/token"), 3u);
}

TEST_F(OAuthTokenSourceTest, UnsavedPairIsNotUsedAndNotLost) {
  age(1001);
  store_.full = true;
  const auto tokens = make();
  const auto refused = tokens->token(soon());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(saved().refresh_token.reveal(), "r0");
  EXPECT_EQ(refused.error().context.find("a1"), std::string::npos);
  store_.full = false;
  EXPECT_EQ(*tokens->token(soon()), "a1");
  EXPECT_EQ(saved().refresh_token.reveal(), "r1");
  EXPECT_EQ(server_.hits("/token"), 1u);
}

TEST_F(OAuthTokenSourceTest, UnsavedPairDoesNotUndoALogoutOrALogin) {
  age(1001);
  store_.full = true;
  auto tokens = make();
  ASSERT_FALSE(tokens->token(soon()).has_value());
  ASSERT_TRUE(store_.erase("work", kTokensKey).has_value());
  store_.full = false;
  const auto logged_out = tokens->token(soon());
  ASSERT_FALSE(logged_out.has_value());
  EXPECT_EQ(logged_out.error().code, ErrorCode::kUnauthenticated);
  EXPECT_FALSE(store_.get("work", kTokensKey)->has_value());
  EXPECT_EQ(server_.hits("/token"), 1u);

  save({.access_token = SecretString("a1"), .refresh_token = SecretString("r1")});
  store_.full = true;
  tokens = make();
  ASSERT_FALSE(tokens->token(soon()).has_value());
  store_.full = false;
  OAuthTokens fresh;
  fresh.access_token = SecretString("login");
  fresh.refresh_token = SecretString("r0");
  ASSERT_TRUE(save_login(store_, "work", directory_.file("lock"), fresh, clock_.wall(), soon())
                  .has_value());
  EXPECT_EQ(*tokens->token(soon()), "login");
  EXPECT_EQ(saved().access_token.reveal(), "login");
}

TEST_F(OAuthTokenSourceTest, KeepsTheOldRefreshTokenWhenNoneIsGiven) {
  server_.script("/token", {{.body = R"({"access_token":"x1","expires_in":100})"}});
  age(1001);
  EXPECT_EQ(*make()->token(soon()), "x1");
  EXPECT_EQ(saved().refresh_token.reveal(), "r0");
}

TEST_F(OAuthTokenSourceTest, CallersGiveUpTheRefreshGoesOn) {
  std::atomic<bool> hold = true;
  server_.handle("/token", [&, this](const ScriptedRequest& request) {
    hold.wait(true);
    return answer(request);
  });
  age(1001);
  auto tokens = make();
  const auto late = tokens->token(CallContext::within(std::chrono::milliseconds(50)));
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, ErrorCode::kTimeout);
  CancelSource source;
  source.cancel();
  CallContext cancelled = soon();
  cancelled.cancel = source.token();
  EXPECT_EQ(tokens->token(cancelled).error().code, ErrorCode::kCancelled);
  CallContext impatient = soon();
  impatient.may_block = false;
  EXPECT_EQ(tokens->token(impatient).error().code, ErrorCode::kWouldBlock);
  ASSERT_TRUE(server_.wait_for_hits("/token", 1));
  hold = false;
  hold.notify_all();
  tokens.reset();  // brings the running refresh home
  EXPECT_EQ(saved().refresh_token.reveal(), "r1");
}

TEST_F(OAuthTokenSourceTest, WaitsForTheLockWithADeadline) {
  const auto lock = FileLock::acquire(directory_.file("lock"), soon());
  ASSERT_TRUE(lock.has_value());
  age(1001);
  OAuthTokenSourceOptions quick = options();
  quick.refresh_timeout = std::chrono::milliseconds(60);
  OAuthTokenSource tokens(http_, store_, quick, clock_);
  const auto token = tokens.token(soon());
  ASSERT_FALSE(token.has_value());
  EXPECT_EQ(token.error().code, ErrorCode::kTimeout);
  EXPECT_EQ(server_.hits("/token"), 0u);
}

TEST_F(OAuthTokenSourceTest, SignsAssertionsWhereTheRemoteIsSetUpForThem) {
  const std::string key_file = directory_.file("key.pem");
  std::ofstream(key_file) << make_rsa_key_pair().private_key;
  std::filesystem::permissions(key_file, std::filesystem::perms(0600));
  ASSERT_TRUE(store_.erase("work", kTokensKey).has_value());
  OAuthTokenSourceOptions jwt = options();
  jwt.jwt = {.claims = {.issuer = "i", .subject = "s", .audience = "a"},
             .private_key_file = key_file};
  OAuthTokenSource tokens(http_, store_, jwt, clock_);
  EXPECT_EQ(*tokens.token(soon()), "a1");
  const auto form = parse_query(server_.requests().at(0).body);
  EXPECT_EQ(form.at("grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
  EXPECT_EQ(std::count(form.at("assertion").begin(), form.at("assertion").end(), '.'), 2);
  tokens.invalidate("a1");
  EXPECT_EQ(*tokens.token(soon()), "a2");
}

TEST_F(OAuthTokenSourceTest, ARefusedAssertionIsNoReasonToLogIn) {
  const std::string key_file = directory_.file("key.pem");
  std::ofstream(key_file) << make_rsa_key_pair().private_key;
  std::filesystem::permissions(key_file, std::filesystem::perms(0600));
  server_.handle("/token", [](const ScriptedRequest&) {
    return ScriptedAnswer{.status = 400, .body = R"({"error":"invalid_grant"})"};
  });
  age(1001);
  OAuthTokenSourceOptions jwt = options();
  jwt.jwt = {.claims = {.issuer = "i", .subject = "s", .audience = "a"},
             .private_key_file = key_file};
  OAuthTokenSource tokens(http_, store_, jwt, clock_);
  const auto refused = tokens.token(soon());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnauthenticated);
  EXPECT_THAT(refused.error().context, testing::HasSubstr("jwt_key_file"));
  EXPECT_THAT(refused.error().context, testing::Not(testing::HasSubstr("run `cabinetfs login")));
}

TEST_F(OAuthTokenSourceTest, AClientSecretThatWasReplacedIsUsedFromTheNextRefreshOn) {
  ASSERT_TRUE(store_.set("work", kClientSecretKey, SecretString("first")).has_value());
  OAuthTokenSourceOptions opened = options();
  opened.client.client_secret = SecretString("first");
  OAuthTokenSource tokens(http_, store_, opened, clock_);
  age(1001);
  EXPECT_EQ(*tokens.token(soon()), "a1");
  ASSERT_TRUE(store_.set("work", kClientSecretKey, SecretString("second")).has_value());
  age(1001);
  EXPECT_EQ(*tokens.token(soon()), "a2");
  const auto seen = server_.requests();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(parse_query(seen[0].body).at("client_secret"), "first");
  EXPECT_EQ(parse_query(seen[1].body).at("client_secret"), "second");
}

TEST(StoredTokens, DamageIsNoToken) {
  for (const char* bad : {"", "x", "[]", "{}", R"({"access_token":1})",
                          R"({"access_token":"a","expires_at":99999999999999})",
                          R"({"access_token":"a","obtained_at":-5})"}) {
    EXPECT_FALSE(decode_tokens(SecretString(bad)).has_value()) << bad;
  }
}

}  // namespace
}  // namespace cabinetfs
