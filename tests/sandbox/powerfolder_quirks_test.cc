#include <nlohmann/json.hpp>

#include "tests/sandbox/powerfolder_test.h"

// What a server of this vendor does, or may do, that a client must live with.

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAre;

class PowerFolderQuirks : public PowerFolderTest {
 protected:
  PlainReply list(const std::string& path) const {
    return client()->send("PROPFIND", path, {"Depth: 1"});
  }
};

TEST_F(PowerFolderQuirks, PropfindMayAnswer200) {
  start();
  EXPECT_EQ(list("/webdav/Work/").status, 207);
  set({{"propfind_status", 200}});
  const PlainReply reply = list("/webdav/Work/");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(multistatus(reply).size(), 4U) << "it is a listing all the same";
}

TEST_F(PowerFolderQuirks, TheWholeTreeIsAnsweredOddlyOrRefused) {
  start();
  const auto alice = client();
  for (const std::vector<std::string>& headers :
       {std::vector<std::string>{}, std::vector<std::string>{"Depth: infinity"}}) {
    const PlainReply reply = alice->send("PROPFIND", "/webdav/", headers);
    EXPECT_EQ(reply.status, 200);
    EXPECT_THAT(hrefs(reply), testing::Contains("/webdav/Work/sub/deep.txt"));
  }
  set({{"infinity", "refuse"}});
  const PlainReply refused = alice->send("PROPFIND", "/webdav/");
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("propfind-finite-depth"));
  set({{"infinity", "multistatus"}});
  EXPECT_EQ(alice->send("PROPFIND", "/webdav/").status, 207);
}

TEST_F(PowerFolderQuirks, SomeCharactersOfHrefsAreNotEscaped) {
  start();
  const auto alice = client();
  alice->send("PUT", "/webdav/Work/%28%29%27%24%2B%21%2A%2C", {}, "x");
  EXPECT_THAT(hrefs(list("/webdav/Work/")), testing::Contains("/webdav/Work/()'$+!*,"));
  EXPECT_THAT(hrefs(list("/webdav/Work/")), testing::Contains("/webdav/Work/b%20(1).txt"));
  set({{"href_escaping", "full"}});
  EXPECT_THAT(hrefs(list("/webdav/Work/")),
              testing::Contains("/webdav/Work/%28%29%27%24%2B%21%2A%2C"));
  EXPECT_EQ(alice->get("/webdav/Work/()'$+!*,").body, "x") << "either spelling is the file";
}

TEST_F(PowerFolderQuirks, PrefixesAndFullUrls) {
  start();
  EXPECT_THAT(list("/webdav/Work/").body, HasSubstr("<D:multistatus xmlns:D=\"DAV:\">"));
  set({{"xml_prefix", "d"}});
  EXPECT_THAT(list("/webdav/Work/").body, HasSubstr("<d:multistatus xmlns:d=\"DAV:\">"));
  EXPECT_THAT(list("/webdav/Work/").body, Not(HasSubstr("D:href")));
  set({{"xml_prefix", ""}});
  EXPECT_THAT(list("/webdav/Work/").body, HasSubstr("<multistatus xmlns=\"DAV:\">"));
  EXPECT_EQ(multistatus(list("/webdav/Work/")).size(), 4U);
  set({{"href_style", "url"}});
  EXPECT_THAT(hrefs(list("/webdav/Work/sub/")),
              ElementsAre(server_->url() + "/webdav/Work/sub/",
                          server_->url() + "/webdav/Work/sub/deep.txt"));
}

TEST_F(PowerFolderQuirks, TheDirectoryItselfMayComeLastOrNotAtAll) {
  start();
  EXPECT_EQ(hrefs(list("/webdav/Work/sub/")).front(), "/webdav/Work/sub/");
  set({{"self_entry", "last"}});
  EXPECT_EQ(hrefs(list("/webdav/Work/sub/")).back(), "/webdav/Work/sub/");
  set({{"self_entry", "absent"}});
  EXPECT_THAT(hrefs(list("/webdav/Work/sub/")), ElementsAre("/webdav/Work/sub/deep.txt"));
  EXPECT_THAT(hrefs(client()->send("PROPFIND", "/webdav/Work/sub/", {"Depth: 0"})),
              ElementsAre("/webdav/Work/sub/"));
}

