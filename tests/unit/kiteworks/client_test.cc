// The client against answers that the test server never gives.

#include <gtest/gtest.h>

#include "backend/kiteworks/feed_cursor.h"
#include "backend/kiteworks/kiteworks.h"
#include "backend/remote_store.h"
#include "tests/unit/kiteworks/client_fixture.h"

namespace cabinetfs {
namespace {

TEST_F(KiteworksClient, TheServersLimitsCount) {
  EXPECT_EQ(store_->capabilities().chunk_size, 1000u);
  EXPECT_FALSE(store_->capabilities().root_takes_files);
  EXPECT_FALSE(store_->capabilities().names.case_sensitive);
}

TEST_F(KiteworksClient, ABaseUrlWithAPathIsRefused) {
  for (const char* const url :
       {"https://x.example.com/rest", "ftp://x.example.com", "x.example.com", ""}) {
    KiteworksConfig config;
    config.base_url = url;
    const auto made = make_kiteworks_store(http_, config);
    ASSERT_FALSE(made) << url;
    EXPECT_EQ(made.error().code, ErrorCode::kInvalid);
  }
}

TEST_F(KiteworksClient, AListingAlwaysSendsALimitAndLeavesOutTheDeleted) {
  list_with(file_json("f1", "a"));
  const auto seen = http_.take_seen();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_NE(seen[0].target.find("deleted=false"), std::string::npos);
  EXPECT_NE(seen[0].target.find("limit=1000"), std::string::npos);
  EXPECT_NE(seen[0].target.find("with=%28permissions"), std::string::npos);
}

TEST_F(KiteworksClient, WhatOneEndpointSendsInOnePageIsNothingToAnother) {
  http_.answer("GET /rest/folders/top", 200,
               R"([{"id":"sync","type":"d","name":"My Folder"},{"id":"d1","type":"d","name":"x"},
                   {"id":"d2","type":"d","name":"y"}])");
  http_.answer("GET /rest/folders/top", 200, "[]");
  ASSERT_TRUE(store_->list(soon(), RemoteId{"0"}));
  // Two at a time, and no total.
  const std::string first = file_json("f1", "a") + "," + file_json("f2", "b");
  http_.answer("GET /rest/folders/d1/children", 200, "[" + first + "]");
  http_.answer("GET /rest/folders/d1/children", 200, "[" + file_json("f3", "c") + "]");
  http_.answer("GET /rest/folders/d1/children", 200, "[" + first + "]");
  http_.answer("GET /rest/folders/d1/children", 200,
               "[" + file_json("f2", "b") + "," + file_json("f3", "c") + "]");
  http_.answer("GET /rest/folders/d1/children", 200, "[" + file_json("f3", "c") + "]");
  const auto listed = store_->list(soon(), RemoteId{"d1"});
  ASSERT_TRUE(listed) << to_string(listed.error());
  EXPECT_EQ(listed->size(), 3u);
}

TEST_F(KiteworksClient, ACreateThatAnswersOnlyALocation) {
  list_with(file_json("f1", "a"));
  http_.answer("POST /rest/folders/d1/actions/file", 201, "",
               {{"x-kiteworks-location", "https://content.example.com/rest/files/f2"}});
  http_.answer("GET /rest/files/f2", 200, file_json("f2", "b"));
  const auto made = store_->put(soon(), {{}, RemoteId{"d1"}, "b", {}}, as_bytes("hello"));
  ASSERT_TRUE(made) << to_string(made.error());
  EXPECT_EQ(made->id.value, "f2");
}

TEST_F(KiteworksClient, ACreateThatAnswersNothing) {
  list_with(file_json("f1", "a"));
  http_.answer("POST /rest/folders/d1/actions/file", 200, "");
  http_.answer("GET /rest/folders/d1/children", 200, "[" + file_json("f2", "b") + "]");
  const auto made = store_->put(soon(), {{}, RemoteId{"d1"}, "b", {}}, as_bytes("hello"));
  ASSERT_TRUE(made) << to_string(made.error());
  EXPECT_EQ(made->id.value, "f2");
}

// The server has agreed: that the look afterwards fails does not say that nothing has happened.
TEST_F(KiteworksClient, ALookThatFailsAfterAChangeLeavesItOpen) {
  const std::string denied = R"({"errors":{"code":"ERR_ACCESS_DENIED","message":"no"}})";
  const RemoteId file{"f1"};
  list_with(file_json("f1", "a", R"(,"versionsCount":1)"));
  std::vector<Error> errors;
  // Entities without the count that validators are made with.
  http_.answer("POST /rest/files/f1", 200, file_json("f1", "a"));
  http_.answer("GET /rest/folders/d1/children", 422, denied);
  errors.push_back(store_->put(soon(), {file, {}, "a", {}}, as_bytes("hello")).error());
  // No entity at all.
  http_.answer("PUT /rest/files/f1", 200, "");
  http_.answer("GET /rest/files/f1", 422, denied);
  errors.push_back(store_->rename(soon(), NodeKind::kFile, file, "b").error());
  http_.answer("POST /rest/folders/d1/folders", 201, "");
  http_.answer("GET /rest/folders/d1/children", 422, denied);
  errors.push_back(store_->create_folder(soon(), RemoteId{"d1"}, "d").error());
  // An entity from before the move.
  http_.answer("POST /rest/files/actions/move", 201, file_json("f1", "a", R"(,"versionsCount":1)"));
  http_.answer("GET /rest/files/f1", 422, denied);
  errors.push_back(store_->move(soon(), NodeKind::kFile, file, RemoteId{"d2"}).error());
  for (const Error& error : errors) {
    EXPECT_EQ(error.code, ErrorCode::kUnavailable) << to_string(error);
  }
}

TEST_F(KiteworksClient, ACreateIsExclusiveAndNotRepeated) {
  http_.lose("POST /rest/folders/d1/actions/file", ErrorCode::kUnavailable);
  const auto lost = store_->put(soon(), {{}, RemoteId{"d1"}, "b", {}}, as_bytes("hello"));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::kUnavailable);
  const auto seen = http_.take_seen();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_FALSE(seen[0].idempotent);
  EXPECT_NE(seen[0].body.find("name=\"disableAutoVersion\"\r\n\r\ntrue\r\n"), std::string::npos);
}

