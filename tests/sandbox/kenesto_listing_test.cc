#include <algorithm>
#include <regex>
#include <set>

#include "tests/sandbox/kenesto_test.h"

// What listings look like, and what stands in them.

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

class KenestoListing : public KenestoTest {
 protected:
  static std::vector<std::string> names(const std::vector<json>& items) {
    std::vector<std::string> out;
    for (const json& item : items) out.push_back(item.at("Name"));
    return out;
  }
};

TEST_F(KenestoListing, TotalsAreTextAndFoldersStandAmongDocuments) {
  start();
  const json root = alice().data("RetrieveDocuments");
  EXPECT_EQ(root.at("TotalDocuments"), "2");
  EXPECT_EQ(root.at("TotalFiles"), "1");
  EXPECT_EQ(root.at("TotalFolders"), "1");
  EXPECT_EQ(root.at("next_href"), "");
  const json note = alice().item("note.txt");
  EXPECT_EQ(note.at("FamilyCode"), "GENERAL");
  EXPECT_EQ(note.at("Name"), "note");
  EXPECT_EQ(note.at("FileExtension"), ".txt");
  EXPECT_EQ(note.at("CurrentVersionSize"), 6);
  EXPECT_EQ(note.at("ExternalLinkType"), "REGULAR");
  const json work = alice().item("Work");
  EXPECT_EQ(work.at("FamilyCode"), "FOLDER");
  EXPECT_EQ(work.at("FileName"), "");
  EXPECT_FALSE(work.contains("CurrentVersionSize"));
  const json count = alice().data("RetrieveNumberOfDocuments", {{"fid", work.at("Id")}});
  EXPECT_EQ(count.at("TotalDocuments"), "3");
  EXPECT_EQ(count.at("FolderName"), "Work");
  set({{"numbers", "number"}, {"folder_file_name", "name"}, {"folder_dates", false}});
  EXPECT_EQ(alice().data("RetrieveDocuments").at("TotalDocuments"), 2);
  EXPECT_EQ(alice().item("Work").at("FileName"), "Work");
  EXPECT_FALSE(alice().item("Work").contains("ModificationDate"));
}

TEST_F(KenestoListing, TheRootHasThreeNamesAndSometimesAnId) {
  start();
  const std::string guid = alice().data("RetrieveDocuments").at("FolderId");
  EXPECT_EQ(guid.size(), 36U);
  for (const std::string& id :
       {std::string(), std::string("00000000-0000-0000-0000-000000000000"), guid}) {
    EXPECT_EQ(alice().list(id).size(), 2U) << id;
  }
  set({{"root_id", "zero"}});
  EXPECT_EQ(alice().data("RetrieveDocuments").at("FolderId"),
            "00000000-0000-0000-0000-000000000000");
  set({{"root_id", "empty"}});
  EXPECT_EQ(alice().data("RetrieveDocuments").at("FolderId"), "");
}

TEST_F(KenestoListing, OnlyThreePageSizesAreAllowed) {
  start();
  for (const char* size : {"25", "100", "200"}) {
    EXPECT_FALSE(failed(alice().call("RetrieveDocuments", {{"ps", size}}))) << size;
  }
  EXPECT_TRUE(failed(alice().call("RetrieveDocuments", {{"ps", "50"}})));
  EXPECT_TRUE(failed(alice().call("RetrieveDocuments", {{"pn", "0"}})));
  EXPECT_EQ(alice().get("RetrieveDocuments", {{"ps", "many"}}).status, 400);
  set({{"ps_error", "html"}});
  EXPECT_EQ(alice().get("RetrieveDocuments", {{"ps", "50"}}).status, 500);
}

