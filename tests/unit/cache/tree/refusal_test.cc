// Changes that the server refuses.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

UnsentItem unsent_at(VolumeHarness& h, const std::string& path) {
  for (const UnsentItem& item : h.volume->status().unsent)
    if (item.path == path) return item;
  return {};
}

class RefusedUpload : public testing::TestWithParam<ErrorCode> {};

TEST_P(RefusedUpload, IsKeptShownAndBlocksNobody) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.names("docs"));
  h.faulty.script("put", RemoteFault::failing(GetParam(), "the server's words"), 1000);
  ASSERT_OK(h.write_file("docs/a.txt", "refused"));
  EXPECT_ERROR(GetParam(), h.drain());
  EXPECT_EQ(h.state("docs/a.txt").substr(0, 7), "failed:");
  EXPECT_NE(h.state("docs/a.txt").find("the server's words"), std::string::npos);
  EXPECT_EQ(unsent_at(h, "docs/a.txt").state, "refused");
  EXPECT_EQ(h.volume->status().failures, 1u);
  ASSERT_OK(h.mkdir("docs/others"));  // goes on
  h.pass_quiet_time();
  EXPECT_TRUE(h.eventually([&] { return !h.remote.id_of("docs/others").empty(); }));
  h.restart();
  EXPECT_EQ(h.text("docs/a.txt"), "refused");
  EXPECT_EQ(h.state("docs/a.txt").substr(0, 7), "failed:");
  h.faulty.heal();
  ASSERT_OK(h.volume->retry(h.must("docs/a.txt")));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/a.txt").value_or("?"), "refused");
  EXPECT_EQ(h.state("docs/a.txt"), "clean");
}

INSTANTIATE_TEST_SUITE_P(Codes, RefusedUpload,
                         testing::Values(ErrorCode::kDenied, ErrorCode::kOverQuota,
                                         ErrorCode::kTooLarge, ErrorCode::kInvalid));

TEST(Refusal, ARefusedNewFileCanBeDiscarded) {
  VolumeHarness h({{"docs/", ""}});
  h.remote.set_rights("docs", Rights::all());
  h.faulty.script("put", RemoteFault::failing(ErrorCode::kDenied), 1000);
  ASSERT_OK(h.write_file("docs/a.txt", "refused"));
  EXPECT_ERROR(ErrorCode::kDenied, h.drain());
  ASSERT_OK(h.volume->discard(h.call(), h.must("docs/a.txt")));
  EXPECT_FALSE(h.exists("docs/a.txt"));
  EXPECT_EQ(h.unsent(), 0u);
}

TEST(Refusal, ARefusedEditCanBeDiscarded) {
  VolumeHarness h({{"docs/a.txt", "theirs"}});
  h.faulty.script("put", RemoteFault::failing(ErrorCode::kOverQuota), 1000);
  ASSERT_OK(h.write_file("docs/a.txt", "refused"));
  EXPECT_ERROR(ErrorCode::kOverQuota, h.drain());
  ASSERT_OK(h.volume->discard(h.call(), h.must("docs/a.txt")));
  EXPECT_EQ(h.text("docs/a.txt"), "theirs");
  EXPECT_EQ(h.state("docs/a.txt"), "clean");
}

TEST(Refusal, ATreeThatOnlyExistsHereIsDiscardedAsAWhole) {
  VolumeHarness h({{"docs/", ""}});
  h.faulty.set_offline(true);
  h.faulty.heal();
  ASSERT_OK(h.names("docs"));
  ASSERT_OK(h.mkdir("docs/first"));
  ASSERT_OK(h.write_file("docs/first/x", "x"));
  ASSERT_OK(h.mkdir("docs/later"));
  ASSERT_OK(h.rename("docs/first", "docs/later/first"));  // a child older than its folder
  ASSERT_OK(h.volume->discard(h.call(), h.must("docs")));
  EXPECT_EQ(*h.mount_tree(), (TreeDump{{"docs", "/"}}));
  EXPECT_EQ(h.unsent(), 0u);
}