TEST_F(KiteworksClient, WithoutVersionCountsValidatorsDoNotNeedThem) {
  list_with(file_json("f1", "a"));
  http_.answer("POST /rest/files/f1", 200, file_json("f1", "a"));
  const auto put = store_->put(soon(), {RemoteId{"f1"}, {}, "a", {}}, as_bytes("hello"));
  ASSERT_TRUE(put);
  http_.answer("GET /rest/files/f1", 200, file_json("f1", "a", R"(,"versionsCount":2)"));
  EXPECT_EQ(store_->stat(soon(), NodeKind::kFile, RemoteId{"f1"})->validator, put->validator)
      << "told here and not there: never looked at";
}

TEST_F(KiteworksClient, WhereListingsTellVersionsAnAnswerWithoutThemIsCompleted) {
  list_with(file_json("f1", "a", R"(,"versionsCount":1)"));
  http_.answer("POST /rest/files/f1", 200, file_json("f1", "a"));
  http_.answer("GET /rest/folders/d1/children?deleted=false&name=a&", 200,
               "[" + file_json("f1", "a", R"(,"versionsCount":2)") + "]");
  const auto put = store_->put(soon(), {RemoteId{"f1"}, {}, "a", {}}, as_bytes("hello"));
  ASSERT_TRUE(put);
  EXPECT_EQ(put->version_count, 2u);
  http_.answer("POST /rest/folders/d1/actions/file", 200, file_json("f2", "b"));
  const auto fresh = store_->put(soon(), {{}, RemoteId{"d1"}, "b", {}}, as_bytes("hello"));
  ASSERT_TRUE(fresh) << "a new file has one version, nobody needs to ask";
  EXPECT_EQ(fresh->version_count, 1u);
}

TEST_F(KiteworksClient, AnUnhonouredNameFilterMeansTheWholeListing) {
  http_.answer("GET /rest/folders/d1/children?deleted=false&name=b&", 200,
               "[" + file_json("f1", "a") + "]");
  http_.answer("GET /rest/folders/d1/children?deleted=false&orderBy", 200,
               R"({"data":[)" + file_json("f1", "a") + "," + file_json("f2", "B") +
                   R"(],"metadata":{"total":2}})");
  const auto found = store_->find_child(soon(), RemoteId{"d1"}, "b");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->id.value, "f2");
}

// All that was wanted has been delivered by then, and it is not the content.
TEST_F(KiteworksClient, AnAnswerThatTurnsOutToBeAnotherContentIsNoSuccess) {
  constexpr std::uint64_t kSize = 2u << 20;
  http_.answer("GET /rest/files/f1/content", 200, std::string(kSize * 3 / 4, 'x'));
  const auto read =
      store_->read(soon(), {RemoteId{"f1"}, {}, 0, 5, kSize, {}}, [](Bytes) { return true; });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kCorrupt) << to_string(read.error());
}

