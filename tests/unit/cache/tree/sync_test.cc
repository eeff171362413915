// sync = "remote": calls return the server's verdict.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>
#include <string_view>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

HarnessOptions remote_sync() {
  HarnessOptions options;
  options.volume.sync = SyncMode::kRemote;
  return options;
}

TEST(RemoteSync, CallsReturnWhenTheServerHasIt) {
  VolumeHarness h({{"docs/", ""}}, remote_sync());
  ASSERT_OK(h.write_file("docs/a.txt", "x"));
  EXPECT_EQ(h.remote.content("docs/a.txt").value_or("?"), "x");
  ASSERT_OK(h.mkdir("docs/d"));
  EXPECT_FALSE(h.remote.id_of("docs/d").empty());
  ASSERT_OK(h.rename("docs/a.txt", "docs/d/b.txt"));
  EXPECT_EQ(h.remote.content("docs/d/b.txt").value_or("?"), "x");
  ASSERT_OK(h.truncate("docs/d/b.txt", 0));
  EXPECT_EQ(h.remote.content("docs/d/b.txt").value_or("?"), "");
  ASSERT_OK(h.unlink("docs/d/b.txt"));
  ASSERT_OK(h.rmdir("docs/d"));
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}}));
}

TEST(RemoteSync, ErrorsComeBackFromTheCallItself) {
  VolumeHarness h({{"docs/a.txt", "A"}, {"docs/d/", ""}}, remote_sync());
  ASSERT_OK(h.mount_tree());
  h.remote.set_quota(1);
  EXPECT_ERROR(ErrorCode::kOverQuota, h.write_file("docs/b.txt", "too much"));
  h.remote.set_quota(std::nullopt);
  h.remote.set_rights("docs/a.txt", Rights::all().remove(Right::kDelete).remove(Right::kRename));
  EXPECT_ERROR(ErrorCode::kDenied, h.rename("docs/a.txt", "docs/c.txt"));
  EXPECT_ERROR(ErrorCode::kDenied, h.unlink("docs/a.txt"));
  EXPECT_EQ(h.text("docs/a.txt"), "A");
}

TEST(RemoteSync, AnOldRefusalIsNotTheAnswerToANewCall) {
  VolumeHarness h({{"docs/a.txt", "A"}});
  ASSERT_OK(h.mount_tree());
  h.remote.set_rights("docs/a.txt", Rights::all().remove(Right::kRename));
  ASSERT_OK(h.rename("docs/a.txt", "docs/b.txt"));
  h.pass_quiet_time();
  ASSERT_OK(h.drain());  // refused, taken back, and nobody waited for it
  ASSERT_OK(h.volume->set_sync(h.must("docs"), SyncMode::kRemote));
  EXPECT_OK(h.write_file("docs/a.txt", "edited"));
  EXPECT_EQ(h.remote.content("docs/a.txt").value_or("?"), "edited");
}

