#include <nlohmann/json.hpp>

#include "tests/sandbox/powerfolder_test.h"

// The methods under /webdav, as they are without quirks.

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class PowerFolderDav : public PowerFolderTest {};

TEST_F(PowerFolderDav, OptionsAnnouncesClassOneAndTwoOnlyWithLocks) {
  start();
  const auto alice = client();
  const PlainReply plain = alice->send("OPTIONS", "/webdav/");
  EXPECT_EQ(plain.status, 200);
  EXPECT_EQ(plain.header("dav"), "1");
  EXPECT_THAT(plain.header("allow"), HasSubstr("PROPFIND"));
  EXPECT_THAT(plain.header("allow"), Not(HasSubstr("LOCK")));
  EXPECT_FALSE(plain.header("pf-server-id").empty());
  set({{"locks", true}, {"server_headers", false}});
  const PlainReply locking = alice->send("OPTIONS", "/webdav/");
  EXPECT_EQ(locking.header("dav"), "1, 2");
  EXPECT_THAT(locking.header("allow"), HasSubstr("UNLOCK"));
  EXPECT_TRUE(locking.header("pf-server-id").empty());
}

TEST_F(PowerFolderDav, TheRootListsTopLevelFoldersAndItself) {
  start();
  const auto alice = client();
  const PlainReply root = alice->send("PROPFIND", "/webdav/", {"Depth: 1"});
  EXPECT_EQ(root.status, 207);
  EXPECT_THAT(hrefs(root),
              testing::UnorderedElementsAre("/webdav/", "/webdav/Work/", "/webdav/Team/"));
  EXPECT_THAT(hrefs(alice->send("PROPFIND", "/webdav", {"Depth: 0"})), ElementsAre("/webdav/"));
  EXPECT_EQ(alice->send("PROPFIND", "/webdav/None/", {"Depth: 1"}).status, 404);
  EXPECT_EQ(alice->send("PROPFIND", "/webdav/Work/none", {"Depth: 0"}).status, 404);
  EXPECT_EQ(alice->send("PROPFIND", "/webdav/", {"Depth: 2"}).status, 400);
}

TEST_F(PowerFolderDav, NamedPropertiesThatAreNotThereComeUnder404) {
  start(R"({"etag": "strong"})");
  const auto alice = client();
  const PlainReply reply =
      alice->send("PROPFIND", "/webdav/Work/a.txt", {"Depth: 0"},
                  "<?xml version=\"1.0\"?><x:propfind xmlns:x=\"DAV:\" "
                  "xmlns:o=\"urn:other\"><x:prop><x:getetag/>"
                  "<x:getcontentlength/><x:quota-used-bytes/><o:colour/></x:prop></x:propfind>");
  const auto entries = multistatus(reply);
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].text("getcontentlength"), "5");
  EXPECT_TRUE(entries[0].has("getetag"));
  EXPECT_FALSE(entries[0].has("getlastmodified")) << "not asked for";
  EXPECT_THAT(entries[0].missing, ElementsAre("quota-used-bytes", "colour"));
  EXPECT_EQ(alice->send("PROPFIND", "/webdav/", {"Depth: 0"}, "<broken").status, 400);
  EXPECT_EQ(alice->send("PROPFIND", "/webdav/", {"Depth: 0"}, "<a xmlns=\"DAV:\"/>").status, 400);
}

TEST_F(PowerFolderDav, ReadsWholesAndParts) {
  start();
  const auto alice = client();
  const PlainReply whole = alice->get("/webdav/Work/b%20(1).txt");
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body, "beta beta");
  EXPECT_EQ(whole.header("accept-ranges"), "bytes");
  const PlainReply part = alice->get("/webdav/Work/b%20(1).txt", {"Range: bytes=5-"});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "beta");
  EXPECT_EQ(part.header("content-range"), "bytes 5-8/9");
  EXPECT_EQ(alice->get("/webdav/Work/a.txt", {"Range: bytes=5-"}).status, 416);
  const PlainReply head = alice->send("HEAD", "/webdav/Work/a.txt");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("content-length"), "5");
  EXPECT_FALSE(head.header("last-modified").empty());
  EXPECT_EQ(alice->get("/webdav/Work/none").status, 404);
}

