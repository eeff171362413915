#include "tools/cabinetfs/nearest.h"

#include <gtest/gtest.h>

namespace cabinetfs {
namespace {

TEST(Nearest, CountsEdits) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("mount", "mount"), 0u);
  EXPECT_EQ(edit_distance("muont", "mount"), 1u) << "a swap is one mistake";
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Nearest, SuggestsOnlyWhatIsClose) {
  const std::vector<std::string> names = {"cache_size", "call_timeout", "read_only", "uploads"};
  EXPECT_EQ(nearest_name("cache_sise", names), "cache_size");
  EXPECT_EQ(nearest_name("readonly", names), "read_only");
  EXPECT_EQ(nearest_name("cache", names), "cache_size") << "the rest was left out";
  EXPECT_EQ(nearest_name("zebra", names), "");
  EXPECT_EQ(nearest_name("x", names), "");
  EXPECT_EQ(suggestion("upload", names), "; did you mean 'uploads'?");
  EXPECT_EQ(suggestion("zebra", names), "");
}

}  // namespace
}  // namespace cabinetfs
