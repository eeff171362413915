// How programs save, and what the server sees of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

using Versions = std::vector<std::string>;

TEST(Save, IsReadBackAndReachesTheServerAfterTheQuietTime) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/a.txt", "hello"));
  EXPECT_EQ(h.text("docs/a.txt"), "hello");
  EXPECT_EQ(h.state("docs/a.txt"), "dirty");
  EXPECT_EQ(h.remote.calls("put"), 0u);
  h.pass_quiet_time();
  EXPECT_TRUE(h.eventually([&] { return h.state("docs/a.txt") == "clean"; }));
  EXPECT_EQ(h.remote.content("docs/a.txt").value_or("?"), "hello");
  EXPECT_EQ(h.text("docs/a.txt"), "hello");
  EXPECT_EQ(h.remote.calls("read"), 0u);  // it is in the cache already
}

TEST(Save, TenSavesInARowAreOneUpload) {
  VolumeHarness h({{"docs/", ""}});
  for (int i = 0; i < 10; ++i) ASSERT_OK(h.write_file("docs/a.txt", "save " + std::to_string(i)));
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), Versions{"save 9"});
  EXPECT_EQ(h.remote.calls("put"), 1u);
}

TEST(Save, FsyncSendsEachOfThem) {
  VolumeHarness h({{"docs/", ""}});
  auto file = h.create("docs/a.txt");
  ASSERT_OK(file);
  for (const std::string text : {"one", "two"}) {
    ASSERT_OK(h.pwrite(**file, 0, text));
    ASSERT_OK(h.volume->fsync(h.call(), **file));
    EXPECT_TRUE(h.eventually([&] { return h.remote.content("docs/a.txt").value_or("?") == text; }));
  }
  ASSERT_OK(h.close(*file));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (Versions{"one", "two"}));
}

TEST(Save, NothingIsSentWhileAProgramStillWrites) {
  VolumeHarness h({{"docs/", ""}});
  auto file = h.create("docs/a.txt");
  ASSERT_OK(file);
  h.pass_quiet_time();
  ASSERT_OK(h.write_file("docs/other.txt", "x"));
  h.pass_quiet_time();
  EXPECT_TRUE(h.eventually([&] { return !h.remote.id_of("docs/other.txt").empty(); }));
  EXPECT_TRUE(h.remote.id_of("docs/a.txt").empty());  // no placeholder of nothing
  ASSERT_OK(h.pwrite(**file, 0, "all of it"));
  ASSERT_OK(h.close(*file));
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), Versions{"all of it"});
}

TEST(Save, WriteTempAndRenameOverIsANewVersionOfTheOriginal) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  ASSERT_OK(h.mount_tree());
  const RemoteId id = h.remote.id_of("docs/a.txt");
  ASSERT_OK(h.write_file("docs/.a.txt.tmp", "new"));
  const InodeNumber temp = h.must("docs/.a.txt.tmp");
  ASSERT_OK(h.rename("docs/.a.txt.tmp", "docs/a.txt"));
  EXPECT_EQ(h.must("docs/a.txt"), temp);  // as POSIX has it
  EXPECT_EQ(h.text("docs/a.txt"), "new");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (Versions{"old", "new"}));
  EXPECT_EQ(h.remote.id_of("docs/a.txt"), id);
  EXPECT_EQ(h.remote.dump().size(), 2u);
  EXPECT_TRUE(h.remote.deleted().empty());
}

TEST(Save, VimsWayIsANewVersionOfTheOriginal) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  ASSERT_OK(h.mount_tree());
  const RemoteId id = h.remote.id_of("docs/a.txt");
  ASSERT_OK(h.rename("docs/a.txt", "docs/a.txt~"));
  ASSERT_OK(h.write_file("docs/a.txt", "new"));
  ASSERT_OK(h.unlink("docs/a.txt~"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (Versions{"old", "new"}));
  EXPECT_EQ(h.remote.id_of("docs/a.txt"), id);
  EXPECT_EQ(h.remote.dump().size(), 2u);
}

