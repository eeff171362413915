#include <cstring>
#include <random>
#include <set>

#include "tests/sandbox/kenesto_test.h"

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

class KenestoLarge : public KenestoTest {};

TEST_F(KenestoLarge, A256MebibyteFileGoesInAndOut) {
  start();
  std::mt19937_64 random(20260101);
  std::string content(std::size_t{256} << 20, '\0');
  for (std::size_t i = 0; i < content.size(); i += 8) {
    const std::uint64_t value = random();
    std::memcpy(content.data() + i, &value, sizeof value);
  }
  ASSERT_FALSE(failed(alice().upload("large.bin", content, {})));
  const std::string url = alice().access_url(alice().id("large.bin"));
  EXPECT_TRUE(KenestoClient::fetch(url).body == content);
  EXPECT_TRUE(KenestoClient::fetch(url, {"Range: bytes=200000000-"}).body ==
              content.substr(200000000));
}

TEST_F(KenestoLarge, TwentyThousandEntriesComeInPagesOrAtOnce) {
  start({{"viewer_url", false}});
  as("alice", {{"op", "fill"}, {"path", "Huge"}, {"count", 20000}});
  const std::string id = alice().id("Huge");
  EXPECT_EQ(alice().list(id, {{"pn", "100"}}).size(), 200U);
  std::set<std::string> seen;
  for (const json& item : alice().list(id, {{"pn", "101"}})) seen.insert(item.at("Id"));
  EXPECT_EQ(seen.size(), 20000U);
}

}  // namespace
}  // namespace cabinetfs::sandbox
