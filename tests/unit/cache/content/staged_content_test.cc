#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>

#include "tests/unit/cache/content/content_fixture.h"

namespace cabinetfs {
namespace {

using StagedContentTest = ContentTest;

Result<void> write(StagedContent& content, std::uint64_t offset, const std::string& text) {
  return content.write(offset, as_bytes(text));
}

TEST_F(StagedContentTest, WhatIsWrittenIsRead) {
  const auto file = staged();
  const std::string text = pattern(1'000'000);
  ASSERT_TRUE(write(*file, 0, text));
  EXPECT_EQ(file->size(), text.size());
  EXPECT_TRUE(same(read_text(*file), text));
  ASSERT_TRUE(write(*file, 999'999, "xyz"));
  EXPECT_TRUE(same(read_text(*file), text.substr(0, 999'999) + "xyz"));
}

TEST_F(StagedContentTest, ARecordBringsBackExactlyItsState) {
  std::string record;
  const std::string text = pattern(1'000'000);
  {
    const auto file = staged();
    ASSERT_TRUE(write(*file, 0, text));
    record = commit(*file);
    ASSERT_TRUE(write(*file, 0, pattern(2'000'000, 2)));
    ASSERT_TRUE(file->prepare());  // never stored
  }
  reopen();
  auto file = store_->load_staged(record, std::nullopt);
  ASSERT_TRUE(file) << to_string(file.error());
  EXPECT_TRUE(same(read_text(**file), text));
}

TEST_F(StagedContentTest, WritesIntoABaseNeverAskTheServer) {
  const std::string base = pattern(500'000);
  server_.put("a", base);
  const auto file = staged(key("a", base));
  ASSERT_TRUE(write(*file, 70'000, "hello"));
  ASSERT_TRUE(write(*file, 499'998, "world"));
  ASSERT_TRUE(file->prepare());
  EXPECT_EQ(requests(), 0u);
  std::string expected = base;
  expected.replace(70'000, 5, "hello");
  expected.replace(499'998, 5, "world");
  EXPECT_TRUE(same(read_text(*file), expected));
}

TEST_F(StagedContentTest, AReadThatTheStagedRangesCoverNeedsNoBase) {
  const std::string base = pattern(500'000);
  server_.put("a", base);
  const auto file = staged(key("a", base));
  ASSERT_TRUE(write(*file, 100'000, pattern(200'000, 2)));
  EXPECT_TRUE(same(read_text(*file, 100'000, 200'000, local_only()), pattern(200'000, 2)));
  EXPECT_EQ(read_text(*file, 99'999, 2, local_only()).substr(0, 11), "would-block");
  EXPECT_EQ(requests(), 0u);
}

TEST_F(StagedContentTest, WhetherAStateShowsItsBaseIsKnown) {
  const std::string base = pattern(150'000);
  server_.put("a", base);
  const auto shows = [&](const std::function<void(StagedContent&)>& change) {
    const auto file = staged(key("a", base));
    change(*file);
    (void)commit(*file);
    return file->shows_base();
  };
  const auto put = [](StagedContent& file, std::uint64_t offset, std::size_t length) {
    EXPECT_TRUE(write(file, offset, pattern(length, 2)));
  };
  EXPECT_FALSE(staged()->shows_base());
  EXPECT_TRUE(shows([](StagedContent&) {}));
  EXPECT_TRUE(shows([&](StagedContent& file) { put(file, 0, 149'999); }));
  EXPECT_TRUE(shows([&](StagedContent& file) { put(file, 1, 149'999); }));
  EXPECT_FALSE(shows([&](StagedContent& file) { put(file, 0, 150'000); }));
  EXPECT_FALSE(shows([&](StagedContent& file) {
    put(file, 70'000, 100'000);
    put(file, 0, 70'000);
  }));
  EXPECT_FALSE(shows([&](StagedContent& file) {
    EXPECT_TRUE(file.truncate(0));
    put(file, 100'000, 10);
  }));
  EXPECT_FALSE(shows([&](StagedContent& file) {
    EXPECT_TRUE(file.truncate(100));
    put(file, 0, 100);
    EXPECT_TRUE(file.truncate(200'000));
  }));
  EXPECT_FALSE(shows([](StagedContent& file) { EXPECT_TRUE(file.punch(0, 150'000)); }));
  // Of the state that is committed, not of what comes behind it.
  const auto file = staged(key("a", base));
  put(*file, 0, 10);
  (void)commit(*file);
  put(*file, 0, 150'000);
  EXPECT_TRUE(file->shows_base());
}

TEST_F(StagedContentTest, WhatIsCutOffDoesNotComeBack) {
  const std::string base = pattern(300'000);
  server_.put("a", base);
  auto file = staged(key("a", base));
  ASSERT_TRUE(write(*file, 290'000, pattern(20'000, 2)));
  ASSERT_TRUE(file->truncate(100'000));
  ASSERT_TRUE(file->truncate(300'000));
  EXPECT_TRUE(same(read_text(*file), base.substr(0, 100'000) + std::string(200'000, '\0')));
  const std::string record = commit(*file);
  file.reset();
  reopen();
  auto loaded = store_->load_staged(record, key("a", base));
  ASSERT_TRUE(loaded) << to_string(loaded.error());
  EXPECT_TRUE(same(read_text(**loaded), base.substr(0, 100'000) + std::string(200'000, '\0')));
}

TEST_F(StagedContentTest, PunchMakesZerosAndHoles) {
  const std::string base = pattern(1'000'000);
  server_.put("a", base);
  const auto file = staged(key("a", base));
  ASSERT_TRUE(file->punch(100'000, 300'000));
  std::string expected = base;
  expected.replace(100'000, 300'000, 300'000, '\0');
  EXPECT_TRUE(same(read_text(*file), expected));
  EXPECT_EQ(*file->seek_hole(0), 2 * kBlockBytes);
  EXPECT_EQ(*file->seek_data(2 * kBlockBytes), 6 * kBlockBytes);
  EXPECT_EQ(*file->seek_hole(6 * kBlockBytes), 1'000'000u);
  ASSERT_TRUE(file->punch(900'000, 900'000));  // does not grow
  EXPECT_EQ(file->size(), 1'000'000u);
  expected.replace(900'000, 100'000, 100'000, '\0');
  EXPECT_TRUE(same(read_text(*file), expected));
  EXPECT_EQ(file->seek_data(1'000'000).error().code, ErrorCode::kRange);
}

TEST_F(StagedContentTest, HolesOfASparseFileAreSeen) {
  const auto file = staged();
  ASSERT_TRUE(file->truncate(10ull << 40));
  ASSERT_TRUE(write(*file, 5ull << 40, "data"));
  EXPECT_EQ(*file->seek_data(0), 5ull << 40);
  EXPECT_EQ(*file->seek_hole(0), 0u);
  EXPECT_EQ(*file->seek_hole(5ull << 40), (5ull << 40) + kBlockBytes);
  EXPECT_EQ(read_text(*file, (5ull << 40) - 2, 8), std::string("\0\0data\0\0", 8));
  const std::string record = commit(*file);
  EXPECT_LT(record.size(), 60u);
  EXPECT_LT(file->staged_bytes(), 1u << 20);
}

TEST_F(StagedContentTest, ASnapshotStaysWhatItWas) {
  const std::string base = pattern(400'000);
  server_.put("a", base);
  const auto file = staged(key("a", base));
  std::string expected = base;
  std::vector<std::pair<std::shared_ptr<ReadableContent>, std::string>> snapshots;
  for (unsigned round = 0; round < 8; ++round) {
    const std::string text = pattern(150'000, 10 + round);
    ASSERT_TRUE(write(*file, round * 30'000, text));
    expected.replace(round * 30'000, text.size(), text);
    (void)commit(*file);
    auto snapshot = file->snapshot();
    ASSERT_TRUE(snapshot);
    snapshots.emplace_back(*snapshot, expected);
  }
  ASSERT_TRUE(file->truncate(0));
  (void)commit(*file);
  for (const auto& [snapshot, text] : snapshots) EXPECT_TRUE(same(read_text(*snapshot), text));
  EXPECT_EQ(read_text(*file), "");
}

TEST_F(StagedContentTest, SlotsAreUsedAgainOnceNoRecordNeedsThem) {
  const auto file = staged();
  for (unsigned round = 0; round < 20; ++round) {
    ASSERT_TRUE(write(*file, 0, pattern(10 * kBlockBytes, round)));
    (void)commit(*file);
  }
  EXPECT_LE(disk_bytes("staged"), 21 * (kBlockBytes + Sealer::kOverhead));
}

TEST_F(StagedContentTest, SlotsOfADurableRecordSurviveLaterCommits) {
  const std::string first = pattern(10 * kBlockBytes, 1);
  std::string record;
  {
    const auto file = staged();
    ASSERT_TRUE(write(*file, 0, first));
    record = commit(*file);
    ASSERT_TRUE(file->sync());
    // Later commits are not durable: a power loss would bring `record` back.
    for (unsigned round = 2; round < 8; ++round) {
      ASSERT_TRUE(write(*file, 0, pattern(10 * kBlockBytes, round)));
      (void)commit(*file);
    }
  }
  reopen();
  auto file = store_->load_staged(record, std::nullopt);
  ASSERT_TRUE(file) << to_string(file.error());
  EXPECT_TRUE(same(read_text(**file), first));
}

// The database is shared: another file's fsync, or the kernel by itself, makes rows durable.
TEST_F(StagedContentTest, EveryStateSinceADurableOneStaysWhole) {
  std::vector<std::string> records;
  {
    const auto file = staged();
    for (unsigned round = 0; round < 5; ++round) {
      ASSERT_TRUE(write(*file, 0, pattern(4 * kBlockBytes, round)));
      records.push_back(commit(*file));
      if (round == 0) {
        ASSERT_TRUE(file->sync());
      }
    }
  }
  for (unsigned round = 0; round < 5; ++round) {
    reopen();
    auto file = store_->load_staged(records[round], std::nullopt);
    ASSERT_TRUE(file) << round << ": " << to_string(file.error());
    EXPECT_TRUE(same(read_text(**file), pattern(4 * kBlockBytes, round))) << round;
  }
}

TEST_F(StagedContentTest, ADurableStateSurvivesWhatIsWrittenAfterARestart) {
  const std::string first = pattern(4 * kBlockBytes, 1);
  std::string durable, newest;
  {
    const auto file = staged();
    ASSERT_TRUE(write(*file, 0, first));
    durable = commit(*file);
    ASSERT_TRUE(file->sync());
    ASSERT_TRUE(write(*file, 0, pattern(4 * kBlockBytes, 2)));
    newest = commit(*file);
  }
  reopen();
  {
    auto file = store_->load_staged(newest, std::nullopt);
    ASSERT_TRUE(file) << to_string(file.error());
    for (unsigned round = 3; round < 6; ++round) {
      ASSERT_TRUE(write(**file, 0, pattern(4 * kBlockBytes, round)));
      (void)commit(**file);
    }
  }
  reopen();
  auto file = store_->load_staged(durable, std::nullopt);
  ASSERT_TRUE(file) << to_string(file.error());
  EXPECT_TRUE(same(read_text(**file), first));
}

TEST_F(StagedContentTest, SyncingTheRowFreesWhatWasKeptForAPowerLoss) {
  const auto file = staged();
  std::uint64_t most = 0;
  for (unsigned round = 0; round < 300; ++round) {
    ASSERT_TRUE(write(*file, 0, pattern(4 * kBlockBytes, round)));
    (void)commit(*file);
    if (round > 0 && !file->wants_sync()) continue;
    const auto state = file->sync();
    ASSERT_TRUE(state);
    file->row_synced(*state);
    most = std::max(most, disk_bytes("staged"));
  }
  EXPECT_LE(most, 280 * (kBlockBytes + Sealer::kOverhead));
  EXPECT_LE(disk_bytes("staged"), 280 * (kBlockBytes + Sealer::kOverhead));
}

TEST_F(StagedContentTest, PreparingAgainWithoutAChangeGivesTheSameRecord) {
  const auto file = staged();
  ASSERT_TRUE(write(*file, 0, "hello"));
  const std::string record = commit(*file);
  EXPECT_EQ(*file->prepare(), record);
  file->committed(record);
  auto snapshot = file->snapshot();
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(read_text(**snapshot), "hello");
}

TEST_F(StagedContentTest, AnEmptyFileHasARecordToo) {
  std::string record;
  {
    const auto file = staged();
    record = commit(*file);
  }
  reopen();
  auto file = store_->load_staged(record, std::nullopt);
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->size(), 0u);
  ASSERT_TRUE(write(**file, 0, "later"));
  record = commit(**file);
  EXPECT_EQ(read_text(**file), "later");
}

TEST_F(StagedContentTest, LoadingWhatIsStillOpenGivesTheSameObject) {
  const auto file = staged();
  ASSERT_TRUE(write(*file, 0, "hello"));
  const std::string record = commit(*file);
  auto again = store_->load_staged(record, std::nullopt);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, file);
  ASSERT_TRUE(write(*file, 0, "other"));
  EXPECT_EQ(store_->load_staged(record, std::nullopt).error().code, ErrorCode::kBusy);
}

TEST_F(StagedContentTest, ADamagedStagedBlockIsAnErrorNotData) {
  const std::string text = pattern(3 * kBlockBytes);
  std::string record;
  {
    const auto file = staged();
    ASSERT_TRUE(write(*file, 0, text));
    record = commit(*file);
  }
  reopen();
  for (const auto& entry : std::filesystem::directory_iterator(dir_ + "/staged")) {
    FILE* raw = fopen(entry.path().c_str(), "r+");
    ASSERT_NE(raw, nullptr);
    fseek(raw, 70'000, SEEK_SET);
    fputc('!', raw);
    fputc('!', raw);
    fclose(raw);
  }
  auto file = store_->load_staged(record, std::nullopt);
  ASSERT_TRUE(file);
  EXPECT_TRUE(same(read_text(**file, 0, kBlockBytes), text.substr(0, kBlockBytes)));
  EXPECT_EQ(read_text(**file, kBlockBytes, 10).substr(0, 7), "corrupt");
  EXPECT_TRUE(same(read_text(**file, 2 * kBlockBytes, kBlockBytes), text.substr(2 * kBlockBytes)));
}

TEST_F(StagedContentTest, AMissingStagedFileIsAnError) {
  std::string record;
  {
    const auto file = staged();
    ASSERT_TRUE(write(*file, 0, pattern(100'000)));
    record = commit(*file);
  }
  reopen();
  for (const auto& entry : std::filesystem::directory_iterator(dir_ + "/staged"))
    std::filesystem::remove(entry.path());
  EXPECT_EQ(store_->load_staged(record, std::nullopt).error().code, ErrorCode::kCorrupt);
}

TEST_F(StagedContentTest, FilesWithoutARecordAreCollected) {
  std::string live;
  std::shared_ptr<StagedContent> open_file = staged();
  ASSERT_TRUE(write(*open_file, 0, pattern(3'000'000)));
  (void)commit(*open_file);
  {
    const auto kept = staged(), dropped = staged(), never = staged(), discarded = staged();
    for (const auto& file : {kept, dropped, never, discarded})
      ASSERT_TRUE(write(*file, 0, pattern(3'000'000)));
    live = commit(*kept);
    (void)commit(*dropped);
    (void)commit(*discarded);
    store_->discard_staged(discarded);
  }
  const auto files = [&] {
    return std::distance(std::filesystem::directory_iterator(dir_ + "/staged"),
                         std::filesystem::directory_iterator());
  };
  EXPECT_EQ(files(), 3);  // kept, dropped, open_file
  store_->collect_staged({live});
  EXPECT_EQ(files(), 2);
  EXPECT_TRUE(same(read_text(*open_file), pattern(3'000'000)));
  store_->collect_staged({live, "not a record"});  // removes nothing when in doubt
  EXPECT_EQ(files(), 2);
}

TEST_F(StagedContentTest, ANewBaseIsReadUnderTheStagedRanges) {
  const std::string old_base = pattern(300'000);
  server_.put("a", old_base);
  auto file = staged(key("a", old_base));
  ASSERT_TRUE(write(*file, 1000, "first"));
  (void)commit(*file);
  auto before = file->snapshot();
  ASSERT_TRUE(before);
  std::string expected = old_base;
  expected.replace(1000, 5, "first");
  // That state is uploaded; the old version goes.
  server_.put("b", expected);
  file->rebase(key("b", expected));
  ASSERT_TRUE(write(*file, 200'000, "second"));
  std::string now = expected;
  now.replace(200'000, 6, "second");
  EXPECT_TRUE(same(read_text(*file), now));
  for (const auto& request : server_.requests()) EXPECT_EQ(request.file, "b");
  EXPECT_TRUE(same(read_text(**before), expected));
  const std::string record = commit(*file);
  file.reset();
  before->reset();
  reopen();
  auto loaded = store_->load_staged(record, key("b", expected));
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(same(read_text(**loaded), now));
}

TEST_F(StagedContentTest, ReserveTellsWhatTheDiskCannotTake) {
  const auto file = staged();
  EXPECT_TRUE(file->reserve(1 << 20));
  const auto space = std::filesystem::space(dir_);
  EXPECT_EQ(file->reserve(space.available * 2).error().code, ErrorCode::kNoSpace);
}

TEST_F(StagedContentTest, NothingReadableLiesOnTheDisk) {
  const std::string secret = "a very recognisable sentence in the middle of it";
  const auto file = staged();
  std::string text = pattern(200'000);
  text.replace(100'000, secret.size(), secret);
  ASSERT_TRUE(write(*file, 0, text));
  (void)commit(*file);
  for (const auto& entry : std::filesystem::directory_iterator(dir_ + "/staged")) {
    FILE* raw = fopen(entry.path().c_str(), "r");
    ASSERT_NE(raw, nullptr);
    std::string bytes(entry.file_size(), '\0');
    ASSERT_EQ(fread(bytes.data(), 1, bytes.size(), raw), bytes.size());
    fclose(raw);
    EXPECT_EQ(bytes.find(secret), std::string::npos);
  }
}

}  // namespace
}  // namespace cabinetfs