TEST(Save, DeleteAndCreateIsANewVersion) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  ASSERT_OK(h.mount_tree());
  const RemoteId id = h.remote.id_of("docs/a.txt");
  ASSERT_OK(h.unlink("docs/a.txt"));
  ASSERT_OK(h.write_file("docs/a.txt", "new"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (Versions{"old", "new"}));
  EXPECT_EQ(h.remote.id_of("docs/a.txt"), id);
}

TEST(Save, RenamingAnotherSentFileOverTheOriginalIsANewVersionToo) {
  VolumeHarness h({{"docs/a.txt", "old"}, {"docs/b.txt", "better"}});
  ASSERT_OK(h.mount_tree());
  const RemoteId id = h.remote.id_of("docs/a.txt");
  ASSERT_OK(h.rename("docs/b.txt", "docs/a.txt"));
  EXPECT_EQ(h.text("docs/a.txt"), "better");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (Versions{"old", "better"}));
  EXPECT_EQ(h.remote.id_of("docs/a.txt"), id);
  EXPECT_TRUE(h.remote.id_of("docs/b.txt").empty());
  EXPECT_EQ(h.text("docs/a.txt"), "better");
}

TEST(Save, AFileThatTakesAnothersPlaceAndGoesBackIsNotSentAgain) {
  VolumeHarness h({{"docs/x", "X"}, {"docs/y", "Y"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.unlink("docs/y"));
  ASSERT_OK(h.rename("docs/x", "docs/y"));
  ASSERT_OK(h.rename("docs/y", "docs/x"));
  EXPECT_EQ(h.text("docs/x"), "X");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/x"), Versions{"X"});
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}, {"docs/x", "X"}}));
  EXPECT_EQ(h.text("docs/x"), "X");
  EXPECT_EQ(h.state("docs/x"), "clean");
}

TEST(Save, AFileThatTakesAnothersPlaceIsSentAndGoesBackIsNotSentAgain) {
  VolumeHarness h({{"docs/x", "X"}, {"docs/y", "Y"}});
  ASSERT_OK(h.mount_tree());
  Gate gate;
  gate.close();
  h.remote.set_gate("remove", &gate);
  ASSERT_OK(h.unlink("docs/y"));
  ASSERT_OK(h.rename("docs/x", "docs/y"));
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return h.versions("docs/y") == (Versions{"Y", "X"}); }));
  h.restart();
  ASSERT_OK(h.rename("docs/y", "docs/x"));
  gate.open();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}, {"docs/x", "X"}}));
  const Versions all = h.versions("docs/x");
  EXPECT_LE(std::count(all.begin(), all.end(), "X"), 1);
}

TEST(Save, ABackupThatStaysMovesTheOriginalsHistoryAlong) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("docs/a.txt", "docs/a.bak"));
  ASSERT_OK(h.write_file("docs/a.txt", "new"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(),
            (TreeDump{{"docs", "/"}, {"docs/a.bak", "old"}, {"docs/a.txt", "new"}}));
  EXPECT_EQ(h.remote.calls("remove"), 0u);
}

TEST(Save, TempFilesThatAreGoneAreNeverSent) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.names("docs"));
  ASSERT_OK(h.write_file("docs/.~lock#", "x"));
  ASSERT_OK(h.mkdir("docs/tmpdir"));
  ASSERT_OK(h.write_file("docs/tmpdir/x", "x"));
  ASSERT_OK(h.unlink("docs/.~lock#"));
  ASSERT_OK(h.remove_tree("docs/tmpdir"));
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}}));
  EXPECT_EQ(h.remote.calls("put") + h.remote.calls("create_folder") + h.remote.calls("remove"), 0u);
  EXPECT_EQ(h.unsent(), 0u);
}

TEST(Save, AnEmptyFileIsSentAsOne) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/empty", ""));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/empty"), Versions{""});
  EXPECT_EQ(h.text("docs/empty"), "");
}

TEST(Save, TruncatingOpenOfAnEmptyFileDoesNotHideItsNextVersion) {
  VolumeHarness h({{"docs/a.txt", ""}});
  auto reader = h.open_read("docs/a.txt");  // keeps the file's state in memory
  ASSERT_OK(reader);
  ASSERT_OK(h.write_file("docs/a.txt", ""));
  ASSERT_OK(h.drain());
  h.remote.write_file_as_other("docs/a.txt", "theirs");
  h.go_stale();
  EXPECT_EQ(h.text("docs/a.txt"), "theirs");
  ASSERT_OK(h.close(*reader));
}

