#include <nlohmann/json.hpp>

#include "tests/sandbox/powerfolder_test.h"

// Passwords, tokens, OAuth; and what lives on over a restart.

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class PowerFolderAuth : public PowerFolderTest {
 protected:
  const UserCredentials& alice() const { return server_->credentials().users.at(0); }
  int status_with(const std::string& password) const {
    PlainHttp client(server_->url(), alice().email, password);
    return client.get("/webdav/Work/a.txt").status;
  }
  int status_with_bearer(const std::string& token) const {
    PlainHttp client(server_->url());
    client.bearer = token;
    return client.get("/webdav/Work/a.txt").status;
  }
};

TEST_F(PowerFolderAuth, PasswordTokenAndBearerOpenWebDavAndApi) {
  start();
  EXPECT_EQ(status_with(alice().password), 200);
  EXPECT_EQ(status_with(alice().login_token), 200);
  EXPECT_EQ(status_with("wrong"), 401);
  EXPECT_EQ(status_with(alice().access_token), 401) << "not as a password";
  EXPECT_EQ(status_with_bearer(alice().access_token), 200);
  EXPECT_EQ(status_with_bearer(alice().login_token), 401);
  PlainHttp by_token(server_->url(), alice().email, alice().login_token);
  EXPECT_EQ(by_token.get("/api/folders?action=getAll").status, 200);
  PlainHttp nobody(server_->url());
  const PlainReply refused = nobody.send("PROPFIND", "/webdav/", {"Depth: 0"});
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.header("www-authenticate"), HasSubstr("Basic"));
}

TEST_F(PowerFolderAuth, EachWayInMayBeClosed) {
  start(R"({"basic_password": false})");
  EXPECT_EQ(status_with(alice().password), 401);
  EXPECT_EQ(status_with(alice().login_token), 200);
  set({{"basic_password", true}, {"webdav_tokens", false}});
  EXPECT_EQ(status_with(alice().login_token), 401);
  PlainHttp by_token(server_->url(), alice().email, alice().login_token);
  EXPECT_EQ(by_token.get("/api/folders?action=getAll").status, 200) << "only WebDAV is closed";
  set({{"bearer", false}, {"basic_token", false}});
  EXPECT_EQ(by_token.get("/api/folders?action=getAll").status, 401);
  EXPECT_EQ(status_with_bearer(alice().access_token), 401);
}

TEST_F(PowerFolderAuth, LoginGivesATokenByGetAndByForm) {
  start();
  PlainHttp client(server_->url());
  const std::string form = "Username=alice%40example.com&Password=" + alice().password + "&json=1";
  const json by_form = json::parse(client.send("POST", "/login", {}, form).body);
  const json by_query = json::parse(client.get("/login?" + form).body);
  const std::string token = by_form.at("account").at("token");
  EXPECT_NE(token, by_query.at("account").at("token"));
  EXPECT_EQ(status_with(token), 200);
  EXPECT_THAT(client.send("POST", "/login", {}, form.substr(0, form.size() - 7)).body,
              HasSubstr("<html>"))
      << "without json=1";
  EXPECT_EQ(
      client.send("POST", "/login", {}, "Username=alice%40example.com&Password=x&json=1").status,
      401);
}

TEST_F(PowerFolderAuth, TokensExpireInTheMiddleOfASession) {
  start();
  EXPECT_EQ(status_with(alice().login_token), 200);
  EXPECT_EQ(status_with_bearer(alice().access_token), 200);
  admin("POST", "expire_tokens", {{"user", "bob@example.com"}});
  EXPECT_EQ(status_with(alice().login_token), 200) << "another's";
  admin("POST", "expire_tokens", json::object());
  EXPECT_EQ(status_with(alice().login_token), 401);
  EXPECT_EQ(status_with_bearer(alice().access_token), 401);
  EXPECT_EQ(status_with(alice().password), 200);
  const json fresh = admin("POST", "token", {{"user", "alice@example.com"}});
  EXPECT_EQ(status_with(fresh.at("login_token")), 200);
  const json dead = admin("POST", "token", {{"user", "alice@example.com"}, {"lifetime", 0}});
  EXPECT_EQ(status_with(dead.at("login_token")), 401);
  EXPECT_EQ(status_with_bearer(dead.at("access_token")), 401);
}

