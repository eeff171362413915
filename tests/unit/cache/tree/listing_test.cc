// Names, attributes and freshness, as programs see them.
#include <gtest/gtest.h>

#include <future>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

using std::chrono::seconds;

TEST(Listing, ShowsWhatTheServerHas) {
  VolumeHarness h({{"docs/a.txt", "hello"}, {"docs/sub/b.txt", "x"}, {"empty/", ""}});
  const Result<TreeDump> tree = h.mount_tree();
  ASSERT_OK(tree);
  EXPECT_EQ(*tree, (TreeDump{{"docs", "/"},
                             {"docs/a.txt", "hello"},
                             {"docs/sub", "/"},
                             {"docs/sub/b.txt", "x"},
                             {"empty", "/"}}));
}

TEST(Listing, AsksOnceForAFolderAndItsFiles) {
  VolumeHarness h({{"docs/a.txt", "hello"}, {"docs/b.txt", "hello"}});
  ASSERT_OK(h.names("docs"));
  h.remote.reset_calls();
  ASSERT_OK(h.names("docs"));
  EXPECT_EQ(h.stat("docs/a.txt")->size, 5u);
  EXPECT_ERROR(ErrorCode::kNotFound, h.stat("docs/c.txt"));
  EXPECT_EQ(h.remote.total_calls(), 0u);
}

TEST(Listing, AnUnknownFolderIsNotListedWithoutTheNetwork) {
  VolumeHarness h({{"docs/a.txt", "hello"}});
  EXPECT_ERROR(ErrorCode::kWouldBlock, h.volume->list(h.local_only(), kRootInode));
  EXPECT_ERROR(ErrorCode::kWouldBlock, h.volume->lookup(h.local_only(), kRootInode, "docs"));
  EXPECT_EQ(h.remote.total_calls(), 0u);
  ASSERT_OK(h.names(""));
  EXPECT_OK(h.volume->list(h.local_only(), kRootInode));
}

TEST(Listing, ANameThatIsMissingIsAskedForAgainOnceTheListingIsOld) {
  VolumeHarness h({{"docs/a.txt", "hello"}});
  EXPECT_ERROR(ErrorCode::kNotFound, h.stat("docs/new.txt"));
  h.remote.write_file_as_other("docs/new.txt", "theirs");
  EXPECT_ERROR(ErrorCode::kNotFound, h.stat("docs/new.txt"));  // within `fresh`
  h.clock.advance(seconds(11));
  EXPECT_EQ(h.text("docs/new.txt"), "theirs");
}

TEST(Listing, InodeNumbersStayTheSameAcrossRestarts) {
  VolumeHarness h({{"docs/a.txt", "hello"}});
  const InodeNumber before = h.must("docs/a.txt");
  ASSERT_TRUE(before);
  h.restart();
  EXPECT_EQ(h.must("docs/a.txt"), before);
}

TEST(Listing, OpenTakesTheServersNewerVersionOnceItsEntryIsOld) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  EXPECT_EQ(h.text("docs/a.txt"), "old");
  h.remote.write_file_as_other("docs/a.txt", "newer");
  h.clock.advance(seconds(11));
  EXPECT_EQ(h.text("docs/a.txt"), "newer");
  EXPECT_EQ(h.stat("docs/a.txt")->size, 5u);
  EXPECT_TRUE(h.notifier.told_of(h.must("docs/a.txt"), true));
}

TEST(Listing, AnOpenHandleKeepsTheVersionThatItOpened) {
  VolumeHarness h({{"docs/a.txt", "old content"}});
  auto file = h.open_read("docs/a.txt");
  ASSERT_OK(file);
  EXPECT_EQ(h.pread(**file, 0, 3).value_or("?"), "old");  // now it is in the cache
  h.remote.write_file_as_other("docs/a.txt", "newer");
  h.go_stale();
  EXPECT_EQ(h.text("docs/a.txt"), "newer");
  EXPECT_EQ(h.read_all(**file).value_or("?"), "old content");
  EXPECT_OK(h.close(*file));
}

