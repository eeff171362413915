// The shell alone, mounted over a tree in memory: that the channel carries what programs do, that
// nothing hangs, and that nothing is left behind.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "fs/mount_point.h"
#include "tests/e2e/support/test_mount.h"
#include "tests/support/needs.h"
#include "tests/unit/fs/memory_volume.h"

namespace cabinetfs {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Channel : public ::testing::Test {
 protected:
  void SetUp() override { CABINET_NEEDS(why_no_fuse()); }
  MemoryVolume volume_;
};

TEST_F(Channel, CarriesTheCommonPrograms) {
  TestMount mount(volume_);
  const std::string m = mount.path();
  EXPECT_EQ(run_shell("mkdir -p " + m + "/a/b/c && cp -r /usr/include/linux/can " + m +
                      "/a/b && diff -r /usr/include/linux/can " + m + "/a/b/can")
                .output,
            "");
  EXPECT_EQ(run_shell("find " + m + "/a -type d | wc -l").output, "4\n");
  const auto dd =
      run_shell("dd if=/dev/urandom of=" + m + "/big bs=1M count=20 2>/dev/null; dd if=" + m +
                "/big of=" + m + "/big2 bs=300k 2>/dev/null; cmp " + m + "/big " + m +
                "/big2 && stat -c %s " + m + "/big2");
  EXPECT_EQ(dd.output, "20971520\n");
  EXPECT_EQ(run_shell("rm -r " + m + "/a && mv " + m + "/big " + m + "/other && ls " + m).output,
            "big2\nother\n");
  EXPECT_EQ(run_shell("ln -s x " + m + "/link; ln " + m + "/other " + m + "/hard; mkfifo " + m +
                      "/fifo; ls " + m)
                .output,
            "ln: failed to create symbolic link '" + m + "/link': Operation not permitted\n" +
                "ln: failed to create hard link '" + m + "/hard' => '" + m +
                "/other': Operation not permitted\n" + "mkfifo: cannot create fifo '" + m +
                "/fifo': Operation not permitted\nbig2\nother\n");
}

TEST_F(Channel, KeepsTheCountOfWhatTheKernelKnows) {
  if (::access("/proc/sys/vm/drop_caches", W_OK) != 0)
    GTEST_SKIP() << "the kernel's caches may not be dropped here";
  volume_.add_folder("dir");
  const InodeNumber file = volume_.add_file("dir/file", "x");
  {
    TestMount mount(volume_);
    EXPECT_EQ(
        run_shell("ls -lR " + mount.path() + " >/dev/null && cat " + mount.path("dir/file")).output,
        "x");
    EXPECT_GT(volume_.remembered(file), 0u);
    // What the kernel lets go at once; what it was still told of ends with the mount.
    ASSERT_EQ(run_shell("echo 2 > /proc/sys/vm/drop_caches").exit_code, 0);
    EXPECT_TRUE(eventually([&] { return volume_.remembered(file) == 0; }));
  }
  EXPECT_EQ(volume_.open_files(), 0);
}

TEST_F(Channel, AnInterruptEndsAReadThatHangs) {
  volume_.add_file("slow", "content");
  volume_.make_remote("slow");
  volume_.gate().close();
  TestMount mount(volume_);
  ShellProcess reader("exec cat " + mount.path("slow"));
  ASSERT_TRUE(volume_.gate().wait_for_waiting(1));
  reader.signal(SIGINT);
  // The read itself belongs to the kernel's read-ahead and goes on.
  EXPECT_EQ(reader.wait(), 128 + SIGINT);
  volume_.gate().open();
  EXPECT_EQ(read_file(mount.path("slow")), "content");
}

TEST_F(Channel, AnInterruptCancelsTheCallItself) {
  volume_.add_folder("slow");
  volume_.make_remote("slow");
  volume_.gate().close();
  TestMount mount(volume_);
  ShellProcess lookup("exec stat " + mount.path("slow"));
  ASSERT_TRUE(volume_.gate().wait_for_waiting(1));
  lookup.signal(SIGINT);
  EXPECT_EQ(lookup.wait(), 128 + SIGINT);
  EXPECT_EQ(volume_.gate().waiting(), 0);
}

TEST_F(Channel, ASignalWithAHandlerEndsNoCall) {
  volume_.add_folder("slow");
  volume_.add_file("other", "x");
  volume_.make_remote("slow");
  volume_.gate().close();
  TestMount mount(volume_);
  ShellProcess lookup(
      "exec perl -e '$SIG{ALRM} = sub { $rang = 1 }; stat($ARGV[0]) or exit 1; exit($rang ? 0 : "
      "2)' " +
      mount.path("slow"));
  ASSERT_TRUE(volume_.gate().wait_for_waiting(1));
  lookup.signal(SIGALRM);
  // The kernel passes interrupts on before all else.
  struct statvfs space {};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(::statvfs(mount.path().c_str(), &space), 0);
  EXPECT_EQ(volume_.gate().waiting(), 1);
  volume_.gate().open();
  EXPECT_EQ(lookup.wait(), 0);
}

TEST_F(Channel, AKillEndsAReadThatWaitsForItsTurn) {
  for (int i = 0; i < 3; ++i) {
    volume_.add_file("slow" + std::to_string(i), "content");
    volume_.make_remote("slow" + std::to_string(i));
  }
  volume_.gate().close();
  MountOptions options;
  options.waiting_threads = 1;
  TestMount mount(volume_, options);
  ShellProcess first("exec cat " + mount.path("slow0"));
  ASSERT_TRUE(volume_.gate().wait_for_waiting(1));
  ShellProcess second("exec cat " + mount.path("slow1"));
  const std::string metrics = mount.path(".cabinet/metrics");
  ASSERT_TRUE(eventually(
      [&] { return read_file(metrics).find("requests_waiting 2") != std::string::npos; }));
  second.signal(SIGKILL);
  EXPECT_EQ(second.wait(), 128 + SIGKILL);
  volume_.gate().open();
  EXPECT_EQ(first.wait(), 0);
}

TEST_F(Channel, AThousandStatsPassSixtyFourReadsThatHang) {
  for (int i = 0; i < 64; ++i) {
    volume_.add_file("slow/" + std::to_string(i), std::string(1000, 'x'));
    volume_.make_remote("slow/" + std::to_string(i));
  }
  for (int i = 0; i < 1000; ++i) volume_.add_file("fast/" + std::to_string(i), "y");
  volume_.gate().close();
  TestMount mount(volume_);
  ShellProcess readers("for i in $(seq 0 63); do cat " + mount.path("slow") + "/$i & done; wait");
  ASSERT_TRUE(volume_.gate().wait_for_waiting(64));
  const auto stats = run_shell(
      "cd " + mount.path("fast") + " && seq 0 999 | xargs -P 8 -n 25 stat -c %s | sort | uniq -c",
      30);
  EXPECT_EQ(stats.output, "   1000 1\n");
  // fsync(2) of a file.
  const auto synced = run_shell("sync " + mount.path("fast/0"), 30);
  EXPECT_EQ(synced.exit_code, 0) << synced.output;
  EXPECT_THAT(volume_.log(), ::testing::Contains(::testing::StartsWith("fsync ")));
  EXPECT_EQ(volume_.gate().waiting(), 64);
  volume_.gate().open();
  EXPECT_EQ(readers.wait(), 0);
}

TEST_F(Channel, AnFsyncOfADirectoryPassesSixtyFourLookupsThatHang) {
  // Each in a directory of its own: the kernel asks for one new name of a directory at a time.
  for (int i = 0; i < 64; ++i) {
    const std::string name = "slow/" + std::to_string(i) + "/folder";
    volume_.add_folder(name);
    volume_.make_remote(name);
  }
  volume_.add_folder("fast");
  volume_.gate().close();
  TestMount mount(volume_);
  ShellProcess lookups("for i in $(seq 0 63); do stat " + mount.path("slow") +
                       "/$i/folder & done; wait");
  ASSERT_TRUE(volume_.gate().wait_for_waiting(64));
  const auto synced = run_shell("sync " + mount.path("fast"), 30);
  EXPECT_EQ(synced.exit_code, 0) << synced.output;
  EXPECT_THAT(volume_.log(), ::testing::Contains(::testing::StartsWith("fsync_folder ")));
  EXPECT_EQ(volume_.gate().waiting(), 64);
  volume_.gate().open();
  EXPECT_EQ(lookups.wait(), 0);
}

TEST_F(Channel, ADeadlineEndsAReadThatNobodyInterrupts) {
  volume_.add_file("slow", "content");
  volume_.make_remote("slow");
  volume_.gate().close();
  MountOptions options;
  options.call_timeout = std::chrono::milliseconds(200);
  TestMount mount(volume_, options);
  EXPECT_EQ(read_file(mount.path("slow")), "(errno: Connection timed out)");
}

TEST_F(Channel, WhatThrowsIsAnIoErrorAndTheMountLives) {
  volume_.add_file("file", "content");
  TestMount mount(volume_);
  volume_.set_fault([](const std::string& operation) -> Result<void> {
    if (operation == "open") throw std::runtime_error("a bug");
    return {};
  });
  EXPECT_EQ(read_file(mount.path("file")), "(errno: Input/output error)");
  volume_.set_fault({});
  EXPECT_EQ(read_file(mount.path("file")), "content");
}

TEST_F(Channel, ChangesOfOthersAreSeenAtOnce) {
  volume_.add_file("dir/file", "first");
  volume_.add_file("dir/gone", "x");
  TestMount mount(volume_);
  EXPECT_EQ(read_file(mount.path("dir/file")), "first");
  EXPECT_EQ(read_file(mount.path("dir/gone")), "x");
  volume_.write_as_other("dir/file", "second, longer");
  EXPECT_TRUE(eventually([&] { return read_file(mount.path("dir/file")) == "second, longer"; }));
  EXPECT_TRUE(eventually([&] {
    struct stat info {};
    return ::stat(mount.path("dir/file").c_str(), &info) == 0 && info.st_size == 14;
  }));
  volume_.remove_as_other("dir/gone");
  EXPECT_TRUE(eventually([&] { return ::access(mount.path("dir/gone").c_str(), F_OK) != 0; }));
}

TEST_F(Channel, NotificationsDoNotDeadlockWithRequestsInFlight) {
  const InodeNumber dir = volume_.add_folder("dir");
  volume_.add_folder("dir/slow");
  volume_.make_remote("dir/slow");
  volume_.add_file("dir/known", "x");
  volume_.gate().close();
  TestMount mount(volume_);
  EXPECT_EQ(read_file(mount.path("dir/known")), "x");
  // The kernel holds the directory for this lookup, and a notification about it has to wait.
  ShellProcess blocked("exec stat " + mount.path("dir/slow"));
  ASSERT_TRUE(volume_.gate().wait_for_waiting(1));
  volume_.invalidate_entry(dir, "known");
  volume_.invalidate_entry(dir, "unknown");
  // Other work goes on meanwhile.
  volume_.add_file("elsewhere/file", "y");
  EXPECT_EQ(read_file(mount.path("elsewhere/file")), "y");
  // And the mount can end in this state: the lookup is given up.
  mount.unmount();
  EXPECT_NE(blocked.wait(), 0);
}

TEST_F(Channel, UnmountingCommitsWhatAnOpenFileHolds) {
  TestMount mount(volume_);
  const int fd = ::open(mount.path("file").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::write(fd, "unsaved", 7), 7);
  mount.unmount();
  EXPECT_EQ(volume_.content("file"), "unsaved");
  EXPECT_THAT(volume_.log(), ::testing::Contains(HasSubstr("flush")));
  EXPECT_EQ(volume_.open_files(), 0);
  EXPECT_LT(::write(fd, "more", 4), 0);
  ::close(fd);
}

TEST_F(Channel, EndsWhenUnmountedFromOutside) {
  TestMount mount(volume_);
  mount.detach();
  mount.wait_until_ended();
  EXPECT_FALSE(find_mount(mount.path())->has_value());
}

TEST_F(Channel, ADeadMountPointIsClearedFirst) {
  TemporaryDirectory directory;
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    MemoryVolume volume;
    MountOptions options;
    options.mount_point = directory.path();
    options.remote = "dead";
    auto mount = Mount::create(options, volume);
    // Without a goodbye: the mount stays, and nobody serves it.
    ::_exit(mount ? 7 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  ASSERT_EQ(WEXITSTATUS(status), 7);
  struct stat info {};
  ASSERT_NE(::stat(directory.path().c_str(), &info), 0);
  ASSERT_EQ(errno, ENOTCONN);
  EXPECT_TRUE(prepare_mount_point(directory.path()));
  EXPECT_EQ(::stat(directory.path().c_str(), &info), 0);
}

TEST_F(Channel, SaysWhyItCannotMount) {
  TestMount mount(volume_);
  MountOptions options;
  options.remote = "second";
  options.mount_point = mount.path();
  EXPECT_EQ(Mount::create(options, volume_).error().code, ErrorCode::kBusy);
  options.mount_point = "/nonexistent/dir";
  EXPECT_EQ(Mount::create(options, volume_).error().code, ErrorCode::kNotFound);
  options.mount_point = "/etc/passwd";
  EXPECT_EQ(Mount::create(options, volume_).error().code, ErrorCode::kNotDirectory);
}

TEST_F(Channel, SetsTheMountOptions) {
  MountOptions options;
  options.remote = "wo,rk";
  options.read_only = true;
  TestMount mount(volume_, options);
  const std::string line = run_shell("grep " + mount.path() + " /proc/mounts").output;
  EXPECT_THAT(line, HasSubstr("cabinetfs\\043wo_rk "));
  EXPECT_THAT(line, HasSubstr("fuse.cabinetfs ro,nosuid,nodev"));
  EXPECT_THAT(line, HasSubstr("default_permissions"));
  EXPECT_THAT(line, HasSubstr("max_read=1048576"));
  EXPECT_THAT(line, Not(HasSubstr("allow_other")));
  EXPECT_FALSE(write_file(mount.path("x"), "x"));
  EXPECT_EQ(errno, EROFS);
}

TEST_F(Channel, ShowsVersionsAsFilesAndControlFiles) {
  volume_.add_file("doc.txt", "one");
  volume_.add_version("doc.txt", "second");
  volume_.add_file("real@@", "a real file");
  volume_.add_file("real", "base");
  TestMount mount(volume_);
  const std::string m = mount.path();
  EXPECT_EQ(run_shell("ls " + m).output, "doc.txt\nreal\nreal@@\n");
  EXPECT_EQ(run_shell("ls " + m + "/doc.txt@@").output, "1\n2\n");
  EXPECT_EQ(read_file(m + "/doc.txt@@/1"), "one");
  EXPECT_EQ(read_file(m + "/doc.txt@@/2"), "second");
  EXPECT_EQ(run_shell("stat -c '%s %A %Y' " + m + "/doc.txt@@/1").output, "3 -r--r--r-- 3600000\n");
  EXPECT_EQ(read_file(m + "/doc.txt@@/3"), "(errno: No such file or directory)");
  EXPECT_EQ(read_file(m + "/real@@"), "a real file");
  EXPECT_FALSE(write_file(m + "/doc.txt@@/1", "x"));
  EXPECT_EQ(errno, EROFS);
  EXPECT_NE(::rmdir((m + "/doc.txt@@").c_str()), 0);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(run_shell("ls " + m + "/.cabinet").output,
            "config.toml\nlog\nmetrics\nstatus.json\nuploads.json\n");
  EXPECT_THAT(read_file(m + "/.cabinet/status.json"), HasSubstr("\"online\":true"));
  EXPECT_THAT(read_file(m + "/.cabinet/metrics"), HasSubstr("cabinetfs_online 1\n"));
  EXPECT_EQ(read_file(m + "/.cabinet/uploads.json"), "[]\n");
  EXPECT_NE(::mkdir((m + "/.cabinet/x").c_str(), 0755), 0);
  EXPECT_EQ(errno, EROFS);
}

TEST_F(Channel, FileSystemSizeIsTheQuotaAndNeverAnError) {
  volume_.gate().open();
  TestMount mount(volume_);
  EXPECT_EQ(run_shell("stat -f -c '%S %b %a' " + mount.path()).output, "4096 2560 2304\n");
  MemoryVolume broken;
  broken.gate().open();
  broken.set_fault([](const std::string& operation) -> Result<void> {
    if (operation == "quota") return fail(ErrorCode::kUnavailable, "nobody answers");
    return {};
  });
  TestMount other(broken);
  EXPECT_EQ(run_shell("stat -f -c %S " + other.path()).output, "4096\n");
}

TEST_F(Channel, CarriesAttributesOfPrograms) {
  volume_.add_file("f", "x");
  TestMount mount(volume_);
  const std::string f = mount.path("f");
  ASSERT_EQ(::setxattr(f.c_str(), "user.mine", "value", 5, 0), 0);
  char value[16];
  EXPECT_EQ(::getxattr(f.c_str(), "user.mine", value, sizeof(value)), 5);
  EXPECT_EQ(::getxattr(f.c_str(), "user.mine", value, 2), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(::setxattr(f.c_str(), "user.mine", "v", 1, XATTR_CREATE), -1);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_EQ(::getxattr(f.c_str(), "user.none", value, sizeof(value)), -1);
  EXPECT_EQ(errno, ENODATA);
  EXPECT_EQ(::removexattr(f.c_str(), "user.mine"), 0);
  EXPECT_EQ(::setxattr(f.c_str(), "user.cabinet.vendor", "v", 1, 0), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
  EXPECT_THAT(run_shell("getfattr -d -m - " + f).output, HasSubstr("user.cabinet.state=\"clean\""));
}

TEST_F(Channel, DirectoryReadSeesEachNameOnceWhileItChanges) {
  for (int i = 0; i < 5000; ++i) volume_.add_file("dir/" + std::to_string(i), "");
  TestMount mount(volume_);
  const auto found =
      run_shell("cd " + mount.path("dir") +
                " && find . -type f -name '*7' -delete && ls | wc -l && ls -U | sort -u | wc -l");
  EXPECT_EQ(found.output, "4500\n4500\n");
}

}  // namespace
}  // namespace cabinetfs
