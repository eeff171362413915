#include <chrono>
#include <set>

#include "tests/sandbox/server_test.h"

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

class ListingTest : public ServerTest {
 protected:
  static std::vector<std::string> names(const json& items) {
    std::vector<std::string> out;
    for (const json& item : items) out.push_back(item.at("name"));
    return out;
  }
};

using Names = std::vector<std::string>;

TEST_F(ListingTest, TopFoldersAndMyFolderAreThere) {
  Client client = Client::of(start());
  const json reply = client.get("/rest/folders/top?deleted=false&limit=100").json();
  EXPECT_EQ(names(reply.at("data")), (Names{"My Folder", "Other", "Projects"}));
  EXPECT_EQ(reply.at("data").at(1).at("parentId"), "0");
  EXPECT_EQ(reply.at("metadata").at("total"), 3);
  set({{"list_my_folder", false}});
  EXPECT_EQ(names(client.get("/rest/folders/top?deleted=false").json().at("data")),
            (Names{"Other", "Projects"}));
}

TEST_F(ListingTest, ChildrenAreFoldersFirstWithPathAndTimes) {
  Client client = Client::of(start());
  const json items =
      client.get("/rest/folders/" + client.top("Projects") + "/children?deleted=false&limit=10")
          .json()
          .at("data");
  EXPECT_EQ(names(items), (Names{"Sub", "a.txt", "b.txt"}));
  EXPECT_EQ(items.at(0).at("type"), "d");
  EXPECT_EQ(items.at(1).at("path"), "Projects/a.txt");
  EXPECT_EQ(items.at(1).at("size"), 5);
  EXPECT_EQ(items.at(1).at("fingerprint"), "2c1743a391305fbf367df8e4f069f9f9");
  EXPECT_EQ(items.at(1).at("modified").get<std::string>().substr(19), "+0000");
}

TEST_F(ListingTest, DefaultPageIs25AndACappedPageStillTellsTheTotal) {
  Client client = Client::of(start());
  admin("POST", "as", {{"op", "fill"}, {"path", "Many"}, {"count", 60}});
  const std::string url = "/rest/folders/" + client.top("Many") + "/files?deleted=false";
  EXPECT_EQ(client.get(url).json().at("data").size(), 25U);
  EXPECT_EQ(client.get(url).json().at("metadata").at("limit"), nullptr);
  set({{"max_page", 10}});
  std::set<std::string> seen;
  for (std::size_t offset = 0;;) {
    const json page = client.get(url + "&limit=50&offset=" + std::to_string(offset)).json();
    EXPECT_LE(page.at("data").size(), 10U);
    EXPECT_EQ(page.at("metadata").at("total"), 60);
    if (page.at("data").empty()) break;
    for (const json& item : page.at("data")) seen.insert(item.at("id").get<std::string>());
    offset += page.at("data").size();
  }
  EXPECT_EQ(seen.size(), 60U);
  EXPECT_EQ(client.get(url + "&limit=0").status, 422);
  EXPECT_EQ(client.get(url + "&limit=x").status, 422);
}

TEST_F(ListingTest, ShapeIsSwitchable) {
  Client client = Client::of(start());
  const std::string children =
      "/rest/folders/" + client.top("Projects") + "/children?deleted=false";
  set({{"list_shape", "spec"}});
  EXPECT_TRUE(client.get(children).json().is_array());
  EXPECT_TRUE(client.get("/rest/folders/top").json().is_object());
  set({{"list_shape", "bare"}});
  EXPECT_TRUE(client.get("/rest/folders/top").json().is_array());
  set({{"list_shape", "envelope"}, {"list_metadata", false}});
  EXPECT_FALSE(client.get(children).json().contains("metadata"));
}

TEST_F(ListingTest, DeletedItemsAreListedUnlessRefused) {
  Client client = Client::of(start());
  const std::string folder = client.top("Projects");
  ASSERT_EQ(client.send("DELETE", "/rest/files/" + client.child(folder, "a.txt")).status, 204);
  const std::string url = "/rest/folders/" + folder + "/files";
  EXPECT_EQ(names(client.get(url).json().at("data")), (Names{"a.txt", "b.txt"}));
  EXPECT_EQ(names(client.get(url + "?deleted=false").json().at("data")), (Names{"b.txt"}));
  EXPECT_EQ(names(client.get(url + "?deleted=true").json().at("data")), (Names{"a.txt"}));
}

