#include "backend/kenesto/wire.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cabinetfs::kenesto {
namespace {

using nlohmann::json;

TEST(KenestoWire, SuccessIsOkInAnyCaseAndNothingElse) {
  for (const char* const good : {"OK", "ok", "Ok"}) {
    const auto envelope = parse_envelope(json{{"ResponseStatus", good}}.dump());
    ASSERT_TRUE(envelope) << good;
    EXPECT_TRUE(envelope->ok);
  }
  for (const char* const bad : {"Fail", "Failed", "failed", "FAILED", "OKAY", "maybe"}) {
    const auto envelope =
        parse_envelope(json{{"ResponseStatus", bad}, {"ErrorMessage", "VAL10357"}}.dump());
    ASSERT_TRUE(envelope) << bad;
    EXPECT_FALSE(envelope->ok) << bad;
    EXPECT_EQ(envelope->message, "VAL10357");
  }
}

TEST(KenestoWire, AFrameMayComeWithAMarkInAStringOrInAResult) {
  const std::string plain = R"({"ResponseStatus":"OK","ResponseData":"TEST_10"})";
  for (const std::string& body :
       {plain, "\xef\xbb\xbf" + plain, json(plain).dump(), "\xef\xbb\xbf" + json(plain).dump(),
        R"({"GetNextResult":)" + plain + "}", json{{"GetNextResult", plain}}.dump()}) {
    const auto envelope = parse_envelope(body);
    ASSERT_TRUE(envelope) << body;
    EXPECT_TRUE(envelope->ok);
    EXPECT_EQ(*parse_text(*envelope->data), "TEST_10");
  }
}

TEST(KenestoWire, WhatIsNoFrameIsCorrupt) {
  const std::string deep(100, '[');
  for (const std::string& body :
       {std::string(), std::string("<html>Request Error</html>"), std::string("[]"),
        std::string("{}"), std::string("\"\""), std::string("{\"ResponseStatus\":7"),
        R"({"ResponseStatus":"OK","ResponseData":)" + deep + std::string(100, ']') + "}",
        // As printed in the vendor's page.
        std::string("{ResponseData“: {“Id”: “x”},ResponseStatus“: “OK”}")}) {
    const auto envelope = parse_envelope(body);
    ASSERT_FALSE(envelope) << body;
    EXPECT_EQ(envelope.error().code, ErrorCode::kCorrupt);
  }
}

TEST(KenestoWire, SecretsOfAListingAreNotKept) {
  const auto envelope = parse_envelope(
      R"({"ResponseStatus":"OK","ResponseData":{"DocumentsList":[{"ViewerUrl":"http://x?token=s3cret"}]}})");
  ASSERT_TRUE(envelope);
  EXPECT_EQ(envelope->all->dump().find("s3cret"), std::string::npos);
}

TEST(KenestoWire, ThreeDateFormsAndAFourth) {
  const WallTime expected{std::chrono::seconds(1502371717)};
  EXPECT_EQ(parse_time("2017-08-10T13:28:37Z"), expected);
  EXPECT_EQ(parse_time("2017-08-10T13:28:37.0940001Z"),
            expected + std::chrono::nanoseconds(94'000'100));
  EXPECT_EQ(parse_time("/Date(1502371717000)/"), expected);
  EXPECT_EQ(parse_time("/Date(1502371717000+0300)/"), expected) << "the zone moves nothing";
  EXPECT_EQ(parse_time("/Date(-1000-0500)/"), WallTime(std::chrono::seconds(-1)));
  EXPECT_EQ(parse_time("08/10/2017 13:28:37"), expected);
  EXPECT_EQ(parse_time("08/10/2017"),
            WallTime(std::chrono::sys_days(std::chrono::year(2017) / 8 / 10)));
  EXPECT_EQ(parse_day_first("10/08/2017 13:28:37"), expected);
}

TEST(KenestoWire, DatesThatAreNoneAreAbsent) {
  for (const char* const text :
       {"", "/Date(-62135596800000)/", "/Date(-62135596800001)/", "/Date()/", "/Date(1)",
        "/Date(99999999999999999999)/", "/Date(9223372036854775807)/", "0001-01-01T00:00:00",
        "0001-01-01T00:00:00.0000000Z", "9999-12-31T23:59:59Z", "13/32/2017", "31/31/2017",
        "02/30/2017", "08/10/2017 25:00:00", "yesterday", "/Date(1+1)/"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
  EXPECT_FALSE(parse_day_first("08/31/2017 00:00:00"));
}

TEST(KenestoWire, GuidsAreLowerCaseWhateverTheirForm) {
  EXPECT_EQ(parse_guid("EE7AD22D-8a14-48b1-8a0c-891941fb8b9a"),
            "ee7ad22d-8a14-48b1-8a0c-891941fb8b9a");
  EXPECT_EQ(parse_guid("{ee7ad22d-8a14-48b1-8a0c-891941fb8b9a}"),
            "ee7ad22d-8a14-48b1-8a0c-891941fb8b9a");
  for (const char* const bad :
       {"", "ee7ad22d", "ee7ad22d-8a14-48b1-8a0c-891941fb8b9",
        "ee7ad22d-8a14-48b1-8a0c-891941fb8b9g", "ee7ad22d/8a14-48b1-8a0c-891941fb8b9a",
        "../../../../../../../../../../../../"}) {
    EXPECT_FALSE(parse_guid(bad)) << bad;
  }
}

TEST(KenestoWire, AListingHasItemsOfBothKinds) {
  const auto page = parse_documents(json::parse(R"({"DocumentsList":[
    {"Id":"2C4A0D5C-4A44-47A7-8049-3B6C76A73966","Name":"Knife3","FileName":"Knife3.txt",
     "FileExtension":".txt","FamilyCode":"GENERAL","IsVault":"True","IsCheckedOut":true,
     "ChceckedOutBy":"Joe Engineer","ModificationDate":"2017-08-07T08:59:12.0940000Z",
     "CurrentVersionSize":"1205","MimeType":"text/plain","IsExternalLink":"false"},
    {"Id":"69155ac0-4f97-42dd-a169-5543b951c8e2","Name":"folder1","FamilyCode":"FOLDER",
     "IsVault":false},
    {"Id":"801f3e70-d87a-4655-b2da-fdb7d0740800","Name":"bare","FileExtension":".bin",
     "FileName":"","FamilyCode":"GENERAL"}],
    "TotalDocuments":"3","TotalFiles":"2","TotalFolders":"1","next_href":"",
    "FolderId":"69155AC0-4f97-42dd-a169-5543b951c8e2"})"));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->total, 3u);
  EXPECT_EQ(page->more, false);
  EXPECT_EQ(page->ids.size(), 3u);
  ASSERT_EQ(page->items.size(), 3u);
  const WireItem& file = page->items[0];
  EXPECT_EQ(file.entry.id.value, "2c4a0d5c-4a44-47a7-8049-3b6c76a73966");
  EXPECT_EQ(file.entry.name, "Knife3.txt");
  EXPECT_EQ(file.entry.size, 1205u);
  EXPECT_EQ(file.entry.lock_holder, "Joe Engineer");
  EXPECT_TRUE(file.vault);
  EXPECT_TRUE(file.checked_out);
  EXPECT_FALSE(file.external_link);
  EXPECT_EQ(page->items[1].entry.kind, NodeKind::kFolder);
  EXPECT_EQ(page->items[1].entry.name, "folder1");
  EXPECT_EQ(page->items[2].entry.name, "bare.bin");
  EXPECT_TRUE(file.sized);
  EXPECT_FALSE(page->items[2].sized);
}

// Left out it would look like its deletion.
TEST(KenestoWire, AnEntryWithoutAnIdSpoilsTheListing) {
  const auto documents = [](const std::string& odd) {
    return parse_documents(json::parse(R"({"TotalDocuments":"1","DocumentsList":[)" + odd + "]}"));
  };
  const auto page = documents(R"({"Id":"no guid","Name":"odd","FamilyCode":"GENERAL"})");
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, ErrorCode::kCorrupt);
  const std::string id = "69155ac0-4f97-42dd-a169-5543b951c8e2";
  const auto unnamed = documents(R"({"Id":")" + id + R"(","Name":""})");
  ASSERT_TRUE(unnamed) << "one without a name does not";
  EXPECT_EQ(unnamed->items.at(0).entry.name, id);
}

TEST(KenestoWire, TheEndOfAListingIsToldInThreeWays) {
  const auto more = [](const char* next) {
    const auto page = parse_documents(
        json::parse(R"({"DocumentsList":[],"TotalDocuments":0)" + std::string(next) + "}"));
    return page ? page->more : std::optional<bool>();
  };
  EXPECT_EQ(more(R"(,"next_href":"")"), false);
  EXPECT_EQ(more(R"(,"next_href":null)"), false);
  EXPECT_EQ(more(R"(,"next_href":"false")"), false);
  EXPECT_EQ(more(R"(,"next_href":"https://x/next")"), true);
  EXPECT_EQ(more(""), std::nullopt);
}

TEST(KenestoWire, VersionsNeedOneThatIsCurrent) {
  const auto versions = [](bool first, bool second) {
    return parse_versions(json{{"FileVersionsList",
                                {{{"Id", "801f3e70-d87a-4655-b2da-fdb7d0740800"},
                                  {"FileSize", 1203},
                                  {"VersionNumber", "1"},
                                  {"IsCurrentVersion", first},
                                  {"OwnerName", "Joe"}},
                                 {{"Id", "96a7bdfd-ce8a-4839-af16-a0b5a84f037a"},
                                  {"FileSize", "1205"},
                                  {"VersionNumber", "2"},
                                  {"IsCurrentVersion", second ? "True" : "False"},
                                  {"ModificationDate", "/Date(-62135596800000)/"}}}}});
  };
  const auto good = versions(false, true);
  ASSERT_TRUE(good);
  EXPECT_EQ((*good)[0].author, "Joe");
  EXPECT_EQ((*good)[1].size, 1205u);
  EXPECT_EQ((*good)[1].number, 2u);
  EXPECT_EQ((*good)[1].modified, WallTime{});
  EXPECT_EQ(versions(true, true).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(versions(false, false).error().code, ErrorCode::kCorrupt);
}

TEST(KenestoWire, HistoryIsOneListNewestFirst) {
  const auto events = parse_history(json::parse(R"({
    "UPDATE_HISTORY":[{"Date":"2018-08-02T11:26:59.5354420Z","User":"Scott","Event":"Create","Value":"x"},
                      {"Date":"2018-08-02T11:27:03.2901610Z","User":"Scott","Event":"Modify","Value":"y"}],
    "VIEW_HISTORY":[{"Date":"2018-08-02T11:27:01Z","User":"Ann","Event":"View","Value":"z"}]})"));
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 3u);
  EXPECT_EQ((*events)[0].event, "Modify");
  EXPECT_EQ((*events)[1].who, "Ann");
  EXPECT_EQ((*events)[2].event, "Create");
}

TEST(KenestoWire, SequencesAreAMapWithNumberedKeys) {
  const auto sequences = parse_sequences(json::parse(R"({"RESULTS":{
    "Object 0":{"DOCUMENT_SEQ_META":{"NAME":"B","PREFIX":"AMIR_","IS_LOCKED":"True"}},
    "Object 1":{"DOCUMENT_SEQ_META":{"NAME":"A","PREFIX":"","IS_LOCKED":"False"}}},
    "INFO":{"TOTAL_PAGES":1}})"));
  ASSERT_TRUE(sequences);
  ASSERT_EQ(sequences->size(), 2u);
  EXPECT_EQ((*sequences)[0].name, "A");
  EXPECT_FALSE((*sequences)[0].locked);
  EXPECT_EQ((*sequences)[1].prefix, "AMIR_");
  EXPECT_TRUE((*sequences)[1].locked);
}

TEST(KenestoWire, PermissionsAreTextAndEndOnADay) {
  const auto rights = parse_participant(json::parse(R"({"ALLOW_OWNER":"False","ALLOW_VIEW":"True",
    "ALLOW_SHARE_F":"True","ALLOW_DOWNLOAD":"True","ALLOW_UPDATE_VERSIONS":"False",
    "ALLOW_UPLOAD_F":"False","SHARE_EXPDATE":"29/03/2018 00:00:00"})"));
  ASSERT_TRUE(rights);
  EXPECT_TRUE(rights->view && rights->download && rights->share);
  EXPECT_FALSE(rights->owner || rights->update || rights->upload);
  EXPECT_EQ(rights->until, WallTime(std::chrono::sys_days(std::chrono::year(2018) / 3 / 29)));
}

}  // namespace
}  // namespace cabinetfs::kenesto
