// Two writers: what happens when the server's state is not the one that an edit began from.
#include <gtest/gtest.h>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

using Versions = std::vector<std::string>;

HarnessOptions with_policy(ConflictPolicy policy) {
  HarnessOptions options;
  options.volume.conflict = policy;
  return options;
}

TEST(Conflict, OursBecomesANewVersionAndTheirsStaysInTheHistory) {
  VolumeHarness h({{"docs/a.txt", "base"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  h.remote.write_file_as_other("docs/a.txt", "theirs");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (Versions{"base", "theirs", "ours"}));
  EXPECT_EQ(h.state("docs/a.txt").substr(0, 9), "conflict:");
  EXPECT_EQ(h.volume->status().conflicts, 1u);
  ASSERT_OK(h.write_file("docs/a.txt", "ours again"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.state("docs/a.txt"), "clean");
}

TEST(Conflict, AChangeThatAListingBroughtMeanwhileIsAConflictToo) {
  VolumeHarness h({{"docs/a.txt", "base"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  h.remote.write_file_as_other("docs/a.txt", "theirs");
  h.go_stale();
  ASSERT_OK(h.names("docs"));
  EXPECT_EQ(h.text("docs/a.txt"), "ours");
  h.restart();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (Versions{"base", "theirs", "ours"}));
  EXPECT_EQ(h.state("docs/a.txt").substr(0, 9), "conflict:");
}

TEST(Conflict, OursIsSavedBesideTheirsAsACopy) {
  VolumeHarness h({{"docs/a.txt", "base"}}, with_policy(ConflictPolicy::kCopy));
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  h.remote.write_file_as_other("docs/a.txt", "theirs");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (Versions{"base", "theirs"}));
  h.go_stale();
  const Result<TreeDump> tree = h.mount_tree();
  ASSERT_OK(tree);
  ASSERT_EQ(tree->size(), 3u);
  EXPECT_EQ(tree->at("docs/a.txt"), "theirs");
  std::string copy;
  for (const auto& [path, content] : *tree)
    if (content == "ours") copy = path;
  EXPECT_EQ(copy.find("docs/a (conflict box "), 0u) << copy;
  EXPECT_EQ(*tree, h.remote_tree());
}

TEST(Conflict, AVendorWithoutVersionsGetsACopyInAnyCase) {
  HarnessOptions options;
  options.remote.capabilities = FakeRemoteOptions::bare();
  VolumeHarness h({{"docs/a.txt", "base"}}, options);
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  h.remote.write_file_as_other("docs/a.txt", "theirs");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/a.txt").value_or("?"), "theirs");
  EXPECT_EQ(h.remote.dump().size(), 3u);
}

TEST(Conflict, FailKeepsOursHereUntilSomebodyDecides) {
  VolumeHarness h({{"docs/a.txt", "base"}}, with_policy(ConflictPolicy::kFail));
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  h.remote.write_file_as_other("docs/a.txt", "theirs");
  EXPECT_ERROR(ErrorCode::kConflict, h.drain());
  EXPECT_EQ(h.state("docs/a.txt").substr(0, 7), "failed:");
  EXPECT_EQ(h.text("docs/a.txt"), "ours");
  EXPECT_EQ(h.versions("docs/a.txt"), (Versions{"base", "theirs"}));
  ASSERT_OK(h.volume->discard(h.call(), h.must("docs/a.txt")));
  h.go_stale();
  EXPECT_EQ(h.text("docs/a.txt"), "theirs");
  EXPECT_EQ(h.unsent(), 0u);
}

TEST(Conflict, TheirDeletionAgainstOurEdit) {
  VolumeHarness h({{"docs/a.txt", "base"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  h.remote.remove_as_other("docs/a.txt");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), Versions{"ours"});
  EXPECT_EQ(h.text("docs/a.txt"), "ours");
  EXPECT_EQ(h.state("docs/a.txt").substr(0, 9), "conflict:");
}

TEST(Conflict, TheirDeletionThatAListingBroughtAgainstOurEdit) {
  VolumeHarness h({{"docs/a.txt", "base"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  h.remote.remove_as_other("docs/a.txt");
  h.go_stale();
  EXPECT_EQ(h.names("docs").value_or(std::vector<std::string>{}),
            std::vector<std::string>{"a.txt"});
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), Versions{"ours"});
}

TEST(Conflict, OurDeletionAgainstTheirEdit) {
  HarnessOptions options;
  options.volume.fresh = std::chrono::milliseconds(0);
  VolumeHarness h({{"docs/a.txt", "base"}}, options);
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.unlink("docs/a.txt"));
  h.remote.write_file_as_other("docs/a.txt", "theirs");
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (Versions{"base", "theirs"}));
  h.go_stale();
  EXPECT_EQ(h.text("docs/a.txt"), "theirs");
  EXPECT_EQ(h.state("docs/a.txt").substr(0, 9), "conflict:");
}

TEST(Conflict, OurDeletionAgainstTheirEditThatAListingBrought) {
  VolumeHarness h({{"docs/a.txt", "base"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.unlink("docs/a.txt"));
  h.remote.write_file_as_other("docs/a.txt", "theirs");
  h.clock.advance(std::chrono::seconds(90));
  EXPECT_EQ(h.names("docs").value_or(std::vector<std::string>{}),
            std::vector<std::string>{"a.txt"});
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (Versions{"base", "theirs"}));
}

TEST(Conflict, OurNewFileAgainstTheirsOfTheSameName) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.names("docs"));
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  h.remote.write_file_as_other("docs/a.txt", "theirs");
  ASSERT_OK(h.drain());
  h.go_stale();
  const Result<TreeDump> tree = h.mount_tree();
  ASSERT_OK(tree);
  EXPECT_EQ(*tree, h.remote_tree());
  ASSERT_EQ(tree->size(), 3u);
  EXPECT_EQ(tree->at("docs/a.txt"), "theirs");
}

TEST(Conflict, TheSameBytesUnderTheSameNameAreNoConflict) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.names("docs"));
  ASSERT_OK(h.write_file("docs/a.txt", "same"));
  h.remote.write_file_as_other("docs/a.txt", "same");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}, {"docs/a.txt", "same"}}));
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), h.remote_tree());
}

