#include <cctype>
#include <nlohmann/json.hpp>

#include "tests/sandbox/powerfolder_test.h"

// /api: folders, files, accounts.

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class PowerFolderApi : public PowerFolderTest {
 protected:
  static std::string encoded(const std::string& text) {
    std::string out;
    for (const char c : text) {
      const char* digits = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      if (std::isalnum(byte) != 0) {
        out += c;
      } else {
        out += {'%', digits[byte >> 4U], digits[byte & 15U]};
      }
    }
    return out;
  }
  std::string id(const std::string& name) const { return folder(name).at("id"); }
  static json result(const PlainReply& reply) {
    return json::parse(reply.body).at("ResultSet").at("Result");
  }
};

TEST_F(PowerFolderApi, GetAllTellsNamesIdsAndPlaces) {
  start();
  const auto alice = client();
  const json all = result(alice->get("/api/folders?action=getAll"));
  ASSERT_EQ(all.size(), 2U);
  for (const json& one : all) {
    EXPECT_EQ(one.at("name"), one.at("internalName"));
    const std::string id = one.at("folderID");
    EXPECT_EQ(id.front(), '[');
    EXPECT_EQ(id.back(), ']');
    EXPECT_EQ(id.size(), 24U);
    EXPECT_THAT(one.at("resourceURL").get<std::string>(), HasSubstr(server_->url() + "/files/"));
  }
  const auto bob = client(1);
  EXPECT_TRUE(result(bob->get("/api/folders?action=getAll")).empty());
  set({{"empty_list", "missing"}});
  EXPECT_FALSE(
      json::parse(bob->get("/api/folders?action=getAll").body).at("ResultSet").contains("Result"));
  set({{"empty_list", "204"}});
  EXPECT_EQ(bob->get("/api/folders?action=getAll").status, 204);
  share("Work", "READ");
  set({{"single_item", "object"}});
  EXPECT_TRUE(result(bob->get("/api/folders?action=getAll")).is_object());
}

TEST_F(PowerFolderApi, CreateByGetAndByPostMakesTwins) {
  start();
  const auto alice = client();
  const PlainReply first = alice->get("/api/folders?action=create&name=Sales%20material");
  ASSERT_EQ(first.status, 200);
  const json created = json::parse(first.body);
  EXPECT_EQ(created.at("message"), "Successfully created folder Sales material");
  EXPECT_EQ(id("Sales material"), created.at("ID"));
  const PlainReply second =
      alice->send("POST", "/api/folders", {}, "action=create&name=Sales+material");
  EXPECT_NE(json::parse(second.body).at("ID"), created.at("ID")) << "a twin";
  EXPECT_EQ(admin("GET", "tree").at("folders").size(), 4U);
  EXPECT_EQ(admin("GET", "actions").at("actions").at("POST folders.create"), 1);
  EXPECT_EQ(admin("GET", "actions").at("actions").at("GET folders.create"), 1);
  set({{"create_existing", "return"}});
  EXPECT_EQ(
      json::parse(alice->get("/api/folders?action=create&name=Sales%20material").body).at("ID"),
      created.at("ID"));
  set({{"create_existing", "refuse"}});
  EXPECT_EQ(alice->get("/api/folders?action=create&name=Sales%20material").status, 409);
  EXPECT_EQ(alice->get("/api/folders?action=create").status, 400);
  EXPECT_EQ(alice->get("/api/folders?action=create&name=x&path=%2Ftmp").status, 403);
  set({{"create_existing", "twin"}, {"id_style", "plain"}});
  const std::string plain =
      json::parse(alice->get("/api/folders?action=create&name=P").body).at("ID");
  EXPECT_EQ(plain.size(), 20U);
  EXPECT_NE(plain.front(), '[');
}

TEST_F(PowerFolderApi, DeleteNeedsTheOwnerAndDeletesTheDataUnlessToldOtherwise) {
  start();
  share("Work", "ADMIN");
  const auto alice = client();
  const auto bob = client(1);
  const std::string work = encoded(id("Work"));
  EXPECT_EQ(bob->send("POST", "/api/folders", {}, "action=delete&ID=" + work).status, 403);
  EXPECT_EQ(alice->send("POST", "/api/folders", {}, "action=delete&ID=").status, 400);
  EXPECT_EQ(alice->send("POST", "/api/folders", {}, "action=delete&ID=%5Bnone%5D").status, 404);
  const PlainReply gone = alice->send("POST", "/api/folders", {}, "action=delete&ID=" + work);
  EXPECT_EQ(gone.status, 200);
  EXPECT_THAT(json::parse(gone.body).at("message").get<std::string>(),
              HasSubstr("Removed 2 members"));
  EXPECT_TRUE(folder("Work").is_null());
  EXPECT_TRUE(admin("GET", "tree").at("kept").empty()) << "deleteData is 1 by default";
  const std::string team = id("Team");
  EXPECT_EQ(
      alice->send("POST", "/api/folders", {}, "action=delete&deleteData=0&ID=" + encoded(team))
          .status,
      200);
  EXPECT_EQ(admin("GET", "tree").at("kept").size(), 1U);
  const PlainReply adopted =
      alice->send("POST", "/api/folders", {}, "action=create&name=Again&ID=" + encoded(team));
  EXPECT_EQ(json::parse(adopted.body).at("ID"), team);
  EXPECT_EQ(content("Again/t.txt"), "team");
}