TEST(Refusal, AnotherSaveIsAnotherTry) {
  VolumeHarness h({{"docs/", ""}});
  h.faulty.script("put", RemoteFault::failing(ErrorCode::kInvalid), 1);
  ASSERT_OK(h.write_file("docs/a.txt", "one"));
  EXPECT_ERROR(ErrorCode::kInvalid, h.drain());
  ASSERT_OK(h.write_file("docs/a.txt", "two"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/a.txt").value_or("?"), "two");
}

TEST(Refusal, QuotaOfTheServerItself) {
  VolumeHarness h({{"docs/", ""}});
  h.remote.set_quota(100);
  ASSERT_OK(h.write_file("docs/a.bin", pattern_text(1000)));
  EXPECT_ERROR(ErrorCode::kOverQuota, h.drain());
  EXPECT_EQ(h.text("docs/a.bin"), pattern_text(1000));
  h.remote.set_quota(std::nullopt);
  ASSERT_OK(h.volume->retry(kRootInode));
  ASSERT_OK(h.drain());
}

TEST(Refusal, ARefusedDeleteComesBackWithANotice) {
  VolumeHarness h({{"docs/a.txt", "A"}});
  ASSERT_OK(h.mount_tree());
  h.remote.set_rights("docs/a.txt", Rights::all().remove(Right::kDelete));
  ASSERT_OK(h.unlink("docs/a.txt"));
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.text("docs/a.txt"), "A");
  EXPECT_FALSE(h.volume->status().notices.empty());
  EXPECT_NE(h.state("docs/a.txt").find("refused"), std::string::npos);
  EXPECT_EQ(h.unsent(), 0u);
}

TEST(Refusal, ARefusedDeleteDeepInATreeBringsItsFoldersBack) {
  VolumeHarness h({{"a/b/c/x", "X"}, {"a/b/y", "Y"}});
  ASSERT_OK(h.mount_tree());
  h.remote.set_rights("a/b/c/x", Rights::all().remove(Right::kDelete));
  ASSERT_OK(h.remove_tree("a"));
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(),
            (TreeDump{{"a", "/"}, {"a/b", "/"}, {"a/b/c", "/"}, {"a/b/c/x", "X"}}));
  EXPECT_EQ(h.remote_tree(), *h.mount_tree());
}

TEST(Refusal, ARefusedRenameGoesBack) {
  VolumeHarness h({{"docs/a.txt", "A"}, {"docs/d/x", "X"}});
  ASSERT_OK(h.mount_tree());
  h.remote.set_rights("docs/a.txt", Rights::all().remove(Right::kRename));
  h.remote.set_rights("docs/d", Rights::all().remove(Right::kRename));
  ASSERT_OK(h.rename("docs/a.txt", "docs/b.txt"));
  ASSERT_OK(h.rename("docs/d", "docs/e"));
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), h.remote_tree());
  EXPECT_EQ(h.text("docs/a.txt"), "A");
  EXPECT_EQ(h.volume->status().unsent.size(), 0u);
}

// Nobody has refused that.
TEST(Refusal, ARefusedRenameDoesNotBringBackWhatWasDeletedSince) {
  VolumeHarness h({{"docs/a.txt", "A"}});
  ASSERT_OK(h.mount_tree());
  Gate gate;
  gate.close();
  RemoteFault refused = RemoteFault::failing(ErrorCode::kDenied);
  refused.gate = &gate;
  h.faulty.script("rename", refused);
  ASSERT_OK(h.rename("docs/a.txt", "docs/b.txt"));
  h.pass_quiet_time();
  const bool asked = gate.wait_for_waiting(1);
  ASSERT_OK(h.unlink("docs/b.txt"));
  gate.open();
  ASSERT_TRUE(asked);
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}}));
  EXPECT_FALSE(h.exists("docs/a.txt"));
}

