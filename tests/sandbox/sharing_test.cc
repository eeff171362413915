#include "tests/sandbox/server_test.h"

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

// Alice owns Projects; bob gets roles in it.
class SharingTest : public ServerTest {
 protected:
  void share(const char* role, const char* path = "Projects") const {
    admin("POST", "as",
          {{"op", "share"}, {"path", path}, {"with", "bob@example.com"}, {"role", role}});
  }
  static std::string file(Client& client, const std::string& name = "a.txt") {
    return "/rest/files/" + client.child(client.top("Projects"), name);
  }
};

TEST_F(SharingTest, ASharedTopFolderBecomesVisible) {
  Client alice = Client::of(start(), 0);
  Client bob = Client::of(*server_, 1);
  const std::string projects = alice.top("Projects");
  EXPECT_EQ(bob.get("/rest/folders/" + projects).status, 403);
  const Reply added = alice.send("POST", "/rest/folders/" + projects + "/members",
                                 {{"emails", {"bob@example.com"}}, {"roleId", 6}});
  ASSERT_EQ(added.status, 201) << added.body;
  EXPECT_EQ(bob.top("Projects"), projects);
  EXPECT_EQ(bob.get("/rest/folders/" + projects).json().at("isShared"), true);
  EXPECT_EQ(alice
                .send("POST", "/rest/folders/" + projects + "/members",
                      {{"emails", {"bob@example.com"}}, {"roleId", 3}})
                .status,
            409);
  const std::string bob_id = bob.get("/rest/users/me").json().at("id");
  const std::string member = "/rest/folders/" + projects + "/members/" + bob_id;
  EXPECT_EQ(alice.send("PUT", member, {{"roleId", 3}}).json().at("role").at("name"),
            "Collaborator");
  EXPECT_EQ(alice.get("/rest/folders/" + projects + "/members?limit=10").json().at("data").size(),
            2U);
  EXPECT_EQ(alice.send("DELETE", member).status, 204);
  EXPECT_EQ(bob.get("/rest/folders/" + projects).status, 403);
}

TEST_F(SharingTest, AFolderInsideMayBeSharedAlone) {
  start();
  share("Downloader", "Projects/Sub");
  Client bob = Client::of(*server_, 1);
  const json sub = bob.get("/rest/folders/" + bob.top("Sub")).json();
  EXPECT_EQ(sub.at("parentId"), "0");
  EXPECT_EQ(sub.at("path"), "Sub");
  EXPECT_EQ(bob.get("/rest/search?path=Sub/deep.txt").json().at("files").at(0).at("path"),
            "Sub/deep.txt");
}

TEST_F(SharingTest, RolesLimitWhatCanBeDone) {
  Client alice = Client::of(start(), 0);
  alice.upload(alice.top("Projects"), "a.txt", "second");
  const std::string old_version =
      alice.get(file(alice) + "/versions?limit=5").json().at("data").at(1).at("id");
  Client bob = Client::of(*server_, 1);
  share("Viewer");
  EXPECT_EQ(bob.get(file(bob)).status, 200);
  EXPECT_EQ(bob.get(file(bob) + "/content").error_code(), "ERR_ACCESS_USER");
  share("Downloader");
  EXPECT_EQ(bob.get(file(bob) + "/content").body, "second");
  EXPECT_EQ(bob.get(file(bob) + "/versions/" + old_version + "/content").status, 403);
  EXPECT_EQ(bob.upload(bob.top("Projects"), "a.txt", "x").status, 403);
  EXPECT_EQ(bob.send("DELETE", file(bob)).status, 403);
  share("Collaborator");
  EXPECT_EQ(bob.upload(bob.top("Projects"), "a.txt", "third").status, 201);
  EXPECT_EQ(bob.get(file(bob) + "/versions/" + old_version + "/content").body, "alpha");
  EXPECT_EQ(bob.send("DELETE", "/rest/folders/" + bob.child(bob.top("Projects"), "Sub")).status,
            403);
  share("Manager");
  EXPECT_EQ(bob.send("DELETE", "/rest/folders/" + bob.child(bob.top("Projects"), "Sub")).status,
            204);
  const json quota = bob.get("/rest/folders/" + bob.top("Projects") + "/quota").json();
  EXPECT_EQ(quota.at("storage_quota"), 0);
  share("Viewer");
  EXPECT_EQ(bob.get("/rest/folders/" + bob.top("Projects") + "/quota").status, 403);
}