TEST_F(PowerFolderQuirks, FullDirectoriesAreListedAsEmptyForAWhile) {
  start(R"({"empty_listings": 2, "empty_path": "Work"})");
  EXPECT_EQ(list("/webdav/Team/").status, 207);
  EXPECT_EQ(hrefs(list("/webdav/Team/")).size(), 2U) << "another path";
  EXPECT_THAT(hrefs(list("/webdav/Work/")), ElementsAre("/webdav/Work/"));
  EXPECT_EQ(hrefs(client()->send("PROPFIND", "/webdav/Work/a.txt", {"Depth: 0"})).size(), 1U)
      << "the file itself is there";
  EXPECT_THAT(hrefs(list("/webdav/Work/sub/")), ElementsAre("/webdav/Work/sub/"));
  EXPECT_EQ(hrefs(list("/webdav/Work/")).size(), 4U) << "both lies are told";
  EXPECT_EQ(admin("GET", "actions").at("empty_listings_served"), 2);
  set({{"empty_listings", 1}, {"empty_path", ""}});
  EXPECT_THAT(hrefs(list("/webdav/")), ElementsAre("/webdav/"));
  EXPECT_EQ(hrefs(list("/webdav/")).size(), 3U);
}

TEST_F(PowerFolderQuirks, ALoginPageInsteadOfAnAnswer) {
  start(R"({"login_page": "html"})");
  const auto alice = client();
  const PlainReply page = list("/webdav/Work/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.header("content-type"), HasSubstr("text/html"));
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt", {}, "lost").status, 200);
  EXPECT_EQ(content("Work/a.txt"), "alpha") << "a 200 that means nothing";
  set({{"login_page", "redirect"}});
  const PlainReply redirect = list("/webdav/Work/");
  EXPECT_EQ(redirect.status, 302);
  EXPECT_EQ(redirect.header("location"), "/terms");
  EXPECT_THAT(alice->get("/terms").header("content-type"), HasSubstr("text/html"));
}

TEST_F(PowerFolderQuirks, ETagsAreMissingWeakOrStrong) {
  start();
  const auto alice = client();
  EXPECT_EQ(alice->get("/webdav/Work/a.txt").header("etag"), "");
  EXPECT_FALSE(multistatus(list("/webdav/Work/")).at(1).has("getetag"));
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt", {"If-Match: \"any\""}, "x").status, 204)
      << "nothing to compare with";
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt", {"If-None-Match: *"}, "x").status, 412);
  set({{"etag", "weak"}});
  const std::string weak = alice->get("/webdav/Work/a.txt").header("etag");
  EXPECT_EQ(weak.substr(0, 3), "W/\"");
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt", {"If-Match: " + weak}, "x").status, 412)
      << "a weak one never matches";
  set({{"etag", "strong"}});
  const std::string strong = alice->get("/webdav/Work/a.txt").header("etag");
  EXPECT_EQ(strong.front(), '"');
  EXPECT_EQ(multistatus(client()->send("PROPFIND", "/webdav/Work/a.txt", {"Depth: 0"}))
                .at(0)
                .text("getetag"),
            strong);
}

TEST_F(PowerFolderQuirks, SuccessHasSeveralNumbers) {
  start(R"({"put_status": 200, "delete_status": 200})");
  const auto alice = client();
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt", {}, "x").status, 200);
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/new", {}, "x").status, 201);
  EXPECT_EQ(alice->send("DELETE", "/webdav/Work/new").status, 200);
  EXPECT_EQ(alice->send("DELETE", "/webdav/Team/").status, 200);
  EXPECT_FALSE(exists("Team"));
}

TEST_F(PowerFolderQuirks, AnswersGetLostAfterTheEffect) {
  start();
  const auto alice = client();
  alice->fresh = true;
  admin("POST", "faults",
        {{"match", {{"path", "^/webdav/"}}}, {"action", "drop_after_effect"}, {"times", 4}});
  EXPECT_NE(alice->send("PUT", "/webdav/Work/new", {}, "x").curl_code, 0);
  EXPECT_NE(alice->send("MKCOL", "/webdav/Work/dir/").curl_code, 0);
  EXPECT_NE(alice->send("MOVE", "/webdav/Work/new", {to("/webdav/Work/dir/new")}).curl_code, 0);
  EXPECT_NE(alice->send("DELETE", "/webdav/Work/a.txt").curl_code, 0);
  EXPECT_EQ(content("Work/dir/new"), "x");
  EXPECT_FALSE(exists("Work/a.txt"));
  EXPECT_EQ(alice->send("MKCOL", "/webdav/Work/dir/").status, 405) << "it was made before";
  EXPECT_EQ(alice->send("DELETE", "/webdav/Work/a.txt").status, 404);
}

