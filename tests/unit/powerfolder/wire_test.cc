#include "backend/powerfolder/wire.h"

#include <gtest/gtest.h>

#include "backend/powerfolder/quirks.h"

namespace cabinetfs::powerfolder {
namespace {

TEST(PowerFolderWire, MembersAsTheVendorShowsThem) {
  const auto members = parse_members(
      R"({"ResultSet":{"Result":[
           {"ID":"3GYXg","username":"manager@company.com","permission":"OWNER"},
           {"ID":"Tb2yM","name":"employee@company.com","permission":"READ"}, {}, 7]}})");
  ASSERT_TRUE(members);
  ASSERT_EQ(members->size(), 2u);
  EXPECT_EQ((*members)[0].id, "3GYXg");
  EXPECT_EQ((*members)[0].permission, "OWNER");
  EXPECT_EQ((*members)[1].username, "employee@company.com");
}

TEST(PowerFolderWire, ListsComeInSeveralForms) {
  const std::string one = R"({"name":"Work","folderID":"[a]"})";
  for (const std::string& body :
       {R"({"ResultSet":{"Result":[)" + one + "]}}", R"({"ResultSet":{"Result":)" + one + "}}",
        R"({"ResultSet":[)" + one + "]}", "[" + one + "]"}) {
    const auto folders = parse_folders(body);
    ASSERT_TRUE(folders) << body;
    ASSERT_EQ(folders->size(), 1u) << body;
    EXPECT_EQ(folders->front().id, "[a]");
  }
  for (const char* body : {"", " \n", R"({"ResultSet":{}})", R"({"ResultSet":{"Result":[]}})",
                           R"({"ResultSet":{"Result":null}})"}) {
    const auto folders = parse_folders(body);
    ASSERT_TRUE(folders) << body;
    EXPECT_TRUE(folders->empty()) << body;
  }
  for (const char* body :
       {"{}", "nonsense", "7", R"({"error":"x"})", R"({"ResultSet":{"Result":"x"}})"}) {
    EXPECT_FALSE(parse_folders(body)) << body;
  }
}

TEST(PowerFolderWire, SpecialFoldersGoByTheirInternalName) {
  const auto folders = parse_folders(
      R"([{"name":"Mail attachments","internalName":"$mail_attachments","folderID":"1"},
          {"name":"Work","internalName":"work-2","folderID":"2"}])");
  ASSERT_TRUE(folders);
  EXPECT_EQ((*folders)[0].dav_name(), "$mail_attachments");
  EXPECT_EQ((*folders)[1].dav_name(), "Work");
}

TEST(PowerFolderWire, TheAccountTellsItsSpace) {
  const auto self = parse_self(
      R"({"ResultSet":{"Result":[{"ID":"A","username":"a@b.c","spaceUsed":12,"spaceAllowed":"34"}]}})");
  ASSERT_TRUE(self);
  EXPECT_EQ(self->username, "a@b.c");
  EXPECT_EQ(self->used, 12u);
  EXPECT_EQ(self->allowed, 34u);
  const auto unlimited = parse_self(R"({"ID":"A","spaceUsed":12,"spaceAllowed":0})");
  ASSERT_TRUE(unlimited);
  EXPECT_FALSE(unlimited->allowed);
  EXPECT_FALSE(parse_self("{}"));
}

TEST(PowerFolderWire, ATokenThatCouldBreakAHeaderIsNone) {
  EXPECT_EQ(*parse_login_token(R"({"account":{"token":"abc"}})"), "abc");
  EXPECT_EQ(*parse_login_token(R"({"account":{"token":"a\r\nb"}})"), "");
  EXPECT_EQ(*parse_login_token(R"({"message":"wrong"})"), "");
  EXPECT_FALSE(parse_login_token("<html>"));
}

TEST(PowerFolderWire, TheOwnDirectoryIsNoEntry) {
  EXPECT_EQ(*parse_entry_count(R"({"ResultSet":{"Result":[{"fileName":".PowerFolder"}]}})"), 0u);
  EXPECT_EQ(*parse_entry_count(R"({"ResultSet":{"Result":[{"fileName":"a"},{"x":1}]}})"), 2u);
  EXPECT_EQ(*parse_entry_count("[]"), 0u);
  for (const char* const silent :
       {"", "{}", R"({"ResultSet":{}})", R"({"ResultSet":{"Result":null}})"}) {
    EXPECT_FALSE(parse_entry_count(silent)) << silent;
  }
}

TEST(PowerFolderQuirks, FiveWordsAndTheirRights) {
  EXPECT_EQ(level_of("READ_WRITE"), AccessLevel::kWrite);
  EXPECT_EQ(level_of("SOMETHING"), std::nullopt);
  EXPECT_EQ(word_of(AccessLevel::kManage), "ADMIN");
  EXPECT_EQ(word_of(AccessLevel::kView), "");
  EXPECT_EQ(to_string(rights_of(AccessLevel::kNone, NodeKind::kFolder, false)), "");
  EXPECT_EQ(to_string(rights_of(AccessLevel::kRead, NodeKind::kFolder, false)), "list,read");
  EXPECT_EQ(to_string(rights_of(AccessLevel::kWrite, NodeKind::kFile, true)),
            "delete,lock,read,rename,write");
}

}  // namespace
}  // namespace cabinetfs::powerfolder
