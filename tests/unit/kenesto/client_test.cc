// Listings, lookups and reading.

#include <fmt/format.h>

#include "backend/base/text.h"
#include "tests/unit/kenesto/scripted_kenesto.h"

namespace cabinetfs {
namespace {

constexpr const char* kStore =
    "https://store.example.com/Files/8409ddd6?AWSAccessKeyId=A&Expires="
    "4102444800&Signature=eW0%2Bx%3D";

std::vector<ItemJson> many(std::size_t from, std::size_t count) {
  std::vector<ItemJson> items;
  for (std::size_t i = from; i < from + count; ++i) {
    ItemJson item;
    item.id = fmt::format("00000000-0000-0000-0001-{:012}", i);
    item.stem = "f" + std::to_string(i);
    items.push_back(item);
  }
  return items;
}

std::string page_call(int number) {
  return "GET RetrieveDocuments?t=tok%2B1&fid=" + std::string(kFolder) +
         "&ps=200&pn=" + std::to_string(number) + "&sb=ASSET_NAME&sd=asc";
}

TEST_F(KenestoClient, TheTokenIsEncodedOnceAndRequestsAreReads) {
  listed({});
  expect_list(kRoot, {});
  ASSERT_TRUE(store_->list(soon(), RemoteId{kRoot}));
  const auto seen = http_.take_seen();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(seen[0].request.idempotent);
  EXPECT_TRUE(seen[0].request.authorization.empty());
  EXPECT_TRUE(seen[0].request.redirects == HttpRequest::Redirects::kNone);
}

TEST_F(KenestoClient, AFolderOfSeveralPagesIsReadToTheEndAndNoFurther) {
  know_folder();
  http_.ok(page_call(1), page_json(many(0, 200), 401, "more"));
  http_.ok(page_call(2), page_json(many(200, 200), 401, "more"));
  http_.ok(page_call(3), page_json(many(400, 1), 401, ""));
  const auto entries = store_->list(soon(), RemoteId{kFolder});
  ASSERT_TRUE(entries);
  EXPECT_EQ(entries->size(), 401u);
  EXPECT_EQ(entries->front().parent.value, kFolder);
}

TEST_F(KenestoClient, AFullLastPageIsTheLastOne) {
  know_folder();
  http_.ok(page_call(1), page_json(many(0, 200), 200, ""));
  EXPECT_EQ(store_->list(soon(), RemoteId{kFolder})->size(), 200u);
}

TEST_F(KenestoClient, OverlappingPagesOfAChangingFolderAreListedAgain) {
  know_folder();
  // An entry came in front between the two requests: the last of page 1 comes again.
  http_.ok(page_call(1), page_json(many(0, 200), 201, "more"));
  http_.ok(page_call(2), page_json(many(199, 2), 202, ""));
  http_.ok(page_call(1), page_json(many(0, 200), 202, "more"));
  http_.ok(page_call(2), page_json(many(200, 2), 202, ""));
  const auto entries = store_->list(soon(), RemoteId{kFolder});
  ASSERT_TRUE(entries);
  EXPECT_EQ(entries->size(), 202u);
}

TEST_F(KenestoClient, EntriesThatAreCountedAndNeverListedAreAnError) {
  know_folder();
  for (int i = 0; i < 5; ++i) http_.ok(page_call(1), page_json(many(0, 3), 4));
  EXPECT_EQ(code(store_->list(soon(), RemoteId{kFolder})), ErrorCode::kUnavailable);
}

TEST_F(KenestoClient, AnEntryThatIsListedTwiceForGoodIsBelievedTheSecondTime) {
  know_folder();
  std::vector<ItemJson> items = many(0, 3);
  items.push_back(items.back());
  for (int i = 0; i < 2; ++i) http_.ok(page_call(1), page_json(items, 4, "", 4));
  const auto entries = store_->list(soon(), RemoteId{kFolder});
  ASSERT_TRUE(entries) << to_string(entries.error());
  EXPECT_EQ(entries->size(), 3u);
}

TEST_F(KenestoClient, ATotalOfFilesOnlyIsBelievedWithTheFoldersTheSecondTime) {
  know_folder();
  // As many as the total stand on the first page alone.
  for (int i = 0; i < 2; ++i) {
    http_.ok(page_call(1), page_json(many(0, 200), 200, "more", 203));
    http_.ok(page_call(2), page_json(many(200, 3), 200, "", 203));
  }
  const auto entries = store_->list(soon(), RemoteId{kFolder});
  ASSERT_TRUE(entries) << to_string(entries.error());
  EXPECT_EQ(entries->size(), 203u);
}

// Files and folders may be counted that nobody is shown.
TEST_F(KenestoClient, ATotalThatIsListedIsBelievedTheSecondTimeWhateverIsCountedBesides) {
  know_folder();
  for (int i = 0; i < 2; ++i) http_.ok(page_call(1), page_json(many(0, 3), 3, "", 4));
  const auto entries = store_->list(soon(), RemoteId{kFolder});
  ASSERT_TRUE(entries) << to_string(entries.error());
  EXPECT_EQ(entries->size(), 3u);
  // A server that does not tell where its pages end, and answers with everything beyond them.
  const std::string all =
      replace_all(page_json(many(0, 200), 200, "", 203), R"("next_href":"",)", "");
  for (int i = 0; i < 2; ++i) {
    http_.ok(page_call(1), all);
    http_.ok(page_call(2), all);
  }
  const auto full = store_->list(soon(), RemoteId{kFolder});
  ASSERT_TRUE(full) << to_string(full.error());
  EXPECT_EQ(full->size(), 200u);
}

TEST_F(KenestoClient, AListingThatMayLackSomethingIsNeverBelieved) {
  know_folder();
  // Each of these comes the same five times.
  const auto never = [&](const char* why, const std::vector<std::string>& pages) {
    for (int round = 0; round < 5; ++round) {
      for (std::size_t i = 0; i < pages.size(); ++i) {
        http_.ok(page_call(static_cast<int>(i) + 1), pages[i]);
      }
    }
    EXPECT_EQ(code(store_->list(soon(), RemoteId{kFolder})), ErrorCode::kUnavailable) << why;
    EXPECT_EQ(http_.left(), 0u) << why;
  };
  never("an entry of page 1 stands on page 2 where another one should",
        {page_json(many(0, 200), 201, "more", 201), page_json(many(199, 1), 201, "", 201)});
  never("the server says that there is more than the total", {page_json(many(0, 3), 3, "more", 4)});
  never("less than either number", {page_json(many(0, 3), 4, "", 5)});
  never("the server says that there is more", {page_json(many(0, 3), 2, "more", 3)});
}

TEST_F(KenestoClient, ADoubtfulListingMustComeTheSameTwiceInARow) {
  know_folder();
  std::vector<ItemJson> one = many(0, 3), other = many(1, 3);
  one.push_back(one.back());
  other.push_back(other.back());
  http_.ok(page_call(1), page_json(one, 4, "", 4));
  http_.ok(page_call(1), page_json(other, 4, "", 4));
  http_.ok(page_call(1), page_json(one, 4, "", 4));
  http_.ok(page_call(1), page_json(one, 4, "", 4));
  EXPECT_EQ(store_->list(soon(), RemoteId{kFolder})->size(), 3u);
}

TEST_F(KenestoClient, AllEntriesInOneAnswerAreTaken) {
  know_folder();
  // What a server does with a page beyond its last one.
  http_.ok(page_call(1), page_json(many(0, 300), 300));
  EXPECT_EQ(store_->list(soon(), RemoteId{kFolder})->size(), 300u);
}

TEST_F(KenestoClient, TheValidatorIsWhenAndHowLarge) {
  ItemJson item;
  const auto one = listed({item}).at(0);
  item.modified = "2017-08-07T08:59:12.0940001Z";
  const auto later = listed({item}).at(0);
  EXPECT_NE(one.validator, later.validator) << "100 ns later";
  item.size = 6;
  EXPECT_NE(listed({item}).at(0).validator, later.validator);
  EXPECT_EQ(one.validator, listed({ItemJson()}).at(0).validator);
}

TEST_F(KenestoClient, WithoutADateTheVersionTellsContentsApart) {
  ItemJson item;
  item.modified = "";
  expect_list(kRoot, {folder_json()});
  ASSERT_TRUE(store_->list(soon(), RemoteId{kRoot}));
  std::vector<Validator> seen;
  for (const char* const version : {kVersion2, kVersion3}) {
    expect_list(kFolder, {item});
    http_.ok(versions_call(kDoc), versions_json({{kDoc, 5, false}, {version, 5, true}}));
    const auto entries = store_->list(soon(), RemoteId{kFolder});
    ASSERT_TRUE(entries);
    seen.push_back(entries->at(0).validator);
  }
  EXPECT_NE(seen[0], seen[1]);
}

TEST_F(KenestoClient, ASizeThatIsNotToldIsTheOneOfTheCurrentVersion) {
  ItemJson item;
  item.sized = false;
  know_folder();
  expect_list(kFolder, {item});
  http_.ok(versions_call(kDoc), versions_json({{kDoc, 3, false}, {kVersion2, 9, true}}));
  const auto entries = store_->list(soon(), RemoteId{kFolder});
  ASSERT_TRUE(entries) << to_string(entries.error());
  EXPECT_EQ(entries->at(0).size, 9u);
  item.sized = true;
  item.size = 9;
  EXPECT_EQ(entries->at(0).validator, listed({item}).at(0).validator);
  item.sized = false;
  expect_list(kFolder, {item});
  http_.ok(versions_call(kDoc), R"({"FileVersionsList":[]})");
  const auto odd = store_->list(soon(), RemoteId{kFolder});
  ASSERT_TRUE(odd) << "it does not hide its folder";
  ASSERT_TRUE(odd->at(0).rights);
  EXPECT_FALSE(odd->at(0).rights->has(Right::kRead)) << "no empty file";
  EXPECT_FALSE(odd->at(0).rights->has(Right::kWrite));
  // Removed just now, perhaps.
  expect_list(kFolder, {item});
  http_.failed(versions_call(kDoc), "The object does not exist");
  const auto going = store_->list(soon(), RemoteId{kFolder});
  ASSERT_TRUE(going);
  EXPECT_FALSE(going->at(0).rights.value_or(Rights::all()).has(Right::kRead));
}

TEST_F(KenestoClient, TwinsAreBothListedAndTheNewestIsFound) {
  ItemJson older, newer;
  newer.id = kDoc2;
  newer.modified = "2018-01-01T00:00:00Z";
  EXPECT_EQ(listed({older, newer}).size(), 2u);
  expect_list(kFolder, {older, newer});
  const auto found = store_->find_child(soon(), RemoteId{kFolder}, "A.TXT");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->id.value, kDoc2);
}

TEST_F(KenestoClient, VaultDocumentsAreLockedToBeWritten) {
  expect_list(kRoot, {folder_json(kFolder, true)});
  ASSERT_TRUE(store_->list(soon(), RemoteId{kRoot}));
  ItemJson free, ours, theirs;
  ours.id = kDoc2;
  ours.holder = "me myself";
  theirs.id = kVersion2;
  theirs.holder = "Joe Engineer";
  expect_list(kFolder, {free, ours, theirs});
  const auto entries = store_->list(soon(), RemoteId{kFolder});
  ASSERT_TRUE(entries);
  for (const RemoteEntry& entry : *entries) EXPECT_TRUE(entry.lock_to_write);
  EXPECT_EQ(entries->at(0).lock, LockState::kFree);
  EXPECT_EQ(entries->at(1).lock, LockState::kHeldByUs);
  EXPECT_EQ(entries->at(2).lock, LockState::kHeldByOther);
  EXPECT_EQ(entries->at(2).lock_holder, "Joe Engineer");
  EXPECT_FALSE(listed({ItemJson()}).at(0).lock_to_write) << "an ordinary folder";
}

TEST_F(KenestoClient, AnUnknownIdIsSearchedOnceAndThenRemembered) {
  ItemJson sub = folder_json(kSub);
  ItemJson item;
  expect_list(kRoot, {folder_json()});
  expect_list(kFolder, {sub});
  expect_list(kSub, {item});
  expect_list(kSub, {item});
  const auto entry = store_->stat(soon(), NodeKind::kFile, RemoteId{kDoc});
  ASSERT_TRUE(entry) << to_string(entry.error());
  EXPECT_EQ(entry->parent.value, kSub);
  expect_list(kSub, {item});
  EXPECT_TRUE(store_->stat(soon(), NodeKind::kFile, RemoteId{kDoc}));
  // Nowhere at all.
  expect_list(kRoot, {folder_json()});
  expect_list(kFolder, {});
  EXPECT_EQ(code(store_->stat(soon(), NodeKind::kFile, RemoteId{kVersion3})), ErrorCode::kNotFound);
}

// What a remount of a folder below the root begins with.
TEST_F(KenestoClient, AFolderIsListedThoughTheSearchForItsKindFails) {
  expect_list(kFolder, {ItemJson()});
  http_.lose(list_call(kRoot));
  const auto entries = store_->list(soon(), RemoteId{kFolder});
  ASSERT_TRUE(entries) << to_string(entries.error());
  EXPECT_EQ(entries->size(), 1u);
  EXPECT_FALSE(entries->at(0).lock_to_write);
  // Not searched for each time.
  expect_list(kFolder, {ItemJson()});
  EXPECT_TRUE(store_->list(soon(), RemoteId{kFolder}));
  // But again after a while.
  clock_.advance(std::chrono::seconds(61));
  expect_list(kFolder, {ItemJson()});
  expect_list(kRoot, {folder_json(kFolder, true)});
  const auto later = store_->list(soon(), RemoteId{kFolder});
  ASSERT_TRUE(later);
  EXPECT_TRUE(later->at(0).lock_to_write);
}

TEST_F(KenestoClient, WhatItsFolderDoesNotListIsGone) {
  listed({ItemJson()});
  expect_list(kFolder, {});
  EXPECT_EQ(code(store_->stat(soon(), NodeKind::kFile, RemoteId{kDoc})), ErrorCode::kNotFound);
}

TEST_F(KenestoClient, AFailureIsExplainedByTheFoldersListing) {
  listed({});
  // The folder cannot be listed, and the root does not have it any more.
  http_.failed(list_call(kFolder), "Object reference not set");
  expect_list(kRoot, {});
  EXPECT_EQ(code(store_->list(soon(), RemoteId{kFolder})), ErrorCode::kNotFound);
  listed({});
  http_.failed(list_call(kFolder), "does not exist");
  expect_list(kRoot, {folder_json()});
  EXPECT_EQ(code(store_->list(soon(), RemoteId{kFolder})), ErrorCode::kUnavailable);
  http_.failed(list_call(kFolder), "no permission");
  expect_list(kRoot, {folder_json()});
  EXPECT_EQ(code(store_->list(soon(), RemoteId{kFolder})), ErrorCode::kDenied);
}

TEST_F(KenestoClient, APageOfTheWebServerSaysNothingOfTheObject) {
  listed({});
  http_.answer(list_call(kFolder), "<html>404</html>", 404);
  expect_list(kRoot, {folder_json()});
  EXPECT_EQ(code(store_->list(soon(), RemoteId{kFolder})), ErrorCode::kUnavailable);
}

TEST_F(KenestoClient, AForbiddenAnswerDoesNotEndALivingSession) {
  listed({});
  http_.answer(list_call(kFolder), "<html>Forbidden</html>", 403);
  http_.ok("GET RetrieveNumberOfDocuments?t=tok%2B1", R"({"TotalDocuments":"1"})");
  expect_list(kRoot, {folder_json()});
  EXPECT_EQ(code(store_->list(soon(), RemoteId{kFolder})), ErrorCode::kDenied);
  EXPECT_TRUE(session_->token(soon())) << "still good";
}

TEST_F(KenestoClient, ADeadSessionIsFoundOutAndEndsAPastedToken) {
  listed({});
  http_.failed(list_call(kFolder), "Session has expired");
  http_.failed("GET RetrieveNumberOfDocuments?t=tok%2B1", "Session has expired");
  EXPECT_EQ(code(store_->list(soon(), RemoteId{kFolder})), ErrorCode::kUnauthenticated);
}

// Of a proxy, while the session lives.
TEST_F(KenestoClient, APageInTheAnswersPlaceIsAskedForAgainAndBrokenJsonIsNot) {
  listed({});
  const std::string count = "GET RetrieveNumberOfDocuments?t=tok%2B1";
  http_.answer(list_call(kFolder), "\xef\xbb\xbf\r\n<!DOCTYPE html><p>One moment</p>");
  http_.ok(count, R"({"TotalDocuments":"1"})");
  EXPECT_EQ(code(store_->list(soon(), RemoteId{kFolder})), ErrorCode::kUnavailable);
  http_.answer(list_call(kFolder), R"({"ResponseStatus":"OK","Respon)");
  http_.ok(count, R"({"TotalDocuments":"1"})");
  EXPECT_EQ(code(store_->list(soon(), RemoteId{kFolder})), ErrorCode::kCorrupt);
}

TEST_F(KenestoClient, ReadingAsksForTheCurrentVersionAndItsAddressOnce) {
  const RemoteEntry entry = listed({ItemJson()}).at(0);
  http_.ok(versions_call(kDoc), versions_json({{kDoc, 9, false}, {kVersion2, 5, true}}));
  expect_list(kFolder, {ItemJson()});
  http_.ok("GET DownloadFile?t=tok%2B1&fid=" + std::string(kVersion2),
           R"({"AccessUrl":")" + std::string(kStore) + "\"}");
  for (int i = 0; i < 2; ++i) {
    http_.answer("GET " + std::string(kStore), "ell", 206, {{"content-range", "bytes 1-3/5"}});
    std::string got;
    const auto done = store_->read(soon(), {entry.id, {}, 1, 3, 5, entry.validator}, [&](Bytes b) {
      got += as_text(b);
      return true;
    });
    ASSERT_TRUE(done) << to_string(done.error());
    EXPECT_EQ(got, "ell");
  }
  const auto seen = http_.take_seen();
  const HttpRequest& download = seen.back().request;
  EXPECT_EQ(download.url, kStore) << "unchanged";
  EXPECT_FALSE(download.metered);
  EXPECT_TRUE(download.authorization.empty());
  for (const auto& [name, value] : download.headers) {
    EXPECT_EQ(name, "Range");
    EXPECT_EQ(value, "bytes=1-3");
  }
}

