// Changes of the tree and the order in which the server hears of them.
#include <gtest/gtest.h>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

using RenameMode = Volume::RenameMode;

// What the mount shows now is what the server must have in the end, by way of one restart or none.
void expect_arrives(VolumeHarness& h) {
  const Result<TreeDump> shown = h.mount_tree();
  ASSERT_OK(shown);
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), *shown);
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), *shown);
  EXPECT_EQ(h.unsent(), 0u);
}

TEST(Rename, TreesAreMadeFromTheTopDown) {
  VolumeHarness h;
  ASSERT_OK(h.mkdir_p("a/b/c/d"));
  ASSERT_OK(h.write_file("a/b/c/d/deep.txt", "x"));
  ASSERT_OK(h.write_file("a/top.txt", "y"));
  expect_arrives(h);
}

TEST(Rename, TreesAreRemovedFromTheBottomUp) {
  VolumeHarness h({{"a/b/c/x", "1"}, {"a/b/y", "2"}, {"a/z", "3"}, {"keep/k", "4"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.remove_tree("a"));
  expect_arrives(h);
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"keep", "/"}, {"keep/k", "4"}}));
}

TEST(Rename, AFolderIsRenamedAndMovedWithAllThatIsInIt) {
  VolumeHarness h({{"a/b/x", "1"}, {"c/", ""}});
  ASSERT_OK(h.mount_tree());
  const RemoteId id = h.remote.id_of("a/b");
  ASSERT_OK(h.rename("a/b", "c/d"));
  expect_arrives(h);
  EXPECT_EQ(h.remote.id_of("c/d"), id);
}

// Where the server takes a new name for a modification, as Kenesto does.
HarnessOptions names_that_modify() {
  HarnessOptions options;
  options.remote = FakeRemoteOptions::like_kenesto(true, "");
  return options;
}

TEST(Rename, ThatChangesTheValidatorKeepsTimeAndContent) {
  VolumeHarness h({{"d/a.txt", "text"}}, names_that_modify());
  ASSERT_EQ(h.text("d/a.txt"), "text");
  const WallTime modified = h.stat("d/a.txt")->mtime;
  h.clock.advance(std::chrono::hours(1));
  ASSERT_OK(h.rename("d/a.txt", "d/b.txt"));
  expect_arrives(h);
  EXPECT_EQ(h.stat("d/b.txt")->mtime, modified);
  const std::uint64_t read = h.remote.calls("read");
  EXPECT_EQ(h.text("d/b.txt"), "text");
  EXPECT_EQ(h.remote.calls("read"), read);
}

TEST(Rename, ThatChangesTheValidatorIsNoEditOfAFileThatIsDeletedMeanwhile) {
  VolumeHarness h({{"d/a.txt", "text"}}, names_that_modify());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("d/a.txt", "d/b.txt"));
  Gate gate;
  gate.close();
  h.faulty.script("rename", RemoteFault::holding(gate));
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(h.unlink("d/b.txt"));
  gate.open();
  expect_arrives(h);
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"}}));
  EXPECT_EQ(h.volume->status().conflicts, 0u);
}

TEST(Rename, ThatChangesTheValidatorDoesNotHideAnothersEdit) {
  VolumeHarness h({{"d/a.txt", "text"}}, names_that_modify());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("d/a.txt", "d/b.txt"));
  Gate gate;
  gate.close();
  h.faulty.script("rename", RemoteFault::holding(gate));
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  h.remote.write_file_as_other("d/a.txt", "TEXT");  // of the same size
  ASSERT_OK(h.unlink("d/b.txt"));
  gate.open();
  ASSERT_OK(h.drain());
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"}, {"d/b.txt", "TEXT"}}));
  EXPECT_EQ(h.text("d/b.txt"), "TEXT");
}

// The content of what was renamed over the other is sent from its own object, which has to stay
// until then: here nothing of it has ever been fetched.
TEST(Rename, OverAFileWhoseSaveIsUnderWayDoesNotRemoveTheSourceTooSoon) {
  HarnessOptions options;
  options.remote.capabilities.copy = false;
  VolumeHarness h({{"d/a", "the content of a"}, {"d/b", "old"}}, options);
  ASSERT_OK(h.names("d"));
  ASSERT_OK(h.write_file("d/b", "new"));
  Gate gate;
  gate.close();
  h.remote.set_gate("put", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(h.rename("d/a", "d/b"));
  Gate reading;
  reading.close();
  h.remote.set_gate("read", &reading);
  gate.open();
  // What is waiting goes out while the content is still on its way.
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::hours(2));
    return reading.waiting() > 0 || h.faulty.calls("remove") + h.faulty.calls("remove_files") > 0;
  }));
  EXPECT_EQ(h.remote_tree().count("d/a"), 1u);
  reading.open();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"}, {"d/b", "the content of a"}}));
  EXPECT_EQ(h.versions("d/b"), (std::vector<std::string>{"old", "new", "the content of a"}));
  h.remote.set_gate("read", nullptr);
  h.remote.set_gate("put", nullptr);
}

