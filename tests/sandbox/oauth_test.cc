#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <ctime>

#include "tests/sandbox/server_test.h"
#include "tools/sandbox/kiteworks/jwt.h"

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

constexpr const char* kVerifier = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJ";

class OAuthTest : public ServerTest {
 protected:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  Reply token(Client& client, Fields fields) const {
    fields.emplace_back("client_id", server_->credentials().client_id);
    fields.emplace_back("client_secret", server_->credentials().client_secret);
    return client.form("/oauth/token", fields);
  }
  std::string code(Client& client,
                   const std::string& more = "&user=alice@example.com&approve=1") const {
    const Reply reply = client.get(authorize(more));
    const std::string location = reply.headers.at("location");
    return location.substr(location.find("code=") + 5, 40);
  }
  static std::string authorize(const std::string& more) {
    return "/oauth/authorize?client_id=sandbox-client&response_type=code&state=st%20ate"
           "&redirect_uri=http%3A%2F%2F127.0.0.1%3A9999%2Fcallback&code_challenge_method=S256&code_"
           "challenge=" +
           kiteworks::pkce_challenge(kVerifier) + more;
  }
};

TEST_F(OAuthTest, CodeFlowWithPkceGivesATokenThatWorks) {
  Client client(start().url(), "");
  const Reply redirect = client.get(authorize("&user=bob@example.com&approve=1"));
  ASSERT_EQ(redirect.status, 302);
  const std::string location = redirect.headers.at("location");
  EXPECT_EQ(location.rfind("http://127.0.0.1:9999/callback?code=", 0), 0U);
  EXPECT_NE(location.find("&state=st%20ate"), std::string::npos);
  const Reply reply = token(client, {{"grant_type", "authorization_code"},
                                     {"code", location.substr(location.find("code=") + 5, 40)},
                                     {"redirect_uri", "http://127.0.0.1:9999/callback"},
                                     {"code_verifier", kVerifier}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json().at("expires_in"), 3600);
  EXPECT_EQ(reply.headers.at("cache-control"), "no-store");
  client.token = reply.json().at("access_token");
  EXPECT_EQ(client.get("/rest/users/me").json().at("email"), "bob@example.com");
}

TEST_F(OAuthTest, CodeIsRefusedWithAWrongVerifierAndWorksOnce) {
  Client client(start().url(), "");
  const auto exchange = [&](const std::string& value, const std::string& verifier) {
    return token(client, {{"grant_type", "authorization_code"},
                          {"code", value},
                          {"redirect_uri", "http://127.0.0.1:9999/callback"},
                          {"code_verifier", verifier}});
  };
  const std::string first = code(client);
  const Reply wrong = exchange(first, std::string(43, 'x'));
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.error_code(), "invalid_grant");
  EXPECT_EQ(exchange(first, kVerifier).status, 400) << "a code is used up by a failed exchange";
  const std::string second = code(client);
  EXPECT_EQ(exchange(second, kVerifier).status, 200);
  EXPECT_EQ(exchange(second, kVerifier).status, 400);
}

TEST_F(OAuthTest, RefusalsAreRedirectedButNotToAnUnknownAddress) {
  Client client(start().url(), "");
  EXPECT_NE(client.get(authorize("&deny=1")).headers.at("location").find("error=access_denied"),
            std::string::npos);
  const Reply unknown = client.get(
      "/oauth/"
      "authorize?client_id=sandbox-client&response_type=code&redirect_uri=http%3A%2F%2Fevil."
      "example");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(unknown.headers.count("location"), 0U);
  const Reply form = client.get(authorize("&login_hint=bob@example.com"));
  EXPECT_EQ(form.status, 200);
  EXPECT_NE(form.body.find("bob@example.com"), std::string::npos);
}

TEST_F(OAuthTest, RefreshTokenWorksOnceAndASecondUseRevokesTheFamily) {
  Client client(start().url(), "");
  const std::string first = server_->credentials().users[0].refresh_token;
  const Reply renewed = token(client, {{"grant_type", "refresh_token"}, {"refresh_token", first}});
  ASSERT_EQ(renewed.status, 200);
  const std::string second = renewed.json().at("refresh_token");
  EXPECT_NE(second, first);
  client.token = renewed.json().at("access_token");
  EXPECT_EQ(client.get("/rest/users/me").status, 200);
  const Reply again = token(client, {{"grant_type", "refresh_token"}, {"refresh_token", first}});
  EXPECT_EQ(again.status, 400);
  EXPECT_EQ(again.error_code(), "invalid_grant");
  EXPECT_EQ(token(client, {{"grant_type", "refresh_token"}, {"refresh_token", second}}).status,
            400);
  EXPECT_EQ(client.get("/rest/users/me").status, 401);
}