TEST_F(PowerFolderDav, PutCreatesAndReplacesAndKeepsVersions) {
  start(R"({"versions": 2})");
  const auto alice = client();
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/new", {}, "1").status, 201);
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/new", {}, "22").status, 204);
  EXPECT_EQ(content("Work/new"), "22");
  EXPECT_EQ(server_->admin("GET", "content?path=Work/new&version=1"), "1");
  EXPECT_EQ(node("Work/new").at("versions").size(), 2U);
  alice->send("PUT", "/webdav/Work/new", {}, "333");
  alice->send("PUT", "/webdav/Work/new", {}, "4444");
  EXPECT_EQ(node("Work/new").at("versions").size(), 3U) << "two old ones and the current one";
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/none/x", {}, "y").status, 409);
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt/x", {}, "y").status, 409);
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/sub", {}, "y").status, 405);
  EXPECT_EQ(alice->send("PUT", "/webdav/file-at-the-top", {}, "y").status, 403);
}

TEST_F(PowerFolderDav, PutObeysConditions) {
  start(R"({"etag": "strong"})");
  const auto alice = client();
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt", {"If-None-Match: *"}, "x").status, 412);
  EXPECT_EQ(content("Work/a.txt"), "alpha");
  const std::string etag = alice->send("HEAD", "/webdav/Work/a.txt").header("etag");
  const PlainReply put = alice->send("PUT", "/webdav/Work/a.txt", {"If-Match: " + etag}, "one");
  EXPECT_EQ(put.status, 204);
  EXPECT_NE(put.header("etag"), etag);
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt", {"If-Match: " + etag}, "two").status, 412);
  EXPECT_EQ(content("Work/a.txt"), "one");
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/n", {"If-Match: *"}, "x").status, 412);
  EXPECT_EQ(alice->get("/webdav/Work/a.txt", {"If-None-Match: " + put.header("etag")}).status, 304);
  const PlainReply stale =
      alice->get("/webdav/Work/a.txt", {"Range: bytes=0-1", "If-Range: " + etag});
  EXPECT_EQ(stale.status, 200) << "the part is of another version: the whole";
  set({{"conditions", false}});
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt", {"If-Match: " + etag}, "two").status, 204);
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a.txt", {"If-None-Match: *"}, "three").status, 204);
}

TEST_F(PowerFolderDav, MkcolDeleteAndMoveOfFilesAndDirectories) {
  start();
  const auto alice = client();
  EXPECT_EQ(alice->send("MKCOL", "/webdav/Work/dir/").status, 201);
  EXPECT_EQ(alice->send("MKCOL", "/webdav/Work/dir/").status, 405);
  EXPECT_EQ(alice->send("MKCOL", "/webdav/Work/a.txt").status, 405);
  EXPECT_EQ(alice->send("MKCOL", "/webdav/Work/x/y/").status, 409);
  EXPECT_EQ(alice->send("MKCOL", "/webdav/Work/z/", {}, "body").status, 415);
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/a.txt", {to("/webdav/Work/dir/b%20c.txt")}).status,
            201);
  EXPECT_FALSE(exists("Work/a.txt"));
  EXPECT_EQ(content("Work/dir/b c.txt"), "alpha");
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/dir/", {to("/webdav/Team/moved/")}).status, 201);
  EXPECT_EQ(content("Team/moved/b c.txt"), "alpha");
  EXPECT_EQ(alice->send("MOVE", "/webdav/Team/", {to("/webdav/Team/moved/in")}).status, 403);
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/none", {to("/webdav/Work/x")}).status, 404);
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/sub", {to("/webdav/Work/none/x")}).status, 409);
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/sub", {}).status, 400);
  EXPECT_EQ(alice->send("DELETE", "/webdav/Team/moved/").status, 204);
  EXPECT_FALSE(exists("Team/moved/b c.txt"));
  EXPECT_EQ(alice->send("DELETE", "/webdav/Team/moved/").status, 404);
  EXPECT_EQ(alice->send("DELETE", "/webdav/").status, 403);
}

