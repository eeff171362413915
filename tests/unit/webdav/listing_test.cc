// Listings that lie, pages that are no listings, and places that are not ours.

#include "backend/webdav/listing_memory.h"

#include "tests/unit/webdav/client_fixture.h"

namespace cabinetfs {
namespace {

using Lines = std::vector<std::string>;

TEST_F(WebDavClient, AFullFolderListedAsEmptyIsNotBelieved) {
  found("d/", folder("/dav/d/") + file("/dav/d/a", 1) + file("/dav/d/b", 1));
  ASSERT_EQ(store_->list(soon(), {"d"})->size(), 2u);
  // Twice empty, and a file of it is still there.
  found("d/", folder("/dav/d/"));
  found("d/", folder("/dav/d/"));
  found("d/a", file("/dav/d/a", 1));
  EXPECT_EQ(code_of(store_->list(soon(), {"d"})), ErrorCode::kUnavailable);
  // Nothing was learnt from the lie.
  found("d/", folder("/dav/d/"));
  found("d/", folder("/dav/d/") + file("/dav/d/a", 1) + file("/dav/d/b", 1));
  EXPECT_EQ(store_->list(soon(), {"d"})->size(), 2u);
}

TEST_F(WebDavClient, AFolderThatWasEmptiedIsBelievedAfterASecondLook) {
  found("d/", folder("/dav/d/") + file("/dav/d/a", 1));
  ASSERT_TRUE(store_->list(soon(), {"d"}));
  found("d/", folder("/dav/d/"));
  found("d/", folder("/dav/d/"));
  missing("d/a");
  const auto now = store_->list(soon(), {"d"});
  ASSERT_TRUE(now);
  EXPECT_TRUE(now->empty());
  // From now on it is known to be empty.
  found("d/", folder("/dav/d/"));
  EXPECT_TRUE(store_->list(soon(), {"d"}));
}

TEST_F(WebDavClient, WhatWeRemovedOurselvesIsNotMissed) {
  found("d/", folder("/dav/d/") + file("/dav/d/a", 1));
  ASSERT_TRUE(store_->list(soon(), {"d"}));
  found("d/a", file("/dav/d/a", 1));
  http_.answer("DELETE /dav/d/a", 204, "");
  ASSERT_TRUE(store_->remove(soon(), NodeKind::kFile, {"d/a"}));
  found("d/", folder("/dav/d/"));
  EXPECT_TRUE(store_->list(soon(), {"d"}));
}

TEST_F(WebDavClient, ALyingListingDoesNotRemoveAFolder) {
  found("d/", folder("/dav/d/") + file("/dav/d/a", 1));
  ASSERT_TRUE(store_->list(soon(), {"d"}));
  found("d/", folder("/dav/d/"));  // what it is
  found("d/", folder("/dav/d/"));
  found("d/", folder("/dav/d/"));
  found("d/a", file("/dav/d/a", 1));
  EXPECT_EQ(code_of(store_->remove(soon(), NodeKind::kFolder, {"d"})), ErrorCode::kUnavailable);
  for (const std::string& line : seen_lines()) EXPECT_EQ(line.find("DELETE"), std::string::npos);
}

TEST(ListingMemory, LosingMoreThanHalfOfManyIsDoubted) {
  webdav::ListingMemory memory;
  std::vector<RemoteEntry> entries(40);
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].id.value = "d/" + std::to_string(i);
  memory.remember({"d"}, entries);
  EXPECT_FALSE(memory.is_doubtful({"d"}, 20));
  EXPECT_TRUE(memory.is_doubtful({"d"}, 19));
  EXPECT_TRUE(memory.is_doubtful({"d"}, 0));
  EXPECT_FALSE(memory.is_doubtful({"e"}, 0));
  entries.resize(1);
  const auto witness = memory.witness({"d"}, entries);
  ASSERT_TRUE(witness);
  EXPECT_NE(witness->id, entries.front().id);
  memory.removed({"d"});
  EXPECT_FALSE(memory.is_doubtful({"d"}, 0));
}

TEST_F(WebDavClient, ALoginPageIsNoEmptyFolder) {
  const HttpHeaders html = {{"content-type", "text/html; charset=utf-8"}};
  for (const int status : {200, 207}) {
    ScriptedHttp page;
    auto store = make_webdav_store(page, [] {
      WebDavConfig config;
      config.base_url = "https://dav.example.com/dav";
      return config;
    }());
    page.answer("PROPFIND", status, "<!DOCTYPE html><html><form/></html>", html);
    const auto listed = (*store)->list(soon(), {"d"});
    EXPECT_EQ(code_of(listed), ErrorCode::kUnauthenticated);
  }
  http_.answer("PROPFIND /dav/d/", 302, "", {{"location", "/login"}});
  const auto redirected = store_->list(soon(), {"d"});
  EXPECT_EQ(code_of(redirected), ErrorCode::kUnauthenticated);
  EXPECT_NE(redirected.error().context.find("browser"), std::string::npos);
}

TEST_F(WebDavClient, ARedirectToAnotherServerIsNotFollowed) {
  http_.answer("PROPFIND /dav/d/", 301, "", {{"location", "https://evil.example.com/dav/d/"}});
  const auto listed = store_->list(soon(), {"d"});
  EXPECT_EQ(code_of(listed), ErrorCode::kUnavailable);
  EXPECT_EQ(seen_lines(), Lines{"PROPFIND /dav/d/"});
}

TEST_F(WebDavClient, AMissingSlashIsAdded) {
  http_.answer("PROPFIND /dav/d", 301, "", {{"location", "https://dav.example.com/dav/d/"}});
  found("d/", folder("/dav/d/"));
  const auto there = store_->find_child(soon(), {}, "d");
  ASSERT_TRUE(there && *there);
  EXPECT_EQ((*there)->kind, NodeKind::kFolder);
}

TEST_F(WebDavClient, TwoHundredIsTakenForAMultistatusThatItHolds) {
  http_.answer("PROPFIND /dav/d/", 200, multistatus(folder("/dav/d/") + file("/dav/d/a", 3)));
  const auto listed = store_->list(soon(), {"d"});
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ(listed->front().size, 3u);
}

TEST_F(WebDavClient, PlacesOutsideAreIgnoredAndNeverAskedFor) {
  found("d/", folder("/dav/d/") + file("/etc/passwd", 1) + file("https://evil.example.com/x", 1) +
                  file("/dav/other/b", 1) + file("/dav/d/deep/er", 1) + file("/dav/d/a", 1) +
                  file("/dav/d/a", 1) + file("/dav/d/..%2Fup", 1));
  const auto listed = store_->list(soon(), {"d"});
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ(listed->front().id.value, "d/a");
  EXPECT_EQ(seen_lines(), Lines{"PROPFIND /dav/d/"});
}

TEST_F(WebDavClient, AnAnswerWithoutTheFolderItselfIsNotItsListing) {
  found("d/", folder("/elsewhere/d/") + file("/elsewhere/d/a", 1));
  EXPECT_EQ(code_of(store_->list(soon(), {"d"})), ErrorCode::kCorrupt);
}

TEST_F(WebDavClient, NotFoundCountsOnlyWhileTheRootAnswers) {
  missing("d/");
  root_is_there();
  EXPECT_EQ(code_of(store_->list(soon(), {"d"})), ErrorCode::kNotFound);
  missing("d/");
  missing("");
  EXPECT_EQ(code_of(store_->list(soon(), {"d"})), ErrorCode::kUnavailable);
}

TEST_F(WebDavClient, AFileThatBecameAFolderIsGone) {
  found("a", folder("/dav/a/"));
  EXPECT_EQ(code_of(store_->stat(soon(), NodeKind::kFile, {"a"})), ErrorCode::kNotFound);
  found("a/", file("/dav/a", 1));
  EXPECT_EQ(code_of(store_->list(soon(), {"a"})), ErrorCode::kNotFound);
  // And removing the file leaves the folder alone.
  found("a", folder("/dav/a/"));
  EXPECT_TRUE(store_->remove(soon(), NodeKind::kFile, {"a"}));
}

TEST_F(WebDavClient, TheServersSpellingOfANameCounts) {
  // Decomposed by a server on macOS.
  found("d/%C3%BC", file("/dav/d/u%CC%88", 1));
  const auto there = store_->find_child(soon(), {"d"}, "\xC3\xBC");
  ASSERT_TRUE(there && *there);
  EXPECT_EQ((*there)->id, RemoteId{"d/u\xCC\x88"});
  found("d/a", file("/dav/d/b", 1));
  EXPECT_EQ(code_of(store_->stat(soon(), NodeKind::kFile, {"d/a"})), ErrorCode::kCorrupt);
}

TEST_F(WebDavClient, ASizeThatIsNotToldIsAskedFor) {
  found("a",
        "<D:response><D:href>/dav/a</D:href>" + properties("<D:resourcetype/>") + "</D:response>");
  http_.answer("HEAD /dav/a", 200, "", {{"content-length", "77"}});
  const auto entry = store_->stat(soon(), NodeKind::kFile, {"a"});
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->size, 77u);
  found("a",
        "<D:response><D:href>/dav/a</D:href>" + properties("<D:resourcetype/>") + "</D:response>");
  http_.answer("HEAD /dav/a", 200, "");
  EXPECT_EQ(code_of(store_->stat(soon(), NodeKind::kFile, {"a"})), ErrorCode::kCorrupt);
}

