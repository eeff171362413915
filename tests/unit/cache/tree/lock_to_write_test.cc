// Files that take new content only from who holds their lock.
#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

HarnessOptions locked() {
  HarnessOptions options;
  options.remote = FakeRemoteOptions();
  options.remote.lock_to_write = true;
  return options;
}

TEST(LockToWrite, IsTakenByTheFirstWriteAndGivenBackAfterTheUpload) {
  VolumeHarness h({{"d/a", "old"}}, locked());
  auto file = h.open_rw("d/a");
  ASSERT_OK(file);
  EXPECT_EQ(h.remote.calls("lock"), 0u) << "opening alone locks nothing";
  EXPECT_ERROR(ErrorCode::kWouldBlock,
               h.volume->write(h.local_only(), **file, 0, as_bytes(std::string("n"))));
  ASSERT_OK(h.pwrite(**file, 0, "new"));
  ASSERT_OK(h.pwrite(**file, 3, "er"));
  EXPECT_EQ(h.remote.lock_holder("d/a"), "me@example.com");
  EXPECT_EQ(h.remote.calls("lock"), 1u);
  ASSERT_OK(h.close(*file));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("d/a"), (std::vector<std::string>{"old", "newer"}));
  EXPECT_EQ(h.remote.lock_holder("d/a"), "");
  EXPECT_EQ(h.remote.calls("unlock"), 1u);
  EXPECT_EQ(h.unsent(), 0u);
  EXPECT_EQ(h.state("d/a"), "clean");
}

TEST(LockToWrite, IsKeptWhileSomebodyWrites) {
  VolumeHarness h({{"d/a", "old"}}, locked());
  auto file = h.open_rw("d/a");
  ASSERT_OK(file);
  ASSERT_OK(h.pwrite(**file, 0, "new"));
  ASSERT_OK(h.volume->fsync(h.call(), **file));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("d/a").value_or("?"), "new");
  EXPECT_EQ(h.remote.lock_holder("d/a"), "me@example.com");
  ASSERT_OK(h.close(*file));
  h.pass_quiet_time();
  EXPECT_TRUE(h.eventually([&] { return h.remote.lock_holder("d/a").empty(); }));
}

TEST(LockToWrite, TruncatingAndReplacingNeedItToo) {
  VolumeHarness h({{"d/a", "old"}, {"d/b", "old"}}, locked());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.truncate("d/a", 1));
  EXPECT_EQ(h.remote.lock_holder("d/a"), "me@example.com");
  ASSERT_OK(h.write_file("d/tmp", "new"));
  ASSERT_OK(h.rename("d/tmp", "d/b"));
  EXPECT_EQ(h.remote.lock_holder("d/b"), "me@example.com");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("d/a"), (std::vector<std::string>{"old", "o"}));
  EXPECT_EQ(h.versions("d/b"), (std::vector<std::string>{"old", "new"}));
  EXPECT_EQ(h.remote.lock_holder("d/a"), "");
  EXPECT_EQ(h.remote.lock_holder("d/b"), "");
}

TEST(LockToWrite, FollowsAnIdentityThatIsHandedOnMeanwhile) {
  VolumeHarness h({{"d/a", "old"}}, locked());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("d/tmp", "new"));
  Gate put;
  put.close();
  h.remote.set_gate("put", &put);
  h.pass_quiet_time();
  ASSERT_TRUE(put.wait_for_waiting(1));
  // It arrives as an object of its own, and stands in the place of the other.
  ASSERT_OK(h.rename("d/tmp", "d/a"));
  put.open();
  const InodeNumber ino = h.must("d/a");
  ASSERT_TRUE(h.eventually([&] { return h.volume->info(ino)->record.remote.has_value(); }));
  // Its lock is asked for while it becomes the next version of the other.
  Gate lock;
  lock.close();
  h.remote.set_gate("lock", &lock);
  Result<void> written;
  std::thread writer([&] { written = h.write_at("d/a", 3, "er"); });
  const bool asked = lock.wait_for_waiting(1);
  h.pass_quiet_time();
  const RemoteId other = h.remote.id_of("d/a");
  const bool handed_on = h.eventually([&] {
    h.clock.advance(std::chrono::seconds(1));
    const auto info = h.volume->info(ino);
    return info && info->record.remote && info->record.remote->id == other;
  });
  lock.open();
  writer.join();
  ASSERT_TRUE(asked && handed_on);
  ASSERT_OK(written);
  EXPECT_EQ(h.text("d/a"), "newer");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"}, {"d/a", "newer"}}));
  EXPECT_EQ(h.remote.lock_holder("d/a"), "");
}