// The content is at the server only, as the file that was renamed.
TEST(Rename, OverAFileThatIsDiscardedLeavesBothAtTheServer) {
  VolumeHarness h({{"d/x", "X"}, {"d/t", "T"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("d/x", "d/t"));
  ASSERT_OK(h.volume->discard(h.call(), h.must("d/t")));
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"}, {"d/t", "T"}, {"d/x", "X"}}));
  EXPECT_EQ(*h.mount_tree(), h.remote_tree());
}

TEST(Rename, AChainOfNamesIsFreedInOrder) {
  VolumeHarness h({{"d/1", "one"}, {"d/2", "two"}, {"d/3", "three"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("d/3", "d/4"));
  ASSERT_OK(h.rename("d/2", "d/3"));
  ASSERT_OK(h.rename("d/1", "d/2"));
  expect_arrives(h);
}

TEST(Rename, ASwapOfFilesGoesThroughATemporaryName) {
  VolumeHarness h({{"d/a", "A"}, {"d/b", "B"}});
  ASSERT_OK(h.mount_tree());
  const RemoteId a = h.remote.id_of("d/a");
  ASSERT_OK(h.rename("d/a", "d/t"));
  ASSERT_OK(h.rename("d/b", "d/a"));
  ASSERT_OK(h.rename("d/t", "d/b"));
  expect_arrives(h);
  EXPECT_EQ(h.remote.id_of("d/b"), a);
}

// The names on the way may be taken, by another machine's swap for example.
TEST(Rename, ASwapFindsAnotherTemporaryName) {
  VolumeHarness h({{"d/a", "A"}, {"d/b", "B"}});
  ASSERT_OK(h.mount_tree());
  h.faulty.script("rename", RemoteFault::failing(ErrorCode::kExists), 1);
  ASSERT_OK(h.rename("d/a", "d/t"));
  ASSERT_OK(h.rename("d/b", "d/a"));
  ASSERT_OK(h.rename("d/t", "d/b"));
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::seconds(30));
    return h.unsent() == 0;
  }));
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"}, {"d/a", "B"}, {"d/b", "A"}}));
  EXPECT_EQ(*h.mount_tree(), h.remote_tree());
  EXPECT_EQ(h.volume->status().conflicts, 0u);
}

