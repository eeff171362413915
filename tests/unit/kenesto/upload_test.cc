// Uploads, folders, names and removal.

#include <algorithm>

#include "tests/unit/kenesto/scripted_kenesto.h"

namespace cabinetfs {
namespace {

const std::string kAddress =
    "https://store.example.com/Temp/7/" + std::string(kDoc2) + "/x?Signature=a%2Bb&Expires=1";
const std::string kAnswer = R"({"AccessUrl":")" + kAddress + "\"}";

class KenestoUpload : public KenestoClient {
 protected:
  void SetUp() override {
    KenestoClient::SetUp();
    entry_ = listed({ItemJson()}).at(0);
    newer_.modified = "2018-08-07T08:59:12.0000000Z";
    newer_.size = 3;
  }
  // The part of a new version up to its completion, all good. `known`: which version stands there
  // is remembered from before.
  void expect_sent(bool known = false) {
    expect_list(kFolder, {ItemJson()});
    if (!known) expect_confirmed(versions_json({{kDoc}}));
    http_.ok("GET UploadFile?t=tok%2B1&p=a.txt&fid=" + std::string(kFolder) +
                 "&bid=" + std::string(kDoc),
             kAnswer);
    http_.answer("PUT " + kAddress, "");
    http_.ok(versions_call(kDoc), versions_json({{kDoc}}));
  }
  void expect_confirmed(const std::string& versions) {
    http_.ok(versions_call(kDoc), versions);
    expect_list(kFolder, {ItemJson()});
  }
  void expect_seen() {
    expect_list(kFolder, {newer_});
    http_.ok(versions_call(kDoc), versions_json({{kDoc, 5, false}, {kVersion2, 3, true}}));
  }
  Result<RemoteEntry> overwrite() {
    return store_->put(soon(), {RemoteId{kDoc}, {}, "a.txt", {}, {}}, as_bytes("new"));
  }
  Result<RemoteEntry> create(const std::string& name = "b.txt") {
    return store_->put(soon(), {{}, RemoteId{kFolder}, name, {}, {}}, as_bytes("new"));
  }
  std::size_t count(const std::string& prefix) {
    std::size_t n = 0;
    for (const auto& seen : http_.take_seen()) n += seen.line.rfind(prefix, 0) == 0 ? 1 : 0;
    return n;
  }
  RemoteEntry entry_;
  ItemJson newer_;
};

TEST_F(KenestoUpload, ANewVersionIsSentInThreeSteps) {
  expect_sent();
  http_.ok("GET UploadFileCompleted?t=tok%2B1&u=https%3A%2F%2Fstore.example.com%2FTemp%2F7%2F");
  expect_seen();
  const auto after = overwrite();
  ASSERT_TRUE(after) << to_string(after.error());
  EXPECT_EQ(after->id, entry_.id);
  EXPECT_NE(after->validator, entry_.validator);
  const auto seen = http_.take_seen();
  const auto put = std::find_if(seen.begin(), seen.end(),
                                [](const auto& one) { return one.line.rfind("PUT ", 0) == 0; });
  ASSERT_NE(put, seen.end());
  EXPECT_EQ(put->body, "new");
  ASSERT_EQ(put->request.headers.size(), 1u) << "nothing that was not signed";
  EXPECT_EQ(put->request.headers[0].first, "Content-Type");
  EXPECT_EQ(put->request.headers[0].second, "multipart/form-data");
  EXPECT_TRUE(put->request.authorization.empty());
  EXPECT_TRUE(put->request.idempotent);
  EXPECT_FALSE(put->request.metered);
  for (const auto& one : seen) {
    const bool mutates = one.line.find(" UploadFile") != std::string::npos;
    EXPECT_EQ(one.request.idempotent, !mutates) << one.line;
    EXPECT_EQ(one.request.changes, mutates) << one.line;
  }
  EXPECT_NE((put + 2)->line.find("u=" + percent_encode(kAddress)), std::string::npos)
      << "the whole address, encoded once";
  EXPECT_EQ(put->request.stall_timeout, patience_for(3));
  EXPECT_EQ((put + 2)->request.stall_timeout, patience_for(3)) << "all of it is looked at now";
  // The content of the new version is read without asking for versions again.
  http_.ok("GET DownloadFile?t=tok%2B1&fid=" + std::string(kVersion2),
           R"({"AccessUrl":"https://store.example.com/1"})");
  http_.answer("GET https://store.example.com/1", "new");
  EXPECT_TRUE(
      store_->read(soon(), {after->id, {}, 0, 3, 3, after->validator}, [](Bytes) { return true; }));
}

TEST_F(KenestoUpload, SomebodyElsesVersionInBetweenIsAConflictBeforeCompletion) {
  expect_list(kFolder, {ItemJson()});
  expect_confirmed(versions_json({{kDoc}}));
  http_.ok("GET UploadFile?", kAnswer);
  http_.answer("PUT ", "");
  http_.ok(versions_call(kDoc), versions_json({{kDoc, 5, false}, {kVersion3, 9, true}}));
  EXPECT_EQ(code(overwrite()), ErrorCode::kConflict);
  EXPECT_EQ(count("GET UploadFileCompleted"), 0u);
}

// The new content would follow what the caller has never seen.
TEST_F(KenestoUpload, AVersionThatCameRightAfterTheListingIsAConflictBeforeAnythingIsSent) {
  expect_list(kFolder, {ItemJson()});
  http_.ok(versions_call(kDoc), versions_json({{kDoc, 5, false}, {kVersion3, 9, true}}));
  EXPECT_EQ(code(overwrite()), ErrorCode::kConflict);
  // Of the same size.
  ItemJson theirs;
  theirs.modified = newer_.modified;
  expect_list(kFolder, {ItemJson()});
  http_.ok(versions_call(kDoc), versions_json({{kDoc, 5, false}, {kVersion3, 5, true}}));
  expect_list(kFolder, {theirs});
  EXPECT_EQ(code(overwrite()), ErrorCode::kConflict);
  EXPECT_EQ(count("GET UploadFile"), 0u);
}

TEST_F(KenestoUpload, AnotherContentThanTheCallerKnowsIsAConflict) {
  expect_list(kFolder, {newer_});
  EXPECT_EQ(code(store_->put(soon(), {RemoteId{kDoc}, {}, "a.txt", {}, entry_.validator},
                             as_bytes("new"))),
            ErrorCode::kConflict);
}

// Which version stands there is known from when it was read, and the listing is a moment old.
TEST_F(KenestoUpload, WhatIsKnownAlreadyIsNotAskedForAgain) {
  http_.ok(versions_call(kDoc), versions_json({{kDoc}}));
  expect_list(kFolder, {ItemJson()});
  http_.ok("GET DownloadFile?", R"({"AccessUrl":"https://store.example.com/1"})");
  http_.answer("GET https://store.example.com/1", "hello");
  ASSERT_TRUE(
      store_->read(soon(), {entry_.id, {}, 0, 5, 5, entry_.validator}, [](Bytes) { return true; }));
  http_.take_seen();
  const std::string sent[] = {"GET UploadFile?", "PUT ", versions_call(kDoc),
                              "GET UploadFileCompleted?"};
  http_.ok(sent[0], kAnswer);
  http_.answer(sent[1], "");
  http_.ok(sent[2], versions_json({{kDoc}}));
  http_.ok(sent[3]);
  http_.ok(list_call(kFolder), page_json({newer_}));
  http_.ok(versions_call(kDoc), versions_json({{kDoc, 5, false}, {kVersion2, 3, true}}));
  EXPECT_TRUE(store_->put(soon(), {entry_.id, {}, "a.txt", {}, entry_.validator}, as_bytes("new")));
  EXPECT_EQ(http_.take_seen().size(), 6u);
}

// What the listing of a moment ago did not tell yet, the versions do.
TEST_F(KenestoUpload, AVersionThatTheLastListingMissedIsAConflictAllTheSame) {
  http_.ok(versions_call(kDoc), versions_json({{kDoc}}));
  expect_list(kFolder, {ItemJson()});
  http_.ok("GET DownloadFile?", R"({"AccessUrl":"https://store.example.com/1"})");
  http_.answer("GET https://store.example.com/1", "hello");
  ASSERT_TRUE(
      store_->read(soon(), {entry_.id, {}, 0, 5, 5, entry_.validator}, [](Bytes) { return true; }));
  const auto save = [&] {
    return store_->put(soon(), {entry_.id, {}, "a.txt", {}, entry_.validator}, as_bytes("new"));
  };
  // Of the same size and date even.
  const std::string theirs = versions_json({{kDoc, 5, false}, {kVersion3, 5, true}});
  http_.ok("GET UploadFile?", kAnswer);
  http_.answer("PUT ", "");
  http_.ok(versions_call(kDoc), theirs);
  EXPECT_EQ(code(save()), ErrorCode::kConflict);
  EXPECT_EQ(count("GET UploadFileCompleted"), 0u);
  // The next try, after a look, goes on from theirs.
  expect_list(kFolder, {ItemJson()});
  expect_confirmed(theirs);
  http_.ok("GET UploadFile?", kAnswer);
  http_.answer("PUT ", "");
  http_.ok(versions_call(kDoc), theirs);
  http_.ok("GET UploadFileCompleted?");
  expect_list(kFolder, {newer_});
  http_.ok(versions_call(kDoc),
           versions_json({{kDoc, 5, false}, {kVersion3, 5, false}, {kVersion2, 3, true}}));
  EXPECT_TRUE(save());
}

TEST_F(KenestoUpload, ALostCompletionIsLookedUpAndNotRepeated) {
  expect_sent();
  http_.lose("GET UploadFileCompleted?");
  expect_seen();
  EXPECT_TRUE(overwrite());
  EXPECT_EQ(count("GET UploadFileCompleted"), 1u);
  // Not carried out: said to be unknown, and not repeated either.
  newer_.modified = "2019-08-07T08:59:12.0000000Z";
  expect_sent(true);
  http_.lose("GET UploadFileCompleted?");
  for (int i = 0; i < 4; ++i) {
    expect_list(kFolder, {ItemJson()});
    http_.ok(versions_call(kDoc), versions_json({{kDoc}}));
  }
  EXPECT_EQ(code(overwrite()), ErrorCode::kUnavailable);
  EXPECT_EQ(count("GET UploadFileCompleted"), 1u);
}

TEST_F(KenestoUpload, AServerThatFinishesLaterIsWaitedFor) {
  expect_sent();
  http_.ok("GET UploadFileCompleted?");
  expect_list(kFolder, {ItemJson()});
  http_.ok(versions_call(kDoc), versions_json({{kDoc}}));
  // The versions are ahead of the listing: the new content must not get the old validator.
  expect_list(kFolder, {ItemJson()});
  http_.ok(versions_call(kDoc), versions_json({{kDoc, 5, false}, {kVersion2, 3, true}}));
  expect_seen();
  const auto after = overwrite();
  ASSERT_TRUE(after);
  EXPECT_NE(after->validator, entry_.validator);
}

TEST_F(KenestoUpload, ARefusedCompletionIsFinal) {
  expect_sent();
  http_.failed("GET UploadFileCompleted?", "You have no permission");
  expect_list(kFolder, {ItemJson()});
  EXPECT_EQ(code(overwrite()), ErrorCode::kDenied);
  expect_sent(true);
  http_.failed("GET UploadFileCompleted?", "Object not found");
  expect_list(kFolder, {});
  EXPECT_EQ(code(overwrite()), ErrorCode::kNotFound);
}

// Not a verdict on rights: shown, and tried again.
TEST_F(KenestoUpload, UnknownWordsRefuseNothingForGood) {
  const std::string words = "Object reference not set to an instance of an object";
  for (const int status : {200, 400}) {
    expect_sent(status != 200);
    http_.failed("GET UploadFileCompleted?", words, status);
    expect_list(kFolder, {ItemJson()});
    const auto sent = overwrite();
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, ErrorCode::kTryAgain) << status;
    EXPECT_TRUE(is_transient(sent.error().code));
    EXPECT_NE(sent.error().context.find(words), std::string::npos);
    expect_list(kFolder, {ItemJson()});
    http_.failed("GET DeleteAsset?", words, status);
    expect_list(kFolder, {ItemJson()});
    EXPECT_EQ(code(store_->remove(soon(), NodeKind::kFile, entry_.id)), ErrorCode::kTryAgain);
  }
  expect_list(kFolder, {ItemJson()});
  http_.failed("GET DeleteAsset?", "The document is frozen");
  expect_list(kFolder, {ItemJson()});
  EXPECT_EQ(code(store_->remove(soon(), NodeKind::kFile, entry_.id)), ErrorCode::kDenied);
}

TEST_F(KenestoUpload, OtherBytesAtTheStoreAreNoticed) {
  expect_list(kFolder, {ItemJson()});
  expect_confirmed(versions_json({{kDoc}}));
  http_.ok("GET UploadFile?", kAnswer);
  http_.answer("PUT ", "", 200, {{"etag", "\"9e107d9d372bb6826bd81d3542a419d6\""}});
  EXPECT_EQ(code(overwrite()), ErrorCode::kUnavailable);
  EXPECT_EQ(count("GET UploadFileCompleted"), 0u);
  // The MD5 of "new", and an ETag that is none.
  for (const char* const good : {"\"22af645d1859cb5ca6da0c484f1f37ea\"", "\"abc-3\""}) {
    newer_.modified = std::string(good[1] == '2' ? "2020" : "2021") + "-01-01T00:00:00Z";
    expect_list(kFolder, {ItemJson()});
    http_.ok("GET UploadFile?", kAnswer);
    http_.answer("PUT ", "", 200, {{"etag", good}});
    http_.ok(versions_call(kDoc), versions_json({{kDoc}}));
    http_.ok("GET UploadFileCompleted?");
    expect_seen();
    EXPECT_TRUE(overwrite()) << good;
  }
}

TEST_F(KenestoUpload, AnExpiredUploadAddressIsRenewedOnce) {
  expect_list(kFolder, {ItemJson()});
  expect_confirmed(versions_json({{kDoc}}));
  for (int i = 0; i < 2; ++i) {
    http_.ok("GET UploadFile?", kAnswer);
    http_.answer("PUT ", "<Error>Expired</Error>", 403);
  }
  EXPECT_EQ(code(overwrite()), ErrorCode::kDenied);
}

TEST_F(KenestoUpload, ANewFileIsLookedForBeforeAndAfter) {
  ItemJson made;
  made.id = kDoc2;
  made.stem = "b";
  made.size = 3;
  expect_list(kFolder, {ItemJson()});
  http_.ok("GET UploadFile?t=tok%2B1&p=b.txt&fid=" + std::string(kFolder), kAnswer);
  http_.answer("PUT " + kAddress, "");
  http_.ok("GET UploadFileCompleted?");
  expect_list(kFolder, {ItemJson(), made});
  const auto entry = create();
  ASSERT_TRUE(entry) << to_string(entry.error());
  EXPECT_EQ(entry->id.value, kDoc2);
  EXPECT_EQ(entry->parent.value, kFolder);
  for (const auto& seen : http_.take_seen()) {
    EXPECT_EQ(seen.line.find("&bid="), std::string::npos);
  }
}

// The look after one new file is the look before the next, unless that has the same name.
TEST_F(KenestoUpload, NewFilesOneAfterAnotherShareALook) {
  std::vector<ItemJson> there = {ItemJson()};
  const auto made = [&](const std::string& stem, const char* id) {
    ItemJson item;
    item.id = id;
    item.stem = stem;
    item.size = 3;
    there.push_back(item);
    http_.ok("GET UploadFile?", kAnswer);
    http_.answer("PUT ", "");
    http_.ok("GET UploadFileCompleted?");
    http_.ok(list_call(kFolder), page_json(there));
    return create(stem + ".txt");
  };
  expect_list(kFolder, there);
  EXPECT_TRUE(made("b", kDoc2));
  EXPECT_TRUE(made("c", kVersion2));
  EXPECT_EQ(http_.take_seen().size(), 5u + 4u);
  http_.ok(list_call(kFolder), page_json(there));
  EXPECT_EQ(code(create("c.txt")), ErrorCode::kExists);
  EXPECT_EQ(http_.take_seen().size(), 1u);
}

// A look that is old when the content has been sent is repeated before anything is to be seen.
TEST_F(KenestoUpload, ANameThatWasTakenMeanwhileIsNotTakenTwice) {
  ItemJson theirs;
  theirs.id = kVersion3;
  theirs.stem = "b";
  expect_list(kFolder, {ItemJson()});
  http_.ok("GET UploadFile?", kAnswer);
  http_.answer("PUT ", "");
  http_.ok(list_call(kFolder), page_json({ItemJson(), theirs}));
  ContentSource source;
  source.size = 3;
  source.read = [&](std::uint64_t, MutableBytes out) {
    clock_.advance(std::chrono::seconds(2));
    std::fill(out.begin(), out.end(), std::byte{'x'});
    return true;
  };
  EXPECT_EQ(code(store_->put_stream(soon(), {{}, RemoteId{kFolder}, "b.txt", {}, {}}, source)),
            ErrorCode::kExists);
  EXPECT_EQ(count("GET UploadFileCompleted"), 0u);
}

TEST_F(KenestoUpload, ANewFileInTheRootNamesNoFolder) {
  ItemJson made;
  made.id = kDoc2;
  made.stem = "b";
  made.size = 3;
  expect_list(kRoot, {folder_json()});
  http_.ok("GET UploadFile?t=tok%2B1&p=b.txt", kAnswer);
  http_.answer("PUT ", "");
  http_.ok("GET UploadFileCompleted?");
  expect_list(kRoot, {folder_json(), made});
  ASSERT_TRUE(store_->put(soon(), {{}, RemoteId{kRoot}, "b.txt", {}, {}}, as_bytes("new")));
  for (const auto& seen : http_.take_seen()) {
    EXPECT_EQ(seen.line.find("fid="), std::string::npos) << seen.line;
  }
}

TEST_F(KenestoUpload, ATakenNameIsNotSentInAnyCase) {
  for (const char* const name : {"a.txt", "A.TXT"}) {
    expect_list(kFolder, {ItemJson()});
    EXPECT_EQ(code(create(name)), ErrorCode::kExists) << name;
  }
  EXPECT_EQ(code(create("a\\b.txt")), ErrorCode::kInvalid) << "would make folders";
}

TEST_F(KenestoUpload, OfTwoNewFilesOfOneNameTheHintTellsOurs) {
  ItemJson ours, theirs;
  ours.id = kDoc2;
  theirs.id = kVersion3;
  ours.stem = theirs.stem = "b";
  ours.size = theirs.size = 3;
  expect_list(kFolder, {});
  http_.ok("GET UploadFile?", kAnswer);
  http_.answer("PUT ", "");
  http_.ok("GET UploadFileCompleted?");
  expect_list(kFolder, {theirs, ours});
  const auto entry = create();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->id.value, kDoc2);
  // Without a hint the caller finds out.
  expect_list(kFolder, {});
  http_.ok("GET UploadFile?", R"({"AccessUrl":"https://store.example.com/Temp/x"})");
  http_.answer("PUT ", "");
  http_.ok("GET UploadFileCompleted?");
  expect_list(kFolder, {theirs, ours});
  EXPECT_EQ(code(create()), ErrorCode::kUnavailable);
}

// Sent again under the name that is still free, it would be there twice, and then once more.
class KenestoOtherName : public KenestoUpload {
 protected:
  void SetUp() override {
    KenestoUpload::SetUp();
    other_.id = kDoc2;
    other_.stem = "b(1)";
    other_.size = 3;
  }
  void expect_completed(const std::string& answer, int looks, const std::vector<ItemJson>& seen) {
    expect_list(kFolder, {});
    http_.ok("GET UploadFile?", answer);
    http_.answer("PUT ", "");
    http_.ok("GET UploadFileCompleted?");
    for (int i = 0; i < looks; ++i) expect_list(kFolder, seen);
  }
  ItemJson other_;
};

TEST_F(KenestoOtherName, OursIsKnownByItsId) {
  ItemJson theirs = other_;
  theirs.id = kVersion3;
  theirs.stem = "c";
  expect_completed(kAnswer, 1, {theirs, other_});
  const auto entry = create();
  ASSERT_TRUE(entry) << to_string(entry.error());
  EXPECT_EQ(entry->id.value, kDoc2);
  EXPECT_EQ(entry->name, "b(1).txt") << "as the server has it now";
}

// The same bytes may be another's, or another file's of ours that is sent at the same time.
TEST_F(KenestoOtherName, WithoutAnIdItIsNotTakenForOurs) {
  expect_completed(R"({"AccessUrl":"https://store.example.com/x"})", 4, {other_});
  EXPECT_EQ(code(create()), ErrorCode::kUnavailable);
}

TEST_F(KenestoOtherName, WhatAppearsLaterIsNotSentAgain) {
  expect_completed(kAnswer, 4, {});
  EXPECT_EQ(code(create()), ErrorCode::kUnavailable);
  expect_list(kFolder, {other_});
  const auto entry = create();
  ASSERT_TRUE(entry) << to_string(entry.error());
  EXPECT_EQ(entry->id.value, kDoc2);
  EXPECT_EQ(count("GET UploadFileCompleted"), 1u);
  // That is over now.
  expect_completed(kAnswer, 1, {other_});
  EXPECT_TRUE(create());
}

TEST_F(KenestoUpload, ALargeContentIsStreamedAndCheckedAsItGoes) {
  const std::string content(100'000, 'x');
  newer_.size = content.size();
  expect_list(kFolder, {ItemJson()});
  expect_confirmed(versions_json({{kDoc}}));
  http_.ok("GET UploadFile?", kAnswer);
  http_.answer("PUT ", "", 200, {{"etag", "\"9e107d9d372bb6826bd81d3542a419d6\""}});
  ContentSource source;
  source.size = content.size();
  source.read = [&](std::uint64_t offset, MutableBytes out) {
    const Bytes from = as_bytes(content).subspan(offset, out.size());
    std::copy(from.begin(), from.end(), out.begin());
    return true;
  };
  EXPECT_EQ(code(store_->put_stream(soon(), {RemoteId{kDoc}, {}, "", {}, {}}, source)),
            ErrorCode::kUnavailable);
  // A content that cannot be read.
  expect_list(kFolder, {ItemJson()});
  http_.ok("GET UploadFile?", kAnswer);
  source.read = [](std::uint64_t, MutableBytes) { return false; };
  EXPECT_EQ(code(store_->put_stream(soon(), {RemoteId{kDoc}, {}, "", {}, {}}, source)),
            ErrorCode::kIo);
  source.size = (std::uint64_t{5} << 30) + 1;
  EXPECT_EQ(code(store_->put_stream(soon(), {RemoteId{kDoc}, {}, "", {}, {}}, source)),
            ErrorCode::kTooLarge);
}

TEST_F(KenestoUpload, FoldersAreMadeOnceAndAreUnique) {
  ItemJson made = folder_json(kSub);
  made.stem = "d";
  expect_list(kFolder, {ItemJson()});
  http_.ok("GET CreateFolder?t=tok%2B1&pid=" + std::string(kFolder) + "&fn=d&iv=false",
           R"({"Id":")" + std::string(kSub) + R"(","Name":"d"})");
  expect_list(kFolder, {ItemJson(), made});
  const auto folder = store_->create_folder(soon(), RemoteId{kFolder}, "d");
  ASSERT_TRUE(folder);
  EXPECT_EQ(folder->id.value, kSub);
  expect_list(kFolder, {ItemJson(), made});
  EXPECT_EQ(code(store_->create_folder(soon(), RemoteId{kFolder}, "D")), ErrorCode::kExists);
  expect_list(kFolder, {ItemJson()});
  http_.failed("GET CreateFolder?", "VAL10357");
  EXPECT_EQ(code(store_->create_folder(soon(), RemoteId{kFolder}, "d")), ErrorCode::kExists);
  expect_list(kFolder, {ItemJson()});
  http_.lose("GET CreateFolder?");
  EXPECT_EQ(code(store_->create_folder(soon(), RemoteId{kFolder}, "d")), ErrorCode::kUnavailable);
}

TEST_F(KenestoUpload, ADocumentIsRemovedOnceAndIsGoneAtOnce) {
  expect_list(kFolder, {ItemJson()});
  http_.ok("GET DeleteAsset?t=tok%2B1&aid=" + std::string(kDoc) + "&fc=GENERAL");
  ASSERT_TRUE(store_->remove(soon(), NodeKind::kFile, entry_.id));
  EXPECT_TRUE(store_->remove(soon(), NodeKind::kFile, entry_.id)) << "gone already";
  // A server that removes later lists it for a while.
  expect_list(kFolder, {ItemJson()});
  EXPECT_TRUE(store_->list(soon(), RemoteId{kFolder})->empty());
}

TEST_F(KenestoUpload, ALostRemovalIsNotRepeated) {
  expect_list(kFolder, {ItemJson()});
  http_.lose("GET DeleteAsset?");
  EXPECT_EQ(code(store_->remove(soon(), NodeKind::kFile, entry_.id)), ErrorCode::kUnavailable);
  EXPECT_EQ(count("GET DeleteAsset"), 1u);
  expect_list(kFolder, {});
  EXPECT_TRUE(store_->remove(soon(), NodeKind::kFile, entry_.id)) << "it had happened";
}

TEST_F(KenestoUpload, OnlyAFolderThatBothCallsShowEmptyIsRemoved) {
  const RemoteId folder{kFolder};
  const auto counted = [&](int number) {
    http_.ok("GET RetrieveNumberOfDocuments?t=tok%2B1&fid=" + std::string(kFolder),
             R"({"TotalDocuments":")" + std::to_string(number) + "\"}");
  };
  const auto remove = [&] { return store_->remove(soon(), NodeKind::kFolder, folder); };
  expect_list(kRoot, {folder_json()});
  counted(0);
  expect_list(kFolder, {ItemJson()});
  EXPECT_EQ(code(remove()), ErrorCode::kNotEmpty);
  expect_list(kRoot, {folder_json()});
  counted(1);
  expect_list(kFolder, {});
  expect_list(kFolder, {});
  EXPECT_EQ(code(remove()), ErrorCode::kNotEmpty) << "something that is not listed";
  expect_list(kRoot, {folder_json()});
  counted(0);
  expect_list(kFolder, {});
  http_.ok("GET DeleteFolder?t=tok%2B1&fid=" + std::string(kFolder));
  EXPECT_TRUE(remove());
  EXPECT_EQ(code(store_->remove(soon(), NodeKind::kFolder, RemoteId{kRoot})),
            ErrorCode::kNotPermitted);
}

class KenestoRename : public KenestoUpload {
 protected:
  void SetUp() override {
    KenestoUpload::SetUp();
    KenestoConfig config;
    config.undocumented_calls = KenestoConfig::Undocumented::kOn;
    make(config);
    listed({ItemJson()});
  }
  Result<RemoteEntry> rename(const std::string& name) {
    return store_->rename(soon(), NodeKind::kFile, RemoteId{kDoc}, name);
  }
};

TEST_F(KenestoRename, ADocumentIsRenamedByItsStem) {
  ItemJson after;
  after.stem = "b";
  expect_list(kFolder, {ItemJson()});
  http_.ok("GET UpdateAssetName?t=tok%2B1&did=" + std::string(kDoc) + "&dn=b");
  expect_list(kFolder, {after});
  const auto renamed = rename("b.txt");
  ASSERT_TRUE(renamed) << to_string(renamed.error());
  EXPECT_EQ(renamed->name, "b.txt");
}

TEST_F(KenestoRename, AServerThatTakesTheWholeNameGetsIt) {
  ItemJson wrong, right;
  wrong.stem = "b";
  wrong.extension = "";
  right.stem = "b";
  expect_list(kFolder, {ItemJson()});
  http_.ok("GET UpdateAssetName?t=tok%2B1&did=" + std::string(kDoc) + "&dn=b");
  expect_list(kFolder, {wrong});
  http_.ok("GET UpdateAssetName?t=tok%2B1&did=" + std::string(kDoc) + "&dn=b.txt");
  expect_list(kFolder, {right});
  EXPECT_TRUE(rename("b.txt"));
}

// The whole name on top of it would make b.txt.txt.
TEST_F(KenestoRename, AListingThatLagsBehindIsWaitedFor) {
  ItemJson after;
  after.stem = "b";
  expect_list(kFolder, {ItemJson()});
  http_.ok("GET UpdateAssetName?t=tok%2B1&did=" + std::string(kDoc) + "&dn=b");
  expect_list(kFolder, {ItemJson()});
  expect_list(kFolder, {after});
  EXPECT_TRUE(rename("b.txt"));
  after.stem = "c";
  http_.take_seen();
  expect_list(kFolder, {after});
  http_.ok("GET UpdateAssetName?");
  for (int i = 0; i < 4; ++i) expect_list(kFolder, {after});
  EXPECT_EQ(code(rename("d.txt")), ErrorCode::kTryAgain);
  EXPECT_EQ(count("GET UpdateAssetName"), 1u);
}

TEST_F(KenestoRename, WhatTheServerMakesSomethingElseOfIsTakenBack) {
  ItemJson wrong;
  wrong.stem = "c";
  expect_list(kFolder, {ItemJson()});
  http_.ok("GET UpdateAssetName?");
  expect_list(kFolder, {wrong});
  http_.ok("GET UpdateAssetName?");
  expect_list(kFolder, {wrong});
  http_.ok("GET UpdateAssetName?t=tok%2B1&did=" + std::string(kDoc) + "&dn=a");
  EXPECT_EQ(code(rename("b.txt")), ErrorCode::kCrossDevice);
}

TEST_F(KenestoRename, AnExtensionOrATakenNameIsRefused) {
  expect_list(kFolder, {ItemJson()});
  EXPECT_EQ(code(rename("a.doc")), ErrorCode::kCrossDevice);
  ItemJson other;
  other.id = kDoc2;
  other.stem = "B";
  expect_list(kFolder, {ItemJson(), other});
  EXPECT_EQ(code(rename("b.txt")), ErrorCode::kExists);
}

TEST_F(KenestoRename, ACallThatIsNotThereIsAskedForOnce) {
  EXPECT_TRUE(store_->capabilities().rename);
  const std::string count = "GET RetrieveNumberOfDocuments?t=tok%2B1";
  // The whole service may be away for a moment.
  expect_list(kFolder, {ItemJson()});
  http_.answer("GET UpdateAssetName?", "<html>404</html>", 404);
  http_.answer(count, "<html>404</html>", 404);
  expect_list(kFolder, {ItemJson()});
  EXPECT_EQ(code(rename("b.txt")), ErrorCode::kUnavailable);
  EXPECT_TRUE(store_->capabilities().rename);
  expect_list(kFolder, {ItemJson()});
  http_.answer("GET UpdateAssetName?", "<html>404</html>", 404);
  http_.ok(count, R"({"TotalDocuments":"1"})");
  EXPECT_EQ(code(rename("b.txt")), ErrorCode::kCrossDevice);
  EXPECT_FALSE(store_->capabilities().rename);
  EXPECT_EQ(code(rename("b.txt")), ErrorCode::kCrossDevice) << "without a request";
}

TEST_F(KenestoRename, AFolderKeepsItsKind) {
  ItemJson vault = folder_json(kSub, true);
  vault.stem = "old";
  ItemJson after = vault;
  after.stem = "new";
  listed({vault});
  expect_list(kFolder, {vault});
  http_.ok("GET EditFolder?t=tok%2B1&fid=" + std::string(kSub) + "&fn=new&iv=true");
  expect_list(kFolder, {after});
  EXPECT_TRUE(store_->rename(soon(), NodeKind::kFolder, RemoteId{kSub}, "new"));
  expect_list(kFolder, {after});
  http_.failed("GET EditFolder?", "VAL10357");
  EXPECT_EQ(code(store_->rename(soon(), NodeKind::kFolder, RemoteId{kSub}, "taken")),
            ErrorCode::kExists);
}

}  // namespace
}  // namespace cabinetfs
