#include <gtest/gtest.h>

#include "tests/unit/cache/content/content_fixture.h"

namespace cabinetfs {
namespace {

using CachedContentTest = ContentTest;

TEST_F(CachedContentTest, ReadsWhatTheServerHas) {
  const std::string content = pattern(3'000'000);
  const auto file = serve("a", content);
  EXPECT_TRUE(same(read_text(*file), content));
  EXPECT_TRUE(same(read_text(*file, 2'999'990, 100), content.substr(2'999'990)));
  EXPECT_EQ(read_text(*file, 3'000'000, 100), "");
  EXPECT_TRUE(file->complete());
}

TEST_F(CachedContentTest, IsReadFromTheDiskAfterARestart) {
  const std::string content = pattern(3'000'000);
  {
    const auto file = serve("a", content);
    EXPECT_TRUE(same(read_text(*file), content));
  }
  const auto before = requests();
  reopen();
  EXPECT_EQ(store_->cached_bytes(key("a", content)), content.size());
  EXPECT_TRUE(same(read_text(*cached(key("a", content)), local_only()), content));
  EXPECT_EQ(requests(), before);
}

TEST_F(CachedContentTest, ARandomReadFetchesOneBlock) {
  const std::string content = pattern(8 << 20);
  const auto file = serve("a", content);
  EXPECT_TRUE(same(read_text(*file, 5'000'000, 4096), content.substr(5'000'000, 4096)));
  ASSERT_EQ(requests(), 1u);
  EXPECT_EQ(server_.requests()[0].length, kBlockBytes);
  EXPECT_EQ(server_.requests()[0].offset % kBlockBytes, 0u);
}

TEST_F(CachedContentTest, ASmallFileComesWholeWithItsFirstRead) {
  const std::string content = pattern(900'000);
  const auto file = serve("a", content);
  EXPECT_TRUE(same(read_text(*file, 100, 10), content.substr(100, 10)));
  ASSERT_TRUE(eventually([&] { return file->complete(); }));
  EXPECT_TRUE(same(read_text(*file, local_only()), content));
  EXPECT_EQ(requests(), 1u);
}

TEST_F(CachedContentTest, WithoutTheNetworkAMissIsTold) {
  const auto file = serve("a", pattern(100'000));
  EXPECT_EQ(read_text(*file, local_only()).substr(0, 11), "would-block");
  EXPECT_EQ(requests(), 0u);
}

}  // namespace
}  // namespace cabinetfs