TEST_F(KiteworksClient, AMissingIdIsGoneOnlyWhenItsFolderSaysSo) {
  list_with(file_json("f1", "a"));
  const std::string denied = R"({"errors":{"code":"ERR_ACCESS_USER","message":"no"}})";
  http_.answer("GET /rest/files/f1", 403, denied);
  http_.answer("GET /rest/folders/d1/children", 200,
               R"({"data":[)" + file_json("f1", "a") + R"(],"metadata":{"total":1}})");
  EXPECT_EQ(store_->stat(soon(), NodeKind::kFile, RemoteId{"f1"}).error().code, ErrorCode::kDenied);
  http_.answer("GET /rest/files/f1", 403, denied);
  http_.answer("GET /rest/folders/d1/children", 200, R"({"data":[],"metadata":{"total":0}})");
  EXPECT_EQ(store_->stat(soon(), NodeKind::kFile, RemoteId{"f1"}).error().code,
            ErrorCode::kNotFound);
  http_.answer("GET /rest/files/f1", 403, denied);
  http_.answer("GET /rest/folders/d1/children", 503, "");
  EXPECT_EQ(store_->stat(soon(), NodeKind::kFile, RemoteId{"f1"}).error().code, ErrorCode::kDenied)
      << "nobody knows, so nothing is deleted";
  http_.answer("GET /rest/files/f1", 403, R"({"errors":{"code":"ERR_ENTITY_DELETED"}})");
  EXPECT_EQ(store_->stat(soon(), NodeKind::kFile, RemoteId{"f1"}).error().code,
            ErrorCode::kNotFound);
  http_.answer("GET /rest/files/f1", 200, file_json("f1", "a", R"(,"deleted":true)"));
  EXPECT_EQ(store_->stat(soon(), NodeKind::kFile, RemoteId{"f1"}).error().code,
            ErrorCode::kNotFound);
}

// Also of a name of another case, which the filter may leave out.
TEST_F(KiteworksClient, ASessionThatWouldBecomeAVersionIsGivenUp) {
  http_.answer("GET /rest/folders/d1/children", 200, "[]");
  http_.answer("POST /rest/folders/d1/actions/initiateUpload", 201,
               R"({"id": 7, "uri": "n1/rest/uploads/7", "replaceId": "f9"})");
  http_.answer("DELETE /rest/uploads/7", 204, "");
  const auto session = store_->upload_begin(soon(), {{}, RemoteId{"d1"}, "b", {}}, 5000);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, ErrorCode::kExists);
}

// Somebody made a file of that name while the chunks went up.
TEST_F(KiteworksClient, ANameThatIsTakenDuringASessionIsNoticed) {
  list_with(file_json("f1", "a", R"(,"versionsCount":1)"));
  UploadSession session;
  session.id = "7";
  session.address = "n1/rest/uploads/7";
  session.size = 5;
  session.chunk_size = 1000;
  session.target = {{}, RemoteId{"d1"}, "b", {}, {}};
  const auto send = [&] {
    session.next_chunk = 0;
    return store_->upload_chunk(soon(), session, as_bytes("12345"));
  };
  // The answer does not tell how many versions there are.
  http_.answer("POST /n1/rest/uploads/7", 201, file_json("f2", "b"));
  http_.answer("GET /rest/folders/d1/children?deleted=false&name=b&", 200,
               "[" + file_json("f2", "b", R"(,"versionsCount":1)") + "]");  // from before it
  http_.answer("GET /rest/files/f2/versions", 200,
               R"({"data":[{"id":"v2","versionNumber":0,"size":5},
                           {"id":"v1","versionNumber":1,"size":3}],"metadata":{"total":2}})");
  http_.answer("POST /rest/files/f2/versions/v1/actions/promote", 200, "");
  auto sent = send();
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::kExists);
  // Without the right to see versions, the spelling tells.
  http_.answer("POST /n1/rest/uploads/7", 201, file_json("f2", "B", R"(,"versionsCount":2)"));
  http_.answer("GET /rest/files/f2/versions", 422, R"({"errors":{"code":"ERR_ACCESS_USER"}})");
  sent = send();
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::kExists);
  http_.answer("POST /n1/rest/uploads/7", 201, file_json("f2", "b", R"(,"versionsCount":1)"));
  sent = send();
  ASSERT_TRUE(sent) << to_string(sent.error());
  EXPECT_EQ((**sent).id.value, "f2");
}

TEST_F(KiteworksClient, AnUploadAddressOnAnotherHostIsRefused) {
  http_.answer("POST /rest/files/f1/actions/initiateUpload", 201,
               R"({"id": 7, "uploadUrl": "https://evil.example.com/rest/uploads/7"})");
  http_.answer("DELETE /rest/uploads/7", 204, "");
  const auto session = store_->upload_begin(soon(), {RemoteId{"f1"}, {}, "b", {}}, 5000);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, ErrorCode::kDenied);
}