TEST_F(PowerFolderQuirks, RangesMayBeIgnored) {
  start(R"({"ranges": false})");
  const PlainReply reply = client()->get("/webdav/Work/a.txt", {"Range: bytes=1-2"});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "alpha");
  EXPECT_EQ(reply.header("accept-ranges"), "");
}

TEST_F(PowerFolderQuirks, APhantomNameCannotBeMade) {
  start(R"({"phantom_names": ["Ghost", "Work/ghost"]})");
  const auto alice = client();
  EXPECT_EQ(alice->send("MKCOL", "/webdav/Ghost/").status, 405);
  EXPECT_EQ(alice->send("MKCOL", "/webdav/Work/ghost/").status, 405);
  EXPECT_THAT(hrefs(list("/webdav/Work/")), Not(testing::Contains("/webdav/Work/ghost/")));
  EXPECT_EQ(alice->send("MKCOL", "/webdav/Work/real/").status, 201);
}

TEST_F(PowerFolderQuirks, ADestinationElsewhereIs502) {
  start();
  const auto alice = client();
  const std::string elsewhere = "Destination: http://other.example/webdav/Work/x";
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/a.txt", {elsewhere}).status, 502);
  EXPECT_EQ(alice->send("COPY", "/webdav/Work/a.txt", {elsewhere}).status, 502);
  std::string wrong_scheme = to("/webdav/Work/x");
  wrong_scheme.replace(wrong_scheme.find("http:"), 5, "https:");
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/a.txt", {wrong_scheme}).status, 502);
  EXPECT_TRUE(exists("Work/a.txt"));
  set({{"wrong_host_status", 400}});
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/a.txt", {elsewhere}).status, 400);
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/a.txt", {to("/elsewhere/x")}).status, 403);
  set({{"wrong_host_status", 0}});
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/a.txt", {elsewhere}).status, 201);
}

TEST_F(PowerFolderQuirks, FoldersOnOtherNodesOfAClusterAreNotMovedInto) {
  start(R"({"cross_move": false})");
  const auto alice = client();
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/a.txt", {to("/webdav/Team/a.txt")}).status, 502);
  EXPECT_TRUE(exists("Work/a.txt"));
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/a.txt", {to("/webdav/Work/b.txt")}).status, 201);
}

TEST_F(PowerFolderQuirks, AnAbortedPutLeavesNothingOrAStump) {
  start();
  const auto alice = client();
  alice->fresh = true;
  EXPECT_NE(alice->put_and_hang_up("/webdav/Work/a.txt", "stump", 1000).curl_code, 0);
  // Logged when the server is through with it.
  EXPECT_TRUE(eventually([&] { return admin("GET", "requests").size() == 1; }));
  EXPECT_EQ(content("Work/a.txt"), "alpha");
  set({{"put_truncates", true}});
  EXPECT_NE(alice->put_and_hang_up("/webdav/Work/a.txt", "stump", 1000).curl_code, 0);
  EXPECT_TRUE(eventually([&] { return admin("GET", "actions").at("truncated_puts") == 1; }));
  EXPECT_EQ(content("Work/a.txt"), "stump");
}

TEST_F(PowerFolderQuirks, AFaultThatClosesTheUploadTruncatesToo) {
  start(R"({"put_truncates": true})");
  const auto alice = client();
  alice->fresh = true;
  admin("POST", "faults",
        {{"match", {{"method", "PUT"}}}, {"action", "drop_upload"}, {"bytes", 1 << 20}});
  EXPECT_NE(alice->send("PUT", "/webdav/Work/a.txt", {}, std::string(4 << 20, 'x')).curl_code, 0);
  EXPECT_TRUE(eventually([&] { return admin("GET", "actions").at("truncated_puts") == 1; }));
  EXPECT_LT(node("Work/a.txt").at("size"), 4 << 20);
}