TEST(Save, AnUncommittedWriteIsShownToOthersAtOnce) {
  VolumeHarness h({{"docs/a.txt", "12345"}});
  auto writer = h.open_rw("docs/a.txt");
  ASSERT_OK(writer);
  ASSERT_OK(h.pwrite(**writer, 5, "678"));
  EXPECT_EQ(h.stat("docs/a.txt")->size, 8u);
  EXPECT_EQ(h.text("docs/a.txt"), "12345678");
  const auto listing = h.volume->list(h.call(), h.must("docs"));
  ASSERT_OK(listing);
  EXPECT_EQ((*listing)->front().attributes.size, 8u);
  ASSERT_OK(h.close(*writer));
}

TEST(Save, ClosedContentSurvivesARestart) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  ASSERT_OK(h.write_file("docs/a.txt", "new"));
  ASSERT_OK(h.write_file("docs/b.txt", pattern_text(200'000)));
  h.restart();
  EXPECT_EQ(h.text("docs/a.txt"), "new");
  EXPECT_EQ(h.text("docs/b.txt"), pattern_text(200'000));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (Versions{"old", "new"}));
  EXPECT_EQ(h.remote.content("docs/b.txt").value_or("?"), pattern_text(200'000));
}

TEST(Save, ContentIsNotReadableOnTheDiskWhenEncrypted) {
  const std::string secret = "a secret that is long enough to be found";
  for (const bool encrypt : {false, true}) {
    SCOPED_TRACE(encrypt ? "encrypted" : "as it is");
    HarnessOptions options;
    options.encrypt = encrypt;
    VolumeHarness h({{"docs/", ""}, {"docs/theirs.txt", secret + " by others"}}, options);
    ASSERT_OK(h.write_file("docs/a.txt", secret));
    h.shut_down();
    EXPECT_FALSE(h.staged_files().empty());
    EXPECT_EQ(h.files_with(secret).empty(), encrypt) << "not sent yet";
    h.start_again();
    EXPECT_EQ(h.text("docs/a.txt"), secret);
    ASSERT_OK(h.drain());
    EXPECT_EQ(h.remote.content("docs/a.txt").value_or("?"), secret);
    EXPECT_EQ(h.text("docs/theirs.txt"), secret + " by others");
    // Saved in the background.
    ASSERT_TRUE(h.eventually([&] {
      h.contents().verify();
      return h.contents().stats().cached_files >= 1;
    }));
    h.shut_down();
    EXPECT_EQ(h.files_with(secret + " by others").empty(), encrypt) << "the server's";
    EXPECT_EQ(h.files_with(secret).empty(), encrypt) << "sent";
  }
}

TEST(Save, ASentStateIsNotSentAgainAfterARestartInTheMiddleOfALongerEdit) {
  VolumeHarness h({{"docs/", ""}});
  auto file = h.create("docs/a.txt");
  ASSERT_OK(file);
  ASSERT_OK(h.pwrite(**file, 0, "committed"));
  Gate gate;
  gate.close();
  h.remote.set_gate("put", &gate);
  ASSERT_OK(h.volume->fsync(h.call(), **file));
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(h.pwrite(**file, 0, "COMMITTED"));  // while the first is on its way; never committed
  gate.open();
  ASSERT_TRUE(h.eventually([&] { return h.remote.content("docs/a.txt").has_value(); }));
  ASSERT_TRUE(h.eventually([&] { return h.volume->status().uploads_done == 1; }));
  // The process dies here: nobody closes the file.
  file->reset();
  h.restart();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.state("docs/a.txt"), "clean");
  EXPECT_EQ(h.text("docs/a.txt"), "committed");
  EXPECT_EQ(h.versions("docs/a.txt"), Versions{"committed"});
}

TEST(Save, AnEditWhileItsUploadRunsBecomesTheNextVersion) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/a.txt", "one"));
  Gate gate;
  gate.close();
  h.remote.set_gate("put", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(h.write_file("docs/a.txt", "two!"));
  EXPECT_EQ(h.text("docs/a.txt"), "two!");
  gate.open();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (Versions{"one", "two!"}));
  EXPECT_EQ(h.text("docs/a.txt"), "two!");
}

TEST(Save, WhatWasRefusedOfAnOlderContentDoesNotStopTheNewer) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/a.txt", "with a virus"));
  Gate gate;
  gate.close();
  RemoteFault refusal = RemoteFault::failing(ErrorCode::kDenied, "refused by the scanner");
  refusal.gate = &gate;
  h.faulty.script("put", refusal);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(h.write_file("docs/a.txt", "clean"));
  gate.open();
  ASSERT_TRUE(h.eventually([&] { return !h.state("docs/a.txt").starts_with("uploading"); }));
  EXPECT_EQ(h.state("docs/a.txt"), "dirty");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), Versions{"clean"});
  EXPECT_EQ(h.state("docs/a.txt"), "clean");
}

// The upload of the first has been planned, but has not said yet where it goes to.
TEST(Save, AFileThatIsReplacedBeforeItsUploadBeginsIsNoConflict) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.names("docs"));
  for (int round = 0; round < 30; ++round) {
    const std::string name = "docs/f" + std::to_string(round);
    ASSERT_OK(h.write_file(name, "first"));
    h.pass_quiet_time();
    ASSERT_OK(h.write_file("docs/tmp", "second"));
    ASSERT_OK(h.rename("docs/tmp", name));
    h.pass_quiet_time();
  }
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.dump().size(), 31u);
  for (int round = 0; round < 30; ++round)
    EXPECT_EQ(h.remote.content("docs/f" + std::to_string(round)).value_or("?"), "second");
}

