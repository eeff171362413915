#include "tools/cabinetfs/mount_plan.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string_view>

// Of a mount whose connection was cut the kernel says ECONNABORTED; here a name does.
extern "C" int stat(const char* path, struct stat* info) noexcept {
  if (std::string_view(path).ends_with("/cut-off")) {
    errno = ECONNABORTED;
    return -1;
  }
  return ::fstatat(AT_FDCWD, path, info, 0);
}

namespace cabinetfs {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

TEST(SplitRemote, TakesTheFolderApart) {
  EXPECT_EQ(split_remote("work").remote, "work");
  EXPECT_EQ(split_remote("work:/Projects/a:b").remote, "work");
  EXPECT_EQ(split_remote("work:/Projects/a:b").root, "/Projects/a:b");
  EXPECT_EQ(split_remote("cabinetfs#work:x").remote, "work");
  EXPECT_EQ(split_remote("cabinetfs#work:x").root, "x");
}

class MountPlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cfmXXXXXX";
    dir_ = std::filesystem::canonical(::mkdtemp(name));
    paths_ = {dir_ + "/config.toml", dir_ + "/state", dir_ + "/cache", dir_ + "/run"};
    std::filesystem::create_directory(dir_ + "/mnt");
    std::ofstream(paths_.config_file)
        << "[remote.work]\nurl = \"https://content.example.com\"\nfresh = \"1s\"\nuploads = "
           "2\nthreads = 3\n"
           "[remote.empty]\nclient_id = \"x\"\n";
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  MountCommand command(const std::string& remote) const {
    MountCommand out;
    out.remote = remote;
    out.mount_point = dir_ + "/mnt/";
    return out;
  }
  std::string dir_;
  Paths paths_;
};

TEST_F(MountPlanTest, LaterSourcesOfAnOptionWin) {
  MountCommand mount = command("work");
  mount.option_lists = {"uploads=3,threads=4", "read_only"};
  mount.long_options = {{"threads", "5"}};
  const auto plan = plan_mount(paths_, mount);
  ASSERT_TRUE(plan) << plan.error().context;
  EXPECT_EQ(plan->options.volume.fresh, 1s) << "from the file";
  EXPECT_EQ(plan->options.volume.uploads, 3u) << "-o over the file";
  EXPECT_EQ(plan->options.mount.threads, 5u) << "--threads over -o";
  EXPECT_TRUE(plan->options.volume.read_only);
  EXPECT_EQ(plan->mount_point, dir_ + "/mnt");
  EXPECT_EQ(plan->options.volume.uid, ::geteuid());
  EXPECT_FALSE(plan->options.volume.host.empty());
}

TEST_F(MountPlanTest, FilesAreAbsolute) {
  std::ofstream(paths_.config_file, std::ios::app)
      << "[remote.files]\nurl = \"https://content.example.com\"\nca_file = \"ca.pem\"\n";
  MountCommand mount = command("files");
  mount.long_options = {{"log_file", "the.log"}};
  const auto plan = plan_mount(paths_, mount);
  ASSERT_TRUE(plan) << plan.error().context;
  EXPECT_EQ(plan->options.remote.ca_file, dir_ + "/ca.pem") << "beside the configuration";
  EXPECT_EQ(plan->options.mount.log_file, working_directory() + "/the.log");
}

TEST_F(MountPlanTest, RwUndoesTheRoOfAnEarlierList) {
  MountCommand mount = command("work");
  mount.option_lists = {"ro", "rw"};
  EXPECT_FALSE(plan_mount(paths_, mount)->options.volume.read_only);
}

TEST_F(MountPlanTest, StoreFollowsRemoteFolderAndInstance) {
  EXPECT_EQ(plan_mount(paths_, command("work"))->store.name, "work");
  MountCommand mount = command("work:/Projects");
  mount.option_lists = {"instance=b"};
  const auto plan = plan_mount(paths_, mount);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->store.name, "work:Projects+b");
  EXPECT_EQ(plan->options.content.staged_dir, dir_ + "/state/stores/work:Projects+b/staged");
  EXPECT_EQ(plan->options.content.cache_dir, dir_ + "/cache/stores/work:Projects+b");
}

TEST_F(MountPlanTest, SaysWhatIsWrong) {
  EXPECT_THAT(plan_mount(paths_, command("wrok")).error().context,
              HasSubstr("did you mean 'work'"));
  EXPECT_THAT(plan_mount(paths_, command("empty")).error().context, HasSubstr("has no url"));
  EXPECT_EQ(plan_mount(paths_, command("work:/a/../b")).error().code, ErrorCode::kInvalid);
  MountCommand mount = command("work");
  mount.option_lists = {"no_such=1"};
  EXPECT_EQ(plan_mount(paths_, mount).error().code, ErrorCode::kInvalid);
  mount = command("work");
  mount.mount_point = dir_ + "/nowhere";
  EXPECT_EQ(plan_mount(paths_, mount).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(plan_mount(paths_, mount).error().context, HasSubstr("mkdir -p"));
  mount.mount_point = paths_.config_file;
  EXPECT_EQ(plan_mount(paths_, mount).error().code, ErrorCode::kNotDirectory);
}

TEST_F(MountPlanTest, AMountWhoseConnectionWasCutIsInNobodysWay) {
  MountCommand mount = command("work");
  mount.mount_point = dir_ + "/cut-off";
  const auto plan = plan_mount(paths_, mount);
  ASSERT_TRUE(plan) << plan.error().context;
  EXPECT_EQ(plan->mount_point, dir_ + "/cut-off");
}

}  // namespace
}  // namespace cabinetfs