TEST(Conflict, OurNewFolderAgainstTheirFile) {
  VolumeHarness h;
  ASSERT_OK(h.names(""));
  ASSERT_OK(h.mkdir("a"));
  ASSERT_OK(h.write_file("a/x", "ours"));
  h.remote.write_file_as_other("a", "theirs");
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  h.go_stale();
  const Result<TreeDump> tree = h.mount_tree();
  ASSERT_OK(tree);
  EXPECT_EQ(*tree, h.remote_tree());
  EXPECT_EQ(tree->at("a"), "theirs");
  EXPECT_EQ(tree->size(), 3u);
}

TEST(Conflict, OurRenameAgainstTheirNewFile) {
  VolumeHarness h({{"docs/a.txt", "A"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("docs/a.txt", "docs/b.txt"));
  h.remote.write_file_as_other("docs/b.txt", "theirs");
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  h.go_stale();
  const Result<TreeDump> tree = h.mount_tree();
  ASSERT_OK(tree);
  EXPECT_EQ(*tree, h.remote_tree());
  EXPECT_EQ(tree->at("docs/b.txt"), "theirs");
  EXPECT_EQ(tree->size(), 3u);
}

TEST(Conflict, OurRenameAgainstTheirNewFileThatAListingBrought) {
  VolumeHarness h({{"docs/a.txt", "A"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("docs/a.txt", "docs/b.txt"));
  h.remote.write_file_as_other("docs/b.txt", "theirs");
  h.go_stale();
  ASSERT_OK(h.names("docs"));
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  h.go_stale();
  const Result<TreeDump> tree = h.mount_tree();
  ASSERT_OK(tree);
  EXPECT_EQ(*tree, h.remote_tree());
}

TEST(Conflict, OurRenameAndTheirEditAreBothKept) {
  VolumeHarness h({{"docs/a.txt", "A"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("docs/a.txt", "docs/b.txt"));
  h.remote.write_file_as_other("docs/a.txt", "edited by them");
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  h.go_stale();
  EXPECT_EQ(*h.mount_tree(), (TreeDump{{"docs", "/"}, {"docs/b.txt", "edited by them"}}));
  EXPECT_EQ(h.remote_tree(), *h.mount_tree());
}

TEST(Conflict, OurEditAndTheirRenameAreBothKept) {
  VolumeHarness h({{"docs/a.txt", "A"}, {"other/", ""}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/a.txt", "edited here"));
  h.remote.rename_as_other("docs/a.txt", "b.txt");
  h.remote.move_as_other("docs/b.txt", "other");
  ASSERT_OK(h.drain());
  h.go_stale();
  const Result<TreeDump> tree = h.mount_tree();
  ASSERT_OK(tree);
  EXPECT_EQ(*tree, (TreeDump{{"docs", "/"}, {"other", "/"}, {"other/b.txt", "edited here"}}));
  EXPECT_EQ(h.remote_tree(), *tree);
}

}  // namespace
}  // namespace cabinetfs
