#include <cstring>
#include <random>
#include <set>

#include "tests/sandbox/server_test.h"

// Sizes that a real account has.

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

class LargeTest : public ServerTest {};

TEST_F(LargeTest, A256MebibyteFileGoesInAndOut) {
  Client client = Client::of(start(R"({"upload_chunk_max": 67108864})"));
  std::mt19937_64 random(20260101);
  std::string content(std::size_t{256} << 20, '\0');
  for (std::size_t i = 0; i < content.size(); i += 8) {
    const std::uint64_t value = random();
    std::memcpy(content.data() + i, &value, sizeof value);
  }
  const Reply last = client.upload(client.top("Projects"), "large", content, std::size_t{64} << 20);
  ASSERT_EQ(last.status, 201) << last.curl_code << last.body;
  EXPECT_EQ(last.json().at("size"), content.size());
  EXPECT_EQ(last.json().at("fingerprint"), "Generating...") << "hashed in the background";
  const std::string path = "/rest/files/" + last.json().at("id").get<std::string>();
  EXPECT_TRUE(client.get(path + "/content").body == content);
  EXPECT_TRUE(client.get(path + "/content", {"Range: bytes=200000000-"}).body ==
              content.substr(200000000));
}

TEST_F(LargeTest, AHundredThousandEntriesAreListedPageByPage) {
  Client client = Client::of(start());
  admin("POST", "as", {{"op", "fill"}, {"path", "Many"}, {"count", 100000}});
  const std::string url =
      "/rest/folders/" + client.top("Many") + "/children?deleted=false&limit=1000&offset=";
  std::set<std::string> seen;
  std::string previous;
  for (std::size_t offset = 0; offset < 100000; offset += 1000) {
    const json page = client.get(url + std::to_string(offset)).json();
    ASSERT_EQ(page.at("data").size(), 1000U);
    for (const json& item : page.at("data")) {
      EXPECT_LT(previous, item.at("name").get<std::string>());
      previous = item.at("name");
      seen.insert(item.at("id").get<std::string>());
    }
  }
  EXPECT_EQ(seen.size(), 100000U);
  EXPECT_EQ(client.get("/rest/search?path=Many/f099999").json().at("files").size(), 1U);
}

}  // namespace
}  // namespace cabinetfs::sandbox