TEST(Refusal, ARenameHasItsOwnTries) {
  VolumeHarness h({{"docs/a.txt", "A"}});
  ASSERT_OK(h.mount_tree());
  h.remote.lock_as_other("docs/a.txt");
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::minutes(5));
    return h.faulty.calls("stat") > 8;
  }));
  h.faulty.script("rename", RemoteFault::failing(ErrorCode::kBusy), 1);
  ASSERT_OK(h.rename("docs/a.txt", "docs/b.txt"));
  h.remote.unlock_as_other("docs/a.txt");
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::minutes(5));
    return h.unsent() == 0;
  }));
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}, {"docs/b.txt", "ours"}}));
}

// A session that was refused in the middle keeps nothing waiting for it.
TEST(Refusal, ALargeFileWhoseChunkIsRefusedHoldsNothingUp) {
  VolumeHarness h({{"docs/a.bin", "A"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/new.bin", pattern_text(100'000)));
  h.faulty.script("upload_chunk", RemoteFault::failing(ErrorCode::kOverQuota), 1000);
  EXPECT_ERROR(ErrorCode::kOverQuota, h.drain());
  ASSERT_OK(h.rename("docs/new.bin", "docs/a.bin"));
  EXPECT_ERROR(ErrorCode::kOverQuota, h.drain());
  h.faulty.heal();
  ASSERT_OK(h.volume->retry(h.must("docs/a.bin")));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.bin"), (std::vector<std::string>{"A", pattern_text(100'000)}));
}

TEST(Refusal, AClockThatIsSetBackKeepsNoTryWaiting) {
  VolumeHarness h({{"docs/a.txt", "A"}});
  ASSERT_OK(h.mount_tree());
  h.remote.lock_as_other("docs/a.txt");
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return h.state("docs/a.txt").starts_with("failed:"); }));
  h.remote.unlock_as_other("docs/a.txt");
  h.clock.set_back(std::chrono::hours(3));
  h.clock.advance(std::chrono::minutes(10));
  ASSERT_TRUE(h.eventually([&] { return h.unsent() == 0; })) << h.state("docs/a.txt");
  EXPECT_EQ(h.versions("docs/a.txt"), (std::vector<std::string>{"A", "ours"}));
}

TEST(Refusal, ARefusedRenameDoesNotTakeAnEditWithIt) {
  VolumeHarness h({{"docs/a.txt", "A"}});
  ASSERT_OK(h.mount_tree());
  h.remote.set_rights("docs/a.txt", Rights::all().remove(Right::kRename));
  ASSERT_OK(h.rename("docs/a.txt", "docs/b.txt"));
  ASSERT_OK(h.write_file("docs/b.txt", "edited"));
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), (TreeDump{{"docs", "/"}, {"docs/a.txt", "edited"}}));
}

TEST(Refusal, AFileThatIsLockedByOthersWaits) {
  VolumeHarness h({{"docs/a.txt", "A"}});
  ASSERT_OK(h.mount_tree());
  h.remote.lock_as_other("docs/a.txt");
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  h.pass_quiet_time();
  EXPECT_TRUE(h.eventually([&] { return h.state("docs/a.txt").substr(0, 7) == "failed:"; }));
  EXPECT_EQ(unsent_at(h, "docs/a.txt").state, "failed");  // comes back by itself
  EXPECT_EQ(h.text("docs/a.txt"), "ours");
  h.remote.unlock_as_other("docs/a.txt");
  h.clock.advance(std::chrono::minutes(10));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (std::vector<std::string>{"A", "ours"}));
}

