#include <set>

#include "tests/sandbox/kenesto_test.h"

// Access.svc, tokens, and what is refused before a method is reached.

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

class KenestoAccess : public KenestoTest {
 protected:
  json authenticate(const std::string& email, const std::string& password) const {
    return alice()
        .path("GET", authenticate_path(email, password))
        .json()
        .at("AuthenticateJsonResult");
  }
  json log_in(const std::string& organization, const std::string& token) const {
    return alice()
        .path("GET",
              "/Kenesto.Web.API/Access.svc/Login/json/" + organization + "?t=" + url_encode(token))
        .json()
        .at("LoginJsonResult");
  }
  std::string password(std::size_t user = 0) const {
    return server_->credentials().users.at(user).password;
  }
};

TEST_F(KenestoAccess, TwoStepsLeadToASessionOfTheDefaultOrganization) {
  start();
  const json first = authenticate("alice@example.com", password());
  ASSERT_EQ(first.at("ResponseStatus"), "OK") << first;
  const json& organizations = first.at("Organizations");
  ASSERT_EQ(organizations.size(), 2U);
  EXPECT_FALSE(organizations.at(0).at("IsDefault")) << "the default one is not the first";
  EXPECT_TRUE(organizations.at(1).at("IsDefault"));
  const json second = log_in(organizations.at(1).at("OrganizationIdentifier"), first.at("Token"));
  ASSERT_EQ(second.at("ResponseStatus"), "OK") << second;
  EXPECT_EQ(second.at("User").at("EmailAddress"), "alice@example.com");
  EXPECT_EQ(second.at("User").at("FirstName"), "Alice");
  EXPECT_TRUE(second.at("User").contains("TenantID"));
  const KenestoClient session(server_->url(), second.at("Token"));
  EXPECT_FALSE(session.item("Work").is_null());
}

TEST_F(KenestoAccess, AnotherOrganizationIsAnotherAccount) {
  start();
  const json first = authenticate("alice@example.com", password());
  const json second =
      log_in(first.at("Organizations").at(0).at("OrganizationIdentifier"), first.at("Token"));
  const KenestoClient session(server_->url(), second.at("Token"));
  EXPECT_TRUE(session.list().empty());
  EXPECT_EQ(log_in("11111111-2222-4333-8444-555555555555", first.at("Token")).at("ResponseStatus"),
            "FAILED");
}

TEST_F(KenestoAccess, TokensNeedEncodingAndSoDoesThePassword) {
  start();
  const std::string token = server_->credentials().users.at(0).access_token;
  for (const char c : {'+', '/', '='}) EXPECT_NE(token.find(c), std::string::npos);
  EXPECT_EQ(token.size() % 4, 0U);
  const Reply raw =
      alice().path("GET", "/Kenesto.Web.API/KDocuments.svc/RetrieveDocuments?t=" + token);
  EXPECT_TRUE(failed(raw.json())) << "a plus sign is a blank in a query";
  for (const char c : {'+', '&', '=', '%', ' ', '#'}) {
    EXPECT_NE(password().find(c), std::string::npos) << c;
  }
}

TEST_F(KenestoAccess, RefusalsCarryTheCodesThatTheAppKnows) {
  start();
  const json wrong = authenticate("alice@example.com", "wrong");
  EXPECT_EQ(wrong.at("ResponseStatus"), "FAILED");
  EXPECT_NE(wrong.at("ErrorMessage").get<std::string>().find("ACCESS_DENIED"), std::string::npos);
  EXPECT_EQ(authenticate("nobody@example.com", password()).at("ResponseStatus"), "FAILED");
  const Reply key = alice().path(
      "GET", "/Kenesto.Web.API/Access.svc/Authenticate/json/other?u=alice%40example.com&p=" +
                 url_encode(password()));
  EXPECT_EQ(key.status, 200) << "a failure like any other";
  EXPECT_EQ(key.json().at("AuthenticateJsonResult").at("ResponseStatus"), "FAILED");
  set({{"licence_expired", true}});
  const json licence = authenticate("alice@example.com", password());
  EXPECT_NE(licence.at("ErrorMessage").get<std::string>().find("VAL10335"), std::string::npos);
}

