// What a running mount makes of another `cabinetfs login`.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <iostream>
#include <sstream>

#include "backend/auth/secret_store.h"
#include "backend/http/curl_client.h"
#include "backend/remote_store.h"
#include "tests/support/scripted_http_server.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/connection.h"
#include "tools/cabinetfs/vendors/vendor.h"

namespace cabinetfs {
namespace {

constexpr const char* kBase = "/Kenesto.Web.API";

class KenestoAgain : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cfkXXXXXX";
    dir_ = std::filesystem::canonical(::mkdtemp(name));
    paths_ = {dir_ + "/config.toml", dir_ + "/state", dir_ + "/cache", dir_ + "/run"};
    options_.remote.secret_store = RemoteOptions::Secrets::kFile;
    options_.remote.url = server_.url("");
    options_.remote.user = "me@example.com";
    options_.remote.undocumented_calls = RemoteOptions::Undocumented::kOff;
    auto secrets = open_secrets(paths_, options_);
    ASSERT_TRUE(secrets) << secrets.error().context;
    secrets_ = *std::move(secrets);
    HttpClientOptions http;
    http.remote = "cad";
    http_ = std::make_unique<CurlHttpClient>(http);

    const std::string base(kBase);
    server_.handle(base + "/Access.svc/Authenticate/json/key", [this](const ScriptedRequest&) {
      return ScriptedAnswer{.body = R"({"AuthenticateJsonResult":)" +
                                    (open_ ? std::string(R"({"ResponseStatus":"OK","Token":"a",
            "Organizations":[{"OrganizationIdentifier":"org","IsDefault":true}]}})")
                                           : std::string(R"({"ResponseStatus":"FAILED",
            "ErrorMessage":"ACCESS_DENIED"}})"))};
    });
    server_.handle(base + "/Access.svc/Login/json/org", [](const ScriptedRequest&) {
      return ScriptedAnswer{.body =
                                R"({"LoginJsonResult":{"ResponseStatus":"OK","Token":"fresh"}})"};
    });
    server_.handle(base + "/KDocuments.svc/RetrieveDocuments",
                   [this](const ScriptedRequest& asked) {
                     return open_ && asked.target.find("t=fresh") != std::string::npos
                                ? ScriptedAnswer{.body = R"({"ResponseStatus":"OK",
                     "ResponseData":{"DocumentsList":[],"TotalDocuments":"0"}})"}
                                : ScriptedAnswer{.status = 401, .body = "no"};
                   });
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  Result<void> log_in(bool token, const std::string& lines) {
    LoginCommand command;
    command.remote = "cad";
    command.secret_stdin = true;
    command.token = token;
    std::istringstream in(lines);
    std::streambuf* const before = std::cin.rdbuf(in.rdbuf());
    auto done = kenesto_vendor().log_in({paths_, command, options_, *secrets_, *http_});
    std::cin.rdbuf(before);
    std::cin.clear();
    return done;
  }
  std::unique_ptr<VendorAccount> mount() {
    auto opened = kenesto_vendor().open(paths_, "cad", options_, *http_, *secrets_);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().context);
    return opened ? *std::move(opened) : nullptr;
  }
  static Result<RemoteAccount> ask(VendorAccount& account) {
    return account.store().account(CallContext::within(std::chrono::seconds(20)));
  }

  std::string dir_;
  Paths paths_;
  Options options_;
  ScriptedHttpServer server_;
  std::atomic<bool> open_ = true;  // whether the account is
  std::unique_ptr<SecretStore> secrets_;
  std::unique_ptr<HttpClient> http_;
};

TEST_F(KenestoAgain, TheSamePasswordRevivesAMountThatWasRefused) {
  const auto logged_in = log_in(false, "key\npassword\n");
  ASSERT_TRUE(logged_in) << logged_in.error().context;
  const auto account = mount();
  ASSERT_TRUE(account);
  open_ = false;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ask(*account).error().code, ErrorCode::kUnauthenticated);
  }
  open_ = true;
  EXPECT_EQ(ask(*account).error().code, ErrorCode::kUnauthenticated) << "nobody logged in again";
  ASSERT_TRUE(log_in(false, "key\npassword\n"));
  const auto alive = ask(*account);
  EXPECT_TRUE(alive) << alive.error().context;
}

TEST_F(KenestoAgain, AnotherTokenRevivesAMountWhoseTokenHasEnded) {
  ASSERT_TRUE(log_in(true, "stale\n"));
  const auto account = mount();
  ASSERT_TRUE(account);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ask(*account).error().code, ErrorCode::kUnauthenticated);
  }
  ASSERT_TRUE(log_in(true, "fresh\n"));
  const auto alive = ask(*account);
  EXPECT_TRUE(alive) << alive.error().context;
}

}  // namespace
}  // namespace cabinetfs
