// Vendors that neither rename nor move: what the server knows is copied and deleted by `mv`.
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

}  // namespace
}  // namespace cabinetfs
