#include "tests/sandbox/server_test.h"

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

class TreeTest : public ServerTest {
 protected:
  static std::string folder(const std::string& id) { return "/rest/folders/" + id; }
  static std::string file(const std::string& id) { return "/rest/files/" + id; }
};

TEST_F(TreeTest, CreateFolderRefusesAClashOrRenames) {
  Client client = Client::of(start());
  const std::string path = folder(client.top("Projects")) + "/folders?returnEntity=true";
  EXPECT_EQ(client.send("POST", path, {{"name", "New"}}).status, 201);
  const Reply clash = client.send("POST", path, {{"name", "NEW"}});
  EXPECT_EQ(clash.status, 409);
  EXPECT_EQ(clash.error_code(), "ERR_ENTITY_EXISTS");
  EXPECT_EQ(client.send("POST", path, {{"name", "New"}, {"rename", true}}).json().at("name"),
            "New (2)");
  EXPECT_EQ(client.send("POST", path, {{"name", "a.txt"}}).status, 409) << "a file has the name";
  const Reply top = client.send("POST", "/rest/folders/0/folders", {{"name", "Top"}});
  EXPECT_EQ(top.status, 201);
  EXPECT_TRUE(top.body.empty());
  const std::string location = top.headers.at("x-accellion-location");
  EXPECT_EQ(location.substr(location.rfind('/') + 1), client.top("Top"));
}

TEST_F(TreeTest, BrokenJsonAndMissingFields) {
  Client client = Client::of(start());
  const std::string path = folder(client.top("Projects")) + "/folders";
  EXPECT_EQ(client.send("POST", path, json::array({1})).error_code(), "ERR_REQUEST_INVALID_JSON");
  EXPECT_EQ(client.send("POST", path, json::object()).error_code(), "ERR_INPUT_REQUIRED");
}

TEST_F(TreeTest, MovingFoldersHasItsLimits) {
  Client client = Client::of(start());
  const std::string projects = client.top("Projects");
  const std::string other = client.top("Other");
  const std::string sub = client.child(projects, "Sub");
  const auto move = [&](const std::string& what, const std::string& to) {
    return client.send("POST", folder(what) + "/actions/move", {{"destinationFolderId", to}});
  };
  EXPECT_EQ(move(projects, projects).error_code(), "ERR_CANNOT_MOVE_FOLDER_TO_SELF");
  EXPECT_EQ(move(projects, sub).error_code(), "ERR_CANNOT_MOVE_TO_CHILD");
  EXPECT_EQ(move(client.top("My Folder"), other).error_code(), "ERR_ENTITY_IS_SYNC_DIR");
  EXPECT_EQ(move(sub, other).status, 201);
  EXPECT_EQ(client.get("/rest/search?path=Other/Sub/deep.txt").json().at("files").size(), 1U);
  client.send("POST", folder(projects) + "/folders", {{"name", "sub"}});
  EXPECT_EQ(move(client.child(projects, "sub"), other).status, 409);
}

TEST_F(TreeTest, DeleteIsSoftAndRecursiveAndCanBeUndone) {
  Client client = Client::of(start());
  const std::string projects = client.top("Projects");
  const std::string a = client.child(projects, "a.txt");
  EXPECT_EQ(client.send("PATCH", folder(projects) + "/actions/recover").error_code(),
            "ERR_ENTITY_NOT_DELETED");
  EXPECT_EQ(client.send("DELETE", folder(projects) + "/actions/permanent").error_code(),
            "ERR_ENTITY_NOT_DELETED");
  EXPECT_EQ(client.send("DELETE", folder(projects)).status, 204);
  EXPECT_EQ(client.get(file(a)).json().at("deleted"), true);
  EXPECT_EQ(client.get(file(a) + "?deleted=false").error_code(), "ERR_ENTITY_DELETED");
  EXPECT_EQ(client.get(file(a) + "/content").error_code(), "ERR_ENTITY_DELETED");
  EXPECT_EQ(client.send("PATCH", folder(projects) + "/actions/recover").status, 200);
  EXPECT_EQ(client.get(file(a) + "/content").body, "alpha");
  client.send("DELETE", folder(projects));
  EXPECT_EQ(client.send("DELETE", folder(projects) + "/actions/permanent").status, 204);
  EXPECT_EQ(client.get(file(a)).status, 403);
  EXPECT_EQ(client.send("DELETE", folder(client.top("My Folder"))).error_code(),
            "ERR_ENTITY_IS_SYNC_DIR");
}

