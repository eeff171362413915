#include "tests/sandbox/server_test.h"

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

class ContentTest : public ServerTest {
 protected:
  std::string file_path(Client& client, const std::string& name = "a.txt") {
    return "/rest/files/" + client.child(client.top("Projects"), name);
  }
};

TEST_F(ContentTest, Ranges) {
  Client client = Client::of(start());
  const std::string url = file_path(client, "b.txt") + "/content";
  const auto range = [&](const char* value) {
    return client.get(url, {std::string("Range: bytes=") + value});
  };
  EXPECT_EQ(client.get(url).status, 200);
  EXPECT_EQ(range("0-3").status, 206);
  EXPECT_EQ(range("0-3").body, "beta");
  EXPECT_EQ(range("5-").body, "beta");
  EXPECT_EQ(range("5-").headers.at("content-range"), "bytes 5-8/9");
  EXPECT_EQ(range("7-100").body, "ta");
  EXPECT_EQ(range("-2").body, "ta");
  EXPECT_EQ(range("9-").status, 416);
  EXPECT_EQ(range("9-").headers.at("content-range"), "bytes */9");
  EXPECT_EQ(range("0-1,3-4").status, 200) << "several ranges are answered with everything";
}

TEST_F(ContentTest, VersionsCountFromTheCurrentOneAndPromoteBringsItsName) {
  Client client = Client::of(start());
  const std::string file = file_path(client);
  client.upload(client.top("Projects"), "a.txt", "second");
  client.send("PUT", file, {{"name", "renamed.txt"}});
  const json versions = client.get(file + "/versions?limit=10").json().at("data");
  ASSERT_EQ(versions.size(), 2U);
  EXPECT_EQ(versions.at(0).at("versionNumber"), 0);
  EXPECT_EQ(versions.at(0).at("size"), 6);
  EXPECT_EQ(versions.at(1).at("versionNumber"), 1);
  EXPECT_EQ(versions.at(1).at("name"), "a.txt");
  const std::string old = file + "/versions/" + versions.at(1).at("id").get<std::string>();
  EXPECT_EQ(client.get(old + "/content", {"Range: bytes=1-2"}).body, "lp");
  EXPECT_EQ(client.get(file).json().at("name"), "renamed.txt");
  EXPECT_EQ(client.send("POST", old + "/actions/promote").status, 200);
  EXPECT_EQ(client.get(file).json().at("name"), "a.txt");
  EXPECT_EQ(client.get(file + "/content").body, "alpha");
  const json shifted = client.get(file + "/versions?limit=10").json().at("data");
  EXPECT_EQ(shifted.at(0).at("id"), versions.at(1).at("id"));
  EXPECT_EQ(shifted.at(1).at("id"), versions.at(0).at("id"));
}

TEST_F(ContentTest, LastVersionCannotBeDeleted) {
  Client client = Client::of(start());
  const std::string file = file_path(client);
  client.upload(client.top("Projects"), "a.txt", "second");
  const json versions = client.get(file + "/versions?limit=10").json().at("data");
  EXPECT_EQ(client.send("DELETE", file + "/versions/" + versions.at(0).at("id").get<std::string>())
                .status,
            204);
  EXPECT_EQ(client.get(file + "/content").body, "alpha");
  EXPECT_EQ(client.send("DELETE", file + "/versions/" + versions.at(1).at("id").get<std::string>())
                .status,
            422);
}

TEST_F(ContentTest, DownloadLinkIsRelativeAndWantsTheToken) {
  Client client = Client::of(start());
  const std::string id = client.child(client.top("Projects"), "a.txt");
  const json links =
      client.send("POST", "/rest/files/actions/downloadLink", {{"fileId", id}}).json();
  const std::string link = links.at("downloadLinks").at(0);
  EXPECT_EQ(link.rfind("rest/", 0), 0U);
  EXPECT_EQ(client.get("/" + link).body, "alpha");
  client.token.clear();
  EXPECT_EQ(client.get("/" + link).status, 401);
}