TEST_F(PowerFolderApi, SetPermissionNeedsTheRightToManage) {
  start();
  const auto alice = client();
  const auto bob = client(1);
  const std::string work = encoded(id("Work"));
  const auto grant = [&](PlainHttp& who, const std::string& name, const std::string& permission,
                         const std::string& more = "") {
    return who.send("POST", "/api/folders", {},
                    "action=setPermission&ID=" + work + "&username=" + encoded(name) +
                        "&permission=" + permission + more);
  };
  const PlainReply granted = grant(*alice, "bob@example.com", "READ");
  EXPECT_EQ(granted.status, 200);
  EXPECT_EQ(json::parse(granted.body).at("message"),
            "Set new permission for bob@example.com on Work to READ");
  EXPECT_EQ(folder("Work").at("members").at("bob@example.com"), "READ");
  EXPECT_EQ(grant(*bob, "bob@example.com", "ADMIN").status, 403);
  EXPECT_EQ(grant(*alice, "bob@example.com", "SOMETHING").status, 400);
  EXPECT_EQ(grant(*alice, "carol@example.com", "READ").status, 404);
  EXPECT_EQ(grant(*alice, "carol@example.com", "READ", "&createAccount=1").status, 200);
  EXPECT_EQ(grant(*alice, "carol@example.com", "NO_ACCESS").status, 200);
  EXPECT_FALSE(folder("Work").at("members").contains("carol@example.com"));
  EXPECT_EQ(grant(*alice, "bob@example.com", "ADMIN").status, 200);
  EXPECT_EQ(grant(*bob, "bob@example.com", "OWNER").status, 403) << "an owner makes an owner";
  EXPECT_EQ(grant(*alice, "bob@example.com", "OWNER").status, 200);
  EXPECT_EQ(folder("Work").at("owner"), "bob@example.com");
  EXPECT_EQ(folder("Work").at("members").at("alice@example.com"), "ADMIN");
  EXPECT_EQ(alice
                ->send("POST", "/api/folders", {},
                       "action=setPermission&name=Team&username=bob%40example.com&permission=READ")
                .status,
            200)
      << "by name";
}

TEST_F(PowerFolderApi, GetAccountsListsMembers) {
  start();
  share("Work", "READ");
  const auto bob = client(1);
  const std::string call = "/api/folders?action=getAccounts&ID=" + encoded(id("Work"));
  const json members = result(bob->get(call));
  ASSERT_EQ(members.size(), 2U);
  for (const json& one : members) {
    EXPECT_EQ(one.at("permission"), one.at("username") == "bob@example.com" ? "READ" : "OWNER");
    EXPECT_FALSE(one.at("ID").get<std::string>().empty());
  }
  set({{"name_key", "name"}});
  EXPECT_TRUE(result(bob->get(call)).at(0).contains("name"));
  EXPECT_FALSE(result(bob->get(call)).at(0).contains("username"));
  set({{"members_see_accounts", false}});
  EXPECT_EQ(bob->get(call).status, 403);
  EXPECT_EQ(client(0)->get(call).status, 200);
}

TEST_F(PowerFolderApi, RemoveAllAccountsCutsOffTheCallerToo) {
  start();
  share("Work", "READ");
  const auto alice = client();
  const PlainReply reply =
      alice->send("POST", "/api/folders", {}, "action=removeAllAccounts&ID=" + encoded(id("Work")));
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(json::parse(reply.body).at("message").get<std::string>(), HasSubstr("for 2 users"));
  EXPECT_TRUE(folder("Work").at("members").empty());
  EXPECT_EQ(alice->get("/webdav/Work/a.txt").status, 404);
}