TEST_F(TreeTest, ADeletedNameIsFreeAndRecoverThenClashes) {
  Client client = Client::of(start());
  const std::string projects = client.top("Projects");
  const std::string old = client.child(projects, "a.txt");
  client.send("DELETE", file(old));
  const Reply fresh = client.upload(projects, "a.txt", "fresh");
  EXPECT_EQ(fresh.status, 201);
  EXPECT_NE(fresh.json().at("id"), old);
  EXPECT_EQ(client.send("PATCH", file(old) + "/actions/recover").status, 409);
}

TEST_F(TreeTest, RenameOfAFileClashesWith422UnlessItReplaces) {
  Client client = Client::of(start());
  const std::string projects = client.top("Projects");
  const std::string a = client.child(projects, "a.txt");
  const std::string b = client.child(projects, "b.txt");
  const Reply clash = client.send("PUT", file(a), {{"name", "B.TXT"}});
  EXPECT_EQ(clash.status, 422);
  EXPECT_EQ(clash.error_code(), "ERR_ENTITY_EXISTS");
  EXPECT_EQ(client.send("PUT", file(a), {{"name", "A.txt"}}).json().at("name"), "A.txt")
      << "only the case changes";
  EXPECT_EQ(client.send("PUT", file(a), {{"name", "b.txt"}, {"replace", true}}).status, 200);
  EXPECT_EQ(client.child(projects, "b.txt"), a);
  EXPECT_EQ(client.get(file(b)).json().at("deleted"), true);
}

TEST_F(TreeTest, MoveOfFilesReplacesKeepsOrIsRefused) {
  Client client = Client::of(start());
  const std::string projects = client.top("Projects");
  const std::string other = client.top("Other");
  const std::string a = client.child(projects, "a.txt");
  const std::string target = client.upload(other, "a.txt", "in the way").json().at("id");
  json body = {{"ids", {a}}, {"destinationFolderId", other}};
  EXPECT_EQ(client.send("POST", "/rest/files/actions/move", body).error_code(),
            "ERR_ENTITY_EXISTS");
  body["replace"] = true;
  set({{"replace_keeps_id", true}});
  EXPECT_EQ(client.send("POST", "/rest/files/actions/move?returnEntity=true", body).json().at("id"),
            target);
  EXPECT_EQ(client.get(file(target) + "/content").body, "alpha");
  body["destinationFolderId"] = "0";
  EXPECT_EQ(client.send("POST", "/rest/files/actions/move", body).error_code(),
            "ERR_ENTITY_IS_BASE_DIR");
}

TEST_F(TreeTest, BulkIsAllOrNothingUnlessPartialSuccessIsWanted) {
  Client client = Client::of(start());
  const std::string projects = client.top("Projects");
  const std::string a = client.child(projects, "a.txt");
  EXPECT_EQ(client.send("DELETE", "/rest/files?id%3Ain=" + a + ",none").status, 403);
  EXPECT_EQ(client.get(file(a)).json().at("deleted"), false);
  const Reply partial =
      client.send("DELETE", "/rest/files?partialSuccess=true&id%3Ain=" + a + ",none");
  EXPECT_EQ(partial.status, 207);
  EXPECT_EQ(partial.json().at("successIds"), json::array({a}));
  EXPECT_EQ(client.get(file(a)).json().at("deleted"), true);
}

TEST_F(TreeTest, CopyAppendsANumber) {
  Client client = Client::of(start());
  const std::string projects = client.top("Projects");
  const json body = {{"ids", {client.child(projects, "a.txt")}}, {"destinationFolderId", projects}};
  EXPECT_EQ(
      client.send("POST", "/rest/files/actions/copy?returnEntity=true", body).json().at("name"),
      "a (2).txt");
  EXPECT_EQ(
      client.send("POST", "/rest/files/actions/copy?returnEntity=true", body).json().at("name"),
      "a (3).txt");
}

TEST_F(TreeTest, AdminTreeIsComplete) {
  Client client = Client::of(start());
  client.upload(client.top("Projects"), "a.txt", "second");
  client.send("DELETE", file(client.child(client.top("Projects"), "b.txt")));
  std::map<std::string, json> by_path;
  const json tree = admin("GET", "tree");
  for (const json& node : tree.at("nodes")) {
    if (node.at("owner") == "alice@example.com") by_path[node.at("path")] = node;
  }
  EXPECT_EQ(by_path.at("Projects/a.txt").at("versions").size(), 2U);
  EXPECT_EQ(by_path.at("Projects/a.txt").at("md5"),
            by_path.at("Projects/a.txt").at("versions").at(1).at("md5"));
  EXPECT_EQ(by_path.at("Projects/b.txt").at("deleted"), true);
  EXPECT_EQ(by_path.at("My Folder/note.txt").at("size"), 6);
  EXPECT_EQ(server_->admin("GET", "content?path=Projects/a.txt&version=1"), "alpha");
}

}  // namespace
}  // namespace cabinetfs::sandbox