TEST_F(PowerFolderAuth, OAuthByCodeAndByRefresh) {
  start();
  PlainHttp client(server_->url());
  const std::string allow =
      "/oauth/allow?response_type=code&client_id=sandbox-client&state=s1&redirect_uri="
      "http%3A%2F%2F127.0.0.1%3A9%2Fcb";
  EXPECT_EQ(client.get(allow).status, 200) << "a form for people";
  const PlainReply denied = client.get(allow + "&deny=1");
  EXPECT_THAT(denied.header("location"), HasSubstr("error=access_denied"));
  const PlainReply back = client.get(allow + "&user=alice%40example.com&approve=1");
  ASSERT_EQ(back.status, 302);
  const std::string location = back.header("location");
  EXPECT_EQ(location.rfind("http://127.0.0.1:9/cb?state=s1&code=", 0), 0U) << location;
  const std::string code = location.substr(location.rfind('=') + 1);
  const std::string exchange =
      "grant_type=authorization_code&client_id=sandbox-client&redirect_uri="
      "http%3A%2F%2F127.0.0.1%3A9%2Fcb&code=" +
      code;
  EXPECT_EQ(client.send("POST", "/oauth/token", {}, exchange).status, 400) << "without the secret";
  EXPECT_EQ(client.send("POST", "/oauth/token", {}, exchange + "&client_secret=x").status, 401);
  const std::string secret = "&client_secret=" + server_->credentials().client_secret;
  const json tokens = json::parse(client.send("POST", "/oauth/token", {}, exchange + secret).body);
  EXPECT_EQ(status_with_bearer(tokens.at("access_token")), 200);
  EXPECT_EQ(tokens.at("expires_in"), 86400);
  EXPECT_EQ(client.send("POST", "/oauth/token", {}, exchange + secret).status, 400)
      << "a code works once";

  admin("POST", "expire_tokens", json::object());
  const std::string refresh = "grant_type=refresh_token&client_id=sandbox-client&refresh_token=" +
                              tokens.at("refresh_token").get<std::string>();
  const json again = json::parse(client.get("/oauth?" + refresh).body);
  EXPECT_EQ(status_with_bearer(again.at("access_token")), 200);
  EXPECT_EQ(again.at("refresh_token"), tokens.at("refresh_token"));
  set({{"rotate_refresh_tokens", true}});
  const json rotated = json::parse(client.get("/oauth?" + refresh).body);
  EXPECT_NE(rotated.at("refresh_token"), tokens.at("refresh_token"));
  EXPECT_EQ(client.get("/oauth?" + refresh).status, 400) << "it was replaced";
  admin("POST", "expire_tokens", {{"refresh", true}});
  EXPECT_EQ(client
                .get("/oauth?grant_type=refresh_token&client_id=sandbox-client&refresh_token=" +
                     rotated.at("refresh_token").get<std::string>())
                .status,
            400);
  set({{"oauth", false}});
  EXPECT_EQ(client.get("/oauth?" + refresh).status, 404);
}

TEST_F(PowerFolderAuth, OAuthTakesWhatIsDescribedAndNothingElse) {
  start();
  PlainHttp client(server_->url());
  const std::string allow =
      "/oauth/allow?response_type=code&client_id=sandbox-client&redirect_uri="
      "http%3A%2F%2F127.0.0.1%3A9%2Fcb&user=alice%40example.com&approve=1";
  EXPECT_EQ(client.get(allow).status, 400) << "without a state";
  EXPECT_EQ(client.get(allow + "&state=s&code_challenge=x").status, 400);
  EXPECT_EQ(client.get(allow + "&state=s").status, 302);
  const std::string refresh = "grant_type=refresh_token&refresh_token=" + alice().refresh_token;
  EXPECT_EQ(client.get("/oauth?" + refresh).status, 400) << "without the client";
  const std::string whole = refresh + "&client_id=sandbox-client";
  EXPECT_EQ(client.get("/oauth?" + whole + "&client_secret=x").status, 400);
  EXPECT_EQ(client.send("POST", "/oauth", {}, whole).status, 405);
  EXPECT_EQ(client.get("/oauth/token?" + whole).status, 405);
  EXPECT_EQ(client.send("POST", "/oauth/token", {}, whole).status, 400);
  EXPECT_EQ(client.get("/oauth?" + whole).status, 200);
  set({{"oauth_errors", "html"}});
  const PlainReply refused = client.get("/oauth?" + whole + "1");
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.body, HasSubstr("<h1>"));
}

TEST_F(PowerFolderAuth, ManyWrongPasswordsLockTheAccount) {
  start(R"({"lockout_after": 2})");
  EXPECT_EQ(status_with("wrong"), 401);
  EXPECT_EQ(status_with(alice().password), 200) << "which forgives";
  EXPECT_EQ(status_with("wrong"), 401);
  EXPECT_EQ(status_with("wrong"), 401);
  EXPECT_EQ(status_with(alice().password), 401);
  admin("POST", "account", {{"user", "alice@example.com"}, {"unlock", true}});
  EXPECT_EQ(status_with(alice().password), 200);
}

TEST_F(PowerFolderAuth, TheLogKnowsWhoAskedAndNoSecrets) {
  start();
  PlainHttp client(server_->url());
  EXPECT_EQ(status_with(alice().password), 200);
  EXPECT_TRUE(eventually([&] { return admin("GET", "requests").size() == 1; }));
  const json requests = admin("GET", "requests");
  EXPECT_EQ(requests.at(0).at("user"), "alice@example.com");
  EXPECT_EQ(requests.at(0).at("endpoint"), "GET /webdav/{path...}");
  EXPECT_EQ(requests.dump().find(alice().password), std::string::npos);
}

