// What is pinned stays on this disk, whatever becomes of it at the server.
#include <gtest/gtest.h>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

// Bytes of it that are here; asks nobody.
std::uint64_t here(VolumeHarness& h, const std::string& path) {
  const Result<NodeInfo> info = h.volume->info(h.must(path));
  return info ? info->cached_bytes : 0;
}

class Pin : public testing::Test {
 protected:
  Pin() {
    HarnessOptions options;
    options.volume.poll_interval = std::chrono::milliseconds(20);
    h_ = std::make_unique<VolumeHarness>(
        FakeRemoteStore::Files{{"d/a", "one"}, {"d/sub/b", "two"}, {"e/c", "three"}}, options);
    EXPECT_TRUE(h_->mount_tree(false).has_value());
  }
  void pin(const std::string& path, PinState state) {
    ASSERT_OK(h_->volume->set_pin(h_->must(path), state));
  }
  bool comes(const std::string& path, std::uint64_t bytes) {
    return h_->eventually([&] { return h_->exists(path) && here(*h_, path) == bytes; });
  }
  std::unique_ptr<VolumeHarness> h_;
};

TEST_F(Pin, WhatComesLaterIsFetchedToo) {
  pin("d", PinState::kPinned);
  EXPECT_TRUE(comes("d/a", 3));
  EXPECT_TRUE(comes("d/sub/b", 3));
  EXPECT_EQ(here(*h_, "e/c"), 0u);
  h_->remote.write_file_as_other("d/a", "another version");
  h_->remote.write_file_as_other("d/sub/new", "new");
  h_->go_stale();
  EXPECT_TRUE(comes("d/a", 15));
  EXPECT_TRUE(comes("d/sub/new", 3));
  h_->faulty.set_offline(true);
  EXPECT_EQ(h_->text("d/a"), "another version");
  EXPECT_EQ(h_->text("d/sub/new"), "new");
}

TEST_F(Pin, HoldsTheCurrentVersionsAndNoOthers) {
  pin("d", PinState::kPinned);
  EXPECT_TRUE(comes("d/a", 3));
  EXPECT_TRUE(comes("d/sub/b", 3));
  EXPECT_EQ(h_->text("e/c"), "three");
  ASSERT_OK(h_->write_file("d/a", "edited here"));
  ASSERT_OK(h_->drain());
  // Of what may go, all goes: the pins have caught up once the edited version is one of them.
  EXPECT_TRUE(h_->eventually([&] {
    h_->contents().clear_cache();
    return here(*h_, "d/a") == 11 && here(*h_, "d/sub/b") == 3 && here(*h_, "e/c") == 0 &&
           h_->contents().stats().cached_files == 2;
  }));
}

TEST_F(Pin, WhatInheritsHasWhatTheFolderHas) {
  pin("d", PinState::kPinned);
  pin("d/a", PinState::kUnpinned);
  EXPECT_TRUE(comes("d/sub/b", 3));
  EXPECT_EQ(h_->text("d/a"), "one");
  EXPECT_TRUE(h_->eventually([&] {
    h_->contents().clear_cache();
    return here(*h_, "d/a") == 0 && here(*h_, "d/sub/b") == 3;
  }));
  pin("d/a", PinState::kInherit);
  EXPECT_TRUE(comes("d/a", 3));
  h_->contents().clear_cache();
  EXPECT_EQ(here(*h_, "d/a"), 3u);
  pin("d", PinState::kInherit);
  EXPECT_TRUE(h_->eventually([&] {
    h_->contents().clear_cache();
    return here(*h_, "d/a") == 0 && here(*h_, "d/sub/b") == 0;
  }));
}

TEST_F(Pin, OutlivesARestart) {
  pin("d/a", PinState::kPinned);
  EXPECT_TRUE(comes("d/a", 3));
  h_->restart();
  h_->remote.write_file_as_other("d/a", "while nobody looked");
  h_->go_stale();
  EXPECT_TRUE(comes("d/a", 19));
}

}  // namespace
}  // namespace cabinetfs