TEST_F(KenestoClient, AnotherVersionIsAConflictAndAnOldOneIsStillRead) {
  ItemJson item;
  const RemoteEntry entry = listed({item}).at(0);
  const ReadRequest whole{entry.id, {}, 0, 5, 5, entry.validator};
  const auto ignore = [](Bytes) { return true; };
  http_.ok(versions_call(kDoc), versions_json({{kDoc, 5, true}}));
  expect_list(kFolder, {item});
  http_.ok("GET DownloadFile?", R"({"AccessUrl":")" + std::string(kStore) + "\"}");
  http_.answer("GET " + std::string(kStore), "hello");
  ASSERT_TRUE(store_->read(soon(), whole, ignore));
  item.modified = "2018-08-07T08:59:12Z";
  const RemoteEntry newer = listed({item}).at(0);
  // The first version of the file, whose id is known.
  http_.answer("GET " + std::string(kStore), "hello");
  EXPECT_TRUE(store_->read(soon(), whole, ignore));
  ReadRequest unknown = whole;
  unknown.validator.value = "something else";
  EXPECT_EQ(code(store_->read(soon(), unknown, ignore)), ErrorCode::kConflict);
  // Of the right size no more.
  http_.ok(versions_call(kDoc), versions_json({{kDoc, 5, false}, {kVersion2, 6, true}}));
  ReadRequest current = whole;
  current.validator = newer.validator;
  EXPECT_EQ(code(store_->read(soon(), current, ignore)), ErrorCode::kConflict);
}