TEST(Refusal, NoticesAreSentWithoutALock) {
  HarnessOptions options;
  options.start = false;
  options.volume.fresh = std::chrono::milliseconds(0);
  VolumeHarness h({{"docs/a.txt", "base"}, {"docs/b.txt", "b"}}, options);
  std::atomic<int> stuck = 0;
  h.notifier.on_call = [&] {
    // From another thread, as the kernel's next request would come.
    auto done = std::make_shared<std::atomic<bool>>(false);
    std::thread([done, &h] {
      (void)h.volume->getattr(h.local_only(), kRootInode);
      *done = true;
    }).detach();
    if (!h.eventually([&] { return done->load(); }, std::chrono::seconds(5))) ++stuck;
  };
  h.volume->start();
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.unlink("docs/a.txt"));
  h.remote.write_file_as_other("docs/a.txt", "theirs");
  h.remote.set_rights("docs/b.txt", Rights::all().remove(Right::kRename));
  ASSERT_OK(h.rename("docs/b.txt", "docs/c.txt"));
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  h.remote.write_file_as_other("docs/b.txt", "newer");
  h.go_stale();
  ASSERT_OK(h.mount_tree());
  EXPECT_EQ(stuck, 0);
}

// The server as a whole turns us away: a certificate that nobody trusts, a licence that has ended.
TEST(Refusal, AServerThatTurnsEverythingAwayUndoesNothing) {
  VolumeHarness h({{"docs/a.txt", "A"}, {"docs/b.txt", "B"}, {"docs/c.txt", "C"}});
  ASSERT_OK(h.mount_tree());
  h.faulty.script("", RemoteFault::failing(ErrorCode::kNoAccess, "not trusted"), 100'000);
  ASSERT_OK(h.unlink("docs/a.txt"));
  ASSERT_OK(h.rename("docs/b.txt", "docs/moved.txt"));
  ASSERT_OK(h.write_file("docs/new.txt", "new"));
  for (int i = 0; i < 20; ++i) {
    h.pass_quiet_time();
    ASSERT_TRUE(h.eventually([&] { return h.faulty.in_flight() == 0; }));
  }
  EXPECT_TRUE(h.eventually([&] { return !h.volume->status().online; }));
  EXPECT_EQ(h.volume->status().failures, 0u);
  // What is on this disk is served.
  h.go_stale();
  EXPECT_EQ(h.names("docs").value_or(std::vector<std::string>{}),
            (std::vector<std::string>{"c.txt", "moved.txt", "new.txt"}));
  EXPECT_EQ(h.text("docs/c.txt"), "C");
  h.faulty.heal();
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(
      h.remote_tree(),
      (TreeDump{
          {"docs", "/"}, {"docs/c.txt", "C"}, {"docs/moved.txt", "B"}, {"docs/new.txt", "new"}}));
}

// An answer that makes no sense is no word of the server's about this file.
TEST(Refusal, ASenselessAnswerAndAFullDiskAreTriedAgain) {
  for (const ErrorCode code : {ErrorCode::kCorrupt, ErrorCode::kInternal, ErrorCode::kNoSpace}) {
    VolumeHarness h({{"docs/", ""}});
    ASSERT_OK(h.names("docs"));
    h.faulty.script("put", RemoteFault::failing(code), 3);
    ASSERT_OK(h.write_file("docs/a.txt", "x"));
    EXPECT_TRUE(h.eventually([&] {
      h.clock.advance(std::chrono::minutes(10));
      return h.unsent() == 0;
    })) << to_string(code);
    EXPECT_EQ(h.remote.content("docs/a.txt").value_or("?"), "x");
  }
}

class HalfDone : public testing::TestWithParam<bool> {};

// A new name and another folder are two calls. The second is refused: the first is undone.
TEST_P(HalfDone, AMoveGoesBackToWhereItBegan) {
  VolumeHarness h({{"from/a.txt", "A"}, {"to/", ""}});
  if (h.remote.capabilities().ids_follow_path) GTEST_SKIP() << "one call does both";
  ASSERT_OK(h.mount_tree());
  // The second call of the two; and its tries again.
  h.faulty.script("move", RemoteFault::failing(ErrorCode::kDenied, "not there"), 1000);
  ASSERT_OK(h.rename("from/a.txt", "to/b.txt"));
  h.pass_quiet_time();
  if (GetParam()) {
    ASSERT_TRUE(h.eventually([&] { return h.faulty.calls("rename") > 0; }));
    h.restart();
  }
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::minutes(10));
    return h.unsent() == 0 && h.remote_tree().contains("from/a.txt");
  }));
  h.go_stale();
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"from", "/"}, {"from/a.txt", "A"}, {"to", "/"}}));
  EXPECT_EQ(*h.mount_tree(), h.remote_tree());
  EXPECT_NE(h.state("from/a.txt").find("refused"), std::string::npos) << h.state("from/a.txt");
}