TEST(LockToWrite, DeletedAndMadeAgainIsLockedForTheUpload) {
  VolumeHarness h({{"d/a", "old"}}, locked());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.unlink("d/a"));
  ASSERT_OK(h.write_file("d/a", "new"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("d/a"), (std::vector<std::string>{"old", "new"}));
  EXPECT_EQ(h.remote.lock_holder("d/a"), "");
}

// Somebody saves while the lock for an upload is on its way.
void expect_their_save_seen(ConflictPolicy policy, const std::vector<std::string>& versions,
                            const std::string& holder) {
  HarnessOptions options = locked();
  options.volume.conflict = policy;
  VolumeHarness h({{"d/a", "old"}}, options);
  ASSERT_OK(h.mount_tree());
  Gate lock;
  lock.close();
  h.remote.set_gate("lock", &lock);
  ASSERT_OK(h.unlink("d/a"));
  ASSERT_OK(h.write_file("d/a", "ours"));
  h.pass_quiet_time();
  const bool asked = lock.wait_for_waiting(1);
  h.remote.write_file_as_other("d/a", "theirs");
  lock.open();
  ASSERT_TRUE(asked);
  const bool refused = policy == ConflictPolicy::kFail;
  EXPECT_EQ(h.drain().has_value(), !refused);
  EXPECT_EQ(h.versions("d/a"), versions);
  EXPECT_EQ(h.remote.lock_holder("d/a"), holder);
  const bool marked = h.state("d/a").starts_with("conflict:");
  EXPECT_EQ(marked, policy == ConflictPolicy::kVersions) << h.state("d/a");
  if (refused) {
    EXPECT_EQ(h.text("d/a"), "ours");
  }
  EXPECT_EQ(h.remote.dump().size(), policy == ConflictPolicy::kCopy ? 3u : 2u);
}

TEST(LockToWrite, ASaveOfOthersThatCameBeforeTheLockIsAConflict) {
  expect_their_save_seen(ConflictPolicy::kVersions, {"old", "theirs", "ours"}, "");
  expect_their_save_seen(ConflictPolicy::kCopy, {"old", "theirs"}, "");
  expect_their_save_seen(ConflictPolicy::kFail, {"old", "theirs"}, "me@example.com");
}

TEST(LockToWrite, OneThatIsBeingGivenBackIsTakenAgain) {
  for (const bool by_hand : {false, true}) {
    VolumeHarness h({{"d/a", "old"}}, locked());
    ASSERT_OK(h.mount_tree());
    auto file = h.open_rw("d/a");
    ASSERT_OK(file);
    Gate unlock;
    unlock.close();
    h.remote.set_gate("unlock", &unlock);
    ASSERT_OK(h.write_file("d/a", "new"));
    ASSERT_OK(h.close(*file));
    h.pass_quiet_time();
    const bool begun = unlock.wait_for_waiting(1);
    const InodeNumber ino = h.must("d/a");
    auto writer = h.open_rw("d/a");
    ASSERT_OK(writer);
    const auto again = [&](const CallContext& call) -> Result<void> {
      if (by_hand) return h.volume->lock(call, ino);
      TRY(h.volume->write(call, **writer, 3, as_bytes(std::string("er"))));
      return {};
    };
    EXPECT_ERROR(ErrorCode::kWouldBlock, again(h.local_only()));  // waits for the answer
    Result<void> done;
    std::thread other([&] { done = again(h.call()); });
    unlock.open();
    other.join();
    ASSERT_TRUE(begun);
    ASSERT_OK(done);
    EXPECT_EQ(h.remote.calls("lock"), 2u);
    ASSERT_OK(h.close(*writer));
    ASSERT_OK(h.drain());
    EXPECT_EQ(h.text("d/a"), by_hand ? "new" : "newer");
    EXPECT_EQ(h.remote.lock_holder("d/a"), by_hand ? "me@example.com" : "");
  }
}

TEST(LockToWrite, WhoTakesTheLocksOfManyKeepsThem) {
  VolumeHarness h({{"d/a", "old"}}, locked());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_at("d/a", 0, "new"));
  for (const Result<void>& each : h.volume->lock_many(h.call(), {h.must("d/a")})) EXPECT_OK(each);
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("d/a").value_or("?"), "new");
  EXPECT_EQ(h.remote.lock_holder("d/a"), "me@example.com");
}