TEST(Rename, ACycleOfThree) {
  VolumeHarness h({{"d/a", "A"}, {"d/b", "B"}, {"d/c", "C"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("d/a", "d/t"));
  ASSERT_OK(h.rename("d/b", "d/a"));
  ASSERT_OK(h.rename("d/c", "d/b"));
  ASSERT_OK(h.rename("d/t", "d/c"));
  expect_arrives(h);
}

TEST(Rename, ExchangeOfFilesInTwoFolders) {
  VolumeHarness h({{"d/a", "A"}, {"e/a", "other"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("d/a", "e/a", RenameMode::kExchange));
  EXPECT_EQ(h.text("d/a"), "other");
  expect_arrives(h);
}

TEST(Rename, ExchangeOfFoldersInTwoFolders) {
  VolumeHarness h({{"d/x/1", "A"}, {"e/x/2", "B"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("d/x", "e/x", RenameMode::kExchange));
  expect_arrives(h);
  EXPECT_EQ(h.remote.content("d/x/2").value_or("?"), "B");
}

TEST(Rename, ExchangeOfAFileAndAFolder) {
  VolumeHarness h({{"d/x/1", "A"}, {"d/y", "B"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("d/x", "d/y", RenameMode::kExchange));
  expect_arrives(h);
}

TEST(Rename, ChildAndParentChangePlaces) {
  VolumeHarness h({{"a/b/x", "1"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("a/b", "b"));
  ASSERT_OK(h.rename("a", "b/a"));
  expect_arrives(h);
}

TEST(Rename, ChildTakesItsParentsName) {
  VolumeHarness h({{"a/b/x", "1"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("a/b", "t"));
  ASSERT_OK(h.rmdir("a"));
  ASSERT_OK(h.rename("t", "a"));
  expect_arrives(h);
}

TEST(Rename, AFileTakesTheNameOfTheFolderThatHeldIt) {
  VolumeHarness h({{"a/f", "1"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("a/f", "t"));
  ASSERT_OK(h.rmdir("a"));
  ASSERT_OK(h.rename("t", "a"));
  expect_arrives(h);
}

TEST(Rename, ACircleOfPlacesAndParents) {
  VolumeHarness h({{"f/1", "f"}, {"m/2", "m"}, {"n/3", "n"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("m", "n/m"));
  ASSERT_OK(h.rename("f", "m"));
  ASSERT_OK(h.rename("n", "m/n"));
  expect_arrives(h);
  EXPECT_EQ(h.remote.content("m/n/m/2").value_or("?"), "m");
}

TEST(Rename, ANewFolderTakesTheNameOfOneThatMovedIntoIt) {
  VolumeHarness h({{"a/x", "1"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("a", "t"));
  ASSERT_OK(h.mkdir("a"));
  ASSERT_OK(h.rename("t", "a/a"));
  expect_arrives(h);
  EXPECT_EQ(h.remote.content("a/a/x").value_or("?"), "1");
}

TEST(Rename, ManyRestartsOnTheWayChangeNothing) {
  VolumeHarness h({{"d/a/1", "A"}, {"d/b", "B"}, {"e/", ""}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("d/a", "d/b", RenameMode::kExchange));
  ASSERT_OK(h.rename("d/b", "e/b"));
  ASSERT_OK(h.write_file("e/b/2", "new"));
  const Result<TreeDump> shown = h.mount_tree();
  ASSERT_OK(shown);
  h.pass_quiet_time();
  for (int i = 0; i < 6; ++i) h.restart();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), *shown);
  EXPECT_EQ(*h.mount_tree(), *shown);
}

TEST(Rename, ThereAndBackIsNothing) {
  VolumeHarness h({{"d/a", "A"}, {"e/", ""}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("d/a", "e/b"));
  ASSERT_OK(h.rename("e/b", "d/a"));
  expect_arrives(h);
  EXPECT_EQ(h.remote.calls("rename") + h.remote.calls("move"), 0u);
}

TEST(Rename, RulesOfPosix) {
  VolumeHarness h({{"d/a", "A"}, {"d/b", "B"}, {"d/full/x", "x"}, {"d/empty/", ""}});
  ASSERT_OK(h.mount_tree());
  EXPECT_ERROR(ErrorCode::kExists, h.rename("d/a", "d/b", RenameMode::kNoReplace));
  EXPECT_ERROR(ErrorCode::kIsDirectory, h.rename("d/a", "d/empty"));
  EXPECT_ERROR(ErrorCode::kNotDirectory, h.rename("d/empty", "d/a"));
  EXPECT_ERROR(ErrorCode::kNotEmpty, h.rename("d/empty", "d/full"));
  EXPECT_ERROR(ErrorCode::kInvalid, h.rename("d/full", "d/full/x2"));
  EXPECT_ERROR(ErrorCode::kNotFound, h.rename("d/none", "d/x"));
  EXPECT_ERROR(ErrorCode::kNotFound, h.rename("d/a", "d/none", RenameMode::kExchange));
  EXPECT_ERROR(ErrorCode::kNotEmpty, h.rmdir("d/full"));
  EXPECT_ERROR(ErrorCode::kNotDirectory, h.rmdir("d/a"));
  EXPECT_ERROR(ErrorCode::kIsDirectory, h.unlink("d/empty"));
  EXPECT_ERROR(ErrorCode::kNameTooLong, h.mkdir("d/" + std::string(256, 'x')));
  EXPECT_OK(h.rename("d/full", "d/empty"));
  expect_arrives(h);
}

TEST(Rename, AFolderWithOthersFilesInItComesBack) {
  VolumeHarness h({{"d/sub/a", "A"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.unlink("d/sub/a"));
  ASSERT_OK(h.rmdir("d/sub"));
  h.remote.write_file_as_other("d/sub/theirs", "precious");
  h.pass_quiet_time();
  (void)h.drain();
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"}, {"d/sub", "/"}, {"d/sub/theirs", "precious"}}));
  h.go_stale();
  EXPECT_EQ(h.text("d/sub/theirs"), "precious");
  EXPECT_FALSE(h.volume->status().notices.empty());
}

TEST(Rename, AnUnknownFolderIsNotEmptyJustBecauseNobodyLooked) {
  VolumeHarness h({{"d/sub/a", "A"}});
  ASSERT_OK(h.names("d"));
  EXPECT_ERROR(ErrorCode::kNotEmpty, h.rmdir("d/sub"));
}

TEST(Rename, AFolderThatOthersRemovedIsMadeAnewForWhatIsUnsent) {
  VolumeHarness h({{"d/sub/a", "A"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("d/sub/mine", "unsent"));
  ASSERT_OK(h.mkdir("d/sub/more"));
  ASSERT_OK(h.write_file("d/sub/more/x", "deep"));
  h.remote.remove_as_other("d");
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("d/sub/mine").value_or("?"), "unsent");
  EXPECT_EQ(h.remote.content("d/sub/more/x").value_or("?"), "deep");
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), h.remote_tree());
}

TEST(Rename, AFileMovedIntoAFolderThatOthersRemoveIsNotLost) {
  VolumeHarness h({{"d/a", "A"}, {"e/x", "x"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("d/a", "e/a"));
  h.remote.remove_as_other("e");
  h.go_stale();
  (void)h.names("");
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  h.go_stale();
  const Result<TreeDump> tree = h.mount_tree();
  ASSERT_OK(tree);
  EXPECT_EQ(*tree, h.remote_tree());
  EXPECT_EQ(h.remote.content("e/a").value_or("?"), "A");
}

TEST(Rename, TwoFoldersOfOneNameBecomeOne) {
  VolumeHarness h;
  ASSERT_OK(h.names(""));
  ASSERT_OK(h.mkdir("both"));
  ASSERT_OK(h.write_file("both/mine", "1"));
  h.remote.write_file_as_other("both/theirs", "2");
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), (TreeDump{{"both", "/"}, {"both/mine", "1"}, {"both/theirs", "2"}}));
  EXPECT_EQ(h.remote_tree(), *h.mount_tree());
}

}  // namespace
}  // namespace cabinetfs
