// Vendors that cannot rename or move, or not everywhere: what the server knows is copied and
// deleted by `mv`.
#include <gtest/gtest.h>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

using RenameMode = Volume::RenameMode;

HarnessOptions neither() {
  HarnessOptions options;
  options.remote = FakeRemoteOptions();
  options.remote.capabilities.rename = options.remote.capabilities.move = false;
  return options;
}

TEST(NoRename, ToAFreePlaceIsLeftToTheProgram) {
  VolumeHarness h({{"d/a", "A"}, {"d/sub/x", "X"}, {"e/", ""}}, neither());
  ASSERT_OK(h.mount_tree());
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/a", "d/b"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/a", "e/a"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/sub", "d/other"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/sub", "e/sub"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/a", "d/sub", RenameMode::kExchange));
  EXPECT_EQ(h.unsent(), 0u);
  EXPECT_EQ(*h.mount_tree(), h.remote_tree());
}

TEST(NoRename, OneOfTheTwoIsEnoughForItself) {
  HarnessOptions options = neither();
  options.remote.capabilities.rename = true;
  VolumeHarness h({{"d/a", "A"}, {"e/", ""}}, options);
  ASSERT_OK(h.mount_tree());
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/a", "e/a"));
  ASSERT_OK(h.rename("d/a", "d/b"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("d/b").value_or("?"), "A");
}

TEST(NoRename, WhatWasNeverSentGoesAnywhere) {
  VolumeHarness h({{"d/", ""}, {"e/", ""}}, neither());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("d/a", "A"));
  ASSERT_OK(h.rename("d/a", "e/b"));
  ASSERT_OK(h.mkdir("d/new"));
  ASSERT_OK(h.write_file("d/new/x", "X"));
  ASSERT_OK(h.rename("d/new", "e/moved"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(),
            (TreeDump{{"d", "/"}, {"e", "/"}, {"e/b", "A"}, {"e/moved", "/"}, {"e/moved/x", "X"}}));
}

TEST(NoRename, WhatIsBeingSentJustNowStaysToo) {
  VolumeHarness h({{"d/", ""}}, neither());
  ASSERT_OK(h.names("d"));
  ASSERT_OK(h.write_file("d/a", "A"));
  Gate gate;
  gate.close();
  h.remote.set_gate("put", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/a", "d/b"));
  gate.open();
  ASSERT_OK(h.drain());
}

// What `mv` does where rename says EXDEV.
void move_by_copy(VolumeHarness& h, const std::string& from, const std::string& to) {
  auto in = h.open_read(from);
  auto out = h.create(to);
  ASSERT_OK(in);
  ASSERT_OK(out);
  const auto copied = h.volume->copy_range(h.call(), **in, 0, **out, 0, 1 << 20);
  ASSERT_OK(copied);
  ASSERT_OK(h.close(*in));
  ASSERT_OK(h.close(*out));
  ASSERT_OK(h.unlink(from));
}

TEST(NoRename, ACircleOfCopiesThatStandOnEachOther) {
  for (const bool edited : {false, true}) {
    VolumeHarness h({{"d/f1", "one"}, {"d/f2", "two"}, {"d/f3", "three"}}, neither());
    ASSERT_OK(h.mount_tree());
    move_by_copy(h, "d/f1", "d/t");
    move_by_copy(h, "d/f2", "d/f1");
    move_by_copy(h, "d/f3", "d/f2");
    move_by_copy(h, "d/t", "d/f3");
    if (edited) {
      auto file = h.open_rw("d/f3");
      ASSERT_OK(file);
      ASSERT_OK(h.pwrite(**file, 0, "O"));
      ASSERT_OK(h.close(*file));
    }
    ASSERT_OK(h.drain());
    const std::string third = edited ? "One" : "one";
    EXPECT_EQ(h.remote_tree(),
              (TreeDump{{"d", "/"}, {"d/f1", "two"}, {"d/f2", "three"}, {"d/f3", third}}));
    EXPECT_EQ(*h.mount_tree(), h.remote_tree());
    EXPECT_EQ(h.versions("d/f1"), (std::vector<std::string>{"one", "two"}));
    EXPECT_EQ(h.versions("d/f3"), (std::vector<std::string>{"three", third}));
    EXPECT_EQ(h.unsent(), 0u);
  }
}

TEST(NoRename, ASaveByANewFileIsANewVersion) {
  VolumeHarness h({{"d/a.txt", "old"}}, neither());
  ASSERT_OK(h.mount_tree());
  const RemoteId id = h.remote.id_of("d/a.txt");
  ASSERT_OK(h.write_file("d/.a.tmp", "new"));
  ASSERT_OK(h.rename("d/.a.tmp", "d/a.txt"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("d/a.txt"), (std::vector<std::string>{"old", "new"}));
  EXPECT_EQ(h.remote.id_of("d/a.txt"), id);
  EXPECT_EQ(h.remote.calls("rename") + h.remote.calls("move"), 0u);
}

TEST(NoRename, ASaveByAFileThatWasSentAlreadyTooAndThatIsRemoved) {
  VolumeHarness h({{"d/a.txt", "old"}}, neither());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("d/a.tmp", "new"));
  ASSERT_OK(h.drain());
  ASSERT_OK(h.rename("d/a.tmp", "d/a.txt"));
  EXPECT_EQ(h.text("d/a.txt"), "new");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"}, {"d/a.txt", "new"}}));
  EXPECT_EQ(h.versions("d/a.txt"), (std::vector<std::string>{"old", "new"}));
  EXPECT_EQ(h.remote.calls("rename") + h.remote.calls("move"), 0u);
  EXPECT_EQ(h.unsent(), 0u);
}

TEST(NoRename, ASaveByAFileThatIsBeingSent) {
  VolumeHarness h({{"d/a.txt", "old"}}, neither());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("d/a.tmp", "new"));
  Gate gate;
  gate.close();
  h.remote.set_gate("put", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(h.rename("d/a.tmp", "d/a.txt"));
  gate.open();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"}, {"d/a.txt", "new"}}));
  EXPECT_EQ(h.unsent(), 0u);
}

TEST(NoRename, OverAFileThatOnlyExistsHere) {
  VolumeHarness h({{"d/a", "A"}}, neither());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("d/b", "unsent"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/a", "d/b"));
  EXPECT_EQ(h.text("d/b"), "unsent");
  ASSERT_OK(h.drain());
}

TEST(NoRename, IntoThePlaceOfADeletedFile) {
  VolumeHarness h({{"d/a", "A"}, {"e/b", "B"}}, neither());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.unlink("e/b"));
  ASSERT_OK(h.rename("d/a", "e/b"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"}, {"e", "/"}, {"e/b", "A"}}));
}

TEST(NoRename, NotIntoThePlaceOfAFileThatIsBeingRemovedJustNow) {
  VolumeHarness h({{"d/a", "A"}, {"e/b", "B"}}, neither());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.unlink("e/b"));
  Gate gate;
  gate.close();
  h.remote.set_gate("remove", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/a", "e/b"));
  gate.open();
  ASSERT_OK(h.drain());
  EXPECT_TRUE(h.volume->status().notices.empty());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"}, {"d/a", "A"}, {"e", "/"}}));
  EXPECT_EQ(*h.mount_tree(), h.remote_tree());
}

HarnessOptions nothing_across_top() {
  HarnessOptions options;
  options.remote.capabilities.move_across_top = false;
  return options;
}

TEST(MoveAcrossTop, IsLeftToTheProgram) {
  VolumeHarness h({{"a/f", "F"}, {"a/sub/x", "X"}, {"b/g", "G"}, {"r", "R"}}, nothing_across_top());
  ASSERT_OK(h.mount_tree());
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("a/f", "b/f"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("a/sub", "b/sub"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("a/sub", "sub"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("a/f", "f"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("b", "a/b"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("r", "a/r"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("a/f", "b/g", RenameMode::kExchange));
  EXPECT_EQ(h.unsent(), 0u);
  EXPECT_EQ(*h.mount_tree(), h.remote_tree());
}

TEST(MoveAcrossTop, WithinOneFolderAndAtTheTopAllGoesOn) {
  VolumeHarness h({{"a/f", "F"}, {"a/sub/x", "X"}, {"b/", ""}}, nothing_across_top());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("a/f", "a/sub/f"));
  ASSERT_OK(h.rename("a/sub/x", "a/y"));
  ASSERT_OK(h.rename("b", "c"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(),
            (TreeDump{{"a", "/"}, {"a/sub", "/"}, {"a/sub/f", "F"}, {"a/y", "X"}, {"c", "/"}}));
  EXPECT_EQ(*h.mount_tree(), h.remote_tree());
}

TEST(MoveAcrossTop, WhatWasNeverSentGoesAnywhereUnlessItCarriesWhatWas) {
  VolumeHarness h({{"a/f", "F"}, {"b/", ""}}, nothing_across_top());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("a/new", "N"));
  ASSERT_OK(h.rename("a/new", "b/new"));
  ASSERT_OK(h.mkdir("a/d"));
  ASSERT_OK(h.mkdir("a/d/e"));
  ASSERT_OK(h.rename("a/d", "b/d"));
  ASSERT_OK(h.rename("b/d", "a/d"));
  // It moves inside "a", and so may not leave it on another's back.
  ASSERT_OK(h.rename("a/f", "a/d/e/f"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("a/d", "b/d"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("a/d/e", "b/e"));
  ASSERT_OK(h.rename("a/d/e/f", "a/f"));
  ASSERT_OK(h.rename("a/d", "b/d"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(
      h.remote_tree(),
      (TreeDump{
          {"a", "/"}, {"a/f", "F"}, {"b", "/"}, {"b/new", "N"}, {"b/d", "/"}, {"b/d/e", "/"}}));
}

TEST(MoveAcrossTop, ASaveOverAFileElsewhereIsANewVersion) {
  VolumeHarness h({{"a/f", "old"}, {"b/new", "new"}}, nothing_across_top());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("b/new", "a/f"));
  EXPECT_EQ(h.text("a/f"), "new");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"a", "/"}, {"a/f", "new"}, {"b", "/"}}));
  EXPECT_EQ(h.versions("a/f"), (std::vector<std::string>{"old", "new"}));
}

HarnessOptions fixed_extensions() {
  HarnessOptions options;
  options.remote.capabilities.rename_keeps_extension = true;
  return options;
}

TEST(FixedExtension, AnotherOneIsLeftToTheProgram) {
  VolumeHarness h({{"d/a.txt", "A"}, {"d/b.doc", "B"}, {"d/Makefile", "M"}, {"d/v1.2/x.c", "X"}},
                  fixed_extensions());
  ASSERT_OK(h.mount_tree());
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/a.txt", "d/a.txt~"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/a.txt", "d/a"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/a.txt", "d/a.TXT"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/a.txt", "d/v1.2/a.doc"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/Makefile", "d/Makefile.old"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/a.txt", "d/b.doc", RenameMode::kExchange));
  EXPECT_EQ(h.unsent(), 0u);
  // Neither a folder's "extension" nor a dot before the last one counts.
  ASSERT_OK(h.rename("d/v1.2", "d/v1.3"));
  ASSERT_OK(h.rename("d/a.txt", "d/v1.3/a.tar.txt"));
  ASSERT_OK(h.rename("d/Makefile", "d/GNUmakefile"));
  // What counts is the server's name, not one that this was to have in between.
  ASSERT_OK(h.rename("d/v1.3/a.tar.txt", "d/z.txt"));
  EXPECT_ERROR(ErrorCode::kCrossDevice, h.rename("d/z.txt", "d/z.doc"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"},
                                       {"d/z.txt", "A"},
                                       {"d/b.doc", "B"},
                                       {"d/GNUmakefile", "M"},
                                       {"d/v1.3", "/"},
                                       {"d/v1.3/x.c", "X"}}));
  EXPECT_EQ(*h.mount_tree(), h.remote_tree());
}

TEST(FixedExtension, SavesGoOn) {
  VolumeHarness h({{"d/a.txt", "old"}, {"d/c.txt", "C"}}, fixed_extensions());
  ASSERT_OK(h.mount_tree());
  const RemoteId id = h.remote.id_of("d/a.txt");
  // A new name, over one that the server has, and to a free one.
  ASSERT_OK(h.write_file("d/a.tmp", "new"));
  ASSERT_OK(h.rename("d/a.tmp", "d/a.txt"));
  ASSERT_OK(h.write_file("d/b.part", "B"));
  ASSERT_OK(h.rename("d/b.part", "d/b.pdf"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("d/a.txt"), (std::vector<std::string>{"old", "new"}));
  EXPECT_EQ(h.remote.id_of("d/a.txt"), id);
  // One that the server has by now.
  ASSERT_OK(h.rename("d/b.pdf", "d/a.txt"));
  // A backup that goes away again, as far as it keeps the extension.
  ASSERT_OK(h.rename("d/c.txt", "d/c-old.txt"));
  ASSERT_OK(h.write_file("d/c.txt", "C2"));
  ASSERT_OK(h.unlink("d/c-old.txt"));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"}, {"d/a.txt", "B"}, {"d/c.txt", "C2"}}));
  EXPECT_EQ(h.versions("d/a.txt"), (std::vector<std::string>{"old", "new", "B"}));
  EXPECT_EQ(h.unsent(), 0u);
}

TEST(FixedExtension, ACircleOfNamesKeepsThem) {
  VolumeHarness h({{"d/a.txt", "A"}, {"d/b.txt", "B"}}, fixed_extensions());
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.rename("d/a.txt", "d/b.txt", RenameMode::kExchange));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"d", "/"}, {"d/a.txt", "B"}, {"d/b.txt", "A"}}));
}

}  // namespace
}  // namespace cabinetfs