TEST_F(PowerFolderQuirks, ContentRangeIsRefusedOrReplacesTheFileAndIsCounted) {
  start();
  const auto alice = client();
  const std::vector<std::string> part = {"Content-Range: bytes 1-2/5"};
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt", part, "LP").status, 400);
  EXPECT_EQ(content("Work/a.txt"), "alpha");
  set({{"content_range", "replace"}});
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt", part, "LP").status, 204);
  EXPECT_EQ(content("Work/a.txt"), "LP") << "the file is the fragment";
  EXPECT_EQ(admin("GET", "actions").at("content_range_puts"), 2);
}

TEST_F(PowerFolderQuirks, WhatTheEditorHoldsIsLocked) {
  start();
  share("Work", "READ_WRITE");
  const auto alice = client();
  as(1, {{"op", "lock"}, {"path", "Work/sub/deep.txt"}});
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/sub/deep.txt", {}, "x").status, 423);
  EXPECT_EQ(alice->send("DELETE", "/webdav/Work/sub/deep.txt").status, 423);
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/sub/", {to("/webdav/Work/s/")}).status, 423);
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/a.txt", {to("/webdav/Work/sub/deep.txt")}).status,
            423);
  EXPECT_EQ(alice->get("/webdav/Work/sub/deep.txt").body, "deep") << "reading is free";
  as(1, {{"op", "unlock"}, {"path", "Work/sub/deep.txt"}});
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/sub/deep.txt", {}, "x").status, 204);
}

TEST_F(PowerFolderQuirks, DeleteOfADirectoryMayFailInParts) {
  start();
  const auto alice = client();
  as(0, {{"op", "put"}, {"path", "Work/sub/free.txt"}, {"content", "x"}});
  as(0, {{"op", "lock"}, {"path", "Work/sub/deep.txt"}});
  const PlainReply reply = alice->send("DELETE", "/webdav/Work/sub/");
  EXPECT_EQ(reply.status, 207);
  const auto entries = multistatus(reply);
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].href, "/webdav/Work/sub/deep.txt");
  EXPECT_THAT(entries[0].status, HasSubstr("423"));
  EXPECT_FALSE(exists("Work/sub/free.txt"));
  EXPECT_EQ(content("Work/sub/deep.txt"), "deep");
}

TEST_F(PowerFolderQuirks, AFullAccountIs507) {
  start();
  share("Work", "READ_WRITE");
  admin("POST", "quota", {{"user", "alice@example.com"}, {"bytes", 25}});
  const auto bob = client(1);
  EXPECT_EQ(bob->send("PUT", "/webdav/Work/n", {}, std::string(100, 'x')).status, 507)
      << "the owner's account counts";
  EXPECT_FALSE(exists("Work/n"));
  EXPECT_EQ(bob->send("PUT", "/webdav/Work/a.txt", {}, std::string(6, 'x')).status, 204);
  EXPECT_EQ(bob->send("COPY", "/webdav/Work/sub/", {to("/webdav/Work/s/")}).status, 507);
  set({{"quota_status", 413}});
  EXPECT_EQ(bob->send("PUT", "/webdav/Work/n", {}, std::string(100, 'x')).status, 413);
}

TEST_F(PowerFolderQuirks, ARefusalBeforeTheBodySavesTheBody) {
  start();
  admin("POST", "quota", {{"user", "alice@example.com"}, {"bytes", 30}});
  const auto alice = client();
  const std::string body(1 << 20, 'x');
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/n", {"Expect: 100-continue"}, body).status, 507);
  PlainHttp stranger(server_->url(), "alice@example.com", "wrong");
  EXPECT_EQ(stranger.send("PUT", "/webdav/Work/n", {"Expect: 100-continue"}, body).status, 401);
  EXPECT_TRUE(eventually([&] { return admin("GET", "counts").at("in_flight") == 0; }));
  EXPECT_EQ(admin("GET", "counts").at("bytes_in"), 0);
  admin("POST", "quota", {{"user", "alice@example.com"}, {"bytes", 0}});
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/n", {"Expect: 100-continue"}, body).status, 201);
  EXPECT_EQ(node("Work/n").at("size"), body.size());
}