TEST_F(KiteworksClient, ChunksCarryTheirPlaceAndSize) {
  list_with(file_json("f1", "a"));
  http_.answer("POST /rest/files/f1/actions/initiateUpload", 201,
               R"({"id": 7, "uri": "n1/rest/uploads/7"})");
  UploadTarget target{RemoteId{"f1"}, {}, "a", WallTime(std::chrono::seconds(1600000000))};
  auto session = store_->upload_begin(soon(), target, 1500);
  ASSERT_TRUE(session);
  http_.answer("POST /n1/rest/uploads/7?returnEntity=true", 200,
               R"({"id": 7, "uploadedChunks": 1})");
  const std::string content(1500, 'x');
  ASSERT_TRUE(store_->upload_chunk(soon(), *session, as_bytes(content).first(1000)));
  // Registered, and the answer tells neither the file nor where it is.
  http_.answer("POST /n1/rest/uploads/7", 200, "");
  std::string stored = file_json("f1", "a");
  stored.replace(stored.find("\"size\":5"), 8, "\"size\":1500");
  http_.answer("GET /rest/files/f1", 200, stored);
  const auto done = store_->upload_chunk(soon(), *session, as_bytes(content).subspan(1000));
  ASSERT_TRUE(done) << to_string(done.error());
  ASSERT_TRUE(done->has_value());
  const auto seen = http_.take_seen();
  EXPECT_NE(seen[1].body.find(R"("totalSize":1500,"totalChunks":2)"), std::string::npos);
  EXPECT_NE(seen[1].body.find(R"("clientModified":"2020-09-13T12:26:40+0000")"), std::string::npos);
  for (const char* const part :
       {"name=\"compressionMode\"\r\n\r\nNORMAL\r\n", "name=\"originalSize\"\r\n\r\n500\r\n",
        "name=\"index\"\r\n\r\n2\r\n", "name=\"lastChunk\"\r\n\r\n1\r\n"}) {
    EXPECT_NE(seen[3].body.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(seen[2].stall_timeout.count(), 0);
  EXPECT_EQ(seen[3].stall_timeout, patience_for(1500)) << "all of it is put together now";
}

// A session onto f1 of two chunks whose first one is sent.
UploadSession begun_session(RemoteStore& store, ScriptedHttp& http, const Validator& before,
                            const std::string& content) {
  const CallContext call = CallContext::within(std::chrono::seconds(10));
  http.answer("POST /rest/files/f1/actions/initiateUpload", 201,
              R"({"id": 7, "uri": "n1/rest/uploads/7"})");
  http.answer("POST /n1/rest/uploads/7?returnEntity=true", 200,
              R"({"id": 7, "uploadedChunks": 1})");
  UploadTarget target{RemoteId{"f1"}, {}, "a", {}, before};
  auto session = store.upload_begin(call, target, content.size());
  EXPECT_TRUE(session);
  EXPECT_TRUE(store.upload_chunk(call, *session, as_bytes(content).first(1000)));
  return *session;
}

TEST_F(KiteworksClient, AVersionSavedByOthersDuringAnUploadIsAConflict) {
  list_with(file_json("f1", "a"));
  http_.answer("GET /rest/files/f1", 200, file_json("f1", "a"));
  const auto before = store_->stat(soon(), NodeKind::kFile, RemoteId{"f1"});
  ASSERT_TRUE(before);
  const std::string content(1500, 'x');
  std::string theirs = file_json("f1", "a");
  theirs.replace(theirs.find(":43:42"), 6, ":43:50");
  for (const bool deleted : {false, true}) {
    UploadSession session = begun_session(*store_, http_, before->validator, content);
    http_.answer("GET /rest/files/f1", 200,
                 deleted ? file_json("f1", "a", R"(,"deleted":true)") : theirs);
    http_.answer("DELETE /rest/uploads/7", 204, "");
    const auto done = store_->upload_chunk(soon(), session, as_bytes(content).subspan(1000));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::kConflict) << to_string(done.error());
  }
}

TEST_F(KiteworksClient, AnUploadOntoWhatItWasPlannedForLooksOnceMore) {
  list_with(file_json("f1", "a"));
  http_.answer("GET /rest/files/f1", 200, file_json("f1", "a"));
  const auto before = store_->stat(soon(), NodeKind::kFile, RemoteId{"f1"});
  ASSERT_TRUE(before);
  const std::string content(1500, 'x');
  std::string stored = file_json("f1", "a");
  stored.replace(stored.find("\"size\":5"), 8, "\"size\":1500");
  UploadSession session = begun_session(*store_, http_, before->validator, content);
  // No word on the file: nothing is sent, and the session goes on later.
  http_.lose("GET /rest/files/f1", ErrorCode::kUnavailable);
  EXPECT_EQ(store_->upload_chunk(soon(), session, as_bytes(content).subspan(1000)).error().code,
            ErrorCode::kUnavailable);
  http_.answer("GET /rest/files/f1", 200, file_json("f1", "a"));
  http_.answer("POST /n1/rest/uploads/7", 200, stored);
  const auto done = store_->upload_chunk(soon(), session, as_bytes(content).subspan(1000));
  ASSERT_TRUE(done) << to_string(done.error());
  EXPECT_TRUE(done->has_value());
}

// 403 may mean that it is gone; what becomes of the session shows it.
TEST_F(KiteworksClient, AFileThatIsNotShownIsNoVerdictOnTheUpload) {
  list_with(file_json("f1", "a"));
  http_.answer("GET /rest/files/f1", 200, file_json("f1", "a"));
  const auto before = store_->stat(soon(), NodeKind::kFile, RemoteId{"f1"});
  ASSERT_TRUE(before);
  const std::string content(1500, 'x');
  UploadSession session = begun_session(*store_, http_, before->validator, content);
  http_.answer("GET /rest/files/f1", 403, R"({"errors":{"code":"ERR_ACCESS_USER"}})");
  http_.answer("GET /rest/folders/d1/children", 503, "");
  http_.answer("POST /n1/rest/uploads/7", 404, R"({"errors":{"code":"ERR_ENTITY_NOT_FOUND"}})");
  EXPECT_EQ(store_->upload_chunk(soon(), session, as_bytes(content).subspan(1000)).error().code,
            ErrorCode::kConflict);
}

// The last chunk is answered with the session: that is no version.
TEST_F(KiteworksClient, ASessionThatIsNotFinishedIsNoFile) {
  list_with(file_json("f1", "a"));
  http_.answer("GET /rest/files/f1", 200, file_json("f1", "a"));
  const auto before = store_->stat(soon(), NodeKind::kFile, RemoteId{"f1"});
  ASSERT_TRUE(before);
  const std::string content(1500, 'x');
  UploadSession session = begun_session(*store_, http_, before->validator, content);
  const auto last = [&](const std::string& answer) {
    http_.answer("GET /rest/files/f1", 200, file_json("f1", "a"));
    http_.answer("POST /n1/rest/uploads/7", 200, answer);
    const auto sent = store_->upload_chunk(soon(), session, as_bytes(content).subspan(1000));
    return sent ? ErrorCode::kInternal : sent.error().code;
  };
  EXPECT_EQ(last(R"({"id": 7, "uploadedChunks": 1, "finished": false})"), ErrorCode::kConflict);
  EXPECT_EQ(last(R"({"id": 7, "uploadedChunks": 2, "finished": false})"), ErrorCode::kUnavailable);
  // Finished, it says, and the file does not show it.
  http_.answer("GET /rest/files/f1", 200, file_json("f1", "a"));
  http_.answer("POST /n1/rest/uploads/7", 200, R"({"id": 7, "finished": true})");
  http_.answer("GET /rest/files/f1", 200, file_json("f1", "a"));
  const auto sent = store_->upload_chunk(soon(), session, as_bytes(content).subspan(1000));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::kUnavailable);
  // It is waited for until it is gone.
  http_.answer("GET /rest/uploads/7", 200,
               R"({"id": 7, "totalSize": 1500, "uploadedChunks": 2, "finished": false})");
  EXPECT_EQ(store_->upload_resume(soon(), session).error().code, ErrorCode::kTryAgain);
  http_.answer("GET /rest/uploads/7", 200, R"({"id": 7, "totalSize": 1500, "finished": true})");
  EXPECT_EQ(store_->upload_resume(soon(), session).error().code, ErrorCode::kNotFound);
  http_.answer("GET /rest/uploads/7", 404, R"({"errors":{"code":"ERR_ENTITY_NOT_FOUND"}})");
  EXPECT_EQ(store_->upload_resume(soon(), session).error().code, ErrorCode::kNotFound);
}