TEST_F(PowerFolderDav, OverwriteDecidesWhatBecomesOfTheTarget) {
  start();
  const auto alice = client();
  const std::string target = to("/webdav/Work/b%20(1).txt");
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/a.txt", {target, "Overwrite: F"}).status, 412);
  EXPECT_EQ(content("Work/b (1).txt"), "beta beta");
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/a.txt", {target}).status, 204) << "T is the default";
  EXPECT_EQ(content("Work/b (1).txt"), "alpha");
  EXPECT_EQ(node("Work/b (1).txt").at("versions").size(), 1U) << "the target's history is gone";
  set({{"keep_chain", true}});
  as(0, {{"op", "put"}, {"path", "Work/a.txt"}, {"content", "again"}});
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/a.txt", {target, "Overwrite: T"}).status, 204);
  EXPECT_EQ(content("Work/b (1).txt"), "again");
  EXPECT_EQ(node("Work/b (1).txt").at("versions").size(), 2U);
  EXPECT_FALSE(exists("Work/a.txt"));
}

TEST_F(PowerFolderDav, CopyLeavesTheSource) {
  start();
  const auto alice = client();
  EXPECT_EQ(alice->send("COPY", "/webdav/Work/sub/", {to("/webdav/Team/sub/")}).status, 201);
  EXPECT_EQ(content("Team/sub/deep.txt"), "deep");
  EXPECT_EQ(content("Work/sub/deep.txt"), "deep");
  EXPECT_EQ(alice->send("COPY", "/webdav/Work/sub/", {to("/webdav/Work/flat/"), "Depth: 0"}).status,
            201);
  EXPECT_TRUE(exists("Work/flat"));
  EXPECT_FALSE(exists("Work/flat/deep.txt"));
  EXPECT_EQ(
      alice->send("COPY", "/webdav/Work/a.txt", {to("/webdav/Team/t.txt"), "Overwrite: F"}).status,
      412);
  EXPECT_EQ(alice->send("COPY", "/webdav/Work/a.txt", {to("/webdav/Team/t.txt")}).status, 204);
  EXPECT_EQ(content("Team/t.txt"), "alpha");
}

TEST_F(PowerFolderDav, AtTheTopThereAreFoldersOnly) {
  start();
  const auto alice = client();
  EXPECT_EQ(alice->send("MKCOL", "/webdav/Fresh/").status, 201);
  EXPECT_EQ(folder("Fresh").at("owner"), "alice@example.com");
  EXPECT_EQ(alice->send("MOVE", "/webdav/Fresh/", {to("/webdav/Renamed/"), "Overwrite: F"}).status,
            201);
  EXPECT_TRUE(folder("Fresh").is_null());
  EXPECT_FALSE(folder("Renamed").is_null());
  EXPECT_EQ(alice->send("MOVE", "/webdav/Renamed/", {to("/webdav/Team/"), "Overwrite: F"}).status,
            412);
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/a.txt", {to("/webdav/file")}).status, 403);
  EXPECT_EQ(alice->send("DELETE", "/webdav/Renamed/").status, 204);
  EXPECT_TRUE(folder("Renamed").is_null());
  EXPECT_EQ(alice->send("MKCOL", "/webdav/x.crypto/").status, 403) << "a reserved ending";
  set({{"root_mkcol", false}, {"root_delete", "refuse"}, {"root_move", false}});
  EXPECT_EQ(alice->send("MKCOL", "/webdav/Other/").status, 403);
  EXPECT_EQ(alice->send("DELETE", "/webdav/Team/").status, 403);
  EXPECT_EQ(alice->send("MOVE", "/webdav/Team/", {to("/webdav/T/")}).status, 403);
}

TEST_F(PowerFolderDav, AFolderMovedIntoAnotherIsLostToItsMembers) {
  start();
  share("Team", "READ_WRITE");
  const auto alice = client();
  EXPECT_EQ(alice->send("MOVE", "/webdav/Team/", {to("/webdav/Work/Team/")}).status, 201);
  EXPECT_TRUE(folder("Team").is_null());
  EXPECT_EQ(content("Work/Team/t.txt"), "team");
  EXPECT_EQ(client(1)->get("/webdav/Team/t.txt").status, 404);
  EXPECT_EQ(alice->send("MOVE", "/webdav/Work/Team/", {to("/webdav/Back/")}).status, 201);
  EXPECT_EQ(folder("Back").at("members").size(), 1U) << "the members do not come back";
  EXPECT_EQ(content("Back/t.txt"), "team");
}