TEST(LockToWrite, WhatAnotherHoldsIsDenied) {
  VolumeHarness h({{"d/a", "old"}}, locked());
  ASSERT_OK(h.mount_tree());
  h.remote.lock_as_other("d/a");
  const Result<void> unseen = h.write_at("d/a", 0, "new");
  EXPECT_ERROR(ErrorCode::kDenied, unseen);
  EXPECT_NE(unseen.error().context.find("other@example.com"), std::string::npos);
  h.go_stale();
  const Result<void> seen = h.write_at("d/a", 0, "new");
  EXPECT_ERROR(ErrorCode::kDenied, seen);
  EXPECT_NE(seen.error().context.find("other@example.com"), std::string::npos);
  EXPECT_EQ(h.text("d/a"), "old");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.lock_holder("d/a"), "other@example.com");
  EXPECT_EQ(h.remote.calls("unlock"), 0u);
}

TEST(LockToWrite, OfflineNothingIsWritten) {
  VolumeHarness h({{"d/a", "old"}}, locked());
  ASSERT_OK(h.mount_tree());
  h.faulty.set_offline(true);
  EXPECT_ERROR(ErrorCode::kUnavailable, h.write_at("d/a", 0, "new"));
  EXPECT_EQ(h.text("d/a"), "old");
  // A new file needs nobody's lock.
  EXPECT_OK(h.write_file("d/b", "mine"));
}

TEST(LockToWrite, ALockWhoseAnswerIsLostIsGivenBack) {
  VolumeHarness h({{"d/a", "old"}}, locked());
  ASSERT_OK(h.mount_tree());
  h.faulty.script("lock", RemoteFault::losing_answer());
  EXPECT_ERROR(ErrorCode::kUnavailable, h.write_at("d/a", 0, "new"));
  EXPECT_EQ(h.remote.lock_holder("d/a"), "me@example.com");
  h.restart();
  h.pass_quiet_time();
  EXPECT_TRUE(h.eventually([&] { return h.remote.lock_holder("d/a").empty(); }));
  EXPECT_EQ(h.versions("d/a"), (std::vector<std::string>{"old"}));
}

TEST(LockToWrite, ACrashBetweenTheLockAndTheUploadForgetsNothing) {
  VolumeHarness h({{"d/a", "old"}}, locked());
  ASSERT_OK(h.write_file("d/a", "new"));
  EXPECT_EQ(h.remote.lock_holder("d/a"), "me@example.com");
  h.restart();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("d/a"), (std::vector<std::string>{"old", "new"}));
  EXPECT_EQ(h.remote.lock_holder("d/a"), "");
}

TEST(LockToWrite, GivingItBackIsRetried) {
  VolumeHarness h({{"d/a", "old"}}, locked());
  ASSERT_OK(h.write_file("d/a", "new"));
  h.faulty.script("unlock", RemoteFault::failing(ErrorCode::kUnavailable), 2);
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::seconds(30));
    return h.unsent() == 0 && h.remote.lock_holder("d/a").empty();
  }));
  EXPECT_GE(h.faulty.calls("unlock"), 3u);
}

TEST(LockToWrite, DiscardingTheChangeGivesItUp) {
  VolumeHarness h({{"d/a", "old"}}, locked());
  ASSERT_OK(h.write_file("d/a", "new"));
  ASSERT_OK(h.volume->discard(h.call(), h.must("d/a")));
  EXPECT_EQ(h.remote.lock_holder("d/a"), "");
  EXPECT_EQ(h.remote.calls("discard_lock"), 1u);
  EXPECT_EQ(h.text("d/a"), "old");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.calls("unlock"), 0u);
}

TEST(LockToWrite, DiscardingTheChangeLeavesALockThatSomebodyTookOver) {
  VolumeHarness h({{"d/a", "old"}}, locked());
  ASSERT_OK(h.write_file("d/a", "new"));
  h.remote.unlock_as_other("d/a");
  h.remote.lock_as_other("d/a");
  ASSERT_OK(h.volume->discard(h.call(), h.must("d/a")));
  EXPECT_EQ(h.remote.lock_holder("d/a"), "other@example.com");
  EXPECT_EQ(h.remote.calls("discard_lock"), 0u);
  EXPECT_EQ(h.text("d/a"), "old");
}

TEST(LockToWrite, WhatTheUserLockedHimselfStaysLocked) {
  VolumeHarness h({{"d/a", "old"}}, locked());
  ASSERT_OK(h.volume->lock(h.call(), h.must("d/a")));
  ASSERT_OK(h.write_file("d/a", "new"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("d/a"), (std::vector<std::string>{"old", "new"}));
  EXPECT_EQ(h.remote.lock_holder("d/a"), "me@example.com");
  EXPECT_EQ(h.remote.calls("unlock"), 0u);
  ASSERT_OK(h.volume->unlock(h.call(), h.must("d/a"), ""));
  EXPECT_EQ(h.remote.lock_holder("d/a"), "");
}

}  // namespace
}  // namespace cabinetfs