TEST_F(WebDavClient, TheProbeLearnsWhatTheServerCan) {
  http_.answer("OPTIONS /dav/", 200, "",
               {{"dav", "1, 3, extended-mkcol"}, {"dav", "2"}, {"allow", "PROPFIND, MOVE, PUT"}});
  http_.answer("PROPFIND /dav/", 207,
               "<D:multistatus xmlns:D='DAV:' xmlns:o='http://owncloud.org/ns'><D:response>"
               "<D:href>/dav/</D:href>" +
                   properties("<D:resourcetype><D:collection/></D:resourcetype>"
                              "<D:quota-used-bytes>10</D:quota-used-bytes>"
                              "<D:quota-available-bytes>-3</D:quota-available-bytes>"
                              "<o:permissions>RGDNVCK</o:permissions>") +
                   "</D:response></D:multistatus>");
  ASSERT_TRUE(store_->account(soon()));
  const Capabilities& can = store_->capabilities();
  EXPECT_TRUE(can.locks);
  EXPECT_TRUE(can.quota);
  EXPECT_TRUE(can.mtime_at_upload);
  EXPECT_TRUE(can.move);
  EXPECT_FALSE(can.copy);
  EXPECT_TRUE(can.ids_follow_path);
  // Once for the life of the store.
  ASSERT_TRUE(store_->account(soon()));
  found("", "<D:response><D:href>/dav/</D:href>" +
                properties("<D:quota-used-bytes>10</D:quota-used-bytes>"
                           "<D:quota-available-bytes>30</D:quota-available-bytes>") +
                "</D:response>");
  const auto quota = store_->quota(soon());
  ASSERT_TRUE(quota);
  EXPECT_EQ(quota->used, 10u);
  EXPECT_EQ(quota->total, 40u);
}

}  // namespace
}  // namespace cabinetfs