TEST_F(KenestoAccess, TheTokenOfTheFirstStepOpensNothing) {
  start();
  const json first = authenticate("alice@example.com", password());
  const KenestoClient early(server_->url(), first.at("Token"));
  EXPECT_TRUE(failed(early.call("RetrieveDocuments")));
  const json organization = first.at("Organizations").at(1).at("OrganizationIdentifier");
  EXPECT_EQ(log_in(organization, alice().token).at("ResponseStatus"), "FAILED")
      << "nor does a session token log in";
  set({{"login_lifetime", 0}});
  const json late = authenticate("alice@example.com", password());
  EXPECT_EQ(log_in(organization, late.at("Token")).at("ResponseStatus"), "FAILED");
}

TEST_F(KenestoAccess, TokensEndByTimeAndByOrder) {
  start();
  const std::string brief =
      admin("POST", "token", {{"user", "bob@example.com"}, {"lifetime", 60}}).at("access_token");
  const KenestoClient client(server_->url(), brief);
  EXPECT_FALSE(failed(client.call("RetrieveDocuments")));
  admin("POST", "clock", {{"advance", 61}});
  EXPECT_TRUE(failed(client.call("RetrieveDocuments")));
  EXPECT_FALSE(failed(alice().call("RetrieveDocuments")));
  admin("POST", "expire_tokens", {{"user", "alice@example.com"}});
  EXPECT_TRUE(failed(alice().call("RetrieveDocuments")));
  EXPECT_FALSE(failed(bob().call("RetrieveDocuments"))) << "only hers";
  set({{"access_lifetime", 0}});
  const KenestoClient dead(server_->url(), admin("POST", "token").at("access_token"));
  EXPECT_TRUE(failed(dead.call("RetrieveDocuments")));
}

TEST_F(KenestoAccess, ANewLoginMayEndTheOthers) {
  start();
  const auto log_in_again = [&] {
    const json first = authenticate("alice@example.com", password());
    return log_in(first.at("Organizations").at(1).at("OrganizationIdentifier"), first.at("Token"))
        .at("Token")
        .get<std::string>();
  };
  log_in_again();
  EXPECT_FALSE(failed(alice().call("RetrieveDocuments")));
  set({{"single_session", true}});
  const KenestoClient last(server_->url(), log_in_again());
  EXPECT_TRUE(failed(alice().call("RetrieveDocuments")));
  EXPECT_FALSE(failed(last.call("RetrieveDocuments")));
  EXPECT_FALSE(failed(bob().call("RetrieveDocuments")));
}

TEST_F(KenestoAccess, TooManyRequestsAreRefusedByTheApiOnly) {
  start({{"rate", 0.01}, {"rate_burst", 2}, {"retry_after", 7}});
  const std::string url = alice().access_url(alice().id("note.txt"));
  const Reply refused = alice().get("RetrieveDocuments");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers.at("retry-after"), "7");
  EXPECT_EQ(KenestoClient::fetch(url).status, 200);
  set({{"rate_status", 503}});
  EXPECT_EQ(alice().get("RetrieveDocuments").status, 503);
}

TEST_F(KenestoAccess, BothListenersSpeakTlsWithTheSameCertificate) {
  Options options;
  options.vendor = "kenesto";
  options.root = dir_ + "/root";
  options.tls = true;
  server_ = Sandbox::start(options);
  const std::string call = "/Kenesto.Web.API/KDocuments.svc/";
  const std::string token = "?t=" + url_encode(alice().token);
  Client api(server_->url(), "", server_->ca_pem());
  const json listed =
      api.get(call + "RetrieveDocuments" + token + "&sb=CURRENT_VERSION_SIZE").json();
  const std::string id = listed.at("ResponseData").at("DocumentsList").at(0).at("Id");
  const std::string url = api.get(call + "DownloadFile" + token + "&fid=" + id)
                              .json()
                              .at("ResponseData")
                              .at("AccessUrl");
  ASSERT_EQ(url.rfind("https://", 0), 0U);
  Client store(server_->content_url(), "", server_->ca_pem());
  EXPECT_EQ(store.get(url.substr(server_->content_url().size())).body, "a note");
  set({{"store_host", "localhost"}});
  const json other = api.get(call + "DownloadFile" + token + "&fid=" + id).json();
  EXPECT_EQ(
      other.at("ResponseData").at("AccessUrl").get<std::string>().rfind("https://localhost:", 0),
      0U);
  set({{"store_host", "127.0.0.1:7"}});
  const json elsewhere = api.get(call + "DownloadFile" + token + "&fid=" + id).json();
  EXPECT_EQ(elsewhere.at("ResponseData").at("AccessUrl").get<std::string>().rfind(
                "https://127.0.0.1:7/", 0),
            0U);
}

