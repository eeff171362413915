// Without the network, and across restarts.
#include <gtest/gtest.h>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

TEST(Offline, CachedDataIsServedAndMarked) {
  VolumeHarness h({{"docs/a.txt", "hello"}, {"docs/b.txt", "unseen"}});
  ASSERT_OK(h.names("docs"));
  EXPECT_EQ(h.text("docs/a.txt"), "hello");
  h.faulty.set_offline(true);
  h.go_stale();
  EXPECT_EQ(h.text("docs/a.txt"), "hello");
  EXPECT_EQ(h.state("docs/a.txt"), "offline");
  EXPECT_FALSE(h.volume->status().online);
  EXPECT_EQ(h.stat("docs/b.txt")->size, 6u);
  EXPECT_ERROR(ErrorCode::kUnavailable, h.read_file("docs/b.txt"));
}

TEST(Offline, WhatNobodyKnowsIsAnErrorNotAnEmptyFolder) {
  VolumeHarness h({{"docs/a.txt", "hello"}});
  h.faulty.set_offline(true);
  EXPECT_ERROR(ErrorCode::kUnavailable, h.names(""));
  EXPECT_ERROR(ErrorCode::kUnavailable, h.stat("docs"));
}

TEST(Offline, WorkGoesOnAndArrivesOnce) {
  VolumeHarness h({{"docs/a.txt", "old"}, {"docs/gone.txt", "x"}, {"docs/sub/", ""}});
  ASSERT_OK(h.mount_tree());
  h.faulty.set_offline(true);
  h.go_stale();
  ASSERT_OK(h.write_file("docs/a.txt", "new"));
  ASSERT_OK(h.mkdir("docs/sub/more"));
  ASSERT_OK(h.write_file("docs/sub/more/b.txt", "b"));
  ASSERT_OK(h.unlink("docs/gone.txt"));
  ASSERT_OK(h.rename("docs/sub", "docs/renamed"));
  h.pass_quiet_time();
  h.restart();
  const Result<TreeDump> shown = h.mount_tree();  // starts offline from what is on the disk
  ASSERT_OK(shown);
  EXPECT_EQ(*shown, (TreeDump{{"docs", "/"},
                              {"docs/a.txt", "new"},
                              {"docs/renamed", "/"},
                              {"docs/renamed/more", "/"},
                              {"docs/renamed/more/b.txt", "b"}}));
  h.restart();
  h.faulty.set_offline(false);
  h.clock.advance(std::chrono::minutes(1));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), *shown);
  EXPECT_EQ(h.versions("docs/a.txt"), (std::vector<std::string>{"old", "new"}));
  EXPECT_EQ(h.volume->status().unsent.size(), 0u);
  EXPECT_TRUE(h.volume->status().online);
}

TEST(Offline, AVolumeThatNeverReachedItsServerStartsAndFindsItLater) {
  VolumeHarness h({{"docs/a.txt", "hello"}});
  h.faulty.set_offline(true);
  h.restart();
  EXPECT_ERROR(ErrorCode::kUnavailable, h.names(""));
  h.faulty.set_offline(false);
  h.clock.advance(std::chrono::minutes(1));
  EXPECT_EQ(h.text("docs/a.txt"), "hello");
}

TEST(Offline, ADrainEndsAtItsDeadlineAndSaysWhy) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/a.txt", "x"));
  h.faulty.set_offline(true);
  CallContext call = CallContext::within(std::chrono::milliseconds(300));
  EXPECT_ERROR(ErrorCode::kTimeout, h.volume->flush_to_server(call, kRootInode, nullptr));
}

TEST(Offline, ADrainIsCancelled) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/a.txt", "x"));
  h.faulty.set_offline(true);
  CancelSource cancel;
  CallContext call = h.call();
  call.cancel = cancel.token();
  bool told = false;
  EXPECT_ERROR(ErrorCode::kCancelled,
               h.volume->flush_to_server(call, kRootInode, [&](const VolumeStatus& status) {
                 told = status.unsent.size() == 1;
                 cancel.cancel();
               }));
  EXPECT_TRUE(told);
}

TEST(Offline, AFailingCallIsNotRepeatedWithoutAPause) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.names("docs"));
  // Only this one fails; everything else answers, so the remote counts as reachable.
  h.faulty.set_hook([](const RemoteCall& call) {
    return call.operation == "put" ? RemoteFault::failing(ErrorCode::kTimeout)
                                   : RemoteFault::pass();
  });
  ASSERT_OK(h.write_file("docs/a.txt", "x"));
  h.pass_quiet_time();
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
  ASSERT_TRUE(h.eventually([&] {
    (void)h.volume->refresh(h.must("docs"));
    (void)h.names("docs");  // succeeds: online again
    return std::chrono::steady_clock::now() > until;
  }));
  EXPECT_LE(h.faulty.calls("put"), 6u);
  h.faulty.heal();
  h.clock.advance(std::chrono::minutes(10));
  ASSERT_OK(h.drain());
}

TEST(Offline, PlainReadsOfWhatIsHereNeverWait) {
  VolumeHarness h({{"docs/a.txt", "hello"}});
  EXPECT_EQ(h.text("docs/a.txt"), "hello");
  Gate gate;
  gate.close();
  h.remote.set_gate("", &gate);
  EXPECT_OK(h.volume->lookup(h.local_only(), h.must("docs"), "a.txt"));
  auto file = h.volume->open_file(h.local_only(), h.must("docs/a.txt"), {true, false, false});
  ASSERT_OK(file);
  std::string out(5, '\0');
  EXPECT_OK(h.volume->read(h.local_only(), **file, 0, std::as_writable_bytes(std::span(out))));
  EXPECT_EQ(out, "hello");
  h.volume->release(*file);
  file->reset();
  gate.open();
}

TEST(Offline, StopEndsWhatIsRunning) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/a.txt", "x"));
  Gate gate;
  gate.close();
  h.remote.set_gate("put", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  const auto before = std::chrono::steady_clock::now();
  h.shut_down();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  gate.open();
  h.start_again();
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), std::vector<std::string>{"x"});
}

// The removal is the first thing that is asked after the outage.
TEST(Offline, WhatOthersSavedMeanwhileIsNotDeletedAfterwards) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  ASSERT_OK(h.mount_tree());
  h.go_stale();
  h.faulty.set_offline(true);
  EXPECT_FALSE(h.volume->find_path(h.call(), "docs/nothing").has_value());
  ASSERT_OK(h.unlink("docs/a.txt"));
  h.remote.write_file_as_other("docs/a.txt", "theirs");
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return h.faulty.faults() > 0; }));
  h.faulty.heal();
  h.clock.advance(std::chrono::minutes(10));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}, {"docs/a.txt", "theirs"}}));
}

}  // namespace
}  // namespace cabinetfs