TEST_F(KiteworksClient, ASessionThatIsNeverPutTogetherBeginsAgain) {
  KiteworksConfig config;
  config.assembly = std::chrono::milliseconds(0);
  connect(config, kMe);
  UploadSession session;
  session.id = "7";
  session.size = 1500;
  session.chunk_size = 1000;
  http_.answer("GET /rest/uploads/7", 200,
               R"({"id": 7, "totalSize": 1500, "uploadedChunks": 2, "finished": false})");
  http_.answer("DELETE /rest/uploads/7", 204, "");
  EXPECT_EQ(store_->upload_resume(soon(), session).error().code, ErrorCode::kNotFound);
}

TEST_F(KiteworksClient, AFirewallThatStopsACreateMindsTheName) {
  http_.answer("POST /rest/folders/d1/actions/file", 490, "");
  EXPECT_EQ(store_->put(soon(), {{}, RemoteId{"d1"}, "b", {}}, as_bytes("x")).error().code,
            ErrorCode::kInvalid);
  http_.answer("POST /rest/folders/d1/folders", 490, "");
  EXPECT_EQ(store_->create_folder(soon(), RemoteId{"d1"}, "b").error().code, ErrorCode::kInvalid);
  http_.answer("GET /rest/folders/d1/children", 200, "[]");
  http_.answer("POST /rest/folders/d1/actions/initiateUpload", 490, "");
  EXPECT_EQ(store_->upload_begin(soon(), {{}, RemoteId{"d1"}, "b", {}}, 5000).error().code,
            ErrorCode::kInvalid);
  http_.answer("POST /rest/files/f1", 490, "");
  EXPECT_EQ(store_->put(soon(), {RemoteId{"f1"}, {}, "a", {}}, as_bytes("x")).error().code,
            ErrorCode::kDenied);
}