TEST(RemoteSync, OneFolderMayAskForIt) {
  VolumeHarness h({{"now/", ""}, {"later/", ""}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.volume->set_sync(h.must("now"), SyncMode::kRemote));
  ASSERT_OK(h.write_file("now/a", "x"));
  ASSERT_OK(h.write_file("later/a", "x"));
  EXPECT_FALSE(h.remote.id_of("now/a").empty());
  EXPECT_TRUE(h.remote.id_of("later/a").empty());
}

TEST(RemoteSync, ACallThatMayNotWaitHasNoEffect) {
  VolumeHarness h({{"docs/a.txt", "A"}}, remote_sync());
  ASSERT_OK(h.mount_tree());
  const InodeNumber docs = h.must("docs");
  EXPECT_ERROR(ErrorCode::kWouldBlock, h.volume->mkdir(h.local_only(), docs, "d", 0755));
  EXPECT_ERROR(ErrorCode::kWouldBlock, h.volume->unlink(h.local_only(), docs, "a.txt"));
  EXPECT_ERROR(ErrorCode::kWouldBlock, h.volume->rename(h.local_only(), docs, "a.txt", docs, "b",
                                                        Volume::RenameMode::kReplace));
  SetAttributes set;
  set.size = 0;
  EXPECT_ERROR(ErrorCode::kWouldBlock,
               h.volume->setattr(h.local_only(), h.must("docs/a.txt"), set, nullptr));
  EXPECT_EQ(*h.mount_tree(), (TreeDump{{"docs", "/"}, {"docs/a.txt", "A"}}));
  EXPECT_EQ(h.unsent(), 0u);
}

TEST(RemoteSync, WaitingIsCancelledAtOnceAndNothingIsLost) {
  VolumeHarness h({{"docs/", ""}}, remote_sync());
  ASSERT_OK(h.names("docs"));
  Gate gate;
  gate.close();
  h.remote.set_gate("put", &gate);
  auto file = h.create("docs/a.txt");
  ASSERT_OK(file);
  ASSERT_OK(h.pwrite(**file, 0, "kept"));
  CancelSource cancel;
  CallContext call = h.call();
  call.cancel = cancel.token();
  auto flushed = std::async(std::launch::async, [&] { return h.volume->flush(call, **file); });
  ASSERT_TRUE(gate.wait_for_waiting(1));
  cancel.cancel();
  ASSERT_EQ(flushed.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_ERROR(ErrorCode::kCancelled, flushed.get());
  h.volume->release(std::move(*file));
  gate.open();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/a.txt").value_or("?"), "kept");
}

TEST(RemoteSync, AWaitHasADeadline) {
  HarnessOptions options = remote_sync();
  options.volume.call_timeout = std::chrono::milliseconds(300);
  VolumeHarness h({{"docs/", ""}}, options);
  ASSERT_OK(h.names("docs"));
  h.faulty.set_offline(true);
  EXPECT_ERROR(ErrorCode::kTimeout, h.write_file("docs/a.txt", "kept"));
  EXPECT_EQ(h.text("docs/a.txt"), "kept");
}

TEST(RemoteSync, ItsEndDoesNotMakeLaterSavesHasty) {
  VolumeHarness h({{"docs/a.txt", "A"}}, remote_sync());
  auto file = h.open_rw("docs/a.txt");
  ASSERT_OK(file);
  ASSERT_OK(h.close(*file));  // nothing written, nothing to wait for
  const auto info = h.volume->info(h.must("docs/a.txt"));
  ASSERT_OK(info);
  EXPECT_FALSE(info->record.upload_soon);
}

// A power loss may bring an older row back until a newer one is durable: what it names stays so
// long.
TEST(Sync, WhatWasSyncedStaysOnTheDiskUntilItsSuccessorIsDurable) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.names("docs"));
  auto first = h.create("docs/report.txt");
  ASSERT_OK(first);
  ASSERT_OK(h.pwrite(**first, 0, pattern_text(200'000)));
  ASSERT_OK(h.volume->fsync(h.call(), **first));
  ASSERT_OK(h.close(*first));
  const std::set<std::string> synced = h.staged_files();
  ASSERT_EQ(synced.size(), 1u);
  std::atomic<int> syncs = 0;
  std::atomic<bool> early = false;
  MetaStore::set_sync_point_hook([&](const char* point) {
    if (std::string_view(point) == "sync.before" && !h.staged_files().contains(*synced.begin()))
      early = true;
    if (std::string_view(point) == "sync.after") ++syncs;
  });
  ASSERT_OK(h.write_file("docs/tmp", pattern_text(200'000, 2)));
  ASSERT_OK(h.rename("docs/tmp", "docs/report.txt"));
  EXPECT_TRUE(h.eventually([&] { return !h.staged_files().contains(*synced.begin()); }));
  MetaStore::set_sync_point_hook({});
  EXPECT_GT(syncs, 0);
  EXPECT_FALSE(early);
  EXPECT_EQ(h.text("docs/report.txt"), pattern_text(200'000, 2));
}

// What a power loss leaves of a save that nobody has synced: a row whose file is too short.
TEST(Sync, AContentThatIsDamagedHereCanBeReplacedRemovedAndDiscarded) {
  VolumeHarness h({{"docs/a", "A"}, {"docs/b", "B"}, {"docs/c", "C"}});
  ASSERT_OK(h.mount_tree());
  for (const char* path : {"docs/a", "docs/b", "docs/c"})
    ASSERT_OK(h.write_file(path, pattern_text(200'000)));
  h.shut_down();
  h.damage_staged_files();
  h.start_again();
  EXPECT_ERROR(ErrorCode::kCorrupt, h.read_file("docs/a"));
  ASSERT_OK(h.unlink("docs/a"));
  ASSERT_OK(h.write_file("docs/new", "new"));
  ASSERT_OK(h.rename("docs/new", "docs/b"));
  ASSERT_OK(h.volume->discard(h.call(), h.must("docs/c")));
  EXPECT_EQ(h.text("docs/b"), "new");
  EXPECT_EQ(h.text("docs/c"), "C");
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}, {"docs/b", "new"}, {"docs/c", "C"}}));
}

}  // namespace
}  // namespace cabinetfs
