#include "fs/xattr.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/support/fake_clock.h"
#include "tests/unit/fs/memory_volume.h"

namespace cabinetfs {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

class Xattr : public ::testing::Test {
 protected:
  Xattr() {
    file_ = volume_.add_file("dir/doc.txt", "one");
    volume_.add_version("dir/doc.txt", "three");
    folder_ = volume_.add_folder("dir");
  }
  std::string get(InodeNumber ino, const std::string& key) {
    const auto value = xattrs_.get(call_, ino, "user.cabinet." + key);
    return value ? *value : "(" + std::string(to_string(value.error().code)) + ")";
  }
  std::string set(InodeNumber ino, const std::string& key, const std::string& value) {
    const auto done =
        xattrs_.set(call_, ino, "user.cabinet." + key, value, Volume::XattrMode::kSet);
    return done ? "ok" : std::string(to_string(done.error().code));
  }
  std::string remove(InodeNumber ino, const std::string& key) {
    const auto done = xattrs_.remove(call_, ino, "user.cabinet." + key);
    return done ? "ok" : std::string(to_string(done.error().code));
  }

  MemoryVolume volume_;
  FakeClock clock_;
  CabinetXattrs xattrs_{volume_, "work", clock_};
  const CallContext call_;
  InodeNumber file_, folder_;
};

TEST_F(Xattr, TellsOfAFile) {
  EXPECT_EQ(get(file_, "vendor"), "memory");
  EXPECT_EQ(get(file_, "remote"), "work");
  EXPECT_EQ(get(file_, "account"), "me@example.com");
  EXPECT_EQ(get(file_, "id"), "id-" + std::to_string(file_.value));
  EXPECT_EQ(get(file_, "path"), "dir/doc.txt");
  EXPECT_EQ(get(file_, "mime"), "text/plain");
  EXPECT_EQ(get(file_, "state"), "clean");
  EXPECT_EQ(get(file_, "version"), "2");
  EXPECT_EQ(get(file_, "lock"), "free");
  EXPECT_EQ(get(file_, "cached"), "5");
  EXPECT_EQ(get(file_, "pin"), "inherit");
  EXPECT_EQ(get(file_, "access"), "create,delete,list,lock,read,rename,share,versions,write");
  const json versions = json::parse(get(file_, "versions"));
  ASSERT_EQ(versions.size(), 2u);
  EXPECT_EQ(versions[0]["number"], 2);
  EXPECT_EQ(versions[0]["current"], true);
  EXPECT_EQ(versions[1]["size"], 3);
  const json history = json::parse(get(file_, "history"));
  EXPECT_EQ(history[0]["time"], "2001-09-09T01:46:40Z");
  EXPECT_THAT(get(file_, "versions"), Not(HasSubstr("\n")));
}

TEST_F(Xattr, WhatAnObjectHasNotIsNoData) {
  for (const char* key : {"link", "expires", "tags", "scan", "description", "sync", "quota",
                          "capabilities", "creator", "created", "hash.sha3-256", "nonsense",
                          "permission.", "permission.nobody@example.com"}) {
    EXPECT_EQ(get(file_, key), "(no-data)") << key;
  }
  for (const char* key : {"mime", "version", "versions", "lock", "cached", "hash.md5"}) {
    EXPECT_EQ(get(folder_, key), "(no-data)") << key;
  }
  EXPECT_EQ(get(folder_, "sync"), "inherit");
  EXPECT_THAT(get(kRootInode, "quota"), HasSubstr("\"used\":1048576"));
  EXPECT_THAT(get(kRootInode, "capabilities"), HasSubstr("\"versions\":true"));
}

TEST_F(Xattr, ListsWhatThereIs) {
  ASSERT_TRUE(volume_.set_xattr(file_, "user.other", "x", Volume::XattrMode::kSet));
  const auto names = xattrs_.list(file_).value();
  EXPECT_THAT(names, IsSupersetOf({"user.other", "user.cabinet.id", "user.cabinet.version",
                                   "user.cabinet.versions", "user.cabinet.permissions",
                                   "user.cabinet.history", "user.cabinet.state"}));
  EXPECT_THAT(names, Not(Contains("user.cabinet.tags")));
  EXPECT_THAT(names, Not(Contains("user.cabinet.quota")));
  for (const std::string& name : names) EXPECT_TRUE(xattrs_.get(call_, file_, name)) << name;
  EXPECT_THAT(xattrs_.list(kRootInode).value(), Contains("user.cabinet.quota"));
  volume_.can().versions = volume_.can().permissions = volume_.can().history = false;
  EXPECT_THAT(xattrs_.list(file_).value(), Not(Contains("user.cabinet.versions")));
  EXPECT_EQ(get(file_, "versions"), "(no-data)");
}

TEST_F(Xattr, SharesAndUnshares) {
  EXPECT_EQ(set(file_, "permission.bob@example.com", "write"), "ok");
  EXPECT_EQ(get(file_, "permission.bob@example.com"), "write");
  EXPECT_THAT(get(file_, "permissions"), HasSubstr("bob@example.com"));
  EXPECT_EQ(set(file_, "permission.bob@example.com", "everything"), "invalid");
  EXPECT_EQ(remove(file_, "permission.bob@example.com"), "ok");
  EXPECT_EQ(get(file_, "permission.bob@example.com"), "(no-data)");
  EXPECT_EQ(remove(file_, "permission.bob@example.com"), "no-data");
  volume_.set_fault([](const std::string& operation) -> Result<void> {
    if (operation == "share") return fail(ErrorCode::kDenied, "no right to share");
    return {};
  });
  EXPECT_EQ(set(file_, "permission.bob@example.com", "read"), "denied");
  volume_.can().permissions = false;
  EXPECT_EQ(set(file_, "permission.bob@example.com", "read"), "not-supported");
}

TEST_F(Xattr, ActsOnWhatIsSet) {
  EXPECT_EQ(set(file_, "version", "1"), "ok");
  EXPECT_THAT(volume_.log(), Contains("promote " + std::to_string(file_.value) + " 1"));
  EXPECT_EQ(set(file_, "version", "one"), "invalid");
  EXPECT_EQ(set(file_, "version", "0"), "invalid");
  EXPECT_EQ(set(folder_, "version", "1"), "not-supported");
  EXPECT_EQ(set(file_, "lock", "hold"), "ok");
  EXPECT_EQ(get(file_, "lock"), "held");
  EXPECT_EQ(set(file_, "lock", "release:all done: yes"), "ok");
  EXPECT_THAT(volume_.log(), Contains("unlock " + std::to_string(file_.value) + " all done: yes"));
  EXPECT_EQ(set(file_, "lock", "discard"), "ok");
  EXPECT_THAT(volume_.log(), Contains("discard " + std::to_string(file_.value)));
  EXPECT_EQ(set(file_, "lock", "steal"), "invalid");
  EXPECT_EQ(set(file_, "state", "retry"), "ok");
  EXPECT_EQ(set(file_, "state", "discard"), "ok");
  EXPECT_EQ(set(file_, "state", "cleaner"), "invalid");
  EXPECT_EQ(set(file_, "state", "clean"),
            "not-supported");  // read from another file, as cp -a does
  EXPECT_EQ(set(file_, "pin", "pinned"), "ok");
  EXPECT_EQ(get(file_, "pin"), "pinned");
  EXPECT_EQ(set(file_, "pin", "nailed"), "invalid");
  EXPECT_EQ(remove(file_, "pin"), "ok");
  EXPECT_EQ(get(file_, "pin"), "inherit");
  EXPECT_EQ(set(folder_, "sync", "remote"), "ok");
  EXPECT_EQ(get(folder_, "sync"), "remote");
  EXPECT_EQ(set(file_, "sync", "remote"), "not-supported");
  EXPECT_EQ(set(file_, "description", "text"), "ok");
  EXPECT_EQ(get(file_, "description"), "text");
  EXPECT_EQ(set(file_, "description", "\xff\xfe"), "invalid");
  EXPECT_EQ(remove(file_, "description"), "ok");
}

// Busy at the server is told; busy because of an edit here is what cp -a and mv run into.
TEST_F(Xattr, AVersionIsNotSetWhileTheFileIsEdited) {
  volume_.set_fault([](const std::string& operation) -> Result<void> {
    if (operation == "promote") return fail(ErrorCode::kBusy, "doc.txt");
    return {};
  });
  EXPECT_EQ(set(file_, "version", "1"), "busy");
  volume_.set_edited("dir/doc.txt");
  EXPECT_EQ(set(file_, "version", "1"), "not-supported");
}

// The kernel takes no value above 64 KiB.
TEST_F(Xattr, LongListsAreCutAtTheirOldEnd) {
  volume_.set_events(2'000);
  const std::string value = get(file_, "history");
  EXPECT_LE(value.size(), 65'536u);
  EXPECT_GT(value.size(), 65'000u);
  const json history = json::parse(value, nullptr, false);
  ASSERT_TRUE(history.is_array());
  EXPECT_EQ(history.front()["detail"], "event 2000");
  const int count = static_cast<int>(history.size());
  EXPECT_EQ(history.back()["detail"], "event " + std::to_string(2'001 - count));
  for (int i = 0; i < 1'000; ++i) volume_.add_version("dir/doc.txt", "more");
  const json versions = json::parse(get(file_, "versions"), nullptr, false);
  ASSERT_TRUE(versions.is_array());
  EXPECT_EQ(versions.front()["number"], 1'002);
  EXPECT_LT(versions.size(), 1'002u);
  EXPECT_EQ(get(file_, "version"), "1002");
}

TEST_F(Xattr, WhatCannotBeSetIsNotSupported) {
  for (const char* key : {"id", "vendor", "versions", "hash.md5", "quota", "access", "nonsense"}) {
    EXPECT_EQ(set(file_, key, "x"), "not-supported") << key;
  }
  EXPECT_EQ(remove(file_, "id"), "not-supported");
  EXPECT_EQ(remove(file_, "nonsense"), "no-data");
}

TEST_F(Xattr, PermissionsAreKeptForAMoment) {
  const auto asked = [this] {
    const auto log = volume_.log();
    return std::count(log.begin(), log.end(), "permissions");
  };
  get(file_, "permissions");
  get(file_, "permissions");
  get(file_, "permission.me@example.com");
  EXPECT_EQ(asked(), 1);
  clock_.advance(std::chrono::seconds(3));
  get(file_, "permissions");
  EXPECT_EQ(asked(), 2);
  EXPECT_EQ(set(file_, "permission.bob@example.com", "read"), "ok");
  EXPECT_THAT(get(file_, "permissions"), HasSubstr("bob"));
}

TEST_F(Xattr, AnswersThatNeedTheNetworkSayWouldBlock) {
  volume_.make_remote("dir/doc.txt");
  CallContext local;
  local.may_block = false;
  EXPECT_EQ(xattrs_.get(local, file_, "user.cabinet.versions").error().code,
            ErrorCode::kWouldBlock);
  EXPECT_EQ(xattrs_.get(local, file_, "user.cabinet.version").error().code, ErrorCode::kWouldBlock);
  EXPECT_TRUE(xattrs_.get(local, file_, "user.cabinet.state"));
}

// The kernel asks for security.capability before every write, and ACLs and file capabilities would
// promise something that nobody keeps.
TEST_F(Xattr, KernelsOwnNamesAreRefused) {
  EXPECT_EQ(xattrs_.get(call_, file_, "security.capability").error().code, ErrorCode::kNoData);
  EXPECT_EQ(xattrs_.set(call_, file_, "system.posix_acl_access", "x", Volume::XattrMode::kSet)
                .error()
                .code,
            ErrorCode::kNotSupported);
}

}  // namespace
}  // namespace cabinetfs
