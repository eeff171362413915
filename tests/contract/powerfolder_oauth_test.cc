// PowerFolder's OAuth, from the consent to the end of the refresh token, over HTTP.

#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "backend/auth/oauth_token_source.h"
#include "backend/auth/secret_store.h"
#include "backend/powerfolder/powerfolder.h"
#include "tests/contract/powerfolder_world.h"

namespace cabinetfs {
namespace {

CallContext within_a_minute() { return CallContext::within(std::chrono::seconds(60)); }

class PowerFolderOAuth : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(directory_);
    store_ = make_file_secret_store(directory_ + "/secrets.json");
    PowerFolderConfig config;
    config.server_url = world_.server().url();
    auto client = powerfolder_oauth_client(config, world_.server().credentials().client_id, {});
    ASSERT_OK(client);
    client_ = *std::move(client);
    client_.redirect_uri = "http://localhost:9999/callback";
    client_.client_secret = SecretString(world_.server().credentials().client_secret);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // What the browser does, and the answer that the loopback address gets.
  std::map<std::string, std::string> consent(const std::string& state, const std::string& answer) {
    HttpRequest request;
    request.url = authorize_url(client_, state, {}) + answer;
    request.redirects = HttpRequest::Redirects::kNone;
    const auto response = world_.plain_http().perform(within_a_minute(), std::move(request));
    EXPECT_TRUE(response) << why(response);
    if (!response || response->find("location") == nullptr) return {};
    return parse_query(*response->find("location"));
  }
  Result<void> log_in() {
    const auto answer = consent("the state", "&user=alice%40example.com&approve=1");
    EXPECT_EQ(answer.at("state"), "the state");
    TRY_ASSIGN(const OAuthTokens tokens,
               exchange_code(world_.plain_http(), within_a_minute(), client_,
                             SecretString(answer.at("code")), {}));
    EXPECT_FALSE(tokens.refresh_token.empty());
    EXPECT_EQ(tokens.expires_in, std::chrono::hours(24));
    return save_login(*store_, "team", directory_ + "/lock", tokens, Clock::system().wall(),
                      within_a_minute());
  }
  StoredTokens saved() { return *decode_tokens(**store_->get("team", kTokensKey)); }
  std::unique_ptr<OAuthTokenSource> source() {
    OAuthTokenSourceOptions options;
    options.remote = "team";
    options.lock_file = directory_ + "/lock";
    options.client = client_;
    return std::make_unique<OAuthTokenSource>(world_.plain_http(), *store_, std::move(options));
  }
  void expire(bool refresh) {
    world_.server().admin("POST", "expire_tokens",
                          nlohmann::json{{"access", true}, {"refresh", refresh}}.dump());
  }

  const std::string directory_ = testing::TempDir() + "powerfolder-oauth-" +
                                 testing::UnitTest::GetInstance()->current_test_info()->name();
  PowerFolderWorld world_{"{}"};
  OAuthClient client_;
  std::unique_ptr<SecretStore> store_;
};

TEST_F(PowerFolderOAuth, ALoginReadsAndWrites) {
  ASSERT_OK(log_in());
  const auto tokens = source();
  const auto store = world_.store_with(*tokens);
  const auto account = store->account(within_a_minute());
  ASSERT_OK(account);
  EXPECT_EQ(account->email, "alice@example.com");
  UploadTarget target;
  target.parent.value = "Work";
  target.name = "a.txt";
  ASSERT_OK(store->put(within_a_minute(), target, as_bytes("hello")));
  EXPECT_EQ(world_.content_of("Work/a.txt"), "hello");
  // The client secret never stood in an address.
  for (const auto& request : world_.admin("requests")) {
    EXPECT_EQ(request.value("query", "").find(client_.client_secret.reveal()), std::string::npos);
  }
}

TEST_F(PowerFolderOAuth, ARefusedConsentGivesNoCode) {
  const auto answer = consent("s", "&deny=1");
  EXPECT_EQ(answer.at("error"), "access_denied");
  EXPECT_EQ(answer.count("code"), 0u);
}

TEST_F(PowerFolderOAuth, ACodeWorksOnce) {
  const auto answer = consent("s", "&user=alice%40example.com&approve=1");
  const SecretString code(answer.at("code"));
  ASSERT_OK(exchange_code(world_.plain_http(), within_a_minute(), client_, code, {}));
  EXPECT_CODE(exchange_code(world_.plain_http(), within_a_minute(), client_, code, {}),
              ErrorCode::kUnauthenticated);
}

TEST_F(PowerFolderOAuth, ADeadAccessTokenIsRenewedOnceForAllAndSavedBeforeUse) {
  for (const bool rotate : {false, true}) {
    world_.settings(rotate ? R"({"rotate_refresh_tokens": true})" : "{}");
    ASSERT_OK(log_in());
    const StoredTokens before = saved();
    const auto tokens = source();
    const auto store = world_.store_with(*tokens);
    ASSERT_OK(store->account(within_a_minute()));
    expire(false);
    world_.reset_requests();
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] { EXPECT_TRUE(store->list(within_a_minute(), {"Work"})); });
      }
    }
    EXPECT_EQ(world_.requests("GET /oauth"), 1u);
    EXPECT_NE(saved().access_token.reveal(), before.access_token.reveal());
    EXPECT_EQ(saved().refresh_token.reveal() != before.refresh_token.reveal(), rotate);
    EXPECT_EQ(tokens->token(within_a_minute()).value_or(""), saved().access_token.reveal());
    // A later start takes what was saved.
    const auto later = source();
    EXPECT_EQ(later->token(within_a_minute()).value_or(""), saved().access_token.reveal());
    EXPECT_EQ(world_.requests("GET /oauth"), 1u);
  }
}

TEST_F(PowerFolderOAuth, ADeadRefreshTokenEndsTheLoginAndIsNotTriedAgain) {
  for (const char* errors : {"json", "html"}) {
    world_.settings(std::string(R"({"oauth_errors": ")") + errors + "\"}");
    ASSERT_OK(log_in());
    const auto tokens = source();
    const auto store = world_.store_with(*tokens);
    ASSERT_OK(store->account(within_a_minute()));
    const std::string secret = saved().refresh_token.reveal();
    expire(true);
    world_.reset_requests();
    for (int i = 0; i < 4; ++i) {
      const auto listed = store->list(within_a_minute(), {"Work"});
      EXPECT_CODE(listed, ErrorCode::kUnauthenticated);
      ASSERT_FALSE(listed);
      EXPECT_THAT(listed.error().context, testing::HasSubstr("cabinetfs login team"));
      EXPECT_EQ(listed.error().context.find(secret), std::string::npos);
    }
    EXPECT_EQ(world_.requests("GET /oauth"), 1u) << "accounts may be locked by more";
    // A new login helps without a new mount.
    ASSERT_OK(log_in());
    ASSERT_OK(store->list(within_a_minute(), {"Work"}));
  }
}

}  // namespace
}  // namespace cabinetfs