TEST_F(KiteworksClient, AWebPageIsNoAnswerToAChange) {
  // A portal or a filter on the way: whether the server was asked, nobody knows.
  const auto page = [&](const std::string& request) {
    http_.answer(request, 200, "<html>Welcome</html>", {{"content-type", "text/html"}});
  };
  const RemoteId file{"f1"};
  const RemoteId folder{"d1"};
  std::vector<Error> errors;
  page("POST /rest/folders/d1/actions/file");
  errors.push_back(store_->put(soon(), {{}, folder, "b", {}}, as_bytes("x")).error());
  page("POST /rest/files/f1");
  errors.push_back(store_->put(soon(), {file, {}, "a", {}}, as_bytes("x")).error());
  page("POST /rest/files/f1/actions/initiateUpload");
  errors.push_back(store_->upload_begin(soon(), {file, {}, "a", {}}, 1500).error());
  page("DELETE /rest/files/f1");
  errors.push_back(store_->remove(soon(), NodeKind::kFile, file).error());
  page("PUT /rest/files/f1");
  errors.push_back(store_->rename(soon(), NodeKind::kFile, file, "b").error());
  page("POST /rest/files/actions/move");
  errors.push_back(store_->move(soon(), NodeKind::kFile, file, RemoteId{"d2"}).error());
  page("POST /rest/folders/d1/folders");
  errors.push_back(store_->create_folder(soon(), folder, "b").error());
  for (const Error& error : errors) {
    EXPECT_EQ(error.code, ErrorCode::kUnavailable) << to_string(error);
  }
  UploadSession session;
  session.id = "7";
  session.address = "n1/rest/uploads/7";
  session.size = 5;
  session.chunk_size = 1000;
  session.target.file = file;
  page("POST /n1/rest/uploads/7");
  EXPECT_EQ(store_->upload_chunk(soon(), session, as_bytes("12345")).error().code,
            ErrorCode::kUnavailable);
  EXPECT_EQ(session.next_chunk, 0u);
}

// Seen of bulk calls; nothing says that others never do it.
TEST_F(KiteworksClient, ErrorsInTheBodyOfASuccessAreErrors) {
  const std::string locked = R"({"errors":[{"code":"ERR_ENTITY_LOCKED","message":"no"}]})";
  http_.answer("DELETE /rest/files/f1", 200, locked);
  EXPECT_EQ(store_->remove(soon(), NodeKind::kFile, RemoteId{"f1"}).error().code, ErrorCode::kBusy);
  http_.answer("PUT /rest/folders/d1", 200, R"({"errors":{"code":"ERR_SOMETHING_ELSE"}})");
  EXPECT_EQ(store_->set_description(soon(), NodeKind::kFolder, RemoteId{"d1"}, "x").error().code,
            ErrorCode::kUnavailable)
      << "what it means nobody knows";
  http_.answer("PUT /rest/folders/d1", 200, R"({"id":"d1","errors":[]})");
  EXPECT_TRUE(store_->set_description(soon(), NodeKind::kFolder, RemoteId{"d1"}, "x"));
  list_with(file_json("f1", "errors"));
}

TEST_F(KiteworksClient, ALockIsOursByIdAndAnothersOtherwise) {
  const auto lock_of = [&](const std::string& more) {
    http_.answer("GET /rest/files/f1", 200, file_json("f1", "a", ",\"versionsCount\":1" + more));
    return store_->stat(soon(), NodeKind::kFile, RemoteId{"f1"})->lock;
  };
  EXPECT_EQ(lock_of(R"(,"locked":false)"), LockState::kFree);
  EXPECT_EQ(lock_of(R"(,"locked":true,"lockUser":{"id":"u1"})"), LockState::kHeldByUs);
  EXPECT_EQ(lock_of(R"(,"locked":true,"lockUser":{"id":"u2"})"), LockState::kHeldByOther);
  EXPECT_EQ(lock_of(R"(,"locked":true)"), LockState::kHeldByOther) << "unknown is not ours";
}

