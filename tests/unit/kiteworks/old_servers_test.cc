// Servers whose ids are numbers, options of new folders, and what a login tells of this machine.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/kiteworks/client_fixture.h"

namespace cabinetfs {
namespace {

constexpr const char* kOldMe =
    R"({"id": 5, "name": "Me", "email": "me@example.com", "syncdirId": 11, "basedirId": 10})";

std::string old_file(int id, const std::string& name, int parent = 20) {
  return R"({"id":)" + std::to_string(id) + R"(,"type":"f","parentId":)" + std::to_string(parent) +
         R"(,"name":")" + name +
         R"(","size":5,"modified":"2020-05-15T08:11:07Z","locked":5,"userId":5,"versionsCount":1})";
}

class OldKiteworks : public KiteworksClient {
 protected:
  void SetUp() override { connect({}, kOldMe); }
  nlohmann::json last_body() { return nlohmann::json::parse(http_.take_seen().back().body); }
};

TEST_F(OldKiteworks, NumbersAreIdsLikeAnyOther) {
  http_.answer("GET /rest/folders/top", 200,
               R"({"data":[{"id":20,"type":"d","parentId":10,"name":"Team"},
                           {"id":11,"type":"d","parentId":10,"name":"My Folder"}],
                   "metadata":{"total":2}})");
  const auto top = store_->list(soon(), RemoteId{"0"});
  ASSERT_TRUE(top) << to_string(top.error());
  ASSERT_EQ(top->size(), 2u);
  EXPECT_EQ(top->at(0).id.value, "20");
  EXPECT_EQ(top->at(0).parent.value, "0") << "what the account's base folder holds is at the top";
  EXPECT_TRUE(top->at(1).system);
  http_.answer("GET /rest/folders/20/children", 200,
               R"({"data":[)" + old_file(31, "a") + R"(],"metadata":{"total":1}})");
  const auto files = store_->list(soon(), RemoteId{"20"});
  ASSERT_TRUE(files);
  EXPECT_EQ(files->at(0).id.value, "31");
  EXPECT_EQ(files->at(0).lock, LockState::kHeldByUs) << "locked: the number of the user";
}

TEST_F(OldKiteworks, NumbersAreSentBackAsNumbers) {
  http_.answer("POST /rest/files/actions/move", 200, old_file(31, "a", 21));
  const auto moved = store_->move(soon(), NodeKind::kFile, RemoteId{"31"}, RemoteId{"21"});
  ASSERT_TRUE(moved) << to_string(moved.error());
  EXPECT_EQ(last_body(), nlohmann::json::parse(R"({"ids": [31], "destinationFolderId": 21})"));

  http_.answer("GET /rest/files/31", 200, old_file(31, "a"));
  http_.answer("GET /rest/folders/21/children", 200, "[]");
  http_.answer("POST /rest/files/actions/copy", 200, old_file(32, "b", 21));
  ASSERT_TRUE(store_->copy_file(soon(), RemoteId{"31"}, RemoteId{"21"}, "b"));
  EXPECT_EQ(last_body(), nlohmann::json::parse(
                             R"({"ids": [31], "destinationFolderId": 21, "newFileName": "b"})"));

  http_.answer("GET /rest/roles?type=f", 200, R"([{"id":8,"name":"Collaborator","type":"f"}])");
  http_.answer("POST /rest/files/members", 201, "{}");
  ASSERT_TRUE(store_->share(soon(), NodeKind::kFile, RemoteId{"31"}, "bob@example.com",
                            AccessLevel::kWrite));
  EXPECT_EQ(last_body().at("ids"), nlohmann::json::parse("[31]"));

  Mail mail;
  mail.to = {"bob@example.com"};
  mail.attachments = {{"empty", 0, [](std::uint64_t, MutableBytes) { return true; }}};
  http_.answer("POST /rest/mail/actions/sendFile", 201, R"({"id": 70})");
  http_.answer("POST /rest/mail/70/actions/initiateUpload", 201,
               R"({"id": 7, "uri": "n1/rest/uploads/7"})");
  http_.answer("POST /n1/rest/uploads/7", 201, R"({"id": 33})");
  http_.answer("PUT /rest/mail/70/actions/sendFile", 200, "{}");
  ASSERT_TRUE(store_->send_mail(soon(), mail));
  EXPECT_EQ(last_body().at("files"), nlohmann::json::parse("[33]"));
}

TEST_F(KiteworksClient, TextThatLooksLikeANumberStaysText) {
  // An account whose own id is text.
  http_.answer("POST /rest/files/actions/move", 200, old_file(31, "a", 21));
  ASSERT_TRUE(store_->move(soon(), NodeKind::kFile, RemoteId{"31"}, RemoteId{"21"}));
  EXPECT_EQ(nlohmann::json::parse(http_.take_seen().back().body),
            nlohmann::json::parse(R"({"ids": ["31"], "destinationFolderId": "21"})"));
}

TEST(KiteworksFolders, OptionsAreForTopFoldersOnly) {
  ScriptedHttp http;
  KiteworksConfig config;
  config.base_url = "https://content.example.com";
  config.secure_top_folders = config.syncable_top_folders = true;
  const auto store = make_kiteworks_store(http, config);
  ASSERT_TRUE(store);
  const auto create = [&](const std::string& parent) {
    http.answer("POST /rest/folders/" + parent + "/folders?returnEntity=true", 201,
                R"({"id":"d9","type":"d","name":"New","parentId":")" + parent + R"("})");
    if (parent == "0") http.answer("GET /rest/users/me", 200, kOldMe);
    EXPECT_TRUE((*store)->create_folder(CallContext::within(std::chrono::seconds(10)),
                                        RemoteId{parent}, "New"));
    return nlohmann::json::parse(http.take_seen().front().body);
  };
  EXPECT_EQ(create("0"),
            nlohmann::json::parse(R"({"name": "New", "secure": true, "syncable": true})"));
  EXPECT_EQ(create("d1"), nlohmann::json::parse(R"({"name": "New"})"));
}

TEST(KiteworksDevice, HasATagThatTellsNothingAndAName) {
  const auto first = kiteworks_device("laptop", "machine-1 alice work");
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].first, "install_tag_id");
  EXPECT_EQ(first[0].second.find("machine"), std::string::npos);
  EXPECT_EQ(first[0].second.size(), std::string("cabinetfs-").size() + 32);
  EXPECT_EQ(first[1].first, "install_name");
  EXPECT_EQ(first[1].second, "cabinetfs on laptop");
  EXPECT_EQ(kiteworks_device("laptop", "machine-1 alice work"), first) << "the same each time";
  EXPECT_NE(kiteworks_device("laptop", "machine-2 alice work")[0].second, first[0].second);
}

}  // namespace
}  // namespace cabinetfs
