// Stores whose ids are places: a rename gives new ids to all that is below.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

using RenameMode = Volume::RenameMode;

const std::size_t kInParts = 3u << 20;  // too large to be fetched whole with its first read

HarnessOptions paths() {
  HarnessOptions options;
  options.remote = FakeRemoteOptions::path_ids();
  return options;
}

void expect_agreement(VolumeHarness& h, const TreeDump& expected) {
  EXPECT_EQ(h.remote_tree(), expected);
  h.go_stale();
  const Result<TreeDump> shown = h.mount_tree();
  ASSERT_OK(shown);
  EXPECT_EQ(*shown, expected);
  EXPECT_EQ(h.unsent(), 0u);
  EXPECT_TRUE(h.volume->status().notices.empty());
}

TEST(PathIds, AFolderTakesAllBelowItAlong) {
  VolumeHarness h({{"a/b/c/x", "1"}, {"a/b/y", "2"}, {"a/z", "3"}}, paths());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("a", "n"));
  ASSERT_OK(h.drain());
  // Without another listing: what is known is right.
  EXPECT_EQ(h.text("n/b/c/x"), "1");
  ASSERT_OK(h.write_file("n/b/c/x", "one"));
  ASSERT_OK(h.unlink("n/b/y"));
  ASSERT_OK(h.rename("n/b/c", "n/c"));
  ASSERT_OK(h.drain());
  expect_agreement(h, {{"n", "/"}, {"n/b", "/"}, {"n/c", "/"}, {"n/c/x", "one"}, {"n/z", "3"}});
}

TEST(PathIds, CachedContentsFollowFilesAndFolders) {
  const std::string large = pattern_text(kInParts), small = pattern_text(5'000, 2);
  VolumeHarness h({{"a/b/large", large}, {"a/small", small}, {"f", small}}, paths());
  ASSERT_OK(h.mount_tree());
  h.restart();  // all of it is on the disk now, and only there
  const auto fetched = [&] { return h.remote.calls("read") + h.remote.calls("read_many"); };
  const std::uint64_t before = fetched();
  ASSERT_OK(h.rename("a", "n"));
  ASSERT_OK(h.rename("f", "g"));
  ASSERT_OK(h.drain());
  ASSERT_OK(h.rename("n/b", "c"));
  ASSERT_OK(h.drain());
  for (int start = 0; start < 2; ++start) {
    EXPECT_TRUE(h.text("c/large") == large);
    EXPECT_TRUE(h.text("n/small") == small);
    EXPECT_TRUE(h.text("g") == small);
    h.restart();
  }
  EXPECT_EQ(fetched(), before);
  // What others do under the old names is another content.
  h.remote.write_file_as_other("a/small", "theirs");
  h.go_stale();
  EXPECT_EQ(h.text("a/small"), "theirs");
  EXPECT_TRUE(h.text("n/small") == small);
}

TEST(PathIds, WhatIsDeletedOrMovedAwayBelowAFolderIsStillFound) {
  VolumeHarness h({{"a/b/x", "1"}, {"a/b/y", "2"}, {"a/b/z", "3"}, {"o/", ""}}, paths());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("a", "n"));
  ASSERT_OK(h.rename("n/b", "n/c"));
  ASSERT_OK(h.unlink("n/c/x"));
  ASSERT_OK(h.rename("n/c/y", "o/y"));
  ASSERT_OK(h.write_file("n/c/z", "three"));
  ASSERT_OK(h.drain());
  expect_agreement(h, {{"n", "/"}, {"n/c", "/"}, {"n/c/z", "three"}, {"o", "/"}, {"o/y", "2"}});
}

TEST(PathIds, AnEditInPlaceStandsOnTheFileUnderItsNewId) {
  std::string text = pattern_text(kInParts);
  VolumeHarness h({{"a/b/f", text}}, paths());
  auto file = h.open_rw("a/b/f");
  ASSERT_OK(file);
  ASSERT_OK(h.pwrite(**file, 1'000'000, "FIRST"));  // not committed when the rename lands
  ASSERT_OK(h.rename("a", "n"));
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return !h.remote.id_of("n/b/f").empty(); }));
  ASSERT_OK(h.pwrite(**file, 2'000'000, "SECOND"));
  text.replace(1'000'000, 5, "FIRST").replace(2'000'000, 6, "SECOND");
  const Result<std::string> all = h.read_all(**file);
  ASSERT_OK(all);
  EXPECT_TRUE(*all == text);
  ASSERT_OK(h.close(*file));
  ASSERT_OK(h.drain());
  EXPECT_TRUE(h.remote.content("n/b/f") == text);
  EXPECT_EQ(h.state("n/b/f"), "clean");
}