TEST_F(KiteworksClient, RolesAreFoundByNameWhateverTheirNumber) {
  http_.answer(
      "GET /rest/roles?type=d", 200,
      R"({"data":[{"id":40,"name":"Viewer","type":"d"},{"id":50,"name":"Collaborator"}]})");
  http_.answer("POST /rest/folders/d1/members", 201, "{}");
  ASSERT_TRUE(store_->share(soon(), NodeKind::kFolder, RemoteId{"d1"}, "bob@example.com",
                            AccessLevel::kWrite));
  EXPECT_NE(http_.take_seen().back().body.find("\"roleId\":50"), std::string::npos);
  const auto missing = store_->share(soon(), NodeKind::kFolder, RemoteId{"d1"}, "bob@example.com",
                                     AccessLevel::kManage);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotSupported);
}

TEST_F(KiteworksClient, AMemberWhoHasARoleGetsAnother) {
  http_.answer("GET /rest/roles", 200, R"([{"id":4,"name":"Manager"}])");
  http_.answer("POST /rest/folders/d1/members", 409,
               R"({"errors":[{"code":"ERR_ENTITY_EXISTS"}]})");
  http_.answer("GET /rest/folders/d1/members", 200,
               R"({"data":[{"userId":"u2","roleId":2,"user":{"id":"u2","email":"Bob@example.com"}}],
                   "metadata":{"total":1}})");
  http_.answer("PUT /rest/folders/d1/members/u2", 200, "");
  EXPECT_TRUE(store_->share(soon(), NodeKind::kFolder, RemoteId{"d1"}, "bob@example.com",
                            AccessLevel::kManage));
}

TEST_F(KiteworksClient, WhatIsAnsweredAfterWorkMayTakeLonger) {
  const RemoteId file{"f1"};
  const std::string node = file_json("f1", "a");
  list_with(node);
  http_.answer("POST /rest/files/actions/move", 201, node);
  ASSERT_TRUE(store_->move(soon(), NodeKind::kFile, file, RemoteId{"d1"}));
  EXPECT_EQ(http_.take_seen().back().stall_timeout, patience_for(kWorthPatience));
  http_.answer("GET /rest/files/f1", 200, node);
  http_.answer("GET /rest/folders/d1/children?deleted=false&name=b&", 200, "[]");
  http_.answer("POST /rest/files/actions/copy", 201, file_json("f2", "b"));
  ASSERT_TRUE(store_->copy_file(soon(), file, RemoteId{"d1"}, "b"));
  EXPECT_EQ(http_.take_seen().back().stall_timeout, patience_for(5));
  http_.answer("GET /rest/files/f1", 200, node);
  http_.answer("POST /rest/files/f1/versions/v1/actions/promote", 200, "");
  http_.answer("GET /rest/files/f1", 200, node);
  ASSERT_TRUE(store_->promote(soon(), file, VersionId{"v1"}));
  EXPECT_EQ(http_.take_seen()[1].stall_timeout, patience_for(5));
}

TEST_F(KiteworksClient, APartialBulkRemovalAsksAgainForTheRest) {
  http_.answer("DELETE /rest/files?id%3Ain=f1%2Cf2%2Cf3&partialSuccess=true", 207,
               R"({"errors":[{"id":"f2","code":"ERR_ENTITY_LOCKED"}],"successIds":["f1","f3"]})");
  http_.answer("DELETE /rest/files/f2", 403, R"({"errors":[{"code":"ERR_ENTITY_LOCKED"}]})");
  const auto results =
      store_->remove_files(soon(), {RemoteId{"f1"}, RemoteId{"f2"}, RemoteId{"f3"}});
  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(results[0]);
  EXPECT_EQ(results[1].error().code, ErrorCode::kBusy);
  EXPECT_TRUE(results[2]);
}

TEST_F(KiteworksClient, ALostBulkRemovalIsNotGuessedAt) {
  http_.lose("DELETE /rest/files?", ErrorCode::kTimeout);
  for (const auto& result : store_->remove_files(soon(), {RemoteId{"f1"}, RemoteId{"f2"}})) {
    EXPECT_EQ(result.error().code, ErrorCode::kTimeout);
  }
}

TEST_F(KiteworksClient, AFolderIsRemovedOnlyWhenTheServerShowsItEmpty) {
  http_.answer("GET /rest/folders/d1/children", 200, "[" + file_json("f1", "a") + "]");
  EXPECT_EQ(store_->remove(soon(), NodeKind::kFolder, RemoteId{"d1"}).error().code,
            ErrorCode::kNotEmpty);
  http_.answer("GET /rest/folders/d1/children", 200, "nonsense");
  EXPECT_EQ(store_->remove(soon(), NodeKind::kFolder, RemoteId{"d1"}).error().code,
            ErrorCode::kCorrupt);
  http_.answer("GET /rest/folders/d1/children", 200, R"([{"id":"m1","type":"m","name":"other"}])");
  EXPECT_EQ(store_->remove(soon(), NodeKind::kFolder, RemoteId{"d1"}).error().code,
            ErrorCode::kNotEmpty)
      << "something is in there, even if it is no file";
}

