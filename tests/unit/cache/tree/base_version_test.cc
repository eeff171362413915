// A large file is changed in part, most of it was never fetched, and others save a newer version.
#include <gtest/gtest.h>

#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

const std::size_t kFetchedInParts = 3u << 20;  // too large to be fetched whole with its first read

std::string edited(std::string text) {
  text.replace(1'500'000, 7, "CHANGED");
  return text;
}

class BaseVersion : public testing::Test {
 protected:
  static HarnessOptions with_versions(bool hashes, bool tells) {
    HarnessOptions options;
    options.remote = FakeRemoteOptions();
    options.remote.hashes = hashes;
    options.remote.capabilities.conditional_write = tells;
    return options;
  }
  // Theirs has the same size, so that only its validator tells.
  static void expect_both(const HarnessOptions& options) {
    const std::string old = pattern_text(kFetchedInParts, 1),
                      theirs = pattern_text(kFetchedInParts, 2);
    VolumeHarness h({{"d/a", old}}, options);
    ASSERT_OK(h.write_at("d/a", 1'500'000, "CHANGED"));
    h.remote.write_file_as_other("d/a", theirs);
    ASSERT_OK(h.drain());
    const std::vector<std::string> all = h.versions("d/a");
    ASSERT_EQ(all.size(), 3u);
    EXPECT_TRUE(all[1] == theirs);
    EXPECT_TRUE(all[2] == edited(old)) << "ours is not made of what was edited";
    EXPECT_EQ(h.state("d/a").substr(0, 9), "conflict:");
  }
};

TEST_F(BaseVersion, IsFoundByItsFingerprint) { expect_both(with_versions(true, false)); }
TEST_F(BaseVersion, IsFoundByItsFingerprintWhereTheServerTells) {
  expect_both(with_versions(true, true));
}
TEST_F(BaseVersion, IsFoundByItsNumber) { expect_both(with_versions(false, false)); }
TEST_F(BaseVersion, IsFoundByItsNumberWhereTheServerTells) {
  expect_both(with_versions(false, true));
}

TEST_F(BaseVersion, IsFoundAfterARestartToo) {
  const std::string old = pattern_text(kFetchedInParts, 1),
                    theirs = pattern_text(kFetchedInParts, 2);
  VolumeHarness h({{"d/a", old}}, with_versions(false, true));
  ASSERT_OK(h.write_at("d/a", 1'500'000, "CHANGED"));
  h.remote.write_file_as_other("d/a", theirs);
  h.restart();
  h.go_stale();
  ASSERT_OK(h.names("d"));
  ASSERT_OK(h.drain());
  EXPECT_TRUE(h.remote.content("d/a") == edited(old));
}

TEST_F(BaseVersion, IsWhatProgramsGoOnReading) {
  const std::string old = pattern_text(kFetchedInParts, 1);
  VolumeHarness h({{"d/a", old}}, with_versions(true, true));
  auto file = h.open_rw("d/a");
  ASSERT_OK(file);
  ASSERT_OK(h.pwrite(**file, 1'500'000, "CHANGED"));
  h.remote.write_file_as_other("d/a", pattern_text(kFetchedInParts, 2));
  const Result<std::string> all = h.read_all(**file);
  ASSERT_OK(all);
  EXPECT_TRUE(*all == edited(old));
  ASSERT_OK(h.close(*file));
}

TEST_F(BaseVersion, WhereTheVendorHasNoneTheChangeWaitsForAPerson) {
  HarnessOptions options = with_versions(false, true);
  options.remote.capabilities.versions = options.remote.capabilities.promote = false;
  const std::string old = pattern_text(kFetchedInParts, 1),
                    theirs = pattern_text(kFetchedInParts, 2);
  VolumeHarness h({{"d/a", old}}, options);
  ASSERT_OK(h.write_at("d/a", 1'500'000, "CHANGED"));
  h.remote.write_file_as_other("d/a", theirs);
  const Result<void> drained = h.drain();
  EXPECT_ERROR(ErrorCode::kConflict, drained);
  EXPECT_NE(drained.error().context.find("newer version"), std::string::npos)
      << drained.error().context;
  EXPECT_TRUE(h.remote.content("d/a") == theirs);
  EXPECT_EQ(h.unsent(), 1u);
  // What was written is still here.
  const auto info = h.volume->status().unsent;
  ASSERT_EQ(info.size(), 1u);
  auto file = h.volume->open_file(h.call(), info[0].ino, {true, false, false});
  ASSERT_OK(file);
  EXPECT_EQ(h.pread(**file, 1'500'000, 7).value_or("?"), "CHANGED");
}

// What was read of it, and never checked, is not in what is sent.
TEST_F(BaseVersion, WhatReplacesAllOfItNeedsNone) {
  for (const bool overwritten : {false, true}) {
    HarnessOptions options = with_versions(false, false);
    options.remote.capabilities.versions = options.remote.capabilities.promote = false;
    VolumeHarness h({{"d/a", "base"}}, options);
    auto reader = h.open_read("d/a");
    ASSERT_OK(reader);
    EXPECT_EQ(h.pread(**reader, 0, 4).value_or("?"), "base");
    if (overwritten) {
      ASSERT_OK(h.write_at("d/a", 0, "ours, and longer"));
    } else {
      ASSERT_OK(h.write_file("d/a", "ours, and longer"));
    }
    h.remote.write_file_as_other("d/a", "theirs");
    ASSERT_OK(h.drain());
    EXPECT_EQ(h.remote.content("d/a").value_or("?"), "theirs");
    EXPECT_EQ(h.remote_tree().size(), 3u);
    EXPECT_EQ(h.unsent(), 0u);
    ASSERT_OK(h.close(*reader));
  }
}

TEST_F(BaseVersion, WhatWasFetchedInTimeNeedsNoVersion) {
  HarnessOptions options = with_versions(false, true);
  const std::string old = pattern_text(kFetchedInParts, 1);
  VolumeHarness h({{"d/a", old}}, options);
  ASSERT_TRUE(h.text("d/a") == old);
  ASSERT_OK(h.volume->prefetch(h.call(), h.must("d/a")));
  ASSERT_OK(h.write_at("d/a", 1'500'000, "CHANGED"));
  h.remote.write_file_as_other("d/a", pattern_text(kFetchedInParts, 2));
  ASSERT_OK(h.drain());
  EXPECT_TRUE(h.remote.content("d/a") == edited(old));
}

}  // namespace
}  // namespace cabinetfs