TEST_F(KenestoListing, PagesEndAndWhatLiesBeyondIsEverything) {
  start();
  as("alice", {{"op", "fill"}, {"path", "Many"}, {"count", 60}});
  const std::string id = alice().id("Many");
  const KenestoClient::Args sorted = {{"fid", id}, {"sb", "ASSET_NAME"}, {"sd", "asc"}};
  std::set<std::string> seen;
  for (int page = 1; page <= 3; ++page) {
    auto args = sorted;
    args.emplace_back("pn", std::to_string(page));
    const json answer = alice().data("RetrieveDocuments", args);
    EXPECT_EQ(answer.at("DocumentsList").size(), page < 3 ? 25U : 10U);
    EXPECT_EQ(answer.at("next_href").get<std::string>().empty(), page == 3);
    for (const json& item : answer.at("DocumentsList")) seen.insert(item.at("Id"));
  }
  EXPECT_EQ(seen.size(), 60U);
  auto beyond = sorted;
  beyond.emplace_back("pn", "4");
  EXPECT_EQ(alice().data("RetrieveDocuments", beyond).at("DocumentsList").size(), 60U);
  beyond.back().second = "1000000";
  EXPECT_EQ(alice().data("RetrieveDocuments", beyond).at("DocumentsList").size(), 60U);
  EXPECT_TRUE(alice()
                  .data("RetrieveDocuments",
                        {{"fid", alice().data("CreateFolder", {{"fn", "E"}}).at("Id")}})
                  .at("DocumentsList")
                  .empty());
}

TEST_F(KenestoListing, NextHrefLeadsOnWithTheTokenInIt) {
  start();
  as("alice", {{"op", "fill"}, {"path", "Many"}, {"count", 30}});
  const KenestoClient::Args args = {{"fid", alice().id("Many")}, {"ud", "a b"}};
  const std::string href = alice().data("RetrieveDocuments", args).at("next_href");
  EXPECT_NE(href.find(url_encode(alice().token)), std::string::npos);
  EXPECT_EQ(KenestoClient::fetch(href).json().at("ResponseData").at("DocumentsList").size(), 5U);
  set({{"next_href", "foreign"}});
  EXPECT_EQ(alice()
                .data("RetrieveDocuments", args)
                .at("next_href")
                .get<std::string>()
                .rfind("http://app.kenesto.invalid/", 0),
            0U);
  set({{"next_href", "none"}, {"next_href_end", "false"}});
  EXPECT_EQ(alice().data("RetrieveDocuments", args).at("next_href"), "false");
  set({{"next_href_end", "null"}});
  EXPECT_TRUE(alice().data("RetrieveDocuments", args).at("next_href").is_null());
}

TEST_F(KenestoListing, SortsByFourKeysInAnyCase) {
  start();
  const std::string work = alice().id("Work");
  as("alice", {{"op", "put"}, {"path", "Work/c.aaa"}, {"content", "longest content of all"}});
  const auto sorted = [&](const char* by, const char* direction) {
    return names(alice()
                     .data("RetrieveDocuments", {{"fid", work}, {"sb", by}, {"sd", direction}})
                     .at("DocumentsList")
                     .get<std::vector<json>>());
  };
  EXPECT_EQ(sorted("ASSET_NAME", "asc"), (std::vector<std::string>{"a", "b", "c", "Sub"}));
  EXPECT_EQ(sorted("asset_name", "desc"), (std::vector<std::string>{"Sub", "c", "b", "a"}));
  EXPECT_EQ(sorted("CURRENT_VERSION_SIZE", "desc").front(), "c");
  EXPECT_EQ(sorted("FILE_EXTENSION", "asc").at(1), "c");
  EXPECT_EQ(sorted("MODIFICATION_DATE", "desc").front(), "c");
  const json plain = alice().data("RetrieveDocuments", {{"fid", work}});
  EXPECT_EQ(plain.at("DocumentsList").at(0).at("Name"), "c") << "newest first without being asked";
  EXPECT_TRUE(failed(alice().call("RetrieveDocuments", {{"sb", "SHOE_SIZE"}})));
}