TEST(PathIds, AnUnsentEditStandsOnTheFileUnderItsNewIdAfterARestart) {
  std::string text = pattern_text(kInParts);
  VolumeHarness h({{"a/b/f", text}}, paths());
  ASSERT_OK(h.write_at("a/b/f", 1'000'000, "FIRST"));
  ASSERT_OK(h.rename("a", "n"));
  // The rename lands, the content does not.
  h.faulty.set_hook([](const RemoteCall& call) {
    return call.operation == "put_stream" ? RemoteFault::failing(ErrorCode::kUnavailable)
                                          : RemoteFault::pass();
  });
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return !h.remote.id_of("n/b/f").empty(); }));
  h.restart();
  h.faulty.heal();
  h.clock.advance(std::chrono::minutes(10));
  text.replace(1'000'000, 5, "FIRST");
  ASSERT_OK(h.drain());
  EXPECT_TRUE(h.remote.content("n/b/f") == text);
}

TEST(PathIds, ACopyStandsOnItsSourceUnderItsNewId) {
  HarnessOptions options = paths();
  options.remote.capabilities.copy = false;
  const std::string text = pattern_text(kInParts);
  VolumeHarness h({{"a/f", text}, {"o/", ""}}, options);
  ASSERT_OK(h.mount_tree(false));
  auto in = h.open_read("a/f");
  auto out = h.create("o/g");
  ASSERT_OK(in);
  ASSERT_OK(out);
  ASSERT_OK(h.volume->copy_range(h.call(), **in, 0, **out, 0, kInParts));
  ASSERT_OK(h.close(*in));
  ASSERT_OK(h.volume->flush(h.call(), **out));
  ASSERT_OK(h.rename("a", "n"));
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return !h.remote.id_of("n/f").empty(); }));
  ASSERT_OK(h.close(*out));
  ASSERT_OK(h.drain());
  EXPECT_TRUE(h.remote.content("o/g") == text);
  EXPECT_TRUE(h.remote.content("n/f") == text);
}

TEST(PathIds, AnOpenFileIsReadOnUnderItsNewId) {
  const std::string text = pattern_text(kInParts);
  VolumeHarness h({{"a/b/f", text}}, paths());
  auto file = h.open_read("a/b/f");
  ASSERT_OK(file);
  EXPECT_EQ(h.pread(**file, 0, 10).value_or("?"), text.substr(0, 10));
  ASSERT_OK(h.rename("a", "n"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.pread(**file, 2'500'000, 10).value_or("?"), text.substr(2'500'000, 10));
  // Another file at the old place is not taken for it.
  h.remote.write_file_as_other("a/b/f", pattern_text(kInParts, 2));
  const Result<std::string> all = h.read_all(**file);
  ASSERT_OK(all);
  EXPECT_TRUE(*all == text);
  ASSERT_OK(h.close(*file));
}

TEST(PathIds, ARenameWaitsForWhatIsOnItsWayBelow) {
  VolumeHarness h({{"a/b/f", "old"}}, paths());
  ASSERT_OK(h.write_file("a/b/f", "new"));
  Gate gate;
  gate.close();
  h.remote.set_gate("put", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(h.rename("a", "n"));
  ASSERT_OK(h.mkdir("other"));  // something else that the reconciler does meanwhile
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return !h.remote.id_of("other").empty(); }));
  EXPECT_EQ(h.remote.calls("rename"), 0u);
  gate.open();
  ASSERT_OK(h.drain());
  expect_agreement(h, {{"n", "/"}, {"n/b", "/"}, {"n/b/f", "new"}, {"other", "/"}});
}