TEST(Save, AFileThatIsDeletedWhileItIsUploadedIsGoneInTheEnd) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/a.txt", "one"));
  Gate gate;
  gate.close();
  h.remote.set_gate("put", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(h.unlink("docs/a.txt"));
  gate.open();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}}));
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), (TreeDump{{"docs", "/"}}));
}

TEST(Save, AFileThatIsRenamedWhileItIsUploadedEndsUnderItsNewName) {
  VolumeHarness h({{"docs/", ""}, {"other/", ""}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/a.txt", "one"));
  Gate gate;
  gate.close();
  h.remote.set_gate("put", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(h.rename("docs/a.txt", "other/b.txt"));
  gate.open();
  ASSERT_OK(h.drain());
  const TreeDump expected{{"docs", "/"}, {"other", "/"}, {"other/b.txt", "one"}};
  EXPECT_EQ(h.remote_tree(), expected);
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), expected);
}

TEST(Save, AClockThatIsSetBackKeepsNothingWaiting) {
  VolumeHarness h({{"docs/a.txt", "old"}, {"docs/b.txt", "gone"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/a.txt", "new"));
  ASSERT_OK(h.unlink("docs/b.txt"));
  h.clock.set_back(std::chrono::hours(24));
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return h.unsent() == 0; }));
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}, {"docs/a.txt", "new"}}));
}

// A listing from the time before is not believed to be new.
TEST(Save, AClockThatIsSetBackMakesNoListingYoung) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  ASSERT_OK(h.mount_tree());
  h.clock.set_back(std::chrono::hours(24));
  h.remote.write_file_as_other("docs/b.txt", "theirs");
  h.go_stale();
  EXPECT_EQ(h.names("docs").value_or(std::vector<std::string>{}).size(), 2u);
}

// A log that a program holds open and writes to without pause.
TEST(Save, AFlushEndsWhileAProgramGoesOnWriting) {
  VolumeHarness h({{"docs/", ""}});
  auto log = h.create("docs/log");
  ASSERT_OK(log);
  ASSERT_OK(h.pwrite(**log, 0, "first"));
  std::atomic<std::uint64_t> lines = 0;
  h.faulty.set_hook([&](const RemoteCall& call) {
    // What is written while it is sent is the next version's.
    if (call.operation == "put" && lines < 100) (void)h.pwrite(**log, 5 + lines++, "x");
    return RemoteFault::pass();
  });
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/log").value_or("?"), "first");
  EXPECT_EQ(lines, 1u);
  h.faulty.heal();
  ASSERT_OK(h.close(*log));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/log").value_or("?"), "firstx");
}

}  // namespace
}  // namespace cabinetfs
