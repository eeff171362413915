// What the options of an account come to at its store, and what a new login comes to at an open
// one.

#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>
#include <sstream>
#include <vector>

#include "backend/auth/oauth_token_source.h"
#include "backend/auth/secret_store.h"
#include "backend/http/http_client.h"
#include "backend/remote_store.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/vendors/vendor.h"

namespace cabinetfs {
namespace {

CallContext soon() { return CallContext::within(std::chrono::seconds(10)); }

// Answers by the first rule that fits the method and the beginning of the path, and remembers.
class RuledHttp final : public HttpClient {
 public:
  struct Rule {
    std::string request;  // "GET /rest/users/me"
    int status = 200;
    std::string body;
    HttpHeaders headers;
  };
  struct Seen {
    std::string request;
    HttpHeaders headers;
  };
  std::vector<Rule> rules;
  std::vector<Seen> seen;

  Result<HttpResponse> perform(const CallContext&, HttpRequest request) override {
    const std::string what =
        request.method + " " + request.url.substr(std::string("https://x.example.com").size());
    seen.push_back({what, request.headers});
    HttpResponse response;
    response.status = 404;
    response.effective_url = request.url;
    for (const Rule& rule : rules) {
      if (what.compare(0, rule.request.size(), rule.request) != 0) continue;
      response.status = rule.status;
      response.body = rule.body;
      response.headers = rule.headers;
      break;
    }
    return response;
  }
  bool has_seen(const std::string& request) const {
    for (const Seen& one : seen)
      if (one.request.compare(0, request.size(), request) == 0) return true;
    return false;
  }
};

class VendorOptions : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cfvXXXXXX";
    dir_ = std::filesystem::canonical(::mkdtemp(name));
    paths_ = {dir_ + "/config.toml", dir_ + "/state", dir_ + "/cache", dir_ + "/run"};
    secrets_ = make_file_secret_store(dir_ + "/secrets.json");
  }
  void TearDown() override {
    account_.reset();
    std::filesystem::remove_all(dir_);
  }

  void open(const std::string& vendor,
            const std::vector<std::pair<std::string, std::string>>& chosen) {
    options_ = Options();
    ASSERT_TRUE(set_option(options_, "vendor", vendor));
    ASSERT_TRUE(set_option(options_, "url", "https://x.example.com"));
    ASSERT_TRUE(set_option(options_, "user", "alice"));
    for (const auto& [name, value] : chosen) ASSERT_TRUE(set_option(options_, name, value)) << name;
    auto opened = vendor_of(options_).open(paths_, "work", options_, http_, *secrets_);
    ASSERT_TRUE(opened) << opened.error().context;
    account_ = *std::move(opened);
  }
  RemoteStore& store() { return account_->store(); }

  void log_in(const std::string& password) {
    std::istringstream typed(password + "\n");
    std::streambuf* const before = std::cin.rdbuf(typed.rdbuf());
    LoginCommand command;
    command.remote = "work";
    command.secret_stdin = true;
    const auto done = vendor_of(options_).log_in({paths_, command, options_, *secrets_, http_});
    std::cin.rdbuf(before);
    std::cin.clear();
    ASSERT_TRUE(done) << done.error().context;
  }

  void serve_webdav(const std::string& root) {
    http_.rules = {
        {"OPTIONS " + root, 200, "", {{"dav", "1, 2"}}},
        {"PROPFIND " + root,
         207,
         "<D:multistatus xmlns:D='DAV:'><D:response><D:href>" + root +
             "</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype>"
             "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
             "</D:multistatus>",
         {}}};
  }
  void serve_kiteworks() {
    http_.rules = {
        {"GET /rest/users/me",
         200,
         R"({"id": "u1", "name": "Me", "email": "me@example.com", "basedirId": "base"})",
         {}},
        {"GET /rest/uploads/config", 200, R"({"uploadChunkMax": 60000000})", {}},
        {"GET /rest/folders/top", 200, R"({"data": [], "metadata": {"total": 0}})", {}},
        {"GET /rest/files/shared", 200, R"({"data": [], "metadata": {"total": 0}})", {}}};
    const auto now = Clock::system().wall();
    ASSERT_TRUE(secrets_->set("work", kTokensKey,
                              encode_tokens({.access_token = SecretString("good"),
                                             .refresh_token = SecretString("once"),
                                             .obtained_at = now,
                                             .expires_at = now + std::chrono::hours(1)})));
  }

  std::string dir_;
  Paths paths_;
  Options options_;
  RuledHttp http_;
  std::unique_ptr<SecretStore> secrets_;
  std::unique_ptr<VendorAccount> account_;
};

TEST_F(VendorOptions, LocksOfPowerFolderAreForWhoAsksForThem) {
  const auto has_locks = [&](const char* vendor, const char* choice) {
    serve_webdav(std::string(vendor) == "webdav" ? "/" : "/webdav/");
    EXPECT_TRUE(secrets_->set("work", "password", SecretString("for this test only")));
    open(vendor, {{"dav_locks", choice}});
    const auto account = store().account(soon());
    EXPECT_TRUE(account) << (account ? "" : account.error().context);
    return store().capabilities().locks;
  };
  EXPECT_FALSE(has_locks("powerfolder", "auto"));
  EXPECT_TRUE(has_locks("powerfolder", "yes"));
  EXPECT_TRUE(has_locks("webdav", "auto"));
  EXPECT_FALSE(has_locks("webdav", "no"));
  EXPECT_EQ(Options().remote.dav_locks, RemoteOptions::Locks::kAutomatic);
}

TEST_F(VendorOptions, OfKiteworks) {
  serve_kiteworks();
  const auto second_header = [&] {
    for (const auto& [name, value] : http_.seen.front().headers)
      if (name == "X-Kiteworks-Version") return true;
    return false;
  };
  open("kiteworks", {{"client_id", "c"}});
  ASSERT_TRUE(store().account(soon()));
  EXPECT_EQ(store().capabilities().chunk_size, 16u << 20);
  EXPECT_TRUE(second_header());
  ASSERT_TRUE(store().list(soon(), store().root(soon())->id));
  EXPECT_FALSE(http_.has_seen("GET /rest/files/shared"));

  http_.seen.clear();
  open("kiteworks", {{"client_id", "c"},
                     {"version_headers", "first"},
                     {"chunk_size", "5MiB"},
                     {"shared_files", "yes"}});
  ASSERT_TRUE(store().account(soon()));
  EXPECT_EQ(store().capabilities().chunk_size, 5u << 20);
  EXPECT_FALSE(second_header());
  ASSERT_TRUE(store().list(soon(), store().root(soon())->id));
  EXPECT_TRUE(http_.has_seen("GET /rest/files/shared"));
}

TEST_F(VendorOptions, ALoginWithTheSamePasswordCounts) {
  serve_webdav("/");
  ASSERT_TRUE(set_option(options_, "vendor", "webdav"));
  log_in("for this test only");
  open("webdav", {});
  ASSERT_TRUE(store().account(soon()));
  const auto works = http_.rules;
  http_.rules = {{"", 401, "", {}}};
  ASSERT_FALSE(store().list(soon(), {}));
  http_.rules = works;
  // Not tried again by itself: servers lock accounts.
  http_.seen.clear();
  const auto still = store().list(soon(), {});
  ASSERT_FALSE(still);
  EXPECT_EQ(still.error().code, ErrorCode::kUnauthenticated);
  EXPECT_TRUE(http_.seen.empty());
  log_in("for this test only");
  EXPECT_TRUE(store().list(soon(), {}));
}

}  // namespace
}  // namespace cabinetfs
