#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/unit/cache/content/content_fixture.h"

namespace cabinetfs {
namespace {

using CachedContentTest = ContentTest;

TEST_F(CachedContentTest, ReadsWhatTheServerHas) {
  const std::string content = pattern(3'000'000);
  const auto file = serve("a", content);
  EXPECT_TRUE(same(read_text(*file), content));
  EXPECT_TRUE(same(read_text(*file, 2'999'990, 100), content.substr(2'999'990)));
  EXPECT_EQ(read_text(*file, 3'000'000, 100), "");
  EXPECT_TRUE(file->complete());
}

TEST_F(CachedContentTest, AnEmptyFileIsCompleteAndAsksNobody) {
  const auto file = serve("a", "");
  EXPECT_EQ(read_text(*file, 0, 100), "");
  EXPECT_TRUE(file->complete());
  EXPECT_EQ(requests(), 0u);
}

TEST_F(CachedContentTest, IsReadFromTheDiskAfterARestart) {
  const std::string content = pattern(3'000'000);
  {
    const auto file = serve("a", content);
    EXPECT_TRUE(same(read_text(*file), content));
  }
  const auto before = requests();
  reopen();
  EXPECT_EQ(store_->cached_bytes(key("a", content)), content.size());
  EXPECT_TRUE(same(read_text(*cached(key("a", content)), local_only()), content));
  EXPECT_EQ(requests(), before);
}

TEST_F(CachedContentTest, ARandomReadFetchesOneBlock) {
  const std::string content = pattern(8 << 20);
  const auto file = serve("a", content);
  EXPECT_TRUE(same(read_text(*file, 5'000'000, 4096), content.substr(5'000'000, 4096)));
  ASSERT_EQ(requests(), 1u);
  EXPECT_EQ(server_.requests()[0].length, kBlockBytes);
  EXPECT_EQ(server_.requests()[0].offset % kBlockBytes, 0u);
}

TEST_F(CachedContentTest, ASmallFileComesWholeWithItsFirstRead) {
  const std::string content = pattern(900'000);
  const auto file = serve("a", content);
  EXPECT_TRUE(same(read_text(*file, 100, 10), content.substr(100, 10)));
  ASSERT_TRUE(eventually([&] { return file->complete(); }));
  EXPECT_TRUE(same(read_text(*file, local_only()), content));
  EXPECT_EQ(requests(), 1u);
}

TEST_F(CachedContentTest, WithoutTheNetworkAMissIsTold) {
  const auto file = serve("a", pattern(100'000));
  EXPECT_EQ(read_text(*file, local_only()).substr(0, 11), "would-block");
  EXPECT_EQ(requests(), 0u);
}

TEST_F(CachedContentTest, HandlesOfOneVersionShareOneObject) {
  const std::string content = pattern(100'000);
  const auto file = serve("a", content);
  EXPECT_EQ(cached(key("a", content)), file);
  ContentKey other = key("a", content);
  other.version = VersionId{"2"};
  EXPECT_NE(cached(other), file);
}

// --- damage on this disk ---

TEST_F(CachedContentTest, ADamagedBlockIsFetchedAgain) {
  const std::string content = pattern(1'000'000);
  { EXPECT_TRUE(same(read_text(*serve("a", content)), content)); }
  reopen();
  for (const auto& entry : std::filesystem::directory_iterator(dir_ + "/cache")) {
    if (entry.path().extension() != ".blocks") continue;
    FILE* raw = fopen(entry.path().c_str(), "r+");
    ASSERT_NE(raw, nullptr);
    fseek(raw, 300'000, SEEK_SET);
    fputs("damage", raw);
    fclose(raw);
  }
  EXPECT_TRUE(same(read_text(*cached(key("a", content))), content));
  EXPECT_EQ(store_->stats().corrupt_blocks, 1u);
  EXPECT_EQ(requests(), 2u);
}

TEST_F(CachedContentTest, AShortFileIsFetchedAgain) {
  const std::string content = pattern(1'000'000);
  { EXPECT_TRUE(same(read_text(*serve("a", content)), content)); }
  reopen();
  for (const auto& entry : std::filesystem::directory_iterator(dir_ + "/cache"))
    if (entry.path().extension() == ".blocks") std::filesystem::resize_file(entry.path(), 100'000);
  EXPECT_TRUE(same(read_text(*cached(key("a", content))), content));
}

TEST_F(CachedContentTest, ADamagedIndexIsAnEmptyCache) {
  const std::string content = pattern(1'000'000);
  { EXPECT_TRUE(same(read_text(*serve("a", content)), content)); }
  store_.reset();
  for (const char* name : {"/cache/cache.db", "/cache/cache.db-wal"}) {
    FILE* raw = fopen((dir_ + name).c_str(), "w");
    ASSERT_NE(raw, nullptr);
    for (int i = 0; i < 10'000; ++i) fputs("not a database ", raw);
    fclose(raw);
  }
  reopen();
  EXPECT_EQ(store_->stats().cached_files, 0u);
  EXPECT_TRUE(same(read_text(*cached(key("a", content))), content));
}

TEST_F(CachedContentTest, VerifyFindsAndDropsWhatDoesNotOpen) {
  const std::string content = pattern(1'000'000);
  { EXPECT_TRUE(same(read_text(*serve("a", content)), content)); }
  { EXPECT_TRUE(same(read_text(*serve("b", content)), content)); }
  reopen();
  auto report = store_->verify();
  EXPECT_EQ(report.files, 2u);
  EXPECT_EQ(report.blocks, 32u);
  EXPECT_EQ(report.bad_blocks, 0u);
  for (const auto& entry : std::filesystem::directory_iterator(dir_ + "/cache"))
    if (entry.path().extension() == ".blocks") {
      FILE* raw = fopen(entry.path().c_str(), "r+");
      ASSERT_NE(raw, nullptr);
      fseek(raw, 300'000, SEEK_SET);
      fputs("damage", raw);
      fclose(raw);
    }
  EXPECT_EQ(store_->verify().bad_blocks, 2u);
  EXPECT_EQ(store_->verify().bad_blocks, 0u);
  EXPECT_EQ(store_->cached_bytes(key("a", content)), content.size() - kBlockBytes);
}

// --- damage on the way ---

class IntegrityTest : public ContentTest {
 protected:
  // Turns a bit of each delivery of that byte, `times` times.
  void damage(std::uint64_t byte, int times) {
    left_ = times;
    server_.set_damage([this, byte](std::uint64_t at, std::string& piece) {
      if (byte < at || byte >= at + piece.size() || left_ <= 0) return;
      --left_;
      piece[byte - at] = static_cast<char>(piece[byte - at] ^ 1);
    });
  }
  std::atomic<int> left_{0};
};

TEST_F(IntegrityTest, DamageThatNobodyHasSeenIsFetchedAgain) {
  const std::string content = pattern(300'000);
  const auto file = serve("a", content, true);
  damage(200'000, 1);
  EXPECT_TRUE(same(read_text(*file), content));
  EXPECT_EQ(requests(), 2u);
}

TEST_F(IntegrityTest, DamageThatStaysIsAnErrorAndIsNotKept) {
  const std::string content = pattern(300'000);
  damage(200'000, 1000);
  {
    const auto file = serve("a", content, true);
    EXPECT_EQ(read_text(*file).substr(0, 7), "corrupt");
    EXPECT_EQ(read_text(*file).substr(0, 7), "corrupt");
    EXPECT_EQ(file->cached_bytes(), 0u);
    EXPECT_EQ(requests(), 2u);
  }
  server_.set_damage(nullptr);
  EXPECT_TRUE(same(read_text(*cached(key("a", content, true))), content));
}

TEST_F(IntegrityTest, ACopyOfALargeFileSeesTheErrorAtItsEnd) {
  const std::string content = pattern(12'000'000);
  const auto file = serve("a", content, true);
  damage(1'000'000, 1);
  ReadAhead ahead(8 << 20);
  std::string error;
  for (std::uint64_t at = 0; at < content.size() && error.empty(); at += 128 << 10) {
    ahead.on_read(*file, at, 128 << 10);
    const std::string got = read_text(*file, at, 128 << 10);
    if (got.starts_with("corrupt")) error = got;
  }
  EXPECT_NE(error, "");
}

TEST_F(IntegrityTest, AWholeThatAgreesIsNotCheckedAgainAfterARestart) {
  const std::string content = pattern(3'000'000);
  { EXPECT_TRUE(same(read_text(*serve("a", content, true)), content)); }
  const auto before = requests();
  reopen();
  EXPECT_TRUE(same(read_text(*cached(key("a", content, true)), local_only()), content));
  EXPECT_EQ(requests(), before);
}

TEST_F(IntegrityTest, SomethingThatIsNoHashIsIgnored) {
  const std::string content = pattern(100'000);
  server_.put("a", content);
  ContentKey k = key("a", content);
  k.hashes.md5 = "Generating...";
  EXPECT_TRUE(same(read_text(*cached(k)), content));
}

TEST_F(IntegrityTest, Sha3IsUsedWhereThereIsNoMd5) {
  const std::string content = pattern(100'000);
  server_.put("a", content);
  ContentKey k = key("a", content);
  k.hashes.sha3_256 = std::string(64, '0');
  EXPECT_EQ(read_text(*cached(k)).substr(0, 7), "corrupt");
}

// --- "the current version" ---

class ValidationTest : public ContentTest {
 protected:
  std::shared_ptr<CachedContent> current(const std::string& content) {
    server_.put("a", content);
    key_ = key("a", content);
    key_.version = VersionId();
    return cached(key_);
  }
  ContentKey key_;
};

TEST_F(ValidationTest, PinnedVersionsNeedNone) {
  const auto file = serve("a", pattern(100'000));
  (void)read_text(*file);
  EXPECT_FALSE(file->needs_validation());
}

TEST_F(ValidationTest, WhatIsConfirmedIsKept) {
  const std::string content = pattern(100'000);
  {
    const auto file = current(content);
    EXPECT_FALSE(file->needs_validation());
    EXPECT_TRUE(same(read_text(*file), content));
    EXPECT_TRUE(file->needs_validation());
    file->validated(true, file->validation_mark());
    EXPECT_FALSE(file->needs_validation());
  }
  reopen();
  EXPECT_TRUE(same(read_text(*cached(key_), local_only()), content));
}

TEST_F(ValidationTest, WhatIsNotConfirmedIsNotKeptOverARestart) {
  { (void)read_text(*current(pattern(100'000))); }
  reopen();
  EXPECT_EQ(store_->cached_bytes(key_), 0u);
}

TEST_F(ValidationTest, WhatCameAfterTheMarkStaysUnconfirmed) {
  const std::string content = pattern(4'000'000);
  const auto file = current(content);
  (void)read_text(*file, 0, 1000);
  const auto mark = file->validation_mark();
  (void)read_text(*file, 2'000'000, 1000);
  file->validated(true, mark);
  EXPECT_TRUE(file->needs_validation());
  file->validated(true);
  EXPECT_FALSE(file->needs_validation());
}

TEST_F(ValidationTest, AReplacedFileIsStaleButWhatWasConfirmedStays) {
  const std::string content = pattern(4'000'000);
  const auto file = current(content);
  (void)read_text(*file, 0, 1000);
  file->validated(true);
  server_.put("a", pattern(4'000'000, 2));
  (void)read_text(*file, 2'000'000, 1000);
  file->validated(false);
  EXPECT_EQ(read_text(*file, 2'000'000, 1000).substr(0, 5), "stale");
  EXPECT_EQ(read_text(*file, 3'000'000, 1000).substr(0, 5), "stale");
  EXPECT_TRUE(same(read_text(*file, 0, 1000), content.substr(0, 1000)));
}

TEST_F(ValidationTest, AGoodHashConfirmsTheWhole) {
  const std::string content = pattern(100'000);
  server_.put("a", content);
  key_ = key("a", content, true);
  key_.version = VersionId();
  const auto file = cached(key_);
  EXPECT_TRUE(same(read_text(*file), content));
  EXPECT_FALSE(file->needs_validation());
}

TEST_F(ValidationTest, WhatCameAheadOfItsReaderIsStillThereWhenTheStoreHasBeenSaved) {
  const std::string content = pattern(5'000);
  server_.put("a", content);
  key_ = key("a", content);
  key_.version = VersionId();
  (void)cached(key_)->prefetch(0, content.size());
  ASSERT_TRUE(eventually([&] { return cached(key_)->complete(); }));
  EXPECT_TRUE(cached(key_)->needs_validation());
  // Saves first; its block is on the disk by then.
  ASSERT_TRUE(eventually([&] { return store_->verify().blocks == 1; }));
  (void)store_->verify();
  EXPECT_TRUE(same(read_text(*cached(key_)), content));
  EXPECT_EQ(requests(), 1u);
}

}  // namespace
}  // namespace cabinetfs
