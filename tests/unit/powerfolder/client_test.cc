// Calls of the folder service, and what a refusal of it means.

#include <gtest/gtest.h>

#include "backend/auth/authorized_client.h"
#include "backend/powerfolder/powerfolder.h"
#include "tests/unit/kiteworks/scripted_http.h"

namespace cabinetfs {
namespace {

constexpr const char* kFolders =
    R"({"ResultSet":{"Result":[{"name":"Work","folderID":"[PME2]"}]}})";
constexpr const char* kMembers =
    R"({"ResultSet":{"Result":[{"ID":"1","username":"Me@example.com","permission":"OWNER"},
                               {"ID":"2","username":"bob@example.com","permission":"READ"}]}})";

constexpr const char* kNothing = R"({"ResultSet":{"Result":[]}})";

class PowerFolderClient : public ::testing::Test {
 protected:
  PowerFolderClient() { make({}); }
  void TearDown() override { EXPECT_EQ(http_.left(), 0u) << "answers that nobody asked for"; }

  void make(PowerFolderConfig config) {
    config.server_url = "https://pf.example.com/";
    config.user = "me@example.com";
    config.second_look = std::chrono::milliseconds(1);
    auto made = make_powerfolder_store(http_, config);
    ASSERT_TRUE(made) << to_string(made.error());
    store_ = *std::move(made);
  }
  static CallContext soon() { return CallContext::within(std::chrono::seconds(30)); }
  void folder_at(const std::string& path, const std::string& more = "") {
    http_.answer("PROPFIND /webdav/" + path, 207,
                 "<D:multistatus xmlns:D='DAV:'><D:response><D:href>/webdav/" + path +
                     "</D:href><D:propstat><D:prop><D:resourcetype><D:collection/>"
                     "</D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
                     "</D:response>" +
                     more + "</D:multistatus>");
  }
  // By three listings, and by the file service, whose word alone proves nothing.
  void listed_empty() {
    for (int i = 0; i < 3; ++i) {
      folder_at("Work/");
      http_.answer("GET /api/files/W1BNRTJd?action=getAll", 200, kNothing);
    }
  }

  ScriptedHttp http_;
  std::unique_ptr<RemoteStore> store_;
};

template <class T>
ErrorCode code_of(const Result<T>& result) {
  return result ? static_cast<ErrorCode>(-1) : result.error().code;
}

TEST_F(PowerFolderClient, SharingNamesTheFolderByItsId) {
  http_.answer("GET /api/folders?action=getAll", 200, kFolders);
  http_.answer("POST /api/folders", 200, R"({"ID":"[PME2]","message":"whatever"})");
  ASSERT_TRUE(
      store_->share(soon(), NodeKind::kFolder, {"Work"}, "bob+x@example.com", AccessLevel::kWrite));
  const auto seen = http_.take_seen();
  EXPECT_EQ(seen[1].target, "/api/folders");
  EXPECT_EQ(seen[1].body,
            "action=setPermission&ID=%5BPME2%5D&username=bob%2Bx%40example.com"
            "&permission=READ_WRITE");
  EXPECT_EQ(code_of(store_->share(soon(), NodeKind::kFolder, {"Work"}, "bob@example.com",
                                  AccessLevel::kOwner)),
            ErrorCode::kNotPermitted);
  EXPECT_EQ(code_of(store_->share(soon(), NodeKind::kFolder, {"Work"}, "bob@example.com",
                                  AccessLevel::kView)),
            ErrorCode::kNotSupported);
}

TEST_F(PowerFolderClient, UnsharingIsNoAccess) {
  http_.answer("GET /api/folders?action=getAll", 200, kFolders);
  http_.answer("GET /api/folders?action=getAccounts&ID=%5BPME2%5D", 200, kMembers);
  http_.answer("POST /api/folders", 200, "{}");
  ASSERT_TRUE(store_->unshare(soon(), NodeKind::kFolder, {"Work"}, "BOB@example.com"));
  EXPECT_NE(http_.take_seen()[2].body.find("permission=NO_ACCESS"), std::string::npos);
}