TEST_F(ContentTest, ZipHoldsStoredEntriesWithKnownSizes) {
  Client client = Client::of(start());
  const std::string folder = client.top("Projects");
  EXPECT_EQ(client.get("/rest/files/actions/zipStatus?folderId%3Ain=" + folder).status, 200);
  const Reply zip = client.get("/rest/files/actions/zip?folderId%3Ain=" + folder);
  ASSERT_EQ(zip.status, 200);
  EXPECT_EQ(zip.body.substr(0, 4), "PK\3\4");
  EXPECT_NE(zip.body.find("Projects/Sub/deep.txtdeep"), std::string::npos)
      << "name, then content, uncompressed";
  const std::string end = zip.body.substr(zip.body.size() - 22);
  EXPECT_EQ(end.substr(0, 4), "PK\5\6");
  EXPECT_EQ(end[10], 5) << "two folders and three files";
  admin("POST", "file", {{"path", "Projects/b.txt"}, {"av", "scanning"}});
  EXPECT_EQ(client.get("/rest/files/actions/zipStatus?folderId%3Ain=" + folder).error_code(),
            "ERR_ENTITY_NOT_SCANNED");
}

TEST_F(ContentTest, ActivitiesGrowAndNest) {
  Client client = Client::of(start());
  const std::string folder = client.top("Projects");
  client.upload(client.child(folder, "Sub"), "new.txt", "x");
  client.get(file_path(client) + "/content");
  admin("POST", "as", {{"op", "rename"}, {"path", "Projects/b.txt"}, {"name", "c.txt"}});
  const std::string url = "/rest/folders/" + folder + "/activities?limit=100&orderBy=id%3Aasc";
  const json nested = client.get(url + "&nested=true").json().at("data");
  ASSERT_EQ(nested.size(), 3U);
  EXPECT_EQ(nested.at(0).at("event"), "add_file");
  EXPECT_EQ(nested.at(0).at("data").at("parent_folder").at("name"), "Sub");
  EXPECT_EQ(nested.at(1).at("event"), "download");
  EXPECT_LT(nested.at(0).at("id"), nested.at(1).at("id"));
  EXPECT_EQ(client.get(url).json().at("data").size(), 2U);
  EXPECT_EQ(client.get(url + "&nested=true&type=content_changes").json().at("data").size(), 2U);
  EXPECT_TRUE(client.get(url + "&nested=true&startTime=4000000000").json().at("data").empty());
  EXPECT_EQ(client.get("/rest/activities?limit=100").json().at("data").size(), 3U);
  set({{"activities_denied", true}});
  EXPECT_EQ(client.get(url).error_code(), "ERR_ACCESS_USER");
}

TEST_F(ContentTest, MailWithAnAttachment) {
  Client client = Client::of(start());
  const Reply draft = client.send(
      "POST", "/rest/mail/actions/sendFile?returnEntity=true",
      {{"subject", "S"}, {"body", "B"}, {"to", {"bob@example.com"}}, {"draft", "true"}});
  ASSERT_EQ(draft.status, 201);
  const std::string mail = "/rest/mail/" + draft.json().at("id").get<std::string>();
  const Reply session =
      client.send("POST", mail + "/actions/initiateUpload",
                  {{"filename", "att.txt"}, {"totalSize", 3}, {"totalChunks", 1}});
  ASSERT_EQ(session.status, 201);
  const Reply file = client.chunk(session.json().at("uri"), 1, "att", true);
  ASSERT_EQ(file.status, 201);
  EXPECT_EQ(client
                .send("PUT", mail + "/actions/sendFile",
                      {{"files", {file.json().at("id")}}, {"draft", "false"}})
                .status,
            200);
  const json mails = admin("GET", "mails").at("mails");
  ASSERT_EQ(mails.size(), 1U);
  EXPECT_EQ(mails.at(0).at("draft"), false);
  EXPECT_EQ(mails.at(0).at("files").at(0).at("size"), 3);
  EXPECT_EQ(client.send("POST", "/rest/mail/actions/sendFile", {{"subject", "S"}}).status, 403)
      << "no recipients";
}

}  // namespace
}  // namespace cabinetfs::sandbox