class PowerFolderState : public PowerFolderTest {};

TEST_F(PowerFolderState, EverythingSurvivesAStopOnTheSamePort) {
  const std::string large(3 << 20, 'L');
  std::uint16_t port = 0;
  std::string password;
  std::string token;
  std::string folders;
  {
    port = start_with_state(0).port();
    const UserCredentials alice = server_->credentials().users.at(0);
    password = alice.password;
    token = alice.login_token;
    set({{"etag", "strong"}});
    const auto http = client();
    http->send("PUT", "/webdav/Work/a.txt", {}, "second");
    http->send("PUT", "/webdav/Work/large", {}, large);
    http->send("DELETE", "/webdav/Work/sub/");
    http->send("MKCOL", "/webdav/New/");
    share("Work", "READ");
    as(0, {{"op", "lock"}, {"path", "Team/t.txt"}});
    folders = admin("GET", "tree").at("folders").dump();
  }
  server_.reset();
  start_with_state(port);
  EXPECT_EQ(server_->port(), port);
  EXPECT_EQ(admin("GET", "tree").at("folders").dump(), folders);
  PlainHttp by_token(server_->url(), "alice@example.com", token);
  EXPECT_EQ(by_token.get("/webdav/Work/large").body, large);
  PlainHttp by_password(server_->url(), "alice@example.com", password);
  EXPECT_EQ(by_password.get("/webdav/Work/a.txt").body, "second");
  EXPECT_EQ(server_->admin("GET", "content?path=Work/a.txt&version=1"), "alpha");
  EXPECT_EQ(by_password.get("/webdav/Work/sub/deep.txt").status, 404);
  EXPECT_FALSE(by_password.get("/webdav/Work/a.txt").header("etag").empty());
  EXPECT_EQ(by_password.send("PUT", "/webdav/Team/t.txt", {}, "x").status, 423);
  EXPECT_EQ(folder("Work").at("members").at("bob@example.com"), "READ");
}

TEST_F(PowerFolderState, TheServedDirectoryIsNeverChangedAndFilesAtItsTopAreLeftOut) {
  write("loose.txt", "x");
  start();
  EXPECT_EQ(server_->skipped(), 1U);
  const auto alice = client();
  alice->send("PUT", "/webdav/Work/a.txt", {}, "changed");
  alice->send("DELETE", "/webdav/Work/sub/");
  server_.reset();
  EXPECT_EQ(std::filesystem::file_size(dir_ / "root/Work/a.txt"), 5U);
  EXPECT_TRUE(std::filesystem::exists(dir_ / "root/Work/sub/deep.txt"));
}

TEST_F(PowerFolderState, IdsOfWhatIsServedAreTheSameEachTime) {
  start();
  const std::string first = folder("Work").at("id");
  server_.reset();
  start();
  EXPECT_EQ(folder("Work").at("id"), first);
}

TEST_F(PowerFolderState, SettingsAndOrdersAreChecked) {
  start();
  EXPECT_THROW(set({{"no_such_setting", 1}}), std::runtime_error);
  EXPECT_THROW(set({{"etag", "round"}}), std::runtime_error);
  EXPECT_THROW(set({{"versions", -1}}), std::runtime_error);
  EXPECT_THROW(as(0, {{"op", "dance"}}), std::runtime_error);
  EXPECT_THROW(as(0, {{"op", "put"}, {"path", "loose"}, {"content", "x"}}), std::runtime_error);
  EXPECT_THROW(as(0, {{"op", "delete"}, {"path", "Work/none"}}), std::runtime_error);
  EXPECT_THROW(as(1, {{"op", "delete"}, {"path", "Work/a.txt"}}), std::runtime_error)
      << "bob sees no Work";
}

TEST_F(PowerFolderState, OrdersActAsAUser) {
  start();
  share("Work", "READ_WRITE");
  as(1, {{"op", "put"}, {"path", "Work/x/y/new"}, {"size", 1000}, {"seed", 7}});
  EXPECT_EQ(node("Work/x/y/new").at("size"), 1000);
  as(1, {{"op", "put"}, {"path", "Work/a.txt"}, {"content_base64", "aGk="}});
  EXPECT_EQ(content("Work/a.txt"), "hi");
  as(1, {{"op", "rename"}, {"path", "Work/a.txt"}, {"name", "b.txt"}});
  as(1, {{"op", "move"}, {"path", "Work/b.txt"}, {"to", "Work/sub"}});
  EXPECT_EQ(content("Work/sub/b.txt"), "hi");
  as(1, {{"op", "delete"}, {"path", "Work/sub"}});
  EXPECT_FALSE(exists("Work/sub"));
  as(0, {{"op", "rename"}, {"path", "Work"}, {"name", "Jobs"}});
  EXPECT_FALSE(folder("Jobs").is_null());
  as(0, {{"op", "mkdir"}, {"path", "Jobs/made"}});
  EXPECT_EQ(node("Jobs/made").at("type"), "d");
}

}  // namespace
}  // namespace cabinetfs::sandbox