TEST_F(PowerFolderDav, RightsAreThoseOfTheTopLevelFolder) {
  start();
  const auto bob = client(1);
  EXPECT_EQ(bob->get("/webdav/Work/a.txt").status, 404) << "nobody's business";
  EXPECT_THAT(hrefs(bob->send("PROPFIND", "/webdav/", {"Depth: 1"})), ElementsAre("/webdav/"));
  share("Work", "READ");
  EXPECT_EQ(bob->get("/webdav/Work/a.txt").body, "alpha");
  EXPECT_EQ(bob->send("PUT", "/webdav/Work/a.txt", {}, "x").status, 403);
  EXPECT_EQ(bob->send("MKCOL", "/webdav/Work/d/").status, 403);
  EXPECT_EQ(bob->send("DELETE", "/webdav/Work/a.txt").status, 403);
  EXPECT_EQ(bob->send("MOVE", "/webdav/Work/a.txt", {to("/webdav/Work/b.txt")}).status, 403);
  EXPECT_EQ(content("Work/a.txt"), "alpha");
  share("Work", "READ_WRITE");
  EXPECT_EQ(bob->send("PUT", "/webdav/Work/a.txt", {}, "bob's").status, 204);
  EXPECT_EQ(node("Work/a.txt").at("versions").back().at("user"), "bob@example.com");
  EXPECT_EQ(bob->send("DELETE", "/webdav/Work/").status, 403) << "only an owner";
  EXPECT_EQ(bob->send("MOVE", "/webdav/Work/", {to("/webdav/Mine/")}).status, 403);
  share("Work", "ADMIN");
  EXPECT_EQ(bob->send("MOVE", "/webdav/Work/", {to("/webdav/Ours/")}).status, 201);
  set({{"root_shows", "owned"}});
  EXPECT_THAT(hrefs(bob->send("PROPFIND", "/webdav/", {"Depth: 1"})), ElementsAre("/webdav/"));
}

TEST_F(PowerFolderDav, NamesWithEverythingInThemComeBackAsTheyWere) {
  start();
  const auto alice = client();
  const std::string path = "/webdav/Work/a%23b%25%C3%A4%26%3C%22%20%5B%2B%5D%3Fc";
  EXPECT_EQ(alice->send("PUT", path, {}, "x").status, 201);
  EXPECT_FALSE(node("Work/a#b%\xc3\xa4&<\" [+]?c").is_null());
  EXPECT_EQ(alice->get(path).body, "x");
  const auto listed = hrefs(alice->send("PROPFIND", "/webdav/Work/", {"Depth: 1"}));
  EXPECT_THAT(listed, testing::Contains("/webdav/Work/a%23b%25%C3%A4%26%3C%22%20%5B+%5D%3Fc"));
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/%01", {}, "x").status, 403);
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/" + std::string(256, 'n'), {}, "x").status, 403);
  set({{"names", "windows"}});
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/a%3Ab", {}, "x").status, 403);
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/dot.", {}, "x").status, 403);
}

TEST_F(PowerFolderDav, CaseIsIgnoredWhereTheServerIsLikeThat) {
  start();
  const auto alice = client();
  EXPECT_EQ(alice->get("/webdav/Work/A.TXT").status, 404);
  set({{"case_sensitive", false}});
  EXPECT_EQ(alice->get("/webdav/work/A.TXT").body, "alpha");
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/A.TXT", {}, "new").status, 204);
  EXPECT_EQ(content("Work/a.txt"), "new") << "the name stays";
  EXPECT_EQ(
      alice->send("MOVE", "/webdav/Work/a.txt", {to("/webdav/Work/A.txt"), "Overwrite: F"}).status,
      201);
  EXPECT_EQ(content("Work/A.txt"), "new");
}

}  // namespace
}  // namespace cabinetfs::sandbox