INSTANTIATE_TEST_SUITE_P(AlsoOverARestart, HalfDone, testing::Bool());

// A temporary name is nobody's wish.
TEST(Refusal, NobodyIsLeftWithATemporaryName) {
  VolumeHarness h({{"d/a", "A"}, {"d/b", "B"}});
  ASSERT_OK(h.mount_tree());
  // The way from the temporary name to the new one is closed.
  h.faulty.set_hook([](const RemoteCall& call) {
    return call.operation == "rename" && call.number > 1 && call.number < 4
               ? RemoteFault::failing(ErrorCode::kDenied, "no")
               : RemoteFault::pass();
  });
  ASSERT_OK(h.rename("d/a", "d/b", Volume::RenameMode::kExchange));
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::hours(2));
    return h.unsent() == 0;
  }));
  h.go_stale();
  ASSERT_OK(h.mount_tree());
  EXPECT_EQ(*h.mount_tree(), h.remote_tree());
  for (const auto& [path, content] : h.remote_tree())
    EXPECT_EQ(path.find("-tmp"), std::string::npos) << path;
}

// The name was made when names were encoded.
TEST(Refusal, ANameThatCannotBeSentIsShownAndKeepsNobodyWaiting) {
  HarnessOptions options;
  options.remote.capabilities.names.forbidden = ":";
  VolumeHarness h({{"docs/", ""}}, options);
  ASSERT_OK(h.names("docs"));
  ASSERT_OK(h.write_file("docs/a:b", "kept"));
  h.options.volume.names = NamePolicy::kRefuse;
  h.restart();
  EXPECT_ERROR(ErrorCode::kInvalid, h.drain());
  ASSERT_OK(h.names("docs"));
  EXPECT_EQ(h.volume->status().failures, 1u);
  EXPECT_ERROR(ErrorCode::kInvalid, h.write_file("docs/c:d", "x"));
  EXPECT_ERROR(ErrorCode::kInvalid, h.mkdir("docs/e:f"));
  ASSERT_OK(h.write_file("docs/plain", "x"));
  EXPECT_ERROR(ErrorCode::kInvalid, h.rename("docs/plain", "docs/g:h"));
}

// Another object has taken the name since: where the first one came from is nothing to it.
TEST(Refusal, AnObjectThatTookANameOverDoesNotGoWhereTheOtherBegan) {
  VolumeHarness h({{"tmp/x", "X"}, {"docs/a", "A"}, {"docs/sub/", ""}});
  if (h.remote.capabilities().ids_follow_path) GTEST_SKIP() << "one call does both";
  ASSERT_OK(h.mount_tree());
  h.faulty.script("move", RemoteFault::failing(ErrorCode::kBusy, "not now"), 1);
  ASSERT_OK(h.rename("tmp/x", "docs/b"));
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return h.remote_tree().contains("tmp/b"); }));
  ASSERT_OK(h.rename("docs/b", "docs/a"));
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::minutes(10));
    return h.unsent() == 0;
  }));
  ASSERT_EQ(h.remote_tree(),
            (TreeDump{{"tmp", "/"}, {"docs", "/"}, {"docs/a", "X"}, {"docs/sub", "/"}}));
  h.faulty.script("move", RemoteFault::failing(ErrorCode::kDenied, "no"), 1000);
  ASSERT_OK(h.rename("docs/a", "docs/sub/a"));
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::minutes(10));
    return h.unsent() == 0;
  }));
  EXPECT_EQ(h.remote_tree(),
            (TreeDump{{"tmp", "/"}, {"docs", "/"}, {"docs/a", "X"}, {"docs/sub", "/"}}));
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), h.remote_tree());
}

}  // namespace
}  // namespace cabinetfs