TEST_F(PowerFolderClient, RemovingSaysWhatHappensToTheData) {
  for (const bool purge : {false, true}) {
    PowerFolderConfig config;
    config.remove_top_folders =
        purge ? PowerFolderConfig::RemoveTop::kPurgeData : PowerFolderConfig::RemoveTop::kKeepData;
    make(config);
    http_.answer("GET /api/folders?action=getAll", 200, kFolders);
    folder_at("Work/");
    http_.answer("GET /api/folders?action=getAccounts", 200, kMembers);
    listed_empty();
    http_.answer("GET /api/files/W1BNRTJd?action=getAll", 200, kNothing);
    http_.answer("POST /api/folders", 200, R"({"ID":"[PME2]","message":"gone"})");
    http_.answer("PROPFIND /webdav/Work", 404, "");
    ASSERT_TRUE(store_->remove(soon(), NodeKind::kFolder, {"Work"}));
    const auto seen = http_.take_seen();
    EXPECT_EQ(seen[10].body,
              std::string("action=delete&ID=%5BPME2%5D&deleteData=") + (purge ? "1" : "0"));
  }
}

// Whoever put something in meanwhile would lose it, for all members.
TEST_F(PowerFolderClient, ARemovalIsRepeatedOnlyOnWhatIsStillEmpty) {
  PowerFolderConfig config;
  config.remove_top_folders = PowerFolderConfig::RemoveTop::kPurgeData;
  make(config);
  http_.answer("GET /api/folders?action=getAll", 200, kFolders);
  folder_at("Work/");
  http_.answer("GET /api/folders?action=getAccounts", 200, kMembers);
  listed_empty();
  http_.answer("GET /api/files/W1BNRTJd?action=getAll", 200, kNothing);
  http_.lose("POST /api/folders", ErrorCode::kUnavailable);
  folder_at("Work/");
  http_.answer("GET /api/folders?action=getAll", 200, kFolders);
  http_.answer("GET /api/files/W1BNRTJd?action=getAll", 200,
               R"({"ResultSet":{"Result":[{"fileName":"a.txt"}]}})");
  EXPECT_EQ(code_of(store_->remove(soon(), NodeKind::kFolder, {"Work"})), ErrorCode::kNotEmpty);
  for (const auto& seen : http_.take_seen()) {
    EXPECT_TRUE(seen.method != "POST" || !seen.idempotent) << "by the engine";
  }
}

TEST_F(PowerFolderClient, TheFileServiceKnowsBetterThanAnEmptyListing) {
  PowerFolderConfig config;
  config.remove_top_folders = PowerFolderConfig::RemoveTop::kKeepData;
  make(config);
  http_.answer("GET /api/folders?action=getAll", 200, kFolders);
  folder_at("Work/");
  http_.answer("GET /api/folders?action=getAccounts", 200, kMembers);
  folder_at("Work/");
  http_.answer("GET /api/files/W1BNRTJd?action=getAll", 200,
               R"({"ResultSet":{"Result":[{"fileName":"a.txt"}]}})");
  EXPECT_EQ(code_of(store_->remove(soon(), NodeKind::kFolder, {"Work"})), ErrorCode::kNotEmpty);
}

TEST_F(PowerFolderClient, WhatIsRemovedIsLookedIntoByItsId) {
  PowerFolderConfig config;
  config.remove_top_folders = PowerFolderConfig::RemoveTop::kPurgeData;
  config.rights_fresh = std::chrono::seconds(0);
  make(config);
  const auto folder_is = [&](const std::string& id) {
    http_.answer("GET /api/folders?action=getAll", 200,
                 R"({"ResultSet":{"Result":[{"name":"Work","folderID":")" + id + R"("}]}})");
  };
  folder_is("[PME2]");
  folder_at("Work/");
  folder_is("[PME2]");  // twins
  folder_is("[PME2]");  // rights
  http_.answer("GET /api/folders?action=getAccounts", 200, kMembers);
  for (int i = 0; i < 3; ++i) {
    folder_at("Work/");
    // By now the service has heard that another folder has the name.
    folder_is("[PME3]");
    http_.answer("GET /api/files/W1BNRTNd?action=getAll", 200, kNothing);
  }
  http_.answer("GET /api/files/W1BNRTJd?action=getAll", 200,
               R"({"ResultSet":{"Result":[{"fileName":"a.txt"}]}})");
  EXPECT_EQ(code_of(store_->remove(soon(), NodeKind::kFolder, {"Work"})), ErrorCode::kNotEmpty);
}