TEST(PathIds, WhatIsBelowWaitsForARename) {
  VolumeHarness h({{"a/b/f", "old"}}, paths());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("a", "n"));
  Gate gate;
  gate.close();
  h.remote.set_gate("rename", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(h.write_file("n/b/f", "new"));
  ASSERT_OK(h.write_file("n/b/g", "another"));
  ASSERT_OK(h.mkdir("other"));
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return !h.remote.id_of("other").empty(); }));
  EXPECT_EQ(h.remote.calls("put"), 0u);
  gate.open();
  ASSERT_OK(h.drain());
  expect_agreement(
      h, {{"n", "/"}, {"n/b", "/"}, {"n/b/f", "new"}, {"n/b/g", "another"}, {"other", "/"}});
}

// The change has reached the server, and its answer is held back: what programs ask meanwhile.
TEST(PathIds, AListingBetweenTheRenameAndItsAnswerIsAskedAgain) {
  VolumeHarness h({{"a/b/f", "1"}, {"a/b/g", "2"}}, paths());
  ASSERT_OK(h.names("a"));
  ASSERT_OK(h.rename("a", "n"));
  h.faulty.set_hook([](const RemoteCall& call) {
    if (call.operation == "rename") return RemoteFault::losing_answer();
    return RemoteFault::pass();
  });
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return !h.remote.id_of("n/b/f").empty(); }));
  // Known by the time it is answered, or an error that says that it will be.
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::seconds(5));
    const auto names = h.names("n/b");
    EXPECT_TRUE(names || is_transient(names.error().code));
    return names.has_value() && names->size() == 2;
  }));
  h.faulty.heal();
  ASSERT_OK(h.drain());
  expect_agreement(h, {{"n", "/"}, {"n/b", "/"}, {"n/b/f", "1"}, {"n/b/g", "2"}});
}

TEST(PathIds, OurOwnRenameThatAListingShowsFirstIsNoSecondFile) {
  VolumeHarness h({{"a/f", "1"}, {"o/", ""}}, paths());
  ASSERT_OK(h.mount_tree());
  const InodeNumber before = h.must("a/f");
  ASSERT_OK(h.rename("a/f", "o/g"));
  h.faulty.set_hook([](const RemoteCall& call) {
    if (call.operation == "rename" || call.operation == "move") return RemoteFault::losing_answer();
    return call.operation == "list" ? RemoteFault::pass()
                                    : RemoteFault::failing(ErrorCode::kUnavailable);
  });
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return h.remote.id_of("a/f").empty(); }));
  h.go_stale();
  EXPECT_EQ(h.names("a").value_or(std::vector<std::string>{"?"}).size(), 0u);
  EXPECT_EQ(h.names("o").value_or(std::vector<std::string>{}), std::vector<std::string>{"g"});
  h.faulty.heal();
  h.clock.advance(std::chrono::minutes(10));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.must("o/g"), before);
  expect_agreement(h, {{"a", "/"}, {"o", "/"}, {"o/g", "1"}});
}

TEST(PathIds, ALostAnswerAndSomebodyElseAtTheOldPlace) {
  VolumeHarness h({{"a/f", "ours"}}, paths());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("a/f", "a/g"));
  h.faulty.set_hook([](const RemoteCall& call) {
    if (call.operation == "rename") return RemoteFault::losing_answer();
    return RemoteFault::failing(ErrorCode::kUnavailable);
  });
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return !h.remote.id_of("a/g").empty(); }));
  h.remote.write_file_as_other("a/f", "theirs");
  h.faulty.heal();
  h.clock.advance(std::chrono::minutes(10));
  ASSERT_OK(h.drain());
  expect_agreement(h, {{"a", "/"}, {"a/f", "theirs"}, {"a/g", "ours"}});
}

TEST(PathIds, AnIdIsUsedAgainByAnotherObject) {
  VolumeHarness h({{"a/f", "1"}, {"a/d/x", "2"}}, paths());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.remove_tree("a/d"));
  ASSERT_OK(h.unlink("a/f"));
  ASSERT_OK(h.write_file("a/d", "a file now"));
  ASSERT_OK(h.mkdir("a/f"));
  ASSERT_OK(h.write_file("a/f/y", "3"));
  ASSERT_OK(h.drain());
  expect_agreement(h, {{"a", "/"}, {"a/d", "a file now"}, {"a/f", "/"}, {"a/f/y", "3"}});
}

