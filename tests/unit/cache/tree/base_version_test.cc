// A large file is changed in part, most of it was never fetched, and others save a newer version.
#include <gtest/gtest.h>

#include "tests/support/gate.h"
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

// Of a vendor that keeps no versions, nobody has it any more when it is evicted here.
TEST_F(BaseVersion, IsNotEvictedWhileAnEditStandsOnIt) {
  const std::string old = pattern_text(kFetchedInParts, 1);
  VolumeHarness h({{"d/a", old}, {"d/b", old}}, with_versions(false, true));
  for (const char* path : {"d/a", "d/b"}) {
    ASSERT_TRUE(h.text(path) == old);
    ASSERT_OK(h.volume->prefetch(h.call(), h.must(path)));
  }
  ASSERT_OK(h.write_at("d/a", 1'500'000, "CHANGED"));
  h.contents().clear_cache();
  h.remote.write_file_as_other("d/a", pattern_text(kFetchedInParts, 2));
  const std::uint64_t read = h.remote.bytes_read();
  ASSERT_OK(h.drain());
  EXPECT_TRUE(h.remote.content("d/a") == edited(old));
  EXPECT_LT(h.remote.bytes_read() - read, kFetchedInParts) << "it was here";
  // What is sent is held no longer; nor is what no edit stands on.
  h.contents().clear_cache();
  EXPECT_EQ(h.contents().stats().cache_bytes, 0u);
}

TEST_F(BaseVersion, IsHeldAfterARestartToo) {
  const std::string old = pattern_text(kFetchedInParts, 1);
  HarnessOptions options = with_versions(false, true);
  VolumeHarness h({{"d/a", old}}, options);
  ASSERT_TRUE(h.text("d/a") == old);
  ASSERT_OK(h.volume->prefetch(h.call(), h.must("d/a")));
  ASSERT_OK(h.write_at("d/a", 1'500'000, "CHANGED"));
  h.restart();
  h.contents().clear_cache();
  h.remote.remove_as_other("d/a");
  ASSERT_OK(h.drain());
  EXPECT_TRUE(h.text("d/a") == edited(old));
  EXPECT_TRUE(h.remote.content("d/a") == edited(old));
}

// Written on while the first state is sent: what that one stood on is still all here.
TEST_F(BaseVersion, StaysTheOneThatIsHereWhenAnUploadEnds) {
  const std::string old = pattern_text(kFetchedInParts, 1);
  VolumeHarness h({{"d/a", old}}, with_versions(false, true));
  ASSERT_TRUE(h.text("d/a") == old);
  ASSERT_OK(h.volume->prefetch(h.call(), h.must("d/a")));
  auto file = h.open_rw("d/a");
  ASSERT_OK(file);
  ASSERT_OK(h.pwrite(**file, 1'500'000, "CHANGED"));
  Gate gate;
  gate.close();
  for (const char* call : {"put", "put_stream", "upload_begin"}) h.remote.set_gate(call, &gate);
  ASSERT_OK(h.volume->fsync(h.call(), **file));
  ASSERT_TRUE(gate.wait_for_waiting(1));
  ASSERT_OK(h.pwrite(**file, 2'500'000, "TWICE"));
  gate.open();
  ASSERT_TRUE(h.eventually([&] { return h.remote.content("d/a") == edited(old); }));
  ASSERT_TRUE(h.eventually([&] { return h.volume->status().uploads_done == 1; }));
  for (const char* call : {"put", "put_stream", "upload_begin"}) h.remote.set_gate(call, nullptr);
  const std::uint64_t read = h.remote.bytes_read();
  h.remote.remove_as_other("d/a");
  ASSERT_OK(h.close(*file));
  ASSERT_OK(h.drain());
  std::string twice = edited(old);
  twice.replace(2'500'000, 5, "TWICE");
  EXPECT_TRUE(h.remote.content("d/a") == twice);
  EXPECT_TRUE(h.text("d/a") == twice);
  EXPECT_EQ(h.remote.bytes_read(), read) << "nothing of it had to be fetched again";
}

}  // namespace
}  // namespace cabinetfs