TEST_F(PowerFolderApi, SubdirectoriesAndInfoOfOneFolder) {
  start();
  const auto alice = client();
  const json all = result(alice->get("/api/folders?action=getAll"));
  for (const json& one : all) {
    if (one.at("name") != "Work") continue;
    const std::string url = one.at("resourceURL");
    const std::string path = "/api/folders/" + url.substr(url.rfind('/') + 1);
    EXPECT_EQ(alice->send("POST", path, {}, "action=createSubdir&dirName=made").status, 200);
    EXPECT_EQ(node("Work/made").at("type"), "d");
    EXPECT_EQ(alice->send("POST", path, {}, "action=createSubdir&dirName=made").status, 409);
    EXPECT_EQ(alice->get(path + "?action=getInfo").status, 400) << "not everywhere";
    set({{"folder_info", true}});
    EXPECT_EQ(json::parse(alice->get(path + "?action=getInfo").body).at("name"), "Work");
    set({{"create_subdir", false}});
    EXPECT_EQ(alice->send("POST", path, {}, "action=createSubdir&dirName=more").status, 400);
  }
}

TEST_F(PowerFolderApi, FilesServiceIsASecondOpinionOnListings) {
  start(R"({"empty_listings": 1000})");
  const auto alice = client();
  std::string path;
  const json all = result(alice->get("/api/folders?action=getAll"));
  for (const json& one : all) {
    const std::string url = one.at("resourceURL");
    if (one.at("name") == "Work") path = "/api/files/" + url.substr(url.rfind('/') + 1);
  }
  EXPECT_EQ(hrefs(alice->send("PROPFIND", "/webdav/Work/", {"Depth: 1"})).size(), 1U) << "it lies";
  const json listed = result(alice->get(path + "?action=getAll"));
  ASSERT_EQ(listed.size(), 3U);
  EXPECT_EQ(listed.at(0).at("fileName"), "a.txt");
  EXPECT_THAT(listed.at(0).at("resourceURL").get<std::string>(), HasSubstr("/files/"));
  EXPECT_EQ(result(alice->get(path + "/sub?action=getAll")).at(0).at("fileName"), "deep.txt");
  EXPECT_EQ(alice->get(path + "/sub/deep.txt?action=exists").status, 200);
  EXPECT_EQ(alice->get(path + "/sub/none?action=exists").status, 404);
  EXPECT_EQ(client(1)->get(path + "?action=getAll").status, 404);
  set({{"api_delay_ms", 3600000}});
  alice->send("PUT", "/webdav/Work/fresh", {}, "x");
  EXPECT_EQ(alice->get(path + "/fresh?action=exists").status, 404) << "late";
  admin("POST", "settle", json::object());
  EXPECT_EQ(alice->get(path + "/fresh?action=exists").status, 200);
  set({{"files_api", false}});
  EXPECT_EQ(alice->get(path + "?action=getAll").status, 404);
}

TEST_F(PowerFolderApi, AccountInfoTellsTheSpace) {
  start({}, R"({"users": [{"email": "alice@example.com", "password": "a", "quota": 5000},
                          {"email": "root@example.com", "password": "r", "admin": true}]})");
  const auto alice = client();
  const json info = json::parse(alice->get("/api/accounts?action=getInfo").body);
  EXPECT_EQ(info.at("spaceAllowed"), 5000);
  EXPECT_EQ(info.at("spaceUsed"), 22);
  EXPECT_EQ(info.at("username"), "alice@example.com");
  const std::string other = "/api/accounts?action=getInfo&username=";
  EXPECT_EQ(alice->get(other + "root%40example.com").status, 403);
  EXPECT_EQ(client(1)->get(other + "alice%40example.com").status, 200);
  EXPECT_EQ(client(1)->get(other + "nobody").status, 404);
  set({{"account_shape", "resultset"}});
  EXPECT_EQ(result(alice->get("/api/accounts?action=getInfo")).at(0).at("spaceUsed"), 22);
}

TEST_F(PowerFolderApi, FailureIsTheStatusAndTheBodyIsAnything) {
  start();
  const auto alice = client();
  const std::string call = "/api/folders?action=dance";
  EXPECT_EQ(alice->get(call).status, 400);
  EXPECT_THAT(alice->get(call).header("content-type"), HasSubstr("text/html"));
  set({{"error_body", "json"}});
  EXPECT_EQ(json::parse(alice->get(call).body).at("message"), "No such action");
  set({{"error_body", "text"}});
  EXPECT_EQ(alice->get(call).body, "No such action\n");
  EXPECT_EQ(alice->get("/api/nothing").status, 404);
  EXPECT_EQ(alice->send("DELETE", "/api/folders").status, 405);
  EXPECT_EQ(PlainHttp(server_->url()).get("/api/folders?action=getAll").status, 401);
}

}  // namespace
}  // namespace cabinetfs::sandbox
