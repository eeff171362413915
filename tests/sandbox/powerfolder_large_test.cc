#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/sandbox/powerfolder_test.h"

// Sizes that a real account has.

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

class PowerFolderLarge : public PowerFolderTest {};

TEST_F(PowerFolderLarge, A256MebibyteFileGoesInAndOut) {
  start();
  const auto alice = client();
  std::mt19937_64 random(20260101);
  std::string sent(std::size_t{256} << 20, '\0');
  for (std::size_t i = 0; i < sent.size(); i += 8) {
    const std::uint64_t value = random();
    std::memcpy(sent.data() + i, &value, sizeof value);
  }
  EXPECT_EQ(alice->send("PUT", "/webdav/Work/large", {}, sent).status, 201);
  EXPECT_TRUE(alice->get("/webdav/Work/large").body == sent);
  EXPECT_TRUE(alice->get("/webdav/Work/large", {"Range: bytes=200000000-"}).body ==
              sent.substr(200000000));
}

TEST_F(PowerFolderLarge, TwentyThousandEntriesInOneListing) {
  start();
  as(0, {{"op", "fill"}, {"path", "Work/many"}, {"count", 20000}});
  const PlainReply reply = client()->send("PROPFIND", "/webdav/Work/many/", {"Depth: 1"});
  const auto entries = multistatus(reply);
  ASSERT_EQ(entries.size(), 20001U);
  EXPECT_EQ(entries.back().href, "/webdav/Work/many/f019999");
}

}  // namespace
}  // namespace cabinetfs::sandbox