TEST(Listing, APartOfAnOldVersionThatWasNotReadInTimeIsAnErrorNotData) {
  VolumeHarness h({{"docs/a.bin", pattern_text(300'000, 1)}});
  auto file = h.open_read("docs/a.bin");
  ASSERT_OK(file);
  h.remote.write_file_as_other("docs/a.bin", pattern_text(300'001, 2));
  const Result<std::string> got = h.pread(**file, 200'000, 1000);
  if (got) {
    EXPECT_EQ(*got, pattern_text(300'000, 1).substr(200'000, 1000));
  }
  EXPECT_OK(h.close(*file));
  h.go_stale();
  EXPECT_EQ(h.text("docs/a.bin"), pattern_text(300'001, 2));
}

TEST(Listing, RemoteRenamesAndRemovalsAreSeen) {
  VolumeHarness h({{"docs/a.txt", "a"}, {"docs/b.txt", "b"}, {"other/", ""}});
  ASSERT_OK(h.mount_tree());
  const InodeNumber a = h.must("docs/a.txt");
  h.remote.rename_as_other("docs/a.txt", "c.txt");
  h.remote.remove_as_other("docs/b.txt");
  h.go_stale();
  EXPECT_EQ(h.names("docs").value_or(std::vector<std::string>{}),
            std::vector<std::string>{"c.txt"});
  EXPECT_EQ(h.must("docs/c.txt"), a);
  EXPECT_TRUE(h.notifier.told_of_entry(h.must("docs"), "b.txt"));
}

TEST(Listing, AFileThatOthersReplaceKeepsItsName) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  ASSERT_OK(h.mount_tree());
  h.remote.remove_as_other("docs/a.txt");
  h.remote.write_file_as_other("docs/a.txt", "another object");
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), (TreeDump{{"docs", "/"}, {"docs/a.txt", "another object"}}));
}

TEST(Listing, FilesThatOthersSwapKeepTheirNames) {
  VolumeHarness h({{"docs/a.txt", "a"}, {"docs/b.txt", "b"}});
  ASSERT_OK(h.mount_tree());
  h.remote.rename_as_other("docs/a.txt", "c.txt");
  h.remote.rename_as_other("docs/b.txt", "a.txt");
  h.remote.rename_as_other("docs/c.txt", "b.txt");
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), (TreeDump{{"docs", "/"}, {"docs/a.txt", "b"}, {"docs/b.txt", "a"}}));
}

TEST(Listing, AFileThatOthersMoveIsShownWhereItIsNow) {
  VolumeHarness h({{"docs/a.txt", "a"}, {"other/", ""}});
  ASSERT_OK(h.mount_tree());
  h.remote.move_as_other("docs/a.txt", "other");
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), (TreeDump{{"docs", "/"}, {"other", "/"}, {"other/a.txt", "a"}}));
}

TEST(Listing, TwinsAreBothShownAndStayTheSame) {
  VolumeHarness h({{"docs/a.txt", "one"}});
  h.remote.add_twin("docs/a.txt", "two");
  const Result<TreeDump> first = h.mount_tree();
  ASSERT_OK(first);
  ASSERT_EQ(first->size(), 3u);
  std::set<std::string> contents;
  for (const auto& [path, content] : *first) contents.insert(content);
  EXPECT_EQ(contents, (std::set<std::string>{"/", "one", "two"}));
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), *first);
  h.restart();
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), *first);
}

TEST(Listing, NamesThatPosixCannotHoldAreShownEscapedAndFound) {
  VolumeHarness h({{"docs/", ""}});
  h.remote.add_raw("docs", "a/b", "slash");
  h.remote.add_raw("docs", "..", "dots");
  const Result<std::vector<std::string>> names = h.names("docs");
  ASSERT_OK(names);
  ASSERT_EQ(names->size(), 2u);
  for (const std::string& name : *names) {
    EXPECT_EQ(name.find('/'), std::string::npos);
    EXPECT_NE(name, "..");
    EXPECT_TRUE(h.text("docs/" + name) == "slash" || h.text("docs/" + name) == "dots");
  }
}

TEST(Listing, NamesThatTheServerRefusesTravelEncoded) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/what: a?.txt", "x"));
  ASSERT_OK(h.write_file("docs/.hidden", "y"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.id_of("docs/.hidden").empty(), true);
  EXPECT_EQ(h.remote.dump().size(), 3u);
  h.restart();
  h.go_stale();
  EXPECT_EQ(h.names("docs").value_or(std::vector<std::string>{}),
            (std::vector<std::string>{".hidden", "what: a?.txt"}));
  EXPECT_EQ(h.text("docs/.hidden"), "y");
}