// Of the same size, and made after the listing: the new content must not pass for the old one.
TEST_F(KenestoClient, AVersionThatCameAfterTheListingIsAConflict) {
  ItemJson item;
  const RemoteEntry entry = listed({item}).at(0);
  const ReadRequest old{entry.id, {}, 0, 5, 5, entry.validator};
  const auto ignore = [](Bytes) { return true; };
  item.modified = "2018-08-07T08:59:12Z";
  http_.ok(versions_call(kDoc), versions_json({{kDoc, 5, false}, {kVersion2, 5, true}}));
  expect_list(kFolder, {item});
  EXPECT_EQ(code(store_->read(soon(), old, ignore)), ErrorCode::kConflict);
  EXPECT_EQ(code(store_->read(soon(), old, ignore)), ErrorCode::kConflict) << "still, at once";
  ReadRequest now = old;
  now.validator = listed({item}).at(0).validator;
  http_.ok(versions_call(kDoc), versions_json({{kDoc, 5, false}, {kVersion2, 5, true}}));
  expect_list(kFolder, {item});
  http_.ok("GET DownloadFile?t=tok%2B1&fid=" + std::string(kVersion2),
           R"({"AccessUrl":")" + std::string(kStore) + "\"}");
  http_.answer("GET " + std::string(kStore), "hello");
  EXPECT_TRUE(store_->read(soon(), now, ignore));
}

