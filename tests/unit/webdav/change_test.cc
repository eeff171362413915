// Changes of the tree, and locks.

#include "backend/webdav/lock_keeper.h"

#include "backend/auth/token_source.h"
#include "backend/webdav/dav_paths.h"
#include "tests/unit/webdav/client_fixture.h"

namespace cabinetfs {
namespace {

using Lines = std::vector<std::string>;

TEST_F(WebDavClient, AMoveNamesItsDestinationAbsolutelyAndNeverOverwrites) {
  http_.answer("MOVE /dav/d%20d/a", 201, "");
  found("d%20d/b%20%C3%BC", file("/dav/d%20d/b%20%C3%BC", 1));
  const auto renamed = store_->rename(soon(), NodeKind::kFile, {"d d/a"}, "b ü");
  ASSERT_TRUE(renamed) << to_string(renamed.error());
  EXPECT_EQ(renamed->id, RemoteId{"d d/b ü"});
  const auto seen = http_.take_seen();
  EXPECT_EQ(header(seen[0], "Destination"), "https://dav.example.com/dav/d%20d/b%20%C3%BC");
  EXPECT_EQ(header(seen[0], "Overwrite"), "F");
  EXPECT_FALSE(seen[0].idempotent);
  EXPECT_EQ(seen[0].stall_timeout, patience_for(kWorthPatience));
}

TEST_F(WebDavClient, AMoveWhoseAnswerIsLostIsLookedUpAtBothEnds) {
  http_.lose("MOVE /dav/d/", ErrorCode::kUnavailable);
  missing("d/");
  found("e/", folder("/dav/e/"));
  found("e/", folder("/dav/e/"));
  const auto renamed = store_->rename(soon(), NodeKind::kFolder, {"d"}, "e");
  ASSERT_TRUE(renamed);
  EXPECT_EQ(renamed->id, RemoteId{"e"});
  // Both there: it did not happen, or somebody else was faster.
  http_.lose("MOVE /dav/d/", ErrorCode::kUnavailable);
  found("d/", folder("/dav/d/"));
  found("e/", folder("/dav/e/"));
  EXPECT_EQ(code_of(store_->rename(soon(), NodeKind::kFolder, {"d"}, "e")),
            ErrorCode::kUnavailable);
}

class WebDavLocksWithin : public WebDavClient {
 protected:
  void SetUp() override {
    http_.answer("OPTIONS /dav/", 200, "", {{"dav", "1, 2"}});
    found("", folder("/dav/"));
    ASSERT_TRUE(store_->account(soon()));
  }
  void take(const std::string& path, const std::string& token) {
    found(path, file("/dav/" + path, 1));
    http_.answer("LOCK /dav/" + path, 200, "", {{"lock-token", "<" + token + ">"}});
    found(path, file("/dav/" + path, 1));
    ASSERT_TRUE(store_->lock(soon(), {webdav::percent_decode(path)}));
  }
  void take_all() {
    for (const std::string path : {"d/a%20b", "d/e/c", "other"}) {
      take(path, "urn:" + path.substr(0, 3));
    }
    http_.take_seen();
  }
  static std::string lock_of(const std::string& owner, const std::string& token) {
    return "<D:lockdiscovery><D:activelock><D:owner>" + owner + "</D:owner><D:locktoken><D:href>" +
           token + "</D:href></D:locktoken></D:activelock></D:lockdiscovery>";
  }
};

TEST_F(WebDavLocksWithin, AFolderMovesWithThem) {
  take_all();
  http_.answer("MOVE /dav/d/", 201, "");
  found("n/", folder("/dav/n/"));
  ASSERT_TRUE(store_->rename(soon(), NodeKind::kFolder, {"d"}, "n"));
  EXPECT_EQ(header(http_.take_seen()[0], "If"),
            "<https://dav.example.com/dav/d/a%20b> (<urn:d/a>) "
            "<https://dav.example.com/dav/d/e/c> (<urn:d/e>)");
}

TEST_F(WebDavLocksWithin, OneThatHasEndedDoesNotTakeANameAway) {
  take_all();
  http_.answer("MOVE /dav/d/", 412, "");
  found("d/a%20b", file("/dav/d/a%20b", 1));
  found("d/e/c", file("/dav/d/e/c", 1, "\"1\"", lock_of("alice here", "urn:d/e")));
  http_.answer("MOVE /dav/d/", 201, "");
  found("n/", folder("/dav/n/"));
  const auto moved = store_->rename(soon(), NodeKind::kFolder, {"d"}, "n");
  ASSERT_TRUE(moved) << to_string(moved.error());
  EXPECT_EQ(header(http_.take_seen()[3], "If"), "<https://dav.example.com/dav/d/e/c> (<urn:d/e>)");
}

TEST_F(WebDavLocksWithin, ATakenNameIsOneWhileTheyLive) {
  take_all();
  http_.answer("MOVE /dav/d/", 412, "");
  found("d/a%20b", file("/dav/d/a%20b", 1, "\"1\"", lock_of("alice here", "urn:d/a")));
  http_.answer("PROPFIND /dav/d/e/c", 503, "");
  EXPECT_EQ(code_of(store_->rename(soon(), NodeKind::kFolder, {"d"}, "n")), ErrorCode::kExists);
}

TEST_F(WebDavLocksWithin, AFileIsRemovedThoughItsLockHasEnded) {
  take_all();
  found("other", file("/dav/other", 1));
  http_.answer("DELETE /dav/other", 412, "");
  found("other", file("/dav/other", 1));
  http_.answer("DELETE /dav/other", 204, "");
  const auto removed = store_->remove(soon(), NodeKind::kFile, {"other"});
  ASSERT_TRUE(removed) << to_string(removed.error());
  EXPECT_EQ(header(http_.take_seen()[3], "If"), "");
}

TEST_F(WebDavLocksWithin, AnEmptyFolderIsRemovedWithoutAny) {
  take_all();
  found("d/", folder("/dav/d/"));
  found("d/", folder("/dav/d/"));
  http_.answer("DELETE /dav/d/", 204, "");
  const auto removed = store_->remove(soon(), NodeKind::kFolder, {"d"});
  ASSERT_TRUE(removed) << to_string(removed.error());
  EXPECT_EQ(header(http_.take_seen()[2], "If"), "");
}

TEST_F(WebDavLocksWithin, TooManyForAHeaderAreNotSent) {
  for (int i = 0; i < 51; ++i) take("d/" + std::to_string(i), "urn:" + std::to_string(i));
  http_.take_seen();
  http_.answer("MOVE /dav/d/", 423, "");
  EXPECT_EQ(code_of(store_->rename(soon(), NodeKind::kFolder, {"d"}, "n")), ErrorCode::kBusy);
  EXPECT_EQ(header(http_.take_seen()[0], "If"), "");
}

// The server has agreed: that the look afterwards fails does not say that nothing has happened.
TEST_F(WebDavClient, ALookThatFailsAfterAChangeLeavesItOpen) {
  for (const int status : {401, 403, 500}) {
    http_.answer("MOVE /dav/a", 201, "");
    http_.answer("PROPFIND /dav/b", status, "");
    EXPECT_EQ(code_of(store_->rename(soon(), NodeKind::kFile, {"a"}, "b")),
              ErrorCode::kUnavailable);
    http_.answer("MKCOL /dav/d/", 201, "");
    http_.answer("PROPFIND /dav/d/", status, "");
    EXPECT_EQ(code_of(store_->create_folder(soon(), {}, "d")), ErrorCode::kUnavailable);
  }
  http_.lose("MOVE /dav/a", ErrorCode::kCancelled);
  EXPECT_EQ(code_of(store_->rename(soon(), NodeKind::kFile, {"a"}, "b")), ErrorCode::kCancelled);
}

TEST_F(WebDavClient, RefusalsOfAMove) {
  for (const auto& [status, code] :
       std::vector<std::pair<int, ErrorCode>>{{412, ErrorCode::kExists},
                                              {403, ErrorCode::kDenied},
                                              {502, ErrorCode::kCrossDevice},
                                              {423, ErrorCode::kBusy},
                                              {507, ErrorCode::kOverQuota}}) {
    http_.answer("MOVE /dav/a", status, "");
    EXPECT_EQ(code_of(store_->rename(soon(), NodeKind::kFile, {"a"}, "b")), code) << status;
  }
  http_.answer("MOVE /dav/a", 409, "");
  root_is_there();
  EXPECT_EQ(code_of(store_->move(soon(), NodeKind::kFile, {"a"}, {"gone"})), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store_->move(soon(), NodeKind::kFolder, {"a"}, {"a/b"})), ErrorCode::kInvalid);
  EXPECT_EQ(code_of(store_->rename(soon(), NodeKind::kFolder, {}, "b")), ErrorCode::kNotPermitted);
}

// Apache's word for it is "bad request".
TEST_F(WebDavClient, BelowAFileNothingIsThere) {
  http_.answer("PROPFIND /dav/d/e/a", 400, "");
  http_.answer("PROPFIND /dav/d/e", 400, "");
  found("d", file("/dav/d", 3));
  root_is_there();
  EXPECT_EQ(code_of(store_->stat(soon(), NodeKind::kFile, {"d/e/a"})), ErrorCode::kNotFound);
  http_.answer("MKCOL /dav/d/new/", 400, "");
  http_.answer("PROPFIND /dav/d/new", 400, "");
  found("d", file("/dav/d", 3));
  EXPECT_EQ(code_of(store_->create_folder(soon(), {"d"}, "new")), ErrorCode::kNotFound);
  // Where there is a folder, the request was a bad one.
  http_.answer("PROPFIND /dav/d/a", 400, "");
  found("d", folder("/dav/d/"));
  EXPECT_EQ(code_of(store_->stat(soon(), NodeKind::kFile, {"d/a"})), ErrorCode::kInvalid);
}

// One question for each folder above, however deep: TearDown() and the script count them.
TEST_F(WebDavClient, DeepBelowAFileEachFolderIsAskedForOnce) {
  std::string path = "top";
  for (int level = 0; level < 12; ++level) path += "/d";
  for (std::string folder = path; folder != "top"; folder.resize(folder.rfind('/')))
    http_.answer("PROPFIND /dav/" + folder, 400, "");
  found("top", file("/dav/top", 3));
  root_is_there();
  EXPECT_EQ(code_of(store_->stat(soon(), NodeKind::kFile, {path})), ErrorCode::kNotFound);
}

TEST_F(WebDavClient, AFileThatStandsWhereAFolderWasIsSeen) {
  http_.answer("PROPFIND /dav/d/", 400, "");
  found("d", file("/dav/d", 3));
  EXPECT_EQ(code_of(store_->list(soon(), {"d"})), ErrorCode::kNotFound);
  http_.answer("MKCOL /dav/d/", 400, "");
  found("d", file("/dav/d", 3));
  EXPECT_EQ(code_of(store_->create_folder(soon(), {}, "d")), ErrorCode::kExists);
}

TEST_F(WebDavClient, APartialFailureIsAFailure) {
  found("d/", folder("/dav/d/"));
  found("d/", folder("/dav/d/"));
  http_.answer("DELETE /dav/d/", 207,
               multistatus("<D:response><D:href>/dav/d/x</D:href>"
                           "<D:status>HTTP/1.1 423 Locked</D:status></D:response>"));
  EXPECT_EQ(code_of(store_->remove(soon(), NodeKind::kFolder, {"d"})), ErrorCode::kBusy);
}

// A portal or a filter on the way says that all is well. What the server holds tells.
TEST_F(WebDavClient, AWebPageIsNoAnswerToAChange) {
  WebDavConfig once;
  once.upload_attempts = 1;
  make(once);
  const auto page = [&](const std::string& request) {
    http_.answer(request, 200, "<html>Welcome</html>", {{"content-type", "text/html"}});
  };
  found("a", file("/dav/a", 3));
  page("PUT /dav/a");
  for (int i = 0; i < 3; ++i) found("a", file("/dav/a", 3));
  EXPECT_EQ(code_of(put("hello")), ErrorCode::kUnavailable);
  missing("a");
  page("PUT /dav/a");
  for (int i = 0; i < 3; ++i) missing("a");
  root_is_there();
  EXPECT_EQ(code_of(put("hello", {}, true)), ErrorCode::kUnavailable);
  found("a", file("/dav/a", 3));
  page("DELETE /dav/a");
  found("a", file("/dav/a", 3));
  EXPECT_EQ(code_of(store_->remove(soon(), NodeKind::kFile, {"a"})), ErrorCode::kUnavailable);
  page("MOVE /dav/a");
  found("a", file("/dav/a", 3));
  missing("b");
  EXPECT_EQ(code_of(store_->rename(soon(), NodeKind::kFile, {"a"}, "b")), ErrorCode::kUnavailable);
  page("MOVE /dav/a");
  found("a", file("/dav/a", 3));
  found("b", file("/dav/b", 3));  // somebody else's
  EXPECT_EQ(code_of(store_->rename(soon(), NodeKind::kFile, {"a"}, "b")), ErrorCode::kUnavailable);
  page("MKCOL /dav/new/");
  for (int i = 0; i < 2; ++i) missing("new/");
  EXPECT_EQ(code_of(store_->create_folder(soon(), {}, "new")), ErrorCode::kUnavailable);
}

TEST_F(WebDavClient, AFolderWithSomethingInItStays) {
  found("d/", folder("/dav/d/"));
  found("d/", folder("/dav/d/") + file("/dav/d/a", 1));
  EXPECT_EQ(code_of(store_->remove(soon(), NodeKind::kFolder, {"d"})), ErrorCode::kNotEmpty);
  EXPECT_EQ(seen_lines(), (Lines{"PROPFIND /dav/d/", "PROPFIND /dav/d/"}));
}

// Whoever put something in meanwhile would lose it.
TEST_F(WebDavClient, ADeleteOfAFolderIsRepeatedOnlyOnWhatIsStillEmpty) {
  const auto empty = [&] {
    for (int i = 0; i < 2; ++i) found("d/", folder("/dav/d/"));
  };
  empty();
  http_.lose("DELETE /dav/d/", ErrorCode::kUnavailable);
  empty();
  http_.answer("DELETE /dav/d/", 204, "");
  ASSERT_TRUE(store_->remove(soon(), NodeKind::kFolder, {"d"}));
  for (const auto& seen : http_.take_seen()) {
    EXPECT_TRUE(seen.method != "DELETE" || !seen.idempotent) << "by the engine";
  }
  for (int i = 0; i < 2; ++i) found("e/", folder("/dav/e/"));
  http_.answer("DELETE /dav/e/", 502, "");
  found("e/", folder("/dav/e/"));
  found("e/", folder("/dav/e/") + file("/dav/e/a", 1));
  EXPECT_EQ(code_of(store_->remove(soon(), NodeKind::kFolder, {"e"})), ErrorCode::kNotEmpty);
  empty();
  http_.lose("DELETE /dav/d/", ErrorCode::kTimeout);
  missing("d/");
  root_is_there();
  EXPECT_TRUE(store_->remove(soon(), NodeKind::kFolder, {"d"})) << "it had happened";
  empty();
  http_.lose("DELETE /dav/d/", ErrorCode::kTimeout);
  http_.answer("PROPFIND /dav/d/", 503, "");
  EXPECT_EQ(code_of(store_->remove(soon(), NodeKind::kFolder, {"d"})), ErrorCode::kTimeout);
}

TEST_F(WebDavClient, AFolderIsMadeOnce) {
  http_.answer("MKCOL /dav/d/", 201, "");
  found("d/", folder("/dav/d/"));
  EXPECT_TRUE(store_->create_folder(soon(), {}, "d"));
  http_.answer("MKCOL /dav/d/", 405, "");
  missing("d/");  // taken by something that does not show
  EXPECT_EQ(code_of(store_->create_folder(soon(), {}, "d")), ErrorCode::kExists);
  http_.answer("MKCOL /dav/d/", 507, "");
  EXPECT_EQ(code_of(store_->create_folder(soon(), {}, "d")), ErrorCode::kOverQuota);
  http_.lose("MKCOL /dav/d/", ErrorCode::kUnavailable);
  EXPECT_EQ(code_of(store_->create_folder(soon(), {}, "d")), ErrorCode::kUnavailable);
}

TEST_F(WebDavClient, ACopyDoesNotReplace) {
  found("a", file("/dav/a", 4));
  missing("b");
  http_.answer("COPY /dav/a", 201, "");
  found("b", file("/dav/b", 4));
  ASSERT_TRUE(store_->copy_file(soon(), {"a"}, {}, "b"));
  const auto seen = http_.take_seen();
  EXPECT_EQ(header(seen[2], "Overwrite"), "F");
  EXPECT_EQ(seen[2].stall_timeout, patience_for(4)) << "it is answered when it is done";
  found("a", file("/dav/a", 4));
  found("b", file("/dav/b", 4));
  EXPECT_EQ(code_of(store_->copy_file(soon(), {"a"}, {}, "b")), ErrorCode::kExists);
}

class WebDavLocks : public WebDavClient {
 protected:
  void SetUp() override {
    http_.answer("OPTIONS /dav/", 200, "", {{"dav", "1,2"}});
    root_is_there();
    ASSERT_TRUE(store_->account(soon()));
    http_.take_seen();
  }
  static std::string locked(const std::string& owner, const std::string& token) {
    return "<D:lockdiscovery><D:activelock><D:owner>" + owner + "</D:owner><D:locktoken><D:href>" +
           token + "</D:href></D:locktoken></D:activelock></D:lockdiscovery>";
  }
};

TEST_F(WebDavLocks, WritesCarryTheTokenOfOurLock) {
  found("a", file("/dav/a", 1, "\"1\""));
  http_.answer("LOCK /dav/a", 200, "", {{"lock-token", "<opaquelocktoken:7>"}});
  found("a", file("/dav/a", 1, "\"1\"", locked("alice here", "opaquelocktoken:7")));
  const auto held = store_->lock(soon(), {"a"});
  ASSERT_TRUE(held) << to_string(held.error());
  EXPECT_EQ(held->lock, LockState::kHeldByUs);
  auto seen = http_.take_seen();
  EXPECT_EQ(header(seen[1], "Timeout"), "Second-300");
  EXPECT_NE(seen[1].body.find("<D:owner>alice here</D:owner>"), std::string::npos);

  found("a", file("/dav/a", 1, "\"1\"", locked("alice here", "opaquelocktoken:7")));
  http_.answer("PUT /dav/a", 204, "");
  found("a", file("/dav/a", 5, "\"2\""));
  ASSERT_TRUE(put("hello"));
  EXPECT_EQ(header(http_.take_seen()[1], "If"), "(<opaquelocktoken:7>)");

  found("a", file("/dav/a", 5, "\"2\"", locked("alice here", "opaquelocktoken:7")));
  http_.answer("UNLOCK /dav/a", 204, "");
  found("a", file("/dav/a", 5, "\"2\""));
  const auto freed = store_->unlock(soon(), {"a"}, "");
  ASSERT_TRUE(freed);
  EXPECT_EQ(freed->lock, LockState::kFree);
  EXPECT_EQ(header(http_.take_seen()[1], "Lock-Token"), "<opaquelocktoken:7>");
}

TEST_F(WebDavLocks, OneThatHasEndedDoesNotRefuseAnUpload) {
  found("a", file("/dav/a", 1));
  http_.answer("LOCK /dav/a", 200, "", {{"lock-token", "<opaquelocktoken:7>"}});
  const std::string held = file("/dav/a", 1, "\"1\"", locked("alice here", "opaquelocktoken:7"));
  found("a", held);
  ASSERT_TRUE(store_->lock(soon(), {"a"}));
  // It lives: the content is another one.
  found("a", held);
  http_.answer("PUT /dav/a", 412, "");
  found("a", held);
  EXPECT_EQ(code_of(put("hello")), ErrorCode::kConflict);
  http_.take_seen();
  found("a", held);
  http_.answer("PUT /dav/a", 412, "");
  found("a", file("/dav/a", 1));
  http_.answer("PUT /dav/a", 204, "");
  found("a", file("/dav/a", 5, "\"2\""));
  const auto sent = put("hello");
  ASSERT_TRUE(sent) << to_string(sent.error());
  EXPECT_EQ(header(http_.take_seen()[3], "If"), "");
}

TEST_F(WebDavLocks, OurLockFromAnEarlierLifeIsTakenOver) {
  const std::string there = file("/dav/a", 1, "\"1\"", locked("alice here", "opaquelocktoken:8"));
  found("a", there);
  found("a", there);
  http_.answer("UNLOCK /dav/a", 204, "");
  found("a", file("/dav/a", 1, "\"1\""));
  ASSERT_TRUE(store_->unlock(soon(), {"a"}, ""));
  EXPECT_EQ(header(http_.take_seen()[2], "Lock-Token"), "<opaquelocktoken:8>");
}

TEST_F(WebDavLocks, AnothersLockStopsUs) {
  const std::string there = file("/dav/a", 1, "\"1\"", locked("bob", "opaquelocktoken:9"));
  found("a", there);
  EXPECT_EQ(code_of(store_->lock(soon(), {"a"})), ErrorCode::kBusy);
  found("a", there);
  EXPECT_EQ(code_of(put("x")), ErrorCode::kBusy);
  found("a", there);
  EXPECT_EQ(code_of(store_->remove(soon(), NodeKind::kFile, {"a"})), ErrorCode::kBusy);
  found("a", there);
  EXPECT_EQ(code_of(store_->unlock(soon(), {"a"}, "")), ErrorCode::kBusy);
}

TEST(WebDavLockKeeper, LocksAreKeptAliveUntilTheServerRefuses) {
  Mutex mutex;
  CondVar changed;
  int refreshed = 0;
  webdav::LockKeeper keeper(
      std::chrono::seconds(2),
      [&](const CancelToken&, const RemoteId& file, const std::string& token) -> Result<void> {
        EXPECT_EQ(file.value, "a");
        EXPECT_EQ(token, "t");
        MutexLock lock(mutex);
        ++refreshed;
        changed.notify_all();
        if (refreshed == 1) return {};
        return fail(ErrorCode::kConflict, "no such lock");
      });
  keeper.hold({"a"}, "t");
  const SteadyTime until = Clock::system().steady() + std::chrono::seconds(20);
  {
    MutexLock lock(mutex);
    while (refreshed < 2 && changed.wait_until(mutex, until)) {
    }
    EXPECT_EQ(refreshed, 2);
  }
  while (keeper.token({"a"}) && Clock::system().steady() < until) std::this_thread::yield();
  EXPECT_EQ(keeper.token({"a"}), std::nullopt);
}

TEST(WebDavAuth, BasicCarriesUserAndPassword) {
  auto tokens = make_basic_token_source("r", "Aladdin", SecretString("open sesame"));
  ASSERT_TRUE(tokens);
  const CallContext call = CallContext::within(std::chrono::seconds(1));
  EXPECT_EQ(*(*tokens)->token(call), "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  // Refused once, it is not tried again: servers lock accounts.
  (*tokens)->invalidate("QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(code_of((*tokens)->token(call)), ErrorCode::kUnauthenticated);
  EXPECT_FALSE(make_basic_token_source("r", "a:b", SecretString("x")));
}

}  // namespace
}  // namespace cabinetfs