TEST(Listing, ANameInAnotherCaseIsTheSameNameToSuchAServer) {
  VolumeHarness h({{"docs/Readme.txt", "x"}});
  EXPECT_ERROR(ErrorCode::kExists, h.create("docs/README.TXT", true));
  EXPECT_ERROR(ErrorCode::kExists, h.mkdir("docs/readme.txt"));
  EXPECT_OK(h.rename("docs/Readme.txt", "docs/README.txt"));
  EXPECT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}, {"docs/README.txt", "x"}}));
}

TEST(Listing, ANameInAnotherCaseIsAnotherNameToACaseSensitiveServer) {
  HarnessOptions options;
  options.remote.capabilities = FakeRemoteOptions::bare();
  VolumeHarness h({{"docs/Readme.txt", "x"}}, options);
  EXPECT_OK(h.write_file("docs/README.txt", "y"));
  EXPECT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(),
            (TreeDump{{"docs", "/"}, {"docs/README.txt", "y"}, {"docs/Readme.txt", "x"}}));
}

TEST(Listing, ARootWithoutFilesRefusesThemAtOnce) {
  HarnessOptions options;
  options.remote.capabilities = FakeRemoteOptions::like_kiteworks();
  VolumeHarness h({{"docs/", ""}}, options);
  EXPECT_ERROR(ErrorCode::kNotPermitted, h.create("a.txt"));
  EXPECT_OK(h.mkdir("more"));
  EXPECT_ERROR(ErrorCode::kNotPermitted, [&]() -> Result<void> {
    TRY(h.write_file("docs/a.txt", "x"));
    return h.rename("docs/a.txt", "a.txt");
  }());
}

TEST(Listing, RightsAreEnforcedHere) {
  VolumeHarness h({{"docs/a.txt", "x"}, {"docs/b.txt", "x"}});
  h.remote.set_rights("docs/a.txt", Rights::all().remove(Right::kWrite).remove(Right::kDelete));
  EXPECT_EQ(h.stat("docs/a.txt")->mode & 0222u, 0u);
  EXPECT_ERROR(ErrorCode::kDenied, h.open_rw("docs/a.txt"));
  EXPECT_ERROR(ErrorCode::kDenied, h.unlink("docs/a.txt"));
  EXPECT_ERROR(ErrorCode::kDenied, h.rename("docs/b.txt", "docs/a.txt"));
  EXPECT_EQ(h.text("docs/a.txt"), "x");
}

TEST(Listing, ACancelledListingEndsAtOnce) {
  VolumeHarness h({{"docs/a.txt", "x"}});
  ASSERT_OK(h.names(""));
  Gate gate;
  gate.close();
  h.remote.set_gate("list", &gate);
  const InodeNumber docs = h.must("docs");
  auto first = std::async(std::launch::async, [&] { return h.volume->list(h.call(), docs); });
  ASSERT_TRUE(gate.wait_for_waiting(1));
  CancelSource cancel;
  CallContext call = h.call();
  call.cancel = cancel.token();
  auto second = std::async(std::launch::async, [&] { return h.volume->list(call, docs); });
  cancel.cancel();
  ASSERT_EQ(second.wait_for(seconds(10)), std::future_status::ready);
  EXPECT_ERROR(ErrorCode::kCancelled, second.get());
  gate.open();
  EXPECT_OK(first.get());
}

TEST(Listing, OneRequestServesAllWhoWaitForIt) {
  VolumeHarness h({{"docs/a.txt", "x"}});
  ASSERT_OK(h.names(""));
  const InodeNumber docs = h.must("docs");
  Gate gate;
  gate.close();
  h.remote.set_gate("list", &gate);
  h.remote.reset_calls();
  std::vector<std::future<Result<DirListing>>> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(std::async(std::launch::async, [&] { return h.volume->list(h.call(), docs); }));
  }
  ASSERT_TRUE(gate.wait_for_waiting(1));
  gate.open();
  for (auto& each : all) EXPECT_OK(each.get());
  EXPECT_EQ(h.remote.calls("list"), 1u);
}