TEST_F(PowerFolderQuirks, QuotaPropertiesOnlyByNameAndOnlyWhereTheyAreOn) {
  start();
  admin("POST", "quota", {{"user", "alice@example.com"}, {"bytes", 1000}});
  const auto alice = client();
  const std::string ask =
      "<propfind "
      "xmlns=\"DAV:\"><prop><quota-used-bytes/><quota-available-bytes/></prop></propfind>";
  EXPECT_EQ(
      multistatus(alice->send("PROPFIND", "/webdav/", {"Depth: 0"}, ask)).at(0).missing.size(), 2U);
  set({{"quota_props", true}});
  const auto root = multistatus(alice->send("PROPFIND", "/webdav/", {"Depth: 0"}, ask)).at(0);
  EXPECT_EQ(root.text("quota-used-bytes"), "22");
  EXPECT_EQ(root.text("quota-available-bytes"), "978");
  EXPECT_FALSE(
      multistatus(alice->send("PROPFIND", "/webdav/", {"Depth: 0"})).at(0).has("quota-used-bytes"));
}

TEST_F(PowerFolderQuirks, ListingsMayLackLengthsAndShowOtherNamesAndTheProductsOwnDirectory) {
  start(R"({"omit_length": true, "odd_displayname": true, "system_dirs": true})");
  const PlainReply reply = list("/webdav/Work/");
  for (const DavEntry& entry : multistatus(reply)) {
    EXPECT_FALSE(entry.has("getcontentlength"));
    if (entry.href.find(".PowerFolder") == std::string::npos) {
      EXPECT_EQ(entry.text("displayname"), "Shown as something else");
    }
  }
  EXPECT_THAT(hrefs(reply), testing::Contains("/webdav/Work/.PowerFolder/"));
  EXPECT_EQ(client()->send("HEAD", "/webdav/Work/a.txt").header("content-length"), "5");
}

TEST_F(PowerFolderQuirks, AMissingSlashIsRedirected) {
  start(R"({"slash_redirect": "301"})");
  const auto alice = client();
  const PlainReply reply = alice->send("PROPFIND", "/webdav/Work", {"Depth: 1"});
  EXPECT_EQ(reply.status, 301);
  EXPECT_EQ(reply.header("location"), server_->url() + "/webdav/Work/");
  EXPECT_EQ(alice->send("PROPFIND", "/webdav/Work/", {"Depth: 1"}).status, 207);
  EXPECT_EQ(alice->send("PROPFIND", "/webdav/Work/a.txt", {"Depth: 0"}).status, 207) << "a file";
  set({{"slash_redirect", "308"}});
  EXPECT_EQ(alice->send("PROPFIND", "/webdav", {"Depth: 1"}).status, 308);
}

TEST_F(PowerFolderQuirks, TwinsCannotBeToldApartOverWebDav) {
  start();
  as(0, {{"op", "twin"}, {"path", "Work"}, {"id", "[TwinTwinTwinTwinTwin00]"}});
  EXPECT_THAT(hrefs(list("/webdav/")),
              UnorderedElementsAre("/webdav/", "/webdav/Work/", "/webdav/Team/"));
  EXPECT_EQ(client()->get("/webdav/Work/a.txt").body, "alpha") << "the first one answers";
  set({{"twins", "both"}});
  EXPECT_THAT(hrefs(list("/webdav/")),
              UnorderedElementsAre("/webdav/", "/webdav/Work/", "/webdav/Work/", "/webdav/Team/"));
}

TEST_F(PowerFolderQuirks, SpecialFoldersHaveADollarInTheirPath) {
  start();
  as(0, {{"op", "special"}, {"path", "$mail_attachments"}, {"name", "Mail attachments"}});
  EXPECT_THAT(hrefs(list("/webdav/")), testing::Contains("/webdav/$mail_attachments/"));
  EXPECT_EQ(client()->send("PUT", "/webdav/%24mail_attachments/x", {}, "1").status, 201);
  EXPECT_EQ(client()->get("/webdav/$mail_attachments/x").body, "1");
}

