// What somebody else does to a file between two changes of ours.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

using Versions = std::vector<std::string>;

bool holds(const TreeDump& tree, const std::string& content) {
  return std::ranges::any_of(tree, [&](const auto& entry) { return entry.second == content; });
}

// Saves by renaming a temporary file over the original, as editors do.
void save_over(VolumeHarness& h, const std::string& path, const std::string& text) {
  ASSERT_OK(h.write_file(path + "~", text));
  ASSERT_OK(h.rename(path + "~", path));
}

HarnessOptions without_versions() {
  HarnessOptions options;
  options.remote.capabilities.versions = false;
  return options;
}

TEST(TwoWriters, AVersionThatCameBetweenTwoSavesIsNotLost) {
  VolumeHarness h({{"docs/a.txt", "old"}}, without_versions());
  ASSERT_OK(h.mount_tree());
  save_over(h, "docs/a.txt", "first save");
  h.remote.write_file_as_other("docs/a.txt", "theirs");
  h.go_stale();
  ASSERT_OK(h.mount_tree());  // it is known, and not shown
  save_over(h, "docs/a.txt", "second save");
  ASSERT_OK(h.drain());
  EXPECT_TRUE(holds(h.remote_tree(), "theirs"));
  EXPECT_TRUE(holds(h.remote_tree(), "second save"));
}

TEST(TwoWriters, AVersionThatWasNeverShownIsNotDeleted) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/a.txt", "ours"));
  h.remote.write_file_as_other("docs/a.txt", "theirs");
  h.go_stale();
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.unlink("docs/a.txt"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/a.txt").value_or("?"), "theirs");
  EXPECT_EQ(h.text("docs/a.txt"), "theirs");
}

TEST(TwoWriters, RemovingManyKeepsTheOneThatWasEdited) {
  VolumeHarness h({{"docs/a", "1"}, {"docs/b", "2"}, {"docs/c", "3"}});
  ASSERT_OK(h.mount_tree());
  for (const char* name : {"docs/a", "docs/b", "docs/c"}) ASSERT_OK(h.unlink(name));
  h.remote.write_file_as_other("docs/b", "edited");
  h.go_stale();
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}, {"docs/b", "edited"}}));
}

// Where ids belong to objects.
TEST(TwoWriters, AFolderThatOthersGaveOurNewFoldersNameIsLeftAlone) {
  HarnessOptions options;
  if (options.remote.capabilities.ids_follow_path) GTEST_SKIP() << "ids are paths";
  VolumeHarness h({{"docs/old/a", "A"}}, options);
  ASSERT_OK(h.mount_tree());
  h.remote.rename_as_other("docs/old", "2024");
  ASSERT_OK(h.mkdir("docs/2024"));
  ASSERT_OK(h.write_file("docs/2024/b", "B"));
  ASSERT_OK(h.drain());
  h.go_stale();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/2024/a").value_or("?"), "A");
  EXPECT_TRUE(holds(h.remote_tree(), "B"));
}

TEST(TwoWriters, AFileThatOthersRemoveWhileWeRenameAndWriteItIsMadeAnew) {
  VolumeHarness h({{"docs/app.log", "old"}});
  auto file = h.open_rw("docs/app.log");
  ASSERT_OK(file);
  ASSERT_OK(h.pread(**file, 0, 3));
  ASSERT_OK(h.pwrite(**file, 0, "new line"));  // not committed
  ASSERT_OK(h.rename("docs/app.log", "docs/app.log.1"));
  h.remote.remove_as_other("docs/app.log");
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return h.faulty.calls("rename") > 0; }));
  ASSERT_OK(h.close(*file));
  ASSERT_OK(h.drain());
  EXPECT_TRUE(holds(h.remote_tree(), "new line"));
}

TEST(TwoWriters, ADeleteThatIsRefusedKeepsWhatWasWrittenSince) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  auto file = h.open_rw("docs/a.txt");
  ASSERT_OK(file);
  ASSERT_OK(h.pread(**file, 0, 3));
  ASSERT_OK(h.pwrite(**file, 0, "dropped by the delete"));
  ASSERT_OK(h.unlink("docs/a.txt"));
  h.faulty.script("remove", RemoteFault::failing(ErrorCode::kDenied), 1);
  h.pass_quiet_time();
  ASSERT_TRUE(h.eventually([&] { return h.exists("docs/a.txt"); }));
  ASSERT_OK(h.pwrite(**file, 0, "written since"));
  ASSERT_OK(h.close(*file));
  h.restart();
  ASSERT_OK(h.drain());
  const std::string text = h.remote.content("docs/a.txt").value_or("?");
  EXPECT_TRUE(text.starts_with("written since")) << text;
  EXPECT_EQ(h.text("docs/a.txt"), text);
}

TEST(TwoWriters, ACopyThatWasBlankedOutIsNotTheSource) {
  const std::string text = pattern_text(200'000);
  VolumeHarness h({{"docs/a", text}});
  ASSERT_OK(h.mount_tree());
  auto in = h.open_read("docs/a");
  auto out = h.create("docs/b");
  ASSERT_OK(in);
  ASSERT_OK(out);
  ASSERT_OK(h.volume->copy_range(h.call(), **in, 0, **out, 0, text.size()));
  ASSERT_OK(h.close(*in));
  ASSERT_OK(h.close(*out));
  ASSERT_OK(h.truncate("docs/b", 0));
  ASSERT_OK(h.truncate("docs/b", text.size()));
  ASSERT_OK(h.drain());
  EXPECT_TRUE(h.remote.content("docs/b") == std::string(text.size(), '\0'));
}

// The process dies with more in memory than it has committed, and others go on.
TEST(TwoWriters, WhatWasSentIsNotPutOnSomebodysNewerVersionAfterACrash) {
  VolumeHarness h({{"docs/", ""}});
  auto file = h.create("docs/a.img");
  ASSERT_OK(file);
  ASSERT_OK(h.pwrite(**file, 0, "sent"));
  Gate gate;
  gate.close();
  h.remote.set_gate("put", &gate);
  ASSERT_OK(h.volume->fsync(h.call(), **file));
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(h.pwrite(**file, 0, "LOST"));  // never committed
  gate.open();
  ASSERT_TRUE(h.eventually([&] { return h.volume->status().uploads_done == 1; }));
  h.remote.write_file_as_other("docs/a.img", "them");
  h.go_stale();
  ASSERT_OK(h.names("docs"));
  file->reset();
  h.restart();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.text("docs/a.img"), "them");
  EXPECT_EQ(h.versions("docs/a.img"), (Versions{"sent", "them"}));
}

}  // namespace
}  // namespace cabinetfs