TEST(PathIds, OthersPutAFolderWhereAFileWas) {
  VolumeHarness h({{"a/f", "1"}}, paths());
  ASSERT_OK(h.mount_tree());
  h.remote.remove_as_other("a/f");
  h.remote.write_file_as_other("a/f/inside", "2");
  expect_agreement(h, {{"a", "/"}, {"a/f", "/"}, {"a/f/inside", "2"}});
}

TEST(PathIds, OthersPutAFileWhereAFolderWasThatWeSaveInto) {
  VolumeHarness h({{"a/old", "old"}, {"a/sub/", ""}}, paths());
  ASSERT_OK(h.mount_tree());
  h.faulty.set_offline(true);
  ASSERT_OK(h.write_file("a/new", "ours"));
  ASSERT_OK(h.mkdir("a/made"));
  ASSERT_OK(h.rename("a/old", "a/sub/old"));
  h.remote.remove_as_other("a");
  h.remote.write_file_as_other("a", "theirs");
  h.faulty.set_offline(false);
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.unsent(), 0u);
  const TreeDump server = h.remote_tree();
  EXPECT_EQ(server.at("a"), "theirs");
  // The folder is made anew beside their file, with what nobody else has.
  const auto ours =
      std::ranges::find_if(server, [](const auto& entry) { return entry.second == "ours"; });
  ASSERT_NE(ours, server.end());
  EXPECT_TRUE(ours->first.starts_with("a (conflict ")) << ours->first;
  EXPECT_EQ(server.at(ours->first.substr(0, ours->first.rfind('/')) + "/made"), "/");
  EXPECT_EQ(h.read_file("a").value_or("?"), "theirs");
}

TEST(PathIds, OthersPutAFolderWhereWeEditAFile) {
  VolumeHarness h({{"a/f", "1"}}, paths());
  ASSERT_OK(h.write_file("a/f", "edited"));
  h.remote.remove_as_other("a/f");
  h.remote.write_file_as_other("a/f/inside", "2");
  ASSERT_TRUE(h.eventually([&] {
    h.clock.advance(std::chrono::minutes(1));
    (void)h.volume->retry(kRootInode);
    return h.unsent() == 0;
  }));
  bool kept = false;
  for (const auto& [path, content] : h.remote_tree()) kept = kept || content == "edited";
  EXPECT_TRUE(kept);
  EXPECT_EQ(h.remote.content("a/f/inside").value_or("?"), "2");
}

TEST(PathIds, TwoFoldersChangePlacesWithEditsInBoth) {
  VolumeHarness h({{"d/x/1", "A"}, {"e/x/2", "B"}}, paths());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("d/x", "e/x", RenameMode::kExchange));
  ASSERT_OK(h.write_file("d/x/2", "B2"));
  ASSERT_OK(h.write_file("e/x/3", "new"));
  ASSERT_OK(h.drain());
  expect_agreement(h, {{"d", "/"},
                       {"d/x", "/"},
                       {"d/x/2", "B2"},
                       {"e", "/"},
                       {"e/x", "/"},
                       {"e/x/1", "A"},
                       {"e/x/3", "new"}});
}

TEST(PathIds, AListingThatWasAskedBeforeARenameSaysNothingAfterIt) {
  VolumeHarness h({{"a/f", "1"}, {"a/g", "2"}}, paths());
  ASSERT_OK(h.mount_tree());
  const InodeNumber a = h.must("a");
  ASSERT_OK(h.volume->refresh(a));
  Gate gate;
  gate.close();
  h.remote.set_gate("list", &gate);
  std::jthread lists([&] { (void)h.volume->list(h.call(), a); });
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(
      h.volume->rename(h.local_only(), kRootInode, "a", kRootInode, "n", RenameMode::kReplace));
  ASSERT_OK(h.volume->retry(kRootInode));
  ASSERT_TRUE(h.eventually([&] { return !h.remote.id_of("n").empty(); }));
  h.remote.mkdir_as_other("a");
  h.remote.write_file_as_other("a/h", "theirs");
  gate.open();
  lists.join();
  h.remote.set_gate("list", nullptr);
  ASSERT_OK(h.drain());
  expect_agreement(h, {{"a", "/"}, {"a/h", "theirs"}, {"n", "/"}, {"n/f", "1"}, {"n/g", "2"}});
}

}  // namespace
}  // namespace cabinetfs