TEST_F(PowerFolderQuirks, LocksOfClassTwoWhereTheyAreOn) {
  start();
  const auto alice = client();
  const std::string info =
      "<D:lockinfo xmlns:D=\"DAV:\"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/>"
      "</D:locktype><D:owner><D:href>alice at desk</D:href></D:owner></D:lockinfo>";
  EXPECT_EQ(alice->send("LOCK", "/webdav/Work/a.txt", {}, info).status, 405);
  set({{"locks", true}});
  share("Work", "READ_WRITE");
  const auto bob = client(1);
  const PlainReply lock = alice->send("LOCK", "/webdav/Work/a.txt", {"Timeout: Second-60"}, info);
  ASSERT_EQ(lock.status, 200) << lock.body;
  const std::string token = lock.header("lock-token");
  EXPECT_THAT(lock.body, HasSubstr("Second-60"));
  EXPECT_THAT(lock.body, HasSubstr("alice at desk"));
  EXPECT_EQ(bob->send("PUT", "/webdav/Work/a.txt", {}, "x").status, 423);
  EXPECT_EQ(bob->send("PUT", "/webdav/Work/a.txt", {"If: (" + token + ")"}, "x").status, 423)
      << "a stolen token";
  EXPECT_EQ(bob->send("LOCK", "/webdav/Work/a.txt", {}, info).status, 423);
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt", {}, "x").status, 423) << "without the token";
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt", {"If: (" + token + ")"}, "x").status, 204);
  EXPECT_EQ(alice->send("LOCK", "/webdav/Work/a.txt", {"If: (" + token + ")"}).status, 200);
  EXPECT_EQ(alice->send("LOCK", "/webdav/Work/a.txt", {"If: (<opaquelocktoken:no>)"}).status, 412);
  EXPECT_EQ(bob->send("UNLOCK", "/webdav/Work/a.txt", {"Lock-Token: " + token}).status, 403);
  EXPECT_EQ(alice->send("UNLOCK", "/webdav/Work/a.txt", {"Lock-Token: " + token}).status, 204);
  EXPECT_EQ(alice->send("UNLOCK", "/webdav/Work/a.txt", {"Lock-Token: " + token}).status, 409);
  const PlainReply made = alice->send("LOCK", "/webdav/Work/new", {}, info);
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(content("Work/new"), "") << "an empty file in its place";
  EXPECT_EQ(alice
                ->send("MOVE", "/webdav/Work/new",
                       {to("/webdav/Work/newer"), "If: (" + made.header("lock-token") + ")"})
                .status,
            201);
  EXPECT_EQ(bob->send("PUT", "/webdav/Work/newer", {}, "x").status, 204) << "no lock came along";
  EXPECT_EQ(alice->send("LOCK", "/webdav/Work/sub/", {}, info).status, 200);
  EXPECT_EQ(bob->send("PUT", "/webdav/Work/sub/n", {}, "x").status, 423) << "a deep lock";
}

TEST_F(PowerFolderQuirks, ApiAndWebDavLearnOfEachOtherLate) {
  start(R"({"api_delay_ms": 3600000, "dav_delay_ms": 3600000})");
  const auto alice = client();
  const auto names = [&] {
    std::vector<std::string> out;
    const json answer = json::parse(alice->get("/api/folders?action=getAll").body);
    for (const json& one : answer.at("ResultSet").at("Result")) {
      out.push_back(one.at("name").get<std::string>());
    }
    return out;
  };
  alice->send("MKCOL", "/webdav/ByDav/");
  EXPECT_THAT(names(), Not(testing::Contains("ByDav")));
  alice->get("/api/folders?action=create&name=ByApi");
  EXPECT_THAT(hrefs(list("/webdav/")), Not(testing::Contains("/webdav/ByApi/")));
  EXPECT_THAT(hrefs(list("/webdav/")), testing::Contains("/webdav/ByDav/"));
  alice->send("MOVE", "/webdav/Team/", {to("/webdav/Squad/")});
  EXPECT_THAT(names(), testing::Contains("Team"));
  alice->send("DELETE", "/webdav/Squad/");
  EXPECT_THAT(names(), testing::Contains("Squad")) << "gone in one view, there in the other";
  admin("POST", "settle", json::object());
  EXPECT_THAT(names(), UnorderedElementsAre("Work", "ByDav", "ByApi"));
  EXPECT_THAT(hrefs(list("/webdav/")), testing::Contains("/webdav/ByApi/"));
}

TEST_F(PowerFolderQuirks, TooManyRequestsAre429WithRetryAfter) {
  start(R"({"rate": 0.01, "rate_burst": 1, "retry_after": 3})");
  const auto alice = client();
  EXPECT_EQ(alice->get("/webdav/Work/a.txt").status, 200);
  const PlainReply refused = alice->get("/webdav/Work/a.txt");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("retry-after"), "3");
  set({{"rate_status", 503}, {"retry_after_date", true}});
  const PlainReply later = alice->get("/webdav/Work/a.txt");
  EXPECT_EQ(later.status, 503);
  EXPECT_THAT(later.header("retry-after"), HasSubstr("GMT"));
}

}  // namespace
}  // namespace cabinetfs::sandbox
