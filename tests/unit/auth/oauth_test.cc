#include "backend/auth/oauth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/base/text.h"
#include "tests/support/scripted_http_server.h"
#include "tests/unit/auth/auth_test_util.h"

namespace cabinetfs {
namespace {

TEST(OAuth, PkceVectorOfTheRfc) {
  EXPECT_EQ(pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

TEST(OAuth, PkceIsNewEachTime) {
  const auto first = make_pkce();
  const auto second = make_pkce();
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(first->verifier.reveal().size(), 43u);  // 32 bytes
  EXPECT_EQ(first->challenge, pkce_challenge(first->verifier.reveal()));
  EXPECT_NE(first->verifier.reveal(), second->verifier.reveal());
}

TEST(OAuth, AuthorizeUrlIsEncoded) {
  OAuthClient client;
  client.authorize_url = "https://h/oauth/authorize";
  client.client_id = "a b";
  client.redirect_uri = "http://localhost:9999/callback";
  const std::string url = authorize_url(client, "st&te", "ch");
  EXPECT_TRUE(url.starts_with("https://h/oauth/authorize?")) << url;
  const auto query = parse_query(url);
  EXPECT_EQ(query.at("response_type"), "code");
  EXPECT_EQ(query.at("client_id"), "a b");
  EXPECT_EQ(query.at("redirect_uri"), client.redirect_uri);
  EXPECT_EQ(query.at("state"), "st&te");
  EXPECT_EQ(query.at("code_challenge"), "ch");
  EXPECT_EQ(query.at("code_challenge_method"), "S256");
  EXPECT_EQ(query.count("scope"), 0u);
}

TEST(OAuth, ReadsTokensTolerantly) {
  const auto plain = parse_token_answer(
      200, R"({"access_token":"a","refresh_token":"r","expires_in":3600,"token_type":"Bearer",
               "scope":"files/*","extra":{"x":[1]}})");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->access_token.reveal(), "a");
  EXPECT_EQ(plain->refresh_token.reveal(), "r");
  EXPECT_EQ(plain->expires_in, std::chrono::seconds(3600));
  EXPECT_EQ(plain->scope, "files/*");
  const auto text = parse_token_answer(
      201, R"({"access_token":"a","expires_in":"360000","token_type":"BEARER","scope":null})");
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(text->expires_in, std::chrono::seconds(360'000));
  EXPECT_TRUE(text->refresh_token.empty());
  for (const char* odd : {"null", "\"soon\"", "-1", "0", "\"\"", "[]", "\"12x\""}) {
    const auto tokens =
        parse_token_answer(200, std::string(R"({"access_token":"a","expires_in":)") + odd + "}");
    ASSERT_TRUE(tokens.has_value()) << odd;
    EXPECT_FALSE(tokens->expires_in.has_value()) << odd;
  }
  EXPECT_EQ(parse_token_answer(200, R"({"access_token":"a","expires_in":1e300})")->expires_in,
            std::chrono::seconds(320'000'000));
}

TEST(OAuth, ErrorsSayWhoHasToDoWhat) {
  const auto code = [](int status, const char* body) {
    const auto tokens = parse_token_answer(status, body);
    return tokens ? ErrorCode::kInternal : tokens.error().code;
  };
  EXPECT_EQ(code(400, R"({"error":"invalid_grant"})"), ErrorCode::kUnauthenticated);
  EXPECT_EQ(code(400, R"({"error":"invalid_client"})"), ErrorCode::kDenied);
  EXPECT_EQ(code(400, R"({"error":"unauthorized_client"})"), ErrorCode::kDenied);
  EXPECT_EQ(code(400, R"({"error":"temporarily_unavailable"})"), ErrorCode::kUnavailable);
  EXPECT_EQ(code(503, R"({"error":"busy"})"), ErrorCode::kUnavailable);
  EXPECT_EQ(code(429, R"({})"), ErrorCode::kUnavailable);
  EXPECT_EQ(code(401, R"({})"), ErrorCode::kUnauthenticated);
  EXPECT_EQ(code(502, "<html>bad gateway</html>"), ErrorCode::kUnavailable);
  EXPECT_EQ(code(403, "<html>blocked</html>"), ErrorCode::kUnavailable);
  EXPECT_EQ(code(200, "[]"), ErrorCode::kUnavailable);
  EXPECT_EQ(code(200, R"({"scope":"x"})"), ErrorCode::kCorrupt);
  EXPECT_EQ(code(200, R"({"access_token":"a","token_type":"mac"})"), ErrorCode::kNotSupported);
  const auto described = parse_token_answer(
      400, R"({"error":"invalid_grant","error_description":"Invalid\u0007 refresh token"})");
  EXPECT_THAT(described.error().context, testing::HasSubstr("Invalid  refresh token"));
}

TEST(OAuth, SendsFormsAndNoSecretLeaks) {
  ScriptedHttpServer server;
  server.script("/token", {{.body = R"({"access_token":"hush-a","refresh_token":"hush-r"})"},
                           {.status = 400, .body = R"({"error":"invalid_grant"})"},
                           {.status = 500, .body = "{}"}});
  CurlHttpClient http(quick_http());
  OAuthClient client;
  client.token_url = server.url("/token");
  client.client_id = "id";
  client.client_secret = SecretString("hush&s");
  client.redirect_uri = "http://localhost:9999/callback";
  const auto tokens =
      exchange_code(http, soon(), client, SecretString("hush-c"), SecretString("v"));
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->access_token.reveal(), "hush-a");
  const auto form = parse_query(server.requests().at(0).body);
  EXPECT_EQ(form.at("grant_type"), "authorization_code");
  EXPECT_EQ(form.at("code"), "hush-c");
  EXPECT_EQ(form.at("client_secret"), "hush&s");
  EXPECT_EQ(form.at("code_verifier"), "v");
  EXPECT_EQ(server.requests().at(0).headers.at("content-type"),
            "application/x-www-form-urlencoded");
  const auto refused = refresh_tokens(http, soon(), client, SecretString("hush-r"));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnauthenticated);
  EXPECT_EQ(refused.error().context.find("hush"), std::string::npos);
  // A refresh token may be used once, so a failure is not repeated.
  const auto failed = refresh_tokens(http, soon(), client, SecretString("hush-r"));
  EXPECT_EQ(failed.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(server.hits("/token"), 3u);
  client.client_secret = SecretString();
  ASSERT_FALSE(exchange_assertion(http, soon(), client, SecretString("j")).has_value());
  const auto public_form = parse_query(server.requests().back().body);
  EXPECT_EQ(public_form.at("assertion"), "j");
  EXPECT_EQ(public_form.count("client_secret"), 0u);
}

class RefreshByAddress : public testing::Test {
 protected:
  RefreshByAddress() {
    client_.token_url = server_.url("/oauth/token");
    client_.refresh_address = server_.url("/oauth");
    client_.client_id = "the app";
    client_.client_secret = SecretString("hush-secret");
    client_.plain_refusals = true;
  }
  Result<OAuthTokens> refresh() {
    return refresh_tokens(http_, soon(), client_, SecretString("hush+refresh/1"));
  }

  ScriptedHttpServer server_;
  CurlHttpClient http_{quick_http()};
  OAuthClient client_;
};

TEST_F(RefreshByAddress, IsAGetWithTheThreeParameters) {
  server_.script("/oauth", {{.body = R"({"access_token":"a","expires_in":86400})"}});
  const auto tokens = refresh();
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->expires_in, std::chrono::seconds(86'400));
  const ScriptedRequest sent = server_.requests().at(0);
  EXPECT_EQ(sent.method, "GET");
  EXPECT_TRUE(sent.body.empty());
  EXPECT_EQ(parse_query(sent.target),
            (std::map<std::string, std::string>{{"grant_type", "refresh_token"},
                                                {"client_id", "the app"},
                                                {"refresh_token", "hush+refresh/1"}}));
}

// It spends the token, GET or not.
TEST_F(RefreshByAddress, IsNeverRepeated) {
  server_.script("/oauth", {{.kind = ScriptedAnswer::Kind::kDrop}, {.body = "{}"}});
  EXPECT_EQ(refresh().error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(server_.hits("/oauth"), 1u);
  server_.script("/oauth", {{.status = 503, .body = "busy"}, {.body = "{}"}});
  EXPECT_EQ(refresh().error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(server_.hits("/oauth"), 2u);
}

TEST_F(RefreshByAddress, NoErrorTellsTheToken) {
  const char* const echoes[] = {
      R"({"error":"invalid_grant","error_description":"GET /oauth?refresh_token=hush+refresh/1"})",
      R"({"error":"invalid_grant","error_description":"no such thing: hush%2Brefresh%2F1"})",
      R"({"error":"hush+refresh/1"})"};
  for (const char* echo : echoes) {
    server_.script("/oauth", {{.status = 400, .body = echo}});
    const auto refused = refresh();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().context.find("hush"), std::string::npos) << refused.error().context;
  }
  server_.script("/oauth", {{.kind = ScriptedAnswer::Kind::kDrop}});
  const auto lost = refresh();
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().context.find("hush"), std::string::npos) << lost.error().context;
  EXPECT_EQ(lost.error().context.find("refresh_token="), std::string::npos);
}

TEST_F(RefreshByAddress, ARefusalMayBeAStatusAndAPage) {
  for (const auto& [status, code] :
       {std::pair(400, ErrorCode::kUnauthenticated), std::pair(401, ErrorCode::kUnauthenticated),
        std::pair(403, ErrorCode::kUnavailable), std::pair(502, ErrorCode::kUnavailable),
        std::pair(200, ErrorCode::kUnavailable)}) {
    server_.script("/oauth", {{.status = status, .body = "<html>no</html>"}});
    EXPECT_EQ(refresh().error().code, code) << status;
  }
}

TEST(OAuth, ParsesQueries) {
  const auto query = parse_query("/cb?a=1&b=%20x+y&c&a=2&d=%zz&e=%4#frag");
  EXPECT_EQ(query.at("a"), "1");
  EXPECT_EQ(query.at("b"), " x y");
  EXPECT_EQ(query.at("c"), "");
  EXPECT_EQ(query.at("d"), "%zz");
  EXPECT_EQ(query.at("e"), "%4");
}

}  // namespace
}  // namespace cabinetfs
