// Large files: sessions, lanes and progress.
#include <gtest/gtest.h>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

using Versions = std::vector<std::string>;
const std::size_t kLarge = 100'000;

TEST(Upload, AnInterruptedSessionGoesOnAfterARestart) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/a.bin", pattern_text(kLarge)));
  Gate gate;
  gate.close();
  gate.let_through(3);
  h.remote.set_gate("upload_chunk", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_TRUE(h.eventually([&] { return h.remote.calls("upload_chunk") == 4; }));
  EXPECT_EQ(h.state("docs/a.bin").substr(0, 10), "uploading:");
  h.restart();
  gate.open();
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.bin"), Versions{pattern_text(kLarge)});
  EXPECT_EQ(h.remote.calls("upload_begin"), 1u);
  EXPECT_LE(h.remote.calls("upload_chunk"), 8u);
}

TEST(Upload, AnExpiredSessionBeginsAgain) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/a.bin", pattern_text(kLarge)));
  Gate gate;
  gate.close();
  gate.let_through(3);
  h.remote.set_gate("upload_chunk", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_TRUE(h.eventually([&] { return h.remote.calls("upload_chunk") == 4; }));
  h.remote.expire_uploads();
  gate.open();
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::minutes(1));
    return h.unsent() == 0;
  }));
  EXPECT_EQ(h.versions("docs/a.bin"), Versions{pattern_text(kLarge)});
}

TEST(Upload, AServerThatChangesWhatItIsSentIsNotSentToForEver) {
  const auto longer = [](std::string& content) { content += "!"; };
  const auto other = [](std::string& content) { content[0] = '!'; };
  for (const std::function<void(std::string&)>& alter :
       std::vector<std::function<void(std::string&)>>{longer, other}) {
    for (const std::string path : {"docs/new", "docs/old"}) {
      HarnessOptions options;
      options.remote.alter = alter;
      VolumeHarness h({{"docs/old", "before"}}, options);
      ASSERT_OK(h.mount_tree());
      ASSERT_OK(h.write_file(path, "ours"));
      ASSERT_TRUE(h.eventually([&] {
        h.clock.advance(std::chrono::minutes(5));
        return h.state(path).starts_with("failed:") &&
               h.volume->status().unsent.at(0).state == "refused";
      })) << h.state(path);
      EXPECT_EQ(h.text(path), "ours") << "what was saved stays";
      EXPECT_EQ(h.unsent(), 1u);
      EXPECT_EQ(h.remote.calls("put"), 4u);
      EXPECT_EQ(h.names("docs")->size(), path == "docs/new" ? 2u : 1u) << "no copies beside it";
      EXPECT_EQ(h.versions(path).size(), path == "docs/new" ? 4u : 5u) << "each of the one object";
    }
  }
}

TEST(Upload, ASessionForAnOlderStateIsGivenUp) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/a.bin", pattern_text(kLarge, 1)));
  Gate gate;
  gate.close();
  gate.let_through(3);
  h.remote.set_gate("upload_chunk", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  // Out of reach until the newer state is there: otherwise the old session may rightly be finished.
  h.faulty.set_offline(true);
  h.restart();
  ASSERT_OK(h.write_file("docs/a.bin", pattern_text(kLarge, 2)));
  gate.open();
  h.faulty.set_offline(false);
  h.clock.advance(std::chrono::minutes(10));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/a.bin"), pattern_text(kLarge, 2));
  EXPECT_EQ(h.versions("docs/a.bin").size(), 1u);
  EXPECT_EQ(h.remote.open_uploads(), 0u);
}

TEST(Upload, AFileThatMovesDuringItsSessionEndsWhereItIsShown) {
  VolumeHarness h({{"docs/", ""}, {"other/", ""}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/a.bin", pattern_text(kLarge)));
  Gate gate;
  gate.close();
  gate.let_through(3);
  h.remote.set_gate("upload_chunk", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  h.restart();  // the session outlives the process
  ASSERT_OK(h.rename("docs/a.bin", "other/b.bin"));
  gate.open();
  ASSERT_OK(h.drain());
  const TreeDump expected{{"docs", "/"}, {"other", "/"}, {"other/b.bin", pattern_text(kLarge)}};
  EXPECT_EQ(h.remote_tree(), expected);
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), expected);
}

TEST(Upload, ASessionThatEndedUnderAnOldNameIsFoundThere) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.names("docs"));
  ASSERT_OK(h.write_file("docs/tmp", pattern_text(kLarge)));
  Gate gate;
  gate.close();
  gate.let_through(3);
  h.remote.set_gate("upload_chunk", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  h.restart();
  ASSERT_OK(h.rename("docs/tmp", "docs/a.bin"));
  h.faulty.script("upload_chunk", RemoteFault::losing_answer(), 1, 3);
  h.faulty.set_hook([&h](const RemoteCall& call) {
    const bool ended = !h.remote.id_of("docs/tmp").empty();
    return ended && call.operation != "list" ? RemoteFault::failing(ErrorCode::kUnavailable)
                                             : RemoteFault::pass();
  });
  gate.open();
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return !h.remote.id_of("docs/tmp").empty(); }));
  h.restart();
  h.faulty.heal();
  h.clock.advance(std::chrono::minutes(10));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}, {"docs/a.bin", pattern_text(kLarge)}}));
}