TEST_F(ListingTest, OrderAndFilters) {
  Client client = Client::of(start());
  const std::string url = "/rest/folders/" + client.top("Projects") + "/children?deleted=false";
  EXPECT_EQ(names(client.get(url + "&type=f&orderBy=name%3Adesc").json().at("data")),
            (Names{"b.txt", "a.txt"}));
  EXPECT_EQ(names(client.get(url + "&type=f&orderBy=size%3Adesc").json().at("data")),
            (Names{"b.txt", "a.txt"}));
  EXPECT_EQ(names(client.get(url + "&name=A.TXT").json().at("data")), (Names{"a.txt"}));
  EXPECT_EQ(names(client.get(url + "&name%3Acontains=ub").json().at("data")), (Names{"Sub"}));
  EXPECT_EQ(client.get(url + "&orderBy=colour").error_code(), "ERR_REQUEST_INVALID_FILTER");
}

TEST_F(ListingTest, PermissionsAndRoleOnlyWhenAskedFor) {
  Client client = Client::of(start());
  const std::string url = "/rest/folders/" + client.top("Projects");
  EXPECT_FALSE(client.get(url).json().contains("permissions"));
  const json folder = client.get(url + "?with=(permissions,currentUserRole)").json();
  EXPECT_EQ(folder.at("currentUserRole").at("name"), "Owner");
  EXPECT_GT(folder.at("permissions").size(), 20U);
  EXPECT_EQ(folder.at("permissions").at(0).at("allowed"), true);
}

TEST_F(ListingTest, PathLookupIsExactInPlaceAndFreeInCase) {
  Client client = Client::of(start());
  const json file = client.get("/rest/search?path=projects/sub/DEEP.txt").json();
  ASSERT_EQ(file.at("files").size(), 1U);
  EXPECT_EQ(file.at("files").at(0).at("path"), "Projects/Sub/deep.txt");
  EXPECT_EQ(client.get("/rest/search?path=My%20Folder/note.txt").json().at("files").size(), 1U);
  EXPECT_EQ(client.get("/rest/search?path=Projects").json().at("folders").size(), 1U);
  const json nothing = client.get("/rest/search?path=Projects/none").json();
  EXPECT_TRUE(nothing.at("files").empty());
  EXPECT_TRUE(nothing.at("folders").empty());
  EXPECT_EQ(client.get("/rest/query?searchType=f&includeContent=false&query=deep")
                .json()
                .at("totalFiles"),
            1);
}

TEST_F(ListingTest, AMissingIdIs403AndMayBeMade404) {
  Client client = Client::of(start());
  const Reply reply = client.get("/rest/files/11111111-2222-4333-8444-555555555555");
  EXPECT_EQ(reply.status, 403);
  EXPECT_EQ(reply.error_code(), "ERR_ACCESS_USER");
  set({{"missing_status", 404}});
  EXPECT_EQ(client.get("/rest/files/11111111-2222-4333-8444-555555555555").status, 404);
}

TEST_F(ListingTest, ErrorShapes) {
  Client client = Client::of(start());
  const auto shape = [&](const char* name, const char* path = "/rest/files/none") {
    set({{"error_shape", name}});
    return client.get(path);
  };
  EXPECT_TRUE(shape("native").json().at("errors").is_array());
  EXPECT_TRUE(shape("native", "/rest/uploads/1").json().at("errors").is_object());
  EXPECT_TRUE(shape("object").json().at("errors").is_object());
  EXPECT_TRUE(shape("error").json().at("error").is_array());
  EXPECT_EQ(shape("flat").json().at("code"), "ERR_ACCESS_USER");
  EXPECT_EQ(shape("html").body.rfind("<html>", 0), 0U);
}

TEST_F(ListingTest, QuotaAndConfig) {
  Client client = Client::of(start());
  EXPECT_EQ(client.get("/rest/users/me/quota").json().at("folder_quota_used"), 5 + 9 + 4 + 5 + 6);
  EXPECT_EQ(client.get("/rest/uploads/config").json().at("uploadChunkMax"), 10485760);
  EXPECT_EQ(client.get("/rest/clients/me").json().at("minVersion"), 28);
  admin("POST", "quota", {{"user", "alice@example.com"}, {"bytes", 35}});
  EXPECT_EQ(client.upload(client.top("Other"), "big", "1234567").status, 413);
  EXPECT_EQ(client.upload(client.top("Other"), "small", "123456").status, 201);
}

}  // namespace
}  // namespace cabinetfs::sandbox