// Whoever put something in meanwhile would find it in the trash.
TEST_F(KiteworksClient, ADeleteOfAFolderIsRepeatedOnlyOnWhatIsStillEmpty) {
  const RemoteId folder{"d1"};
  const auto empty = [&] { http_.answer("GET /rest/folders/d1/children", 200, "[]"); };
  empty();
  http_.lose("DELETE /rest/folders/d1", ErrorCode::kUnavailable);
  empty();
  http_.answer("DELETE /rest/folders/d1", 204, "");
  EXPECT_TRUE(store_->remove(soon(), NodeKind::kFolder, folder));
  EXPECT_FALSE(http_.take_seen()[1].idempotent) << "by the engine";
  empty();
  http_.answer("DELETE /rest/folders/d1", 502, "");
  http_.answer("GET /rest/folders/d1/children", 200, "[" + file_json("f1", "a") + "]");
  EXPECT_EQ(store_->remove(soon(), NodeKind::kFolder, folder).error().code, ErrorCode::kNotEmpty);
  empty();
  http_.lose("DELETE /rest/folders/d1", ErrorCode::kTimeout);
  http_.answer("GET /rest/folders/d1/children", 403,
               R"({"errors":[{"code":"ERR_ENTITY_DELETED"}]})");
  EXPECT_TRUE(store_->remove(soon(), NodeKind::kFolder, folder)) << "it had happened";
  empty();
  http_.lose("DELETE /rest/folders/d1", ErrorCode::kTimeout);
  http_.answer("GET /rest/folders/d1/children", 422, R"({"errors":[{"code":"ERR_ACCESS_USER"}]})");
  EXPECT_EQ(store_->remove(soon(), NodeKind::kFolder, folder).error().code, ErrorCode::kTimeout);
}

TEST_F(KiteworksClient, TheFeedNoticesAHole) {
  const auto event = [](int id, const std::string& time, const std::string& what = "add_file") {
    return R"({"id":)" + std::to_string(id) + R"(,"created":"2026-01-21T)" + time +
           R"(Z","event":")" + what + R"(","data":{"file":{"id":"f)" + std::to_string(id) +
           R"("},"parent_folder":{"id":"d1"}}})";
  };
  http_.answer("GET /rest/activities?orderBy=created%3Adesc", 200,
               "[" + event(10, "10:00:00") + "]");
  http_.answer("GET /rest/activities", 200, "[]");
  const auto start = store_->changes(soon(), "");
  ASSERT_TRUE(start);
  // A late event with a smaller id, a download that is no change, and the known one.
  http_.answer("GET /rest/activities", 200,
               "[" + event(12, "10:05:00") + "," + event(11, "10:04:00", "download") + "," +
                   event(9, "09:59:30") + "," + event(10, "10:00:00") + "]");
  http_.answer("GET /rest/activities", 200, "[]");
  const auto next = store_->changes(soon(), start->cursor);
  ASSERT_TRUE(next);
  EXPECT_TRUE(next->complete);
  ASSERT_EQ(next->changes.size(), 2u);
  EXPECT_EQ(next->changes[0].file.value, "f12");
  EXPECT_EQ(next->changes[1].file.value, "f9");
  // The log no longer reaches back to what we know.
  http_.answer("GET /rest/activities", 200, "[" + event(90, "12:00:00") + "]");
  http_.answer("GET /rest/activities", 200, "[]");
  const auto hole = store_->changes(soon(), next->cursor);
  ASSERT_TRUE(hole);
  EXPECT_FALSE(hole->complete);
  // And one that ignores the order.
  http_.answer("GET /rest/activities", 200,
               "[" + event(90, "12:00:00") + "," + event(91, "13:00:00") + "]");
  http_.answer("GET /rest/activities", 200, "[]");
  EXPECT_FALSE(store_->changes(soon(), hole->cursor)->complete);
}

TEST(KiteworksFeedCursor, SurvivesItsText) {
  kiteworks::FeedCursor cursor;
  cursor.newest = 1769027022;
  cursor.seen = {5, 18446744073709551615u};
  const auto parsed = kiteworks::FeedCursor::parse(cursor.to_text());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->newest, cursor.newest);
  EXPECT_EQ(parsed->seen, cursor.seen);
  EXPECT_TRUE(kiteworks::FeedCursor::parse(kiteworks::FeedCursor().to_text()));
  for (const char* const text : {"", "1", "2.0.", "1.x.", "1.0.x", "1.0.1-", "1.0.1.2"}) {
    EXPECT_FALSE(kiteworks::FeedCursor::parse(text)) << text;
  }
}

}  // namespace
}  // namespace cabinetfs