TEST(Upload, ADeletedFilesSessionIsNotFinished) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.names("docs"));
  ASSERT_OK(h.write_file("docs/a.bin", pattern_text(kLarge)));
  Gate gate;
  gate.close();
  gate.let_through(3);
  h.remote.set_gate("upload_chunk", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  h.restart();
  ASSERT_OK(h.unlink("docs/a.bin"));
  gate.open();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}}));
  EXPECT_EQ(h.unsent(), 0u);
}

TEST(Upload, LanesAreBoundedAndEveryFileArrives) {
  HarnessOptions options;
  options.volume.uploads = 2;
  options.volume.small_uploads = 3;
  options.remote.capabilities.chunk_size = 1u << 20;
  VolumeHarness h({{"docs/", ""}}, options);
  ASSERT_OK(h.names("docs"));
  h.remote.set_latency(std::chrono::milliseconds(2));
  const std::string large = pattern_text((1u << 20) + 1);
  for (int i = 0; i < 6; ++i) ASSERT_OK(h.write_file("docs/large" + std::to_string(i), large));
  for (int i = 0; i < 60; ++i) ASSERT_OK(h.write_file("docs/small" + std::to_string(i), "x"));
  h.pass_quiet_time();
  // Waking them again and again must not make anybody lose his turn.
  ASSERT_TRUE(h.eventually(
      [&] {
        (void)h.volume->retry(kRootInode);
        return h.unsent() == 0;
      },
      std::chrono::seconds(60)));
  EXPECT_EQ(h.remote.dump().size(), 67u);
  EXPECT_LE(h.remote.max_in_flight("put"), 3);
  EXPECT_LE(h.remote.max_in_flight("upload_chunk"), 2);
}

TEST(Upload, WhoWaitsForALaneIsNotForgottenWhenSomebodyBeforeHimIsGone) {
  HarnessOptions options;
  options.volume.small_uploads = 1;
  VolumeHarness h({{"docs/", ""}}, options);
  ASSERT_OK(h.names("docs"));
  Gate gate;
  gate.close();
  h.remote.set_gate("put", &gate);
  ASSERT_OK(h.write_file("docs/first", "1"));
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(h.write_file("docs/second", "2"));
  h.pass_quiet_time();
  const InodeNumber second = h.must("docs/second");
  for (int i = 0; i < 3; ++i) ASSERT_OK(h.volume->retry(second));  // queues up
  ASSERT_OK(h.write_file("docs/third", "3"));
  ASSERT_OK(h.volume->retry(h.must("docs/third")));
  ASSERT_OK(h.unlink("docs/second"));
  gate.open();
  EXPECT_TRUE(h.eventually([&] { return !h.remote.id_of("docs/third").empty(); },
                           std::chrono::seconds(10)));
}

TEST(Upload, FilesLargerThanTheServerTakesAreRefusedAtOnce) {
  HarnessOptions options;
  options.remote.capabilities.max_file_size = 1000;
  VolumeHarness h({{"docs/", ""}}, options);
  ASSERT_OK(h.write_file("docs/a.bin", pattern_text(1001)));
  EXPECT_ERROR(ErrorCode::kTooLarge, h.drain());
}

TEST(Upload, WhatWasSentIsCounted) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  EXPECT_EQ(h.volume->status().unsent_bytes, 4u);
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.volume->status().uploads_done, 1u);
  EXPECT_EQ(h.volume->status().sent_bytes, 4u);
  EXPECT_EQ(h.volume->status().unsent_bytes, 0u);
}

}  // namespace
}  // namespace cabinetfs