TEST_F(SharingTest, PermissionsFollowTheRole) {
  start();
  share("Viewer");
  Client bob = Client::of(*server_, 1);
  const auto allowed = [&](const std::string& url) {
    const json entry = bob.get(url).json().at("data").at(0);
    return entry.at("allowed").get<bool>();
  };
  const std::string url = "/rest/permissions/folder/" + bob.top("Projects");
  EXPECT_FALSE(allowed(url + "?name=download"));
  EXPECT_TRUE(allowed(url + "?name=properties_view"));
  set({{"denied_permissions", "omitted"}});
  EXPECT_TRUE(bob.get(url + "?name=download").json().at("data").empty());
  set({{"list_denied_status", 401}});
  const Reply denied = bob.get("/rest/folders/" + bob.top("Projects") + "/activities?limit=5");
  EXPECT_EQ(denied.status, 401);
  EXPECT_EQ(denied.error_code(), "ERR_ACCESS_USER");
}

TEST_F(SharingTest, LockKeepsOthersOutAndIsNotReentrant) {
  Client alice = Client::of(start(), 0);
  share("Manager");
  Client bob = Client::of(*server_, 1);
  const std::string path = file(alice);
  EXPECT_EQ(alice.send("PATCH", path + "/actions/unlock").error_code(), "ERR_ENTITY_UNLOCKED");
  const json locked = alice.send("PATCH", path + "/actions/lock").json();
  EXPECT_EQ(locked.at("locked"), true);
  EXPECT_EQ(locked.at("lockUser").at("email"), "alice@example.com");
  EXPECT_EQ(alice.send("PATCH", path + "/actions/lock").error_code(), "ERR_ENTITY_LOCKED");
  EXPECT_EQ(bob.send("PATCH", path + "/actions/lock").error_code(),
            "ERR_ENTITY_LOCKED_BY_ANOTHER_USER");
  EXPECT_EQ(bob.send("PATCH", path + "/actions/unlock").error_code(),
            "ERR_ENTITY_LOCKED_BY_ANOTHER_USER");

  const std::string projects = bob.top("Projects");
  EXPECT_EQ(bob.upload(projects, "a.txt", "x").error_code(), "ERR_ENTITY_LOCKED");
  EXPECT_EQ(bob.send("DELETE", path).error_code(), "ERR_ENTITY_LOCKED");
  EXPECT_EQ(bob.send("PUT", path, {{"name", "z.txt"}}).status, 422);
  const json move = {{"ids", {alice.child(projects, "a.txt")}},
                     {"destinationFolderId", bob.child(projects, "Sub")}};
  EXPECT_EQ(bob.send("POST", "/rest/files/actions/move", move).error_code(), "ERR_ENTITY_LOCKED");
  EXPECT_EQ(bob.send("DELETE", "/rest/folders/" + projects).error_code(),
            "ERR_ENTITY_CONTAINS_LOCKED_FILES");
  EXPECT_EQ(bob.get(path + "/content").status, 200) << "reading is free";

  EXPECT_EQ(alice.upload(projects, "a.txt", "mine").status, 201);
  EXPECT_EQ(alice.send("PATCH", path + "/actions/unlock").status, 200);
  EXPECT_EQ(bob.upload(projects, "a.txt", "yours").status, 201);
}

TEST_F(SharingTest, SingleFilesAreSharedOutsideAnyFolder) {
  Client alice = Client::of(start(), 0);
  const std::string id = alice.child(alice.top("Projects"), "a.txt");
  EXPECT_EQ(alice
                .send("POST", "/rest/files/members",
                      {{"fileIds", {id}}, {"emails", {"bob@example.com"}}, {"roleId", 9}})
                .status,
            201);
  Client bob = Client::of(*server_, 1);
  EXPECT_EQ(bob.get("/rest/files/shared?limit=5").json().at("data").at(0).at("id"), id);
  EXPECT_EQ(bob.get("/rest/files/" + id + "/content").status, 403) << "a viewer";
}

TEST_F(SharingTest, RolesAreListedByType) {
  Client client = Client::of(start());
  const json roles = client.get("/rest/roles?type=f").json().at("data");
  EXPECT_EQ(roles.size(), 2U);
  EXPECT_EQ(client.get("/rest/roles?type=d").json().at("data").size(), 6U);
}

}  // namespace
}  // namespace cabinetfs::sandbox