// What such an answer means for a listing of files nobody has written down.
TEST_F(PowerFolderClient, NoEntriesAtTheFileServiceProveNothing) {
  PowerFolderConfig config;
  config.remove_top_folders = PowerFolderConfig::RemoveTop::kPurgeData;
  make(config);
  http_.answer("GET /api/folders?action=getAll", 200, kFolders);
  folder_at("Work/");
  http_.answer("GET /api/folders?action=getAccounts", 200, kMembers);
  folder_at("Work/");
  http_.answer("GET /api/files/W1BNRTJd?action=getAll", 204, "");
  folder_at("Work/");
  http_.answer("GET /api/files/W1BNRTJd?action=getAll", 200, kNothing);
  // A full folder that was listed as empty for a moment.
  folder_at("Work/",
            "<D:response><D:href>/webdav/Work/a</D:href><D:propstat><D:prop><D:resourcetype/>"
            "<D:getcontentlength>1</D:getcontentlength></D:prop><D:status>HTTP/1.1 200 OK"
            "</D:status></D:propstat></D:response>");
  EXPECT_EQ(code_of(store_->remove(soon(), NodeKind::kFolder, {"Work"})), ErrorCode::kNotEmpty);
}

TEST_F(PowerFolderClient, WhatWebDavDoesNotShowIsNotRemoved) {
  PowerFolderConfig config;
  config.remove_top_folders = PowerFolderConfig::RemoveTop::kPurgeData;
  make(config);
  http_.answer("GET /api/folders?action=getAll", 200, kFolders);
  http_.answer("PROPFIND /webdav/Work/", 404, "");
  folder_at("");  // the root answers
  ASSERT_TRUE(store_->remove(soon(), NodeKind::kFolder, {"Work"}));
}

TEST_F(PowerFolderClient, WhoMayNotAskForMembersKeepsUnknownRights) {
  folder_at("Work/d/");
  http_.answer("GET /api/folders?action=getAll", 200, kFolders);
  http_.answer("GET /api/folders?action=getAccounts", 401, "");
  const auto entry = store_->stat(soon(), NodeKind::kFolder, {"Work/d"});
  ASSERT_TRUE(entry);
  EXPECT_FALSE(entry->rights);
  // Not asked each time.
  folder_at("Work/d/");
  ASSERT_TRUE(store_->stat(soon(), NodeKind::kFolder, {"Work/d"}));
}

TEST_F(PowerFolderClient, AFolderThatWebDavRefusesToMakeIsMadeByTheService) {
  PowerFolderConfig config;
  config.create_top_folders = true;
  // Made, whatever the answer says besides.
  for (const auto& [status, answer] : {std::pair(200, R"({"ID":"[N]","message":"made"})"),
                                       std::pair(200, "made"), std::pair(204, "")}) {
    make(config);
    http_.answer("GET /api/folders?action=getAll", 200, R"({"ResultSet":{"Result":[]}})");
    http_.answer("MKCOL /webdav/New/", 403, "");
    http_.answer("PROPFIND /webdav/New", 404, "");
    http_.answer("POST /api/folders", status, answer);
    http_.answer("PROPFIND /webdav/New", 404, "");  // not yet
    folder_at("New");
    http_.answer("GET /api/folders?action=getAll", 200,
                 R"({"ResultSet":{"Result":[{"name":"New","folderID":"[N]"}]}})");
    http_.answer("GET /api/folders?action=getAccounts", 200, kMembers);
    const auto made = store_->create_folder(soon(), {}, "New");
    ASSERT_TRUE(made) << to_string(made.error());
    EXPECT_EQ(made->id, RemoteId{"New"});
  }
}

TEST_F(PowerFolderClient, OnlyWebDavSaysThatCredentialsAreDead) {
  AuthorizedClientOptions options;
  PowerFolderConfig config;
  config.server_url = "https://pf.example.com";
  apply_powerfolder_policy(options, config);
  EXPECT_EQ(options.scheme, "Basic");
  HttpResponse response;
  response.status = 401;
  response.effective_url = "https://pf.example.com/webdav/Work/";
  EXPECT_TRUE(options.token_rejected(response));
  response.effective_url = "https://pf.example.com/api/folders?action=getAccounts";
  EXPECT_FALSE(options.token_rejected(response));
  response.effective_url = "https://pf.example.com/webdav/api/x";
  EXPECT_TRUE(options.token_rejected(response)) << "a user's folder may be called api";
  response.status = 403;
  EXPECT_FALSE(options.token_rejected(response));
}

TEST(PowerFolderStore, AddressesThatCannotBe) {
  ScriptedHttp http;
  PowerFolderConfig config;
  config.server_url = "https://pf.example.com/webdav";
  EXPECT_FALSE(make_powerfolder_store(http, config));
  config.server_url = "https://pf.example.com";
  config.folder = "a/b";
  EXPECT_FALSE(make_powerfolder_store(http, config));
}

}  // namespace
}  // namespace cabinetfs