TEST_F(KenestoListing, DatesHaveSevenDigits) {
  start();
  const std::string date = alice().item("note.txt").at("ModificationDate");
  EXPECT_TRUE(std::regex_match(
      date, std::regex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{7}Z")))
      << date;
}

TEST_F(KenestoListing, NamesMayBeTakenTwice) {
  start();
  as("alice", {{"op", "put"}, {"path", "Work/a.txt"}, {"content", "twin"}, {"twin", true}});
  as("alice", {{"op", "put"}, {"path", "Work/Sub"}, {"content", "as a folder"}, {"twin", true}});
  const auto items = alice().list(alice().id("Work"));
  EXPECT_EQ(std::count_if(items.begin(), items.end(),
                          [](const json& item) { return item.at("FileName") == "a.txt"; }),
            2);
  EXPECT_EQ(std::count_if(items.begin(), items.end(),
                          [](const json& item) { return item.at("Name") == "Sub"; }),
            2);
}

TEST_F(KenestoListing, NamesSplitAsDotNetSplitsThem) {
  start();
  for (const char* name : {"Makefile", ".profile", "x.tar.gz"}) {
    as("alice", {{"op", "put"}, {"path", std::string("N/") + name}, {"content", "1"}});
  }
  const std::string folder = alice().id("N");
  EXPECT_EQ(alice().item("Makefile", folder).at("FileExtension"), "");
  EXPECT_EQ(alice().item("Makefile", folder).at("Name"), "Makefile");
  EXPECT_EQ(alice().item(".profile", folder).at("Name"), "");
  EXPECT_EQ(alice().item("x.tar.gz", folder).at("Name"), "x.tar");
}

TEST_F(KenestoListing, TheTokenIsEchoedInViewerUrls) {
  start();
  const std::string url = alice().item("note.txt").at("ViewerUrl");
  EXPECT_EQ(url.rfind("http://localhost/", 0), 0U);
  EXPECT_EQ(url.find(alice().token), std::string::npos) << "not as it is";
  const auto begin = url.find("&token=") + 7;
  const std::string coded = url.substr(begin, url.find("&assetId=") - begin);
  // Base64 of the percent-encoded token, so three of its characters stand in four of these.
  EXPECT_GE(coded.size(), alice().token.size() * 4 / 3);
  EXPECT_EQ(coded.size() % 4, 0U);
  EXPECT_NE(coded, bob().list().empty() ? "" : coded + "x");
  set({{"viewer_url", false}});
  EXPECT_EQ(alice().item("note.txt").at("ViewerUrl"), "");
}

TEST_F(KenestoListing, AnswersMayHaveAMarkOrBeText) {
  start({{"bom", true}});
  const std::string marked = alice().get("RetrieveDocuments").body;
  EXPECT_EQ(marked.substr(0, 3), "\xEF\xBB\xBF");
  EXPECT_TRUE(json::accept(marked.substr(3)));
  set({{"bom", false}, {"json_string", true}});
  const json text = json::parse(alice().get("RetrieveDocuments").body);
  ASSERT_TRUE(text.is_string());
  EXPECT_TRUE(json::parse(text.get<std::string>()).contains("ResponseData"));
}

TEST_F(KenestoListing, SlashesAreEscapedAndUserDataComesBack) {
  start();
  const Reply answer = alice().get("RetrieveDocuments", {{"ud", "a/b c"}});
  EXPECT_NE(answer.body.find("a\\/b c"), std::string::npos);
  EXPECT_EQ(answer.json().at("UserData"), "a/b c");
  EXPECT_TRUE(alice().call("RetrieveDocuments").at("UserData").is_null());
  set({{"escape_slashes", false}});
  EXPECT_NE(alice().get("RetrieveDocuments", {{"ud", "a/b c"}}).body.find("a/b c"),
            std::string::npos);
  set({{"ud_echo", "encoded"}});
  EXPECT_EQ(alice().call("RetrieveDocuments", {{"ud", "a/b c"}}).at("UserData"), "a%2Fb%20c");
}

TEST_F(KenestoListing, StatusesAreSpeltAsThePageSpellsThem) {
  start();
  const std::string nothing = "11111111-2222-4333-8444-555555555555";
  const auto status = [&](const char* method, const char* key) {
    return alice().call(method, {{key, nothing}}).at("ResponseStatus").get<std::string>();
  };
  EXPECT_EQ(status("DeleteFolder", "fid"), "Fail");
  EXPECT_EQ(status("CheckOut", "did"), "Fail");
  EXPECT_EQ(status("RetrieveNumberOfDocuments", "fid"), "Failed");
  EXPECT_EQ(status("RetrieveFileVersions", "fid"), "failed");
  EXPECT_EQ(status("DownloadFile", "fid"), "FAILED");
  EXPECT_EQ(alice().call("RetrieveDocuments").at("ResponseStatus"), "ok");
  EXPECT_EQ(alice().call("RetrieveNumberOfDocuments").at("ResponseStatus"), "OK");
  EXPECT_EQ(alice().get("DeleteFolder", {{"fid", nothing}}).status, 200);
  set({{"failure_http", 500}, {"fail_spelling", "FAILED"}, {"ok_spelling", "OK"}});
  EXPECT_EQ(alice().get("DeleteFolder", {{"fid", nothing}}).status, 500);
  EXPECT_EQ(status("RetrieveFileVersions", "fid"), "FAILED");
  EXPECT_EQ(alice().call("RetrieveDocuments").at("ResponseStatus"), "OK");
}

TEST_F(KenestoListing, SharedThingsStandAtTheRootUnlessOwnOnesAreAskedFor) {
  start();
  EXPECT_TRUE(bob().list().empty());
  as("alice",
     {{"op", "share"}, {"path", "Work"}, {"with", "bob@example.com"}, {"level", "VIEW_ONLY"}});
  EXPECT_EQ(names(bob().list()), std::vector<std::string>{"Work"});
  EXPECT_TRUE(bob().list({}, {{"ao", "true"}}).empty());
  EXPECT_EQ(bob().data("RetrieveSharedDocuments").at("TotalDocuments"), "1");
  EXPECT_EQ(bob().list(bob().id("Work")).size(), 3U);
  EXPECT_TRUE(failed(bob().call("RetrieveFileVersions", {{"fid", alice().id("note.txt")}})));
  set({{"shared_in_root", false}});
  EXPECT_TRUE(bob().list().empty());
}

TEST_F(KenestoListing, ThereAreOtherViewsUntilTheyAreSwitchedOff) {
  start();
  const std::string document = alice().id("a.txt", alice().id("Work"));
  as("alice", {{"op", "lock"}, {"path", "Work/a.txt"}});
  const json held = alice().data("RetrieveCheckedOutDocuments");
  EXPECT_EQ(held.at("TotalDocuments"), "1");
  EXPECT_EQ(held.at("DocumentsList").at(0).at("Id"), document);
  EXPECT_EQ(alice().data("DocumentsQuickSearch", {{"k", "EEP"}}).at("TotalDocuments"), "1");
  const json numbers = alice().data("RetrieveStatistics");
  EXPECT_EQ(numbers.at("MyDocuments"), 4);
  EXPECT_EQ(numbers.at("DocumentsCheckedOutByMe"), 1);
  EXPECT_EQ(numbers.at("TotalUsageSpace"), 5 + 9 + 4 + 6);
  ASSERT_FALSE(
      failed(alice().call("DeleteAsset", {{"aid", alice().id("note.txt")}, {"fc", "GENERAL"}})));
  EXPECT_EQ(alice().data("RetrieveArchivedDocuments").at("TotalDocuments"), "1");
  EXPECT_EQ(alice().data("RetrieveStatistics").at("TotalArchivedDocuments"), 1);
  set({{"undocumented", false}});
  for (const char* method : {"RetrieveCheckedOutDocuments", "DocumentsQuickSearch",
                             "RetrieveStatistics", "EditFolder", "RetrieveArchivedDocuments",
                             "RetrieveSharedDocuments", "RetrieveObjectInfo", "UpdateAssetName"}) {
    EXPECT_EQ(alice().get(method, {{"k", "x"}}).status, 404) << method;
  }
}

}  // namespace
}  // namespace cabinetfs::sandbox
