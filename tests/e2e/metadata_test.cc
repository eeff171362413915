// Modes, times, extended attributes, versions, control files. Each test quotes the line of
// fs/SEMANTICS.md that it shows.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tests/e2e/support/mounted.h"

namespace cabinetfs {
namespace {

using nlohmann::json;

constexpr const char* kNone = "(errno: No data available)";

class Metadata : public Mounted {
 protected:
  std::string get(const std::string& name, const std::string& key) {
    std::string value(65536, '\0');
    const ssize_t size =
        ::getxattr(p(name).c_str(), ("user.cabinet." + key).c_str(), value.data(), value.size());
    if (size < 0) return std::string("(errno: ") + std::strerror(errno) + ")";
    value.resize(static_cast<std::size_t>(size));
    return value;
  }
  int set(const std::string& name, const std::string& key, const std::string& value) {
    return ::setxattr(p(name).c_str(), ("user.cabinet." + key).c_str(), value.data(), value.size(),
                      0) == 0
               ? 0
               : errno;
  }
  void three_versions() {
    ASSERT_TRUE(write_file(p("doc"), "one"));
    ASSERT_EQ(settle(), "");
    ASSERT_TRUE(write_file(p("doc"), "second"));
    ASSERT_EQ(settle(), "");
    ASSERT_TRUE(write_file(p("doc"), "third!"));
    ASSERT_EQ(settle(), "");
    ASSERT_EQ(versions("doc"), kept(3));
  }
};
CABINET_FOR_EACH_ACCOUNT(Metadata);

// "Permission bits and times that the server has no place for are kept here and survive a remount."
// "atime is kept when it is set, and is not changed by reading."
TEST_P(Metadata, ModesAndTimesSurvive) {
  ASSERT_EQ(
      sh("echo '#!/bin/sh' > run && chmod 755 run && touch -d '2020-02-02 12:00:00 UTC' run && "
         "mkdir d && chmod 700 d")
          .exit_code,
      0);
  ASSERT_EQ(sh("touch -a -d '2019-01-01 UTC' run d").exit_code, 0);
  const std::string look = "cat run > /dev/null; stat -c '%a %Y %X' run; stat -c '%a %X' d";
  const std::string want = "755 1580644800 1546300800\n700 1546300800\n";
  EXPECT_EQ(sh(look).output, want);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(sh(look).output, want);
  remount();
  EXPECT_EQ(sh(look).output, want);
}

// "A chmod or touch alone makes no new version."
TEST_P(Metadata, MetadataMakesNoVersion) {
  ASSERT_TRUE(write_file(p("f"), "x"));
  EXPECT_EQ(settle(), "");
  account_->reset_requests();
  ASSERT_EQ(sh("chmod 600 f && touch f && setfattr -n user.mine -v y f").exit_code, 0);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(account_->uploads(), 0u);
  EXPECT_EQ(versions("f"), 1u);
}

// "Everything belongs to one user and group; chown to them succeeds, to others is refused.
// The link count is 1, also of directories."
TEST_P(Metadata, Owner) {
  ASSERT_TRUE(write_file(p("f"), "x"));
  struct stat info {};
  ASSERT_EQ(::stat(p("f").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, ::geteuid());
  EXPECT_EQ(info.st_nlink, 1u);
  ASSERT_EQ(::mkdir(p("d").c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(p("d/below").c_str(), 0755), 0);
  struct stat folder {};
  ASSERT_EQ(::stat(p("d").c_str(), &folder), 0);
  EXPECT_EQ(folder.st_nlink, 1u);
  EXPECT_EQ(::chown(p("f").c_str(), ::geteuid(), ::getegid()), 0);
  EXPECT_NE(::chown(p("f").c_str(), 4242, 4242), 0);
}

// "Attributes of other programs are kept in the node's row and survive remounts and renames."
TEST_P(Metadata, OtherProgramsXattrs) {
  ASSERT_TRUE(write_file(p("f"), "x"));
  ASSERT_EQ(::setxattr(p("f").c_str(), "user.mine", "va\0lue", 6, 0), 0);
  EXPECT_EQ(settle(), "");
  ASSERT_EQ(::rename(p("f").c_str(), p("g").c_str()), 0);
  EXPECT_EQ(settle(), "");
  remount();
  char value[16];
  ASSERT_EQ(::getxattr(p("g").c_str(), "user.mine", value, sizeof(value)), 6);
  EXPECT_EQ(std::string(value, 6), std::string("va\0lue", 6));
  EXPECT_EQ(::removexattr(p("g").c_str(), "user.mine"), 0);
}

// "user.cabinet.* tells what the account and the server know of an object."
TEST_P(Metadata, TellsOfTheObject) {
  ASSERT_TRUE(write_file(p("f"), "hello"));
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(get("f", "id"), id("f"));
  EXPECT_EQ(get("f", "path"), "Work/f");
  EXPECT_EQ(get("f", "state"), "clean");
  EXPECT_EQ(get("f", "cached"), "5");
  EXPECT_EQ(get("f", "remote"), "test");
  EXPECT_EQ(get("f", "version"), can().versions ? "1" : kNone);
  EXPECT_THAT(get("f", "access"), HasSubstr("read"));
  EXPECT_NE(get("f", "account"), "");
  EXPECT_EQ(get("f", "nonsense"), kNone);
  EXPECT_EQ(set("f", "id", "x"), ENOTSUP);
  EXPECT_EQ(set("f", "pin", "x"), EINVAL);
  EXPECT_EQ(set("f", "state", "x"), EINVAL);
  EXPECT_EQ(set("f", "state", "clean"), ENOTSUP);  // as mv between file systems does
  EXPECT_EQ(set("f", "pin", "pinned"), 0);
  EXPECT_EQ(get("f", "pin"), "pinned");
  const std::string all = sh("getfattr -d -m - f").output;
  EXPECT_THAT(all, HasSubstr("user.cabinet.id="));
  EXPECT_EQ(all.find("user.cabinet.versions=") != std::string::npos, can().versions);
}

// "What is not sent yet is `dirty` in user.cabinet.state."
TEST_P(Metadata, StateOfUnsent) {
  MountedOptions options;
  options.volume.upload_delay = std::chrono::seconds(3);
  remount(options);
  ASSERT_TRUE(write_file(p("f"), "x"));
  EXPECT_EQ(get("f", "state"), "dirty");
  EXPECT_EQ(get("f", "id"), kNone);
  EXPECT_THAT(read_file(mounted_->root() + "/.cabinet/uploads.json"), HasSubstr("Work/f"));
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(get("f", "state"), "clean");
  EXPECT_EQ(read_file(mounted_->root() + "/.cabinet/uploads.json"), "[]\n");
}

// "FILE@@/ holds every version by its number, read-only, with its size; it is not listed."
TEST_P(Metadata, VersionsAreFiles) {
  three_versions();
  if (!can().versions) {
    EXPECT_EQ(get("doc", "versions"), kNone);
    EXPECT_EQ(read_file(p("doc@@/1")), "(errno: No such file or directory)");
    GTEST_SKIP() << "the vendor shows no versions";
  }
  EXPECT_EQ(sh("ls").output, "doc\n");
  EXPECT_EQ(sh("find . | sort").output, ".\n./doc\n");
  EXPECT_EQ(sh("ls doc@@").output, "1\n2\n3\n");
  EXPECT_EQ(read_file(p("doc@@/1")), "one");
  EXPECT_EQ(read_file(p("doc@@/2")), "second");
  EXPECT_EQ(read_file(p("doc@@/3")), "third!");
  EXPECT_EQ(sh("diff doc doc@@/3; stat -c %s doc@@/1").output, "3\n");
  EXPECT_FALSE(write_file(p("doc@@/1"), "x"));
  EXPECT_EQ(errno, EROFS);
  EXPECT_NE(::unlink(p("doc@@/1").c_str()), 0);
  EXPECT_EQ(errno, EROFS);
  const json versions = json::parse(get("doc", "versions"), nullptr, false);
  ASSERT_EQ(versions.size(), 3u);
  EXPECT_EQ(versions[0]["number"], 3);
  EXPECT_EQ(versions[0]["current"], true);
  EXPECT_EQ(versions[2]["size"], 3);
}

// "Setting user.cabinet.version promotes that version."
TEST_P(Metadata, Promote) {
  three_versions();
  if (!can().promote) {
    EXPECT_EQ(set("doc", "version", "1"), ENOTSUP);
    GTEST_SKIP() << "the vendor promotes no versions";
  }
  EXPECT_EQ(set("doc", "version", "9"), EINVAL);
  EXPECT_EQ(set("doc", "version", "x"), EINVAL);
  ASSERT_EQ(set("doc", "version", "1"), 0);
  EXPECT_EQ(on_server("doc"), "one");
  EXPECT_TRUE(eventually([&] { return read_file(p("doc")) == "one"; }));
  EXPECT_EQ(get("doc", "state"), "clean");
}

// "... Not while the file is edited here, as `cp -a` does it with the attributes of what it
// copies."
TEST_P(Metadata, CopyingAFileBackIsOneVersion) {
  three_versions();
  TemporaryDirectory there;
  const std::string kept_copy = there.path() + "/doc";
  ASSERT_EQ(sh("cp -a doc " + kept_copy).output, "");
  if (run_shell("getfattr -n user.cabinet.state " + kept_copy).exit_code != 0)
    GTEST_SKIP() << "the local file system keeps no extended attributes";
  ASSERT_TRUE(write_file(p("doc"), "the fourth"));
  ASSERT_EQ(settle(), "");
  const auto copied = sh("cp -a " + kept_copy + " doc 2>&1");
  EXPECT_EQ(copied.output, "");
  EXPECT_EQ(copied.exit_code, 0);
  ASSERT_EQ(settle(), "");
  EXPECT_EQ(on_server("doc"), "third!");
  EXPECT_EQ(versions("doc"), kept(5));
  EXPECT_EQ(get("doc", "state"), "clean");
  // The same for a file that another program writes to; by path there is no telling them apart.
  const auto writing = sh("exec 9>>doc; setfattr -n user.cabinet.version -v 1 doc 2>&1");
  EXPECT_THAT(writing.output, HasSubstr("not supported"));
}

// "user.cabinet.permission.WHO shares; removing it unshares."
TEST_P(Metadata, Share) {
  const std::string told = "permission." + account_->other_id();
  const std::string who = "permission." + account_->other_user();
  ASSERT_EQ(::mkdir(p("d").c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(p("../Shared").c_str(), 0755), 0);
  EXPECT_EQ(settle(), "");
  if (!can().permissions) {
    EXPECT_EQ(set("d", who, "read"), ENOTSUP);
    EXPECT_EQ(get("d", who), kNone);
    GTEST_SKIP() << "the vendor shares nothing";
  }
  if (!account_->shares_below_the_top()) {
    EXPECT_EQ(set("d", who, "read"), EPERM);
  }
  // Nobody has come to this one from a folder above.
  const std::string d = "../Shared";
  EXPECT_EQ(get(d, told), kNone);
  EXPECT_EQ(account_->access_of_other("Shared").value_or(""), "");
  ASSERT_EQ(set(d, who, "read"), 0);
  EXPECT_EQ(get(d, told), "read");
  EXPECT_THAT(account_->access_of_other("Shared").value_or("READ"),
              ::testing::AnyOf("Downloader", "ALLOW_DOWNLOAD", "READ"));
  EXPECT_EQ(get(d, "permissions").find(account_->other_user()) != std::string::npos,
            account_->lists_people());
  EXPECT_EQ(set(d, who, "all"), EINVAL);
  ASSERT_EQ(::removexattr(p(d).c_str(), ("user.cabinet." + who).c_str()), 0);
  EXPECT_EQ(get(d, told), kNone);
  EXPECT_EQ(account_->access_of_other("Shared").value_or(""), "");
}

// "user.cabinet.lock holds and releases the server's lock; another user's lock is EBUSY."
TEST_P(Metadata, Lock) {
  const std::string f = "../" + account_->lock_folder() + "/f";
  ASSERT_TRUE(write_file(p(f), "x"));
  EXPECT_EQ(settle(), "");
  if (!can().locks) {
    EXPECT_EQ(get(f, "lock"), kNone);
    EXPECT_EQ(set(f, "lock", "hold"), ENOTSUP);
    GTEST_SKIP() << "the vendor locks nothing";
  }
  const std::string on_server = account_->lock_folder() + "/f";
  EXPECT_EQ(get(f, "lock"), "free");
  ASSERT_EQ(set(f, "lock", "hold"), 0);
  EXPECT_EQ(get(f, "lock"), "held");
  EXPECT_TRUE(account_->locked_by_us(on_server).value_or(true));
  ASSERT_EQ(set(f, "lock", "release"), 0);
  EXPECT_EQ(get(f, "lock"), "free");
  EXPECT_FALSE(account_->locked_by_us(on_server).value_or(false));
  account_->lock(on_server);
  EXPECT_EQ(set(f, "lock", "hold"), EBUSY);
}

// "Permission bits follow the account's rights and are enforced."
TEST_P(Metadata, RightsAreModeBits) {
  account_->write("Work/ro", "fixed");
  if (!account_->make_read_only("Work/ro")) GTEST_SKIP() << "rights come with folders here";
  ASSERT_TRUE(eventually([&] { return ::access(p("ro").c_str(), F_OK) == 0; }));
  EXPECT_TRUE(eventually([&] { return sh("stat -c %A ro").output == "-r--r--r--\n"; }));
  EXPECT_EQ(read_file(p("ro")), "fixed");
  EXPECT_FALSE(write_file(p("ro"), "x"));
  EXPECT_EQ(errno, EACCES);
}

// "At the mount root an unlisted .cabinet/ tells of the mount."
TEST_P(Metadata, ControlFiles) {
  const std::string control = mounted_->root() + "/.cabinet";
  EXPECT_THAT(run_shell("ls -A " + mounted_->root()).output, Not(HasSubstr(".cabinet")));
  const json status = json::parse(read_file(control + "/status.json"), nullptr, false);
  EXPECT_EQ(status.value("online", false), true);
  EXPECT_EQ(status.value("remote", ""), "test");
  EXPECT_THAT(read_file(control + "/metrics"), HasSubstr("cabinetfs_nodes_known "));
  EXPECT_FALSE(write_file(control + "/status.json", "x"));
  EXPECT_EQ(errno, EROFS);
}

// "statfs shows the account's quota."
TEST_P(Metadata, Statfs) {
  EXPECT_EQ(run_shell("stat -f -c '%S %l' " + mounted_->root()).output, "4096 255\n");
  EXPECT_EQ(run_shell("df " + mounted_->root() + " | tail -1 | grep -c cabinetfs#test").output,
            "1\n");
  ASSERT_TRUE(write_file(p("f"), std::string(10'000, 'x')));
  EXPECT_EQ(settle(), "");
  const bool limited = account_->set_quota(1'000'000);
  remount();  // asks anew
  const std::string told = get("..", "quota");
  struct statvfs info {};
  ASSERT_EQ(::statvfs(mounted_->root().c_str(), &info), 0);
  if (!can().quota) {
    EXPECT_EQ(told, kNone);
    return;
  }
  const json quota = json::parse(told, nullptr, false);
  EXPECT_EQ(quota.value("used", 0u), 10'000u);
  if (!limited || quota.at("total").is_null()) {
    // Nobody knows how much it takes: as good as no limit.
    EXPECT_EQ(GetParam(), "Kenesto");
    EXPECT_GT(info.f_bavail * info.f_frsize, 1'000'000'000u);
    return;
  }
  EXPECT_EQ(quota.at("total"), 1'000'000u);
  EXPECT_EQ(info.f_blocks, 1'000'000u / 4096);
  EXPECT_EQ(info.f_bavail, 990'000u / 4096);
}

}  // namespace
}  // namespace cabinetfs