TEST(Listing, AListingThatFailsIsNoEmptyFolder) {
  VolumeHarness h({{"docs/a.txt", "x"}});
  ASSERT_OK(h.mount_tree());
  for (const ErrorCode code : {ErrorCode::kDenied, ErrorCode::kUnauthenticated,
                               ErrorCode::kUnavailable, ErrorCode::kTimeout}) {
    h.go_stale();
    h.faulty.script("list", RemoteFault::failing(code));
    const std::uint64_t faults = h.faulty.faults();
    const auto during = h.names("docs");
    EXPECT_GT(h.faulty.faults(), faults) << to_string(code);
    // What was known before is as good as an error.
    if (during) {
      EXPECT_EQ(*during, std::vector<std::string>{"a.txt"}) << to_string(code);
    }
    h.faulty.heal();
    EXPECT_EQ(h.names("docs").value_or(std::vector<std::string>{}),
              std::vector<std::string>{"a.txt"});
  }
}

TEST(Listing, ThePollerFindsRemoteChangesAndTellsTheKernel) {
  HarnessOptions options;
  options.volume.poll_interval = std::chrono::milliseconds(20);
  VolumeHarness h({{"docs/a.txt", "old"}}, options);
  ASSERT_OK(h.mount_tree());
  const InodeNumber a = h.must("docs/a.txt");
  ASSERT_TRUE(h.eventually([&] { return h.remote.calls("changes") > 1; }));
  h.remote.write_file_as_other("docs/a.txt", "newer content");
  EXPECT_TRUE(h.eventually([&] { return h.volume->getattr(h.local_only(), a)->size == 13; }));
  EXPECT_TRUE(h.eventually([&] { return h.notifier.told_of(a, true); }));
}

// The feed begins with its first answer; what was listed before that may be old already.
TEST(Listing, ThePollerFindsAChangeThatCameBeforeItsFirstAnswer) {
  HarnessOptions options;
  options.volume.poll_interval = std::chrono::milliseconds(200);
  Gate gate;
  gate.close();
  VolumeHarness h({{"docs/a.txt", "old"}}, options);
  h.remote.set_gate("changes", &gate);
  ASSERT_OK(h.mount_tree());
  const InodeNumber a = h.must("docs/a.txt");
  h.remote.write_file_as_other("docs/a.txt", "newer content");
  gate.open();
  EXPECT_TRUE(h.eventually([&] { return h.volume->getattr(h.local_only(), a)->size == 13; }));
  h.remote.set_gate("changes", nullptr);
}

// Nobody listed the folder lately, but the kernel knows names in it from lookups.
TEST(Listing, ThePollerMakesNamesInUnlistedFoldersDoubtful) {
  HarnessOptions options;
  options.volume.poll_interval = std::chrono::milliseconds(20);
  VolumeHarness h({{"docs/a.txt", "old"}, {"docs/b.txt", "gone soon"}}, options);
  const InodeNumber docs = h.must("docs");
  const InodeNumber b = h.must("docs/b.txt");
  ASSERT_TRUE(b);
  ASSERT_TRUE(h.eventually([&] { return h.remote.calls("changes") > 1; }));
  h.remote.remove_as_other("docs/b.txt");
  EXPECT_TRUE(h.eventually([&] {
    const auto found = h.volume->lookup(h.call(), docs, "b.txt");
    return !found && found.error().code == ErrorCode::kNotFound;
  }));
}

TEST(Listing, ThePollerFindsAnEditThatFollowsOurOwnUpload) {
  HarnessOptions options;
  options.volume.poll_interval = std::chrono::milliseconds(200);
  VolumeHarness h({{"docs/a.txt", "old"}}, options);
  ASSERT_OK(h.mount_tree());
  const InodeNumber a = h.must("docs/a.txt");
  ASSERT_TRUE(h.eventually([&] { return h.remote.calls("changes") > 1; }));
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  ASSERT_OK(h.drain());
  h.remote.write_file_as_other("docs/a.txt", "theirs, after ours");
  EXPECT_TRUE(h.eventually([&] { return h.volume->getattr(h.local_only(), a)->size == 18; }));
}