TEST_F(OAuthTest, ExpiredTokenIs401AndRefreshHelps) {
  Client client = Client::of(start());
  admin("POST", "expire_tokens");
  const Reply refused = client.get("/rest/users/me");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.error_code(), "ERR_AUTH_UNAUTHORIZED");
  set({{"expires_in_string", true}, {"access_lifetime", 7200}});
  const Reply renewed =
      token(client, {{"grant_type", "refresh_token"},
                     {"refresh_token", server_->credentials().users[0].refresh_token}});
  EXPECT_EQ(renewed.json().at("expires_in"), "7200");
  client.token = renewed.json().at("access_token");
  EXPECT_EQ(client.get("/rest/users/me").status, 200);
}

TEST_F(OAuthTest, PasswordGrantIsOffUntilItIsAllowed) {
  Client client(start().url(), "");
  const OAuthTest::Fields fields = {{"grant_type", "password"},
                                    {"username", "alice@example.com"},
                                    {"password", server_->credentials().users[0].password}};
  EXPECT_EQ(token(client, fields).error_code(), "unauthorized_client");
  set({{"password_grant", true}});
  EXPECT_EQ(token(client, fields).status, 200);
}

TEST_F(OAuthTest, JwtIsAcceptedOnlyWithAGoodSignature) {
  Client client(start().url(), "");
  EVP_PKEY* key = EVP_RSA_gen(2048);
  BIO* memory = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(memory, key);
  char* text = nullptr;
  const auto length = static_cast<std::size_t>(BIO_get_mem_data(memory, &text));
  admin("POST", "client", {{"jwt_public_key", std::string(text, length)}, {"jwt_issuer", "tests"}});
  BIO_free(memory);

  const auto url_safe = [](const std::string& bytes) {
    std::string out = kiteworks::base64_encode(bytes);
    for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
    while (!out.empty() && out.back() == '=') out.pop_back();
    return out;
  };
  const auto now = std::time(nullptr);
  const json claims = {
      {"iss", "tests"}, {"sub", "bob@example.com"}, {"exp", now + 200}, {"nbf", now}};
  const std::string payload = url_safe(R"({"alg":"RS256"})") + "." + url_safe(claims.dump());
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key);
  std::size_t size = 512;
  std::string signature(size, '\0');
  ASSERT_EQ(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                           reinterpret_cast<const unsigned char*>(payload.data()), payload.size()),
            1);
  signature.resize(size);
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);

  const auto exchange = [&](const std::string& assertion) {
    return token(client, {{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
                          {"assertion", assertion}});
  };
  const Reply good = exchange(payload + "." + url_safe(signature));
  ASSERT_EQ(good.status, 200) << good.body;
  EXPECT_FALSE(good.json().contains("refresh_token"));
  client.token = good.json().at("access_token");
  EXPECT_EQ(client.get("/rest/users/me").json().at("email"), "bob@example.com");
  signature[10] = static_cast<char>(signature[10] ^ 1);
  EXPECT_EQ(exchange(payload + "." + url_safe(signature)).error_code(), "invalid_grant");
}

TEST_F(OAuthTest, VersionHeaderIsRequired) {
  Client client = Client::of(start());
  EXPECT_EQ(client.get("/rest/users/me", {"X-Other: 28"}).status, 400);
  EXPECT_EQ(client.get("/rest/users/me", {"X-Accellion-Version: 99"}).status, 400);
  set({{"version_header", "kiteworks"}});
  EXPECT_EQ(client.get("/rest/users/me").status, 400);
  EXPECT_EQ(client.get("/rest/users/me", {"X-Kiteworks-Version: 28"}).status, 200);
}

TEST_F(OAuthTest, TlsIsSignedByTheAnnouncedCa) {
  Options options;
  options.tls = true;
  server_ = Sandbox::start(options);
  Client client = Client::of(*server_);
  EXPECT_EQ(client.get("/rest/users/me").status, 200);
  Client distrusting(server_->url(), client.token);
  EXPECT_NE(distrusting.get("/rest/users/me").curl_code, 0);
}

}  // namespace
}  // namespace cabinetfs::sandbox
