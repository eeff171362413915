// Vendors without sessions: what is large goes as one stream. And those that can tell whether they
// still hold what a version is made from.
#include <gtest/gtest.h>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

const std::size_t kFiveBlocks = 300'000;  // five blocks; more than one put takes

HarnessOptions streams() {
  HarnessOptions options;
  options.remote = FakeRemoteOptions::path_ids();
  return options;
}

TEST(Stream, ALargeFileTravelsInOneRequest) {
  VolumeHarness h({{"docs/", ""}}, streams());
  ASSERT_OK(h.write_file("docs/a.bin", pattern_text(kFiveBlocks)));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/a.bin"), pattern_text(kFiveBlocks));
  EXPECT_EQ(h.remote.calls("put_stream"), 1u);
  EXPECT_EQ(h.remote.calls("upload_begin"), 0u);
  EXPECT_EQ(h.volume->status().sent_bytes, kFiveBlocks);
  EXPECT_EQ(h.state("docs/a.bin"), "clean");
}

TEST(Stream, ASmallFileIsStillPut) {
  VolumeHarness h({{"docs/", ""}}, streams());
  ASSERT_OK(h.write_file("docs/a.txt", "small"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.calls("put"), 1u);
  EXPECT_EQ(h.remote.calls("put_stream"), 0u);
}

TEST(Stream, ItsProgressIsShown) {
  VolumeHarness h({{"docs/", ""}}, streams());
  ASSERT_OK(h.write_file("docs/a.bin", pattern_text(kFiveBlocks)));
  Gate gate;
  gate.close();
  h.remote.set_gate("put_stream", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  EXPECT_EQ(h.state("docs/a.bin"), "uploading:0");
  gate.open();
  ASSERT_OK(h.drain());
}

TEST(Stream, WhatIsNotHereOfTheBaseIsFetchedBeforeItRuns) {
  const std::string old = pattern_text(kFiveBlocks);
  VolumeHarness h({{"docs/a.bin", old}}, streams());
  ASSERT_OK(h.write_at("docs/a.bin", 100'000, "CHANGED"));
  ASSERT_OK(h.drain());
  std::string expected = old;
  expected.replace(100'000, 7, "CHANGED");
  EXPECT_EQ(h.remote.content("docs/a.bin"), expected);
  EXPECT_EQ(h.remote.calls("put_stream"), 1u);
}

TEST(Stream, ALostAnswerIsLookedUp) {
  VolumeHarness h({{"docs/", ""}}, streams());
  ASSERT_OK(h.write_file("docs/a.bin", pattern_text(kFiveBlocks)));
  h.faulty.script("put_stream", RemoteFault::losing_answer());
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return h.faulty.faults() > 0; }));
  h.clock.advance(std::chrono::minutes(10));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/a.bin"), pattern_text(kFiveBlocks));
  EXPECT_EQ(h.remote.calls("put_stream"), 1u);
  EXPECT_EQ(h.remote.dump().size(), 2u);
}

TEST(Stream, WhoeverIsFasterBetweenLookAndSendIsSeenAtTheNextTry) {
  HarnessOptions options = streams();
  options.remote.capabilities.versions = true;
  VolumeHarness h({{"docs/a.txt", "base"}}, options);
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  bool done = false;
  h.faulty.set_hook([&](const RemoteCall& call) {
    if (call.operation == "put" && !done) {
      done = true;
      h.remote.write_file_as_other("docs/a.txt", "theirs");
    }
    return RemoteFault::pass();
  });
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::seconds(10));
    return h.unsent() == 0;
  }));
  EXPECT_EQ(h.versions("docs/a.txt"), (std::vector<std::string>{"base", "theirs", "ours"}));
  EXPECT_EQ(h.state("docs/a.txt").substr(0, 9), "conflict:");
}

TEST(Stream, WithoutVersionsTheFasterOneIsKeptBesideOurs) {
  VolumeHarness h({{"docs/a.txt", "base"}}, streams());
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  bool done = false;
  h.faulty.set_hook([&](const RemoteCall& call) {
    if (call.operation == "put" && !done) {
      done = true;
      h.remote.write_file_as_other("docs/a.txt", "theirs");
    }
    return RemoteFault::pass();
  });
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::seconds(10));
    return h.unsent() == 0;
  }));
  EXPECT_EQ(h.remote.content("docs/a.txt").value_or("?"), "theirs");
  EXPECT_EQ(h.remote.dump().size(), 3u);
}

