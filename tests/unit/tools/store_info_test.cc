#include "tools/cabinetfs/store_info.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace cabinetfs {
namespace {

class StoreInfoTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cfsXXXXXX";
    dir_ = ::mkdtemp(name);
    paths_.state_dir = dir_ + "/state";
    paths_.cache_dir = dir_ + "/cache";
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string dir_;
  Paths paths_;
};

TEST_F(StoreInfoTest, ReadsBackWhatWasWritten) {
  const StorePaths store = store_paths(paths_, "work", "Projects/a", "two");
  EXPECT_FALSE(read_store_info(store)->has_value()) << "none yet";
  ASSERT_TRUE(write_store_info(
      store, {"work", "Projects/a", "two", "https://a.b", "id-1", "me@a.b", false}));
  const auto info = read_store_info(store);
  ASSERT_TRUE(info && *info);
  EXPECT_EQ((*info)->remote, "work");
  EXPECT_EQ((*info)->root, "Projects/a");
  EXPECT_EQ((*info)->instance, "two");
  EXPECT_EQ((*info)->url, "https://a.b");
  EXPECT_EQ((*info)->account, "id-1");
  EXPECT_EQ((*info)->email, "me@a.b");
  EXPECT_FALSE((*info)->encrypted);
  ASSERT_EQ(all_stores(paths_).size(), 1u);
  EXPECT_EQ(all_stores(paths_)[0].state, store.state);
  EXPECT_EQ(all_stores(paths_)[0].cache, store.cache);
}

TEST_F(StoreInfoTest, DamagedFileIsAnErrorNotAnEmptyStore) {
  const StorePaths store = store_paths(paths_, "work", "", "");
  std::filesystem::create_directories(store.state);
  std::ofstream(store.state + "/store.json") << "{ half";
  EXPECT_EQ(read_store_info(store).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace cabinetfs
