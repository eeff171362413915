#include "tools/cabinetfs/mount_table.h"

#include <gtest/gtest.h>

namespace cabinetfs {
namespace {

constexpr const char* kMountinfo =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "40 22 0:50 / /mnt/work rw,nosuid,nodev - fuse.cabinetfs cabinetfs#work rw,user_id=0\n"
    "41 22 0:51 / /mnt/with\\040space ro,nosuid shared:5 master:2 - fuse.cabinetfs cabinetfs#a.b "
    "ro\n"
    "42 22 0:52 / /mnt/other rw - fuse.sshfs cabinetfs#fake rw\n"
    "43 40 0:53 / /mnt/work/inner rw - fuse.cabinetfs cabinetfs#two rw\n"
    "broken line\n";

TEST(MountTable, FindsOurMounts) {
  const auto volumes = parse_mountinfo(kMountinfo);
  ASSERT_EQ(volumes.size(), 3u);
  EXPECT_EQ(volumes[0].mount_point, "/mnt/work");
  EXPECT_EQ(volumes[0].remote, "work");
  EXPECT_FALSE(volumes[0].read_only);
  EXPECT_EQ(volumes[1].mount_point, "/mnt/with space");
  EXPECT_EQ(volumes[1].remote, "a.b");
  EXPECT_TRUE(volumes[1].read_only);
}

TEST(MountTable, FindsTheInnermostMountOfAPath) {
  const auto volumes = parse_mountinfo(kMountinfo);
  EXPECT_EQ(find_on_mounts(volumes, "/mnt/work/a/b.txt")->relative, "a/b.txt");
  EXPECT_EQ(find_on_mounts(volumes, "/mnt/work")->relative, "");
  EXPECT_EQ(find_on_mounts(volumes, "/mnt/work/inner/x")->volume.remote, "two");
  EXPECT_FALSE(find_on_mounts(volumes, "/mnt/worker/a")) << "a prefix of a name is not a parent";
  EXPECT_FALSE(find_on_mounts(volumes, "/etc"));
}

}  // namespace
}  // namespace cabinetfs