// Servers that put a content in place before it is whole, and keep what came of it.
class Fragment : public testing::Test {
 protected:
  Fragment() {
    h_ = std::make_unique<VolumeHarness>(FakeRemoteStore::Files{{"docs/a.bin", "old"}}, streams());
  }
  // Ours breaks off, and then this stands at the server.
  void break_off(const std::string& left, ErrorCode code = ErrorCode::kUnavailable) {
    ASSERT_OK(h_->mount_tree());
    ASSERT_OK(h_->write_file("docs/a.bin", ours_));
    h_->faulty.set_hook([this, left, code](const RemoteCall& call) {
      if (call.operation != "put_stream" || call.number > 1) return RemoteFault::pass();
      h_->remote.write_file_as_other("docs/a.bin", left);
      return RemoteFault::failing(code);
    });
    h_->pass_quiet_time();
    ASSERT_TRUE(h_->eventually([&] { return h_->faulty.faults() == 1; }));
    h_->clock.advance(std::chrono::minutes(10));
    ASSERT_OK(h_->drain());
  }
  const std::string ours_ = pattern_text(kFiveBlocks, 2);
  std::unique_ptr<VolumeHarness> h_;
};

TEST_F(Fragment, OfAnUploadOfOursIsNobodysEdit) {
  break_off(ours_.substr(0, 100'000));
  EXPECT_EQ(h_->remote_tree(), (TreeDump{{"docs", "/"}, {"docs/a.bin", ours_}}));
  EXPECT_EQ(h_->volume->status().conflicts, 0u);
}

// Its bytes could not be read any more here, after a part of them was sent.
TEST_F(Fragment, OfAnUploadThatBrokeOffOnThisSideIsNobodysEditEither) {
  break_off(ours_.substr(0, 100'000), ErrorCode::kIo);
  EXPECT_EQ(h_->remote_tree(), (TreeDump{{"docs", "/"}, {"docs/a.bin", ours_}}));
  EXPECT_EQ(h_->volume->status().conflicts, 0u);
}

TEST(Stream, WithoutRoomForTheRestOfTheBaseNothingIsBegun) {
  HarnessOptions options = streams();
  options.cache_max_bytes = 100'000;
  options.memory_bytes = 300'000;
  VolumeHarness h({{"docs/a.bin", pattern_text(2'000'000)}}, options);
  ASSERT_OK(h.write_at("docs/a.bin", 100'000, "CHANGED"));
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return h.state("docs/a.bin").starts_with("failed:no-space"); }))
      << h.state("docs/a.bin");
  EXPECT_EQ(h.remote.calls("put_stream"), 0u);
  EXPECT_EQ(h.remote.content("docs/a.bin"), pattern_text(2'000'000));
  EXPECT_EQ(h.text("docs/a.bin").substr(100'000, 7), "CHANGED");
}

TEST_F(Fragment, WhatOnlyLooksLikeOneIsKept) {
  break_off(ours_.substr(0, 100'000) + "theirs");
  const TreeDump server = h_->remote_tree();
  EXPECT_EQ(server.size(), 3u);
  EXPECT_EQ(server.at("docs/a.bin"), ours_.substr(0, 100'000) + "theirs");
  EXPECT_EQ(h_->volume->status().conflicts, 1u);
}

TEST(Stream, AServerThatAlwaysSaysConflictIsNotAskedForEver) {
  VolumeHarness h({{"docs/a.txt", "base"}}, streams());
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  h.faulty.set_hook([](const RemoteCall& call) {
    return call.operation == "put" ? RemoteFault::failing(ErrorCode::kConflict)
                                   : RemoteFault::pass();
  });
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::minutes(1));
    return h.state("docs/a.txt").starts_with("failed:conflict");
  }));
  EXPECT_LE(h.faulty.calls("put"), 10u);
  EXPECT_EQ(h.text("docs/a.txt"), "ours");
}

}  // namespace
}  // namespace cabinetfs
