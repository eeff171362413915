// Requests through a proxy: plain ones, tunnels for HTTPS, and who chooses it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "tests/support/scripted_http_server.h"
#include "tests/support/test_certificates.h"
#include "tests/unit/http/http_test_util.h"

namespace cabinetfs {
namespace {

using Kind = ScriptedAnswer::Kind;

// A variable of the environment, as it was afterwards.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) {
    if (const char* const old = std::getenv(name)) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~ScopedVariable() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* const name_;
  std::optional<std::string> old_;
};

class HttpProxy : public testing::Test {
 protected:
  static void SetUpTestSuite() { authority_ = new TestAuthority(make_test_authority()); }
  static void TearDownTestSuite() {
    delete authority_;
    authority_ = nullptr;
  }
  void SetUp() override {
    server_.script("/a", {{.body = "secret"}});
    proxy_.script(host_and_port(), {{.kind = Kind::kTunnel, .tunnel_to = server_.port()}});
    proxy_.script("files.example.invalid:443",
                  {{.kind = Kind::kTunnel, .tunnel_to = server_.port()}});
    options_.ca_file = testing::TempDir() + "proxy-test-ca.pem";
    std::FILE* const file = std::fopen(options_.ca_file.c_str(), "w");
    ASSERT_NE(file, nullptr);
    std::fputs(authority_->ca_certificate.c_str(), file);
    std::fclose(file);
  }

  std::string host_and_port() const { return "localhost:" + std::to_string(server_.port()); }
  std::string proxy_address() const { return "http://127.0.0.1:" + std::to_string(proxy_.port()); }

  static TestAuthority* authority_;
  ScriptedHttpServer server_{{.certificate = authority_->server.certificate,
                              .private_key = authority_->server.private_key,
                              .keep_bodies = true}};
  ScriptedHttpServer proxy_;
  HttpClientOptions options_ = quick_options();
};
TestAuthority* HttpProxy::authority_ = nullptr;

TEST_F(HttpProxy, HttpsGoesThroughATunnelThatSeesNoCredentials) {
  options_.proxy = proxy_address();
  CurlHttpClient client(options_);
  HttpRequest request = get_request(server_.url("/a"));
  request.authorization = "Bearer hush";
  request.headers = {{"X-Session-Token", "hush"}};
  const auto answer = client.perform(soon(), request);
  ASSERT_TRUE(answer.has_value()) << to_string(answer.error());
  EXPECT_EQ(answer->body, "secret");
  EXPECT_EQ(answer->status, 200) << "not the proxy's";
  const auto seen = proxy_.requests();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].method, "CONNECT");
  EXPECT_EQ(seen[0].target, host_and_port());
  for (const auto& [name, value] : seen[0].headers) {
    EXPECT_THAT(value, testing::Not(testing::HasSubstr("hush"))) << name;
  }
  EXPECT_EQ(server_.requests().at(0).headers.at("authorization"), "Bearer hush");
}

TEST_F(HttpProxy, TheAuthorityOfTheRemoteCountsBehindTheTunnel) {
  options_.proxy = proxy_address();
  options_.ca_file.clear();
  CurlHttpClient client(options_);
  const auto answer = client.perform(soon(), get_request(server_.url("/a")));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(server_.hits("/a"), 0u);
}

TEST_F(HttpProxy, TheEnvironmentsProxyIsUsedWhereNoneIsNamed) {
  const ScopedVariable https("https_proxy", proxy_address());
  const ScopedVariable no("no_proxy", "");
  CurlHttpClient client(options_);
  const auto answer = client.perform(soon(), get_request("https://files.example.invalid/a"));
  ASSERT_TRUE(answer.has_value()) << to_string(answer.error());
  EXPECT_EQ(answer->body, "secret");
  EXPECT_EQ(proxy_.hits("files.example.invalid:443"), 1u);
  // What is on this machine is not asked for through it.
  ASSERT_TRUE(client.perform(soon(), get_request(server_.url("/a"))).has_value());
  EXPECT_EQ(proxy_.connections(), 1);
}

TEST_F(HttpProxy, NoneMeansNoneWhateverTheEnvironmentSays) {
  const ScopedVariable https("https_proxy", proxy_address());
  const ScopedVariable all("all_proxy", proxy_address());
  const ScopedVariable no("no_proxy", "");
  options_.proxy = "none";
  CurlHttpClient client(options_);
  const auto answer = client.perform(soon(), get_request(server_.url("/a")));
  ASSERT_TRUE(answer.has_value()) << to_string(answer.error());
  EXPECT_EQ(proxy_.connections(), 0);
}

TEST_F(HttpProxy, AProxyThatWantsALoginIsNotTheAccount) {
  options_.proxy = proxy_address();
  options_.allow_http = true;
  proxy_.script(host_and_port(), {{.status = 407, .body = "who are you"}});
  proxy_.script("http://files.example.invalid/a", {{.status = 407, .body = "who are you"}});
  CurlHttpClient client(options_);
  for (const std::string& url :
       {server_.url("/a"), std::string("http://files.example.invalid/a")}) {
    const auto answer = client.perform(soon(), get_request(url));
    ASSERT_FALSE(answer.has_value()) << url;
    EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable) << to_string(answer.error());
    EXPECT_THAT(answer.error().context, testing::HasSubstr("proxy on the way asks for a login"));
  }
  EXPECT_EQ(client.stats().retries, 0u);
}

}  // namespace
}  // namespace cabinetfs