TEST(Listing, WithoutAChangeFeedFoldersInUseAreListedAgain) {
  HarnessOptions options;
  options.remote.capabilities = FakeRemoteOptions::bare();
  options.volume.poll_interval = std::chrono::milliseconds(20);
  VolumeHarness h({{"docs/a.txt", "old"}}, options);
  ASSERT_OK(h.mount_tree());
  const InodeNumber a = h.must("docs/a.txt");
  h.remote.write_file_as_other("docs/a.txt", "newer content");
  EXPECT_TRUE(h.eventually([&] { return h.volume->getattr(h.local_only(), a)->size == 13; }));
}

TEST(Listing, RefreshForgetsAListingButNotWhatIsUnsent) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/mine.txt", "unsent"));
  h.remote.write_file_as_other("docs/b.txt", "theirs");
  ASSERT_OK(h.volume->refresh(h.must("docs")));
  EXPECT_EQ(h.names("docs").value_or(std::vector<std::string>{}),
            (std::vector<std::string>{"a.txt", "b.txt", "mine.txt"}));
  EXPECT_EQ(h.text("docs/mine.txt"), "unsent");
}

TEST(Listing, AttributesOfOtherProgramsSurviveARestart) {
  VolumeHarness h({{"docs/a.txt", "x"}});
  const InodeNumber a = h.must("docs/a.txt");
  SetAttributes set;
  set.mode = 0755;
  set.mtime = WallTime(seconds(1'000'000'000));
  ASSERT_OK(h.volume->setattr(h.call(), a, set, nullptr));
  ASSERT_OK(h.volume->set_xattr(a, "user.note", "remember", Volume::XattrMode::kCreate));
  EXPECT_ERROR(ErrorCode::kExists,
               h.volume->set_xattr(a, "user.note", "again", Volume::XattrMode::kCreate));
  h.restart();
  h.go_stale();
  ASSERT_OK(h.mount_tree());
  EXPECT_EQ(h.stat("docs/a.txt")->mode & 0777u, 0755u);
  EXPECT_EQ(h.stat("docs/a.txt")->mtime, WallTime(seconds(1'000'000'000)));
  EXPECT_EQ(h.volume->get_xattr(a, "user.note").value_or("?"), "remember");
  ASSERT_OK(h.volume->remove_xattr(a, "user.note"));
  EXPECT_ERROR(ErrorCode::kNoData, h.volume->get_xattr(a, "user.note"));
  EXPECT_EQ(h.unsent(), 0u);
}

TEST(Quota, IsTheLastThatWasToldWhereNobodyAnswers) {
  VolumeHarness h({{"docs/a.txt", "12345"}});
  h.faulty.script("quota", RemoteFault::failing(ErrorCode::kDenied), 1);
  EXPECT_ERROR(ErrorCode::kDenied, h.volume->quota(h.call()));  // nothing is made up
  h.remote.set_quota(1'000);
  const Result<Quota> told = h.volume->quota(h.call());
  ASSERT_OK(told);
  EXPECT_EQ(told->total, 1'000u);
  h.go_stale();
  h.faulty.script("quota", RemoteFault::failing(ErrorCode::kUnavailable), 1);
  const Result<Quota> kept = h.volume->quota(h.call());
  ASSERT_OK(kept);
  EXPECT_EQ(kept->total, told->total);
  EXPECT_EQ(kept->used, told->used);
}

// Some servers answer with nothing while they are not ready. What was known before a restart too is
// not given up for that.
TEST(Listing, AnEmptyAnswerThatOneFileContradictsIsNotBelieved) {
  VolumeHarness h({{"docs/a.txt", "A"}, {"docs/b.txt", "B"}, {"docs/sub/", ""}});
  ASSERT_OK(h.mount_tree());
  h.restart();
  h.remote.hide_children("docs", true);
  h.go_stale();
  // As if nobody had answered: what is known is shown.
  EXPECT_EQ(h.names("docs").value_or(std::vector<std::string>{}),
            (std::vector<std::string>{"a.txt", "b.txt", "sub"}));
  EXPECT_ERROR(ErrorCode::kNotEmpty, h.rmdir("docs"));
  h.remote.hide_children("docs", false);
  h.remote.remove_as_other("docs/a.txt");
  h.remote.remove_as_other("docs/b.txt");
  h.remote.remove_as_other("docs/sub");
  h.go_stale();
  EXPECT_EQ(h.names("docs").value_or(std::vector<std::string>{"?"}), std::vector<std::string>{});
}

}  // namespace
}  // namespace cabinetfs