TEST_F(KenestoAccess, AnExpiredSessionHasFourShapes) {
  start({{"expired_text", "gone"}});
  const KenestoClient nobody(server_->url(), "abc=");
  EXPECT_EQ(nobody.get("RetrieveDocuments").status, 200);
  EXPECT_EQ(error_of(nobody.call("RetrieveDocuments")), "gone");
  set({{"expired_shape", "401"}});
  EXPECT_EQ(nobody.get("RetrieveDocuments").status, 401);
  EXPECT_EQ(error_of(nobody.call("RetrieveDocuments")), "gone");
  set({{"expired_shape", "403"}});
  EXPECT_EQ(nobody.get("RetrieveDocuments").status, 403);
  set({{"expired_shape", "html"}});
  EXPECT_EQ(nobody.get("RetrieveDocuments").body.rfind("<?xml", 0), 0U);
}

TEST_F(KenestoAccess, PathsAndParametersAreTakenInAnySpelling) {
  start();
  const std::string t = url_encode(alice().token);
  const Reply small =
      alice().path("GET", "/kenesto.web.api/kdocuments.svc/retrievedocuments?T=" + t + "&PS=100");
  EXPECT_FALSE(failed(small.json()));
  EXPECT_EQ(admin("GET", "counts")
                .at("endpoints")
                .at("GET /Kenesto.Web.API/KDocuments.svc/RetrieveDocuments"),
            1);
}

TEST_F(KenestoAccess, ThePlatformAnswersWithPagesOfHtml) {
  start();
  EXPECT_EQ(alice().get("NoSuchMethod").status, 404);
  const Reply method = alice().post("RetrieveDocuments", json::object());
  EXPECT_EQ(method.status, 405);
  EXPECT_NE(method.body.find("<html>"), std::string::npos);
  const Reply guid = alice().get("RetrieveDocuments", {{"fid", "no-guid"}});
  EXPECT_EQ(guid.status, 400);
  EXPECT_NE(guid.body.find("<html>"), std::string::npos);
  set({{"fault_shape", "failed"}});
  EXPECT_TRUE(failed(alice().call("RetrieveDocuments", {{"fid", "no-guid"}})));
  const std::string braces = "{" + alice().id("Work") + "}";
  EXPECT_FALSE(failed(alice().call("RetrieveDocuments", {{"fid", braces}})));
}

TEST_F(KenestoAccess, ExternalTokensOpenTheirObjectOnly) {
  start();
  as("carol", {{"op", "put"}, {"path", "theirs.txt"}, {"content", "from outside"}});
  as("carol", {{"op", "put"}, {"path", "second.txt"}, {"content", "2"}});
  for (const char* name : {"theirs.txt", "second.txt"}) {
    as("carol", {{"op", "share"},
                 {"path", name},
                 {"with", "alice@example.com"},
                 {"level", "ALLOW_DOWNLOAD"}});
  }
  const json item = alice().item("theirs.txt");
  const std::string external = item.at("ExternalToken");
  EXPECT_FALSE(external.empty());
  EXPECT_EQ(alice().item("note.txt").at("ExternalToken"), "");
  const std::string id = item.at("Id");
  EXPECT_TRUE(failed(alice().call("DownloadFile", {{"fid", id}}))) << "not with the session";
  const KenestoClient outside(server_->url(), external);
  EXPECT_TRUE(failed(outside.call("DownloadFile", {{"fid", id}}))) << "not without ie";
  const json url = outside.data("DownloadFile", {{"fid", id}, {"ie", "true"}});
  EXPECT_EQ(KenestoClient::fetch(url.at("AccessUrl")).body, "from outside");
  const json info =
      outside.data("RetrieveObjectInfo", {{"oi", id}, {"fc", "GENERAL"}, {"ie", "true"}});
  EXPECT_TRUE(info.at("ObjectPermissions").at("AllowDownload"));
  const std::string other = alice().id("second.txt");
  EXPECT_TRUE(failed(outside.call("DownloadFile", {{"fid", other}, {"ie", "true"}})));
  EXPECT_TRUE(failed(outside.call("RetrieveDocuments", {{"ie", "true"}})));
}

}  // namespace
}  // namespace cabinetfs::sandbox