TEST_F(KenestoClient, AnExpiredAddressIsRenewedOnce) {
  const RemoteEntry entry = listed({ItemJson()}).at(0);
  const ReadRequest old{entry.id, VersionId{kVersion2}, 0, 5, 5, {}};
  const auto ignore = [](Bytes) { return true; };
  const std::string call = "GET DownloadFile?t=tok%2B1&fid=" + std::string(kVersion2);
  http_.ok(call, R"({"AccessUrl":"https://store.example.com/1"})");
  http_.answer("GET https://store.example.com/1", "<Error>Expired</Error>", 403);
  http_.ok(call, R"({"AccessUrl":"https://store.example.com/2"})");
  http_.answer("GET https://store.example.com/2", "hello");
  EXPECT_TRUE(store_->read(soon(), old, ignore));
  http_.answer("GET https://store.example.com/2", "no", 403);
  http_.ok(call, R"({"AccessUrl":"https://store.example.com/3"})");
  http_.answer("GET https://store.example.com/3", "no", 403);
  EXPECT_EQ(code(store_->read(soon(), old, ignore)), ErrorCode::kDenied);
}

TEST_F(KenestoClient, AShortOrMisplacedContentIsCorrupt) {
  const RemoteEntry entry = listed({ItemJson()}).at(0);
  const ReadRequest old{entry.id, VersionId{kVersion2}, 0, 5, 5, {}};
  const auto ignore = [](Bytes) { return true; };
  http_.ok("GET DownloadFile?", R"({"AccessUrl":"https://store.example.com/1"})");
  http_.answer("GET https://store.example.com/1", "", 200);
  EXPECT_EQ(code(store_->read(soon(), old, ignore)), ErrorCode::kCorrupt);
  http_.answer("GET https://store.example.com/1", "hello!", 200, {{"content-length", "6"}});
  EXPECT_EQ(code(store_->read(soon(), old, ignore)), ErrorCode::kCorrupt);
  const ReadRequest part{entry.id, VersionId{kVersion2}, 1, 2, 5, {}};
  http_.answer("GET https://store.example.com/1", "he", 206, {{"content-range", "bytes 0-1/5"}});
  EXPECT_EQ(code(store_->read(soon(), part, ignore)), ErrorCode::kCorrupt);
  // A page of something in between, perhaps: nothing of it is believed.
  http_.answer("GET https://store.example.com/1", "hel", 200);
  EXPECT_EQ(code(store_->read(soon(), old, ignore)), ErrorCode::kCorrupt);
  // Broken off and taken up again.
  http_.answer("GET https://store.example.com/1", "hel", 200, {{"content-length", "5"}});
  http_.answer("GET https://store.example.com/1", "lo", 206, {{"content-range", "bytes 3-4/5"}});
  std::string got;
  ASSERT_TRUE(store_->read(soon(), old, [&](Bytes b) {
    got += as_text(b);
    return true;
  }));
  EXPECT_EQ(got, "hello");
}

// All that was wanted has been delivered by then, and it is not the content.
TEST_F(KenestoClient, AnAnswerThatTurnsOutToBeAnotherContentIsNoSuccess) {
  constexpr std::uint64_t kSize = 2u << 20;
  const RemoteEntry entry = listed({ItemJson()}).at(0);
  http_.ok("GET DownloadFile?", R"({"AccessUrl":"https://store.example.com/1"})");
  http_.answer("GET https://store.example.com/1", std::string(kSize * 3 / 4, 'x'));
  const ReadRequest part{entry.id, VersionId{kVersion2}, 0, 5, kSize, {}};
  EXPECT_EQ(code(store_->read(soon(), part, [](Bytes) { return true; })), ErrorCode::kCorrupt);
}

TEST_F(KenestoClient, LinksToOtherServicesAreReadWhereTheServerGivesThem) {
  ItemJson link;
  link.external = true;
  link.size = 5;
  ItemJson other;
  other.id = kDoc2;
  const std::vector<RemoteEntry> entries = listed({link, other});
  const RemoteEntry entry = entries.at(0);
  EXPECT_FALSE(entries.at(1).rights) << "nobody has told";
  ASSERT_TRUE(entry.rights);
  EXPECT_FALSE(entry.rights->has(Right::kWrite)) << "known before it is opened";
  EXPECT_TRUE(entry.rights->has(Right::kRead) && entry.rights->has(Right::kDelete));
  const ReadRequest whole{entry.id, {}, 0, 5, 5, entry.validator};
  const auto ignore = [](Bytes) { return true; };
  http_.failed("GET DownloadFile?", "cannot download an external link");
  EXPECT_EQ(code(store_->read(soon(), whole, ignore)), ErrorCode::kNotSupported);
  http_.ok("GET DownloadFile?t=tok%2B1&fid=" + std::string(kDoc),
           R"({"AccessUrl":"https://box.example.com/1"})");
  http_.answer("GET https://box.example.com/1", "hello");
  EXPECT_TRUE(store_->read(soon(), whole, ignore));
  expect_list(kFolder, {link});
  EXPECT_EQ(code(store_->put(soon(), {entry.id, {}, "a.txt", {}, {}}, as_bytes("x"))),
            ErrorCode::kNotSupported);
}

TEST_F(KenestoClient, ThingsSharedFromOutsideBringTheirOwnToken) {
  ItemJson item;
  item.external_token = "out/side";
  const RemoteEntry entry = listed({item}).at(0);
  http_.ok(versions_call(kDoc), versions_json({{kVersion2}}));
  expect_list(kFolder, {item});
  http_.ok("GET DownloadFile?t=out%2Fside&fid=" + std::string(kVersion2) + "&ie=true",
           R"({"AccessUrl":"https://store.example.com/1"})");
  http_.answer("GET https://store.example.com/1", "hello");
  EXPECT_TRUE(
      store_->read(soon(), {entry.id, {}, 0, 5, 5, entry.validator}, [](Bytes) { return true; }));
}

TEST_F(KenestoClient, UndocumentedCallsAreOffUnlessTheServerHasThem) {
  EXPECT_FALSE(store_->capabilities().rename);
  EXPECT_FALSE(store_->capabilities().quota);
  EXPECT_FALSE(store_->capabilities().move);
  listed({ItemJson()});
  EXPECT_EQ(code(store_->rename(soon(), NodeKind::kFile, RemoteId{kDoc}, "b.txt")),
            ErrorCode::kCrossDevice);
  // Not asked for when they are switched off.
  KenestoConfig off;
  off.undocumented_calls = KenestoConfig::Undocumented::kOff;
  make(off);
  EXPECT_FALSE(store_->capabilities().rename);
}

class KenestoProbe : public KenestoClient {
 protected:
  // What tells rights and used space is there.
  void SetUp() override {
    KenestoClient::SetUp();
    KenestoConfig config;
    config.base_url = "https://app.kenesto.com";
    config.tenant = "3";
    config.settle = std::chrono::milliseconds(1);
    auto made = make_kenesto_store(http_, *session_, config);
    ASSERT_TRUE(made);
    store_ = *std::move(made);
    http_.ok(list_call(kRoot), page_json({}));
    http_.ok("GET RetrieveObjectInfo?t=tok%2B1&oi=" + std::string(kFolder) + "&fc=FOLDER",
             R"({"ObjectPermissions":{"AllowView":true,"IsOwnedByRequestor":true}})");
    http_.ok("GET RetrieveStatistics?t=tok%2B1&tid=3", R"({"TotalUsageSpace":"1234"})");
  }
  // Nothing that an object answers to, and no name.
  static std::string asks(const std::string& call, const std::string& id) {
    return "GET " + call + "?t=tok%2B1&" + id + "=00000000-0000-4000-8000-000000000000";
  }
};

TEST_F(KenestoProbe, AServerThatHasThemRenamesAndTellsTheUsedSpace) {
  http_.failed(asks("UpdateAssetName", "did"), "The document does not exist");
  http_.answer(asks("EditFolder", "fid"), "<html>Request Error</html>", 400);
  ASSERT_TRUE(store_->account(soon()));
  for (const auto& seen : http_.take_seen()) {
    EXPECT_EQ(seen.line.find("&dn="), std::string::npos);
    EXPECT_EQ(seen.line.find("&fn="), std::string::npos);
  }
  EXPECT_TRUE(store_->capabilities().rename);
  http_.ok("GET RetrieveStatistics?t=tok%2B1&tid=3", R"({"TotalUsageSpace":1234})");
  EXPECT_EQ(store_->quota(soon())->used, 1234u);
}

TEST_F(KenestoProbe, RightsWithoutADateAreAskedForOnceToConfirmAVersion) {
  http_.failed(asks("UpdateAssetName", "did"), "The document does not exist");
  http_.failed(asks("EditFolder", "fid"), "The folder does not exist");
  ASSERT_TRUE(store_->account(soon()));
  ItemJson other;
  other.id = kDoc2;
  http_.ok(list_call(kRoot), page_json({folder_json()}));
  http_.ok(list_call(kFolder), page_json({ItemJson(), other}));
  ASSERT_TRUE(store_->list(soon(), RemoteId{kRoot}));
  const auto entries = store_->list(soon(), RemoteId{kFolder});
  ASSERT_TRUE(entries);
  const auto ignore = [](Bytes) { return true; };
  for (const auto& [entry, version] :
       {std::pair(entries->at(0), kVersion2), std::pair(entries->at(1), kVersion3)}) {
    ReadRequest whole{entry.id, VersionId{version}, 0, 5, 5, {}};
    http_.ok("GET DownloadFile?", R"({"AccessUrl":")" + std::string(kStore) + "\"}");
    http_.answer("GET " + std::string(kStore), "hello");
    ASSERT_TRUE(store_->read(soon(), whole, ignore));
    // Its address is known by now.
    whole.version = {};
    whole.validator = entry.validator;
    http_.ok(versions_call(entry.id.value), versions_json({{version}}));
    if (version == kVersion2) {
      http_.ok("GET RetrieveObjectInfo?", R"({"ObjectPermissions":{"AllowView":true}})");
    }
    http_.ok(list_call(kFolder), page_json({ItemJson(), other}));
    http_.answer("GET " + std::string(kStore), "hello");
    EXPECT_TRUE(store_->read(soon(), whole, ignore));
  }
}

// Somebody of the same name, or this account's own check-out, ended and taken over by him.
TEST_F(KenestoProbe, WhoHoldsADocumentIsAskedBeforeItIsWritten) {
  http_.failed(asks("UpdateAssetName", "did"), "The document does not exist");
  http_.failed(asks("EditFolder", "fid"), "The folder does not exist");
  ASSERT_TRUE(store_->account(soon()));
  ItemJson item;
  item.vault = true;
  item.holder = "Me Myself";
  http_.ok(list_call(kRoot), page_json({folder_json(kFolder, true)}));
  ASSERT_TRUE(store_->list(soon(), RemoteId{kRoot}));
  const std::string info = "GET RetrieveObjectInfo?t=tok%2B1&oi=" + std::string(kDoc);
  const auto not_ours = [&] {
    expect_list(kFolder, {item});
    http_.ok(info, R"({"ObjectPermissions":{"AllowView":true,"AllowCheckin":false}})");
  };
  expect_list(kFolder, {item});
  ASSERT_TRUE(store_->list(soon(), RemoteId{kFolder}));
  not_ours();
  EXPECT_EQ(code(store_->put(soon(), {{kDoc}, {}, "a.txt", {}, {}}, as_bytes("x"))),
            ErrorCode::kBusy);
  not_ours();
  EXPECT_EQ(code(store_->unlock(soon(), {kDoc}, "")), ErrorCode::kBusy);
  not_ours();
  http_.ok(info, R"({"ObjectPermissions":{"AllowView":true,"AllowDiscardCheckout":false}})");
  EXPECT_EQ(code(store_->discard_lock(soon(), {kDoc})), ErrorCode::kBusy);
}

TEST_F(KenestoProbe, WithoutOneOfTheCallsThatRenameNothingIsRenamed) {
  http_.failed(asks("UpdateAssetName", "did"), "The document does not exist");
  http_.answer(asks("EditFolder", "fid"), "<html>Endpoint not found.</html>", 404);
  ASSERT_TRUE(store_->account(soon()));
  EXPECT_FALSE(store_->capabilities().rename);
  EXPECT_TRUE(store_->capabilities().quota);
}

}  // namespace
}  // namespace cabinetfs
