// Limits, adoption, and what the store does as a whole.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <string>

#include "tests/unit/cache/content/content_fixture.h"

namespace cabinetfs {
namespace {

using ContentStoreTest = ContentTest;

TEST_F(ContentStoreTest, TheCeilingHoldsAndTheOldestGoFirst) {
  ContentOptions small = options();
  small.cache_max_bytes = 5'000'000;
  open(small);
  const std::string content = pattern(900'000);
  for (int i = 0; i < 12; ++i) {
    const std::string id = "f" + std::to_string(i);
    { EXPECT_TRUE(same(read_text(*serve(id, content)), content)); }
    ASSERT_TRUE(eventually([&] {
      store_->verify();  // saves what has changed
      return store_->cached_bytes(key(id, content)) == content.size();
    }));
    EXPECT_LE(disk_bytes("cache"), small.cache_max_bytes);
    // Used all the time, so it stays.
    EXPECT_TRUE(same(read_text(*cached(key("f0", content))), content)) << i;
  }
  EXPECT_EQ(requests(), 12u);
  EXPECT_EQ(store_->cached_bytes(key("f1", content)), 0u);
  EXPECT_EQ(store_->cached_bytes(key("f11", content)), content.size());
  EXPECT_GT(store_->stats().evicted_bytes, 0u);
}

TEST_F(ContentStoreTest, WhatIsHeldOrPinnedStays) {
  ContentOptions small = options();
  // Room for one more than what is held, pinned and read: that one is at rest and can go.
  small.cache_max_bytes = 4'000'000;
  open(small);
  const std::string content = pattern(900'000);
  const auto held = serve("held", content);
  EXPECT_TRUE(same(read_text(*held), content));
  store_->set_pins({key("pinned", content)});
  { EXPECT_TRUE(same(read_text(*serve("pinned", content)), content)); }
  for (int i = 0; i < 6; ++i) {
    const std::string id = "f" + std::to_string(i);
    { EXPECT_TRUE(same(read_text(*serve(id, content)), content)); }
    ASSERT_TRUE(eventually([&] {
      store_->verify();
      return store_->cached_bytes(key(id, content)) == content.size();
    }));
  }
  EXPECT_TRUE(same(read_text(*held, local_only()), content));
  EXPECT_TRUE(same(read_text(*cached(key("pinned", content)), local_only()), content));
  store_->clear_cache();
  EXPECT_EQ(store_->cached_bytes(key("pinned", content)), content.size());
  EXPECT_EQ(store_->cached_bytes(key("held", content)), content.size());
  EXPECT_EQ(store_->cached_bytes(key("f5", content)), 0u);
  store_->set_pins({});
  store_->clear_cache();
  EXPECT_EQ(store_->cached_bytes(key("pinned", content)), 0u);
}

using RenameCachedTest = ContentTest;

TEST_F(RenameCachedTest, WhatIsHereFollowsItsNewName) {
  const std::string one = pattern(300'000), two = pattern(1'000, 2);
  { EXPECT_TRUE(same(read_text(*serve("a/one", one)), one)); }
  { EXPECT_TRUE(same(read_text(*serve("a/two", two)), two)); }
  store_->set_pins({key("a/two", two)});
  reopen();
  store_->rename_cached({{key("a/one", one), key("b/one", one)},
                         {key("a/two", two), key("b/two", two)},
                         {key("a/none", two), key("b/none", two)}});
  for (int start = 0; start < 2; ++start) {
    EXPECT_EQ(store_->cached_bytes(key("a/one", one)), 0u);
    EXPECT_TRUE(same(read_text(*cached(key("b/one", one)), local_only()), one));
    EXPECT_TRUE(same(read_text(*cached(key("b/two", two)), local_only()), two));
    EXPECT_EQ(store_->cached_bytes(key("b/none", two)), 0u);
    reopen();  // and over a restart
  }
  EXPECT_EQ(requests(), 2u);
  EXPECT_EQ(store_->verify().bad_blocks, 0u);
  // The pin has come along; the rest can be evicted, once.
  store_->clear_cache();
  EXPECT_EQ(store_->cached_bytes(key("b/one", one)), 0u);
  EXPECT_EQ(store_->cached_bytes(key("b/two", two)), two.size());
  store_->set_pins({});
  store_->clear_cache();
  EXPECT_EQ(store_->stats().cache_bytes, 0u);
  EXPECT_EQ(disk_bytes("cache"), 0u);
}

// Somebody's reading goes on undisturbed, and no two names share a file.
TEST_F(RenameCachedTest, WhatIsReadOrKnownUnderTheNewNameStays) {
  const std::string text = pattern(200'000);
  auto held = serve("a", text);
  EXPECT_TRUE(same(read_text(*held), text));
  store_->rename_cached({{key("a", text), key("b", text)}});
  EXPECT_TRUE(same(read_text(*held, local_only()), text));
  EXPECT_EQ(store_->cached_bytes(key("b", text)), 0u);
  held.reset();
  { EXPECT_TRUE(same(read_text(*serve("c", text)), text)); }
  { EXPECT_TRUE(same(read_text(*serve("d", text)), text)); }
  reopen();
  store_->rename_cached({{key("c", text), key("d", text)}});
  EXPECT_EQ(store_->cached_bytes(key("c", text)), text.size());
  EXPECT_TRUE(same(read_text(*cached(key("d", text)), local_only()), text));
  EXPECT_EQ(store_->verify().bad_blocks, 0u);
  // Never what has another size.
  ContentKey longer = key("e", text);
  ++longer.size;
  store_->rename_cached({{key("c", text), longer}});
  EXPECT_EQ(store_->cached_bytes(longer), 0u);
}

TEST_F(ContentStoreTest, AFileLargerThanTheCacheIsReadAnyway) {
  ContentOptions small = options();
  small.cache_max_bytes = 1'000'000;
  small.memory_bytes = 4 << 20;
  open(small);
  const std::string content = pattern(8'000'000);
  const auto file = serve("a", content);
  EXPECT_TRUE(same(read_text(*file), content));
  EXPECT_LE(disk_bytes("cache"), small.cache_max_bytes);
  // Not even while the blocks are still on their way to the disk that will not take them.
  for (int i = 0; i < 10; ++i) {
    const auto all = file->fetch_all(soon());
    ASSERT_FALSE(all);
    EXPECT_EQ(all.error().code, ErrorCode::kNoSpace);
  }
}

TEST_F(ContentStoreTest, TheDiskKeepsItsFreeShare) {
  ContentOptions greedy = options();
  greedy.min_free_fraction = 1.0;  // never to be had
  open(greedy);
  const std::string content = pattern(900'000);
  const auto file = serve("a", content);
  EXPECT_TRUE(same(read_text(*file), content));
  ASSERT_TRUE(eventually([&] { return file->cached_bytes() == 0; }));
  EXPECT_EQ(disk_bytes("cache"), 0u);
}

TEST_F(ContentStoreTest, DroppedIsGoneFromTheDisk) {
  const std::string content = pattern(900'000);
  {
    const auto file = serve("a", content);
    EXPECT_TRUE(same(read_text(*file), content));
    store_->drop_cached(key("a", content));
    EXPECT_EQ(file->cached_bytes(), 0u);
    EXPECT_TRUE(same(read_text(*file), content));
  }
  reopen();
  store_->drop_cached(key("a", content));
  EXPECT_EQ(store_->cached_bytes(key("a", content)), 0u);
  EXPECT_EQ(disk_bytes("cache"), 0u);
}

TEST_F(ContentStoreTest, FilesThatNoRowKnowsAreRemovedAtTheStart) {
  store_.reset();
  const std::string stranger = dir_ + "/cache/00112233445566778899aabbccddeeff.blocks";
  FILE* raw = fopen(stranger.c_str(), "w");
  ASSERT_NE(raw, nullptr);
  fclose(raw);
  reopen();
  store_->collect_staged({});
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(stranger); }));
}

TEST_F(ContentStoreTest, MemoryStaysInItsBudget) {
  ContentOptions small = options();
  small.memory_bytes = 2 << 20;
  open(small);
  const std::string content = pattern(8'000'000);
  const auto file = serve("a", content);
  for (std::uint64_t at = 0; at < content.size(); at += 100'000) {
    (void)file->prefetch(at, 1 << 20);
    EXPECT_TRUE(same(read_text(*file, at, 100'000), content.substr(at, 100'000)));
  }
  ASSERT_TRUE(eventually([&] { return store_->stats().memory_bytes <= (1 << 20) + kBlockBytes; }))
      << store_->stats().memory_bytes;
}

// --- adoption ---

class AdoptTest : public ContentTest {
 protected:
  void TearDown() override {
    file_.reset();
    ContentTest::TearDown();
  }
  // Edits over `base` become version "b".
  void edit_and_adopt(const std::string& base, bool base_cached) {
    server_.put("a", base);
    if (base_cached) {
      EXPECT_TRUE(same(read_text(*cached(key("a", base))), base));
    }
    file_ = staged(key("a", base));
    expected_ = base;
    edit(100, "a few bytes");
    edit(kBlockBytes * 3 - 10, pattern(kBlockBytes * 2, 5));
    ASSERT_TRUE(file_->truncate(expected_.size() - 1000));
    expected_.resize(expected_.size() - 1000);
    (void)commit(*file_);
    store_->adopt(file_, key("b", expected_));
  }
  void edit(std::uint64_t offset, const std::string& text) {
    ASSERT_TRUE(file_->write(offset, as_bytes(text)));
    expected_.replace(offset, text.size(), text);
  }
  std::shared_ptr<StagedContent> file_;
  std::string expected_;
};

TEST_F(AdoptTest, TheVersionIsHereWithoutTheServer) {
  edit_and_adopt(pattern(900'000), true);
  EXPECT_TRUE(same(read_text(*cached(key("b", expected_)), local_only()), expected_));
  EXPECT_TRUE(same(read_text(*file_, local_only()), expected_));  // old handles go on
  EXPECT_EQ(file_->write(0, as_bytes("x")).error().code, ErrorCode::kStale);
  file_.reset();
  reopen();
  EXPECT_TRUE(same(read_text(*cached(key("b", expected_)), local_only()), expected_));
  EXPECT_EQ(disk_bytes("staged"), 0u);
}

TEST_F(AdoptTest, WhatTheBaseHasNotIsFetched) {
  edit_and_adopt(pattern(900'000), false);
  server_.put("b", expected_);
  const auto file = cached(key("b", expected_));
  EXPECT_GT(file->cached_bytes(), 0u);
  EXPECT_FALSE(file->complete());
  EXPECT_TRUE(same(read_text(*file), expected_));
  EXPECT_EQ(server_.requests().front().file, "b");
}

TEST_F(AdoptTest, ANewFileOfAllSizes) {
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{kBlockBytes - 1}, std::size_t{kBlockBytes},
        std::size_t{kBlockBytes + 1}, std::size_t{1'000'000}}) {
    const auto file = staged();
    const std::string text = pattern(size), id = "n" + std::to_string(size);
    ASSERT_TRUE(file->write(0, as_bytes(text)));
    (void)commit(*file);
    store_->adopt(file, key(id, text));
    EXPECT_TRUE(same(read_text(*cached(key(id, text)), local_only()), text));
  }
}

TEST_F(AdoptTest, HolesArePartOfTheVersion) {
  file_ = staged();
  expected_.assign(900'000, '\0');
  ASSERT_TRUE(file_->truncate(900'000));
  edit(500'000, "in the middle");
  (void)commit(*file_);
  store_->adopt(file_, key("b", expected_));
  EXPECT_TRUE(same(read_text(*cached(key("b", expected_)), local_only()), expected_));
}

TEST_F(AdoptTest, ChangesAfterTheRecordAreNotLost) {
  file_ = staged();
  expected_ = pattern(300'000);
  ASSERT_TRUE(file_->write(0, as_bytes(expected_)));
  (void)commit(*file_);
  ASSERT_TRUE(file_->write(0, as_bytes(pattern(300'000, 2))));
  store_->adopt(file_, key("b", expected_));
  EXPECT_TRUE(same(read_text(*file_), pattern(300'000, 2)));
  const std::string record = commit(*file_);
  file_.reset();
  reopen();
  auto loaded = store_->load_staged(record, std::nullopt);
  ASSERT_TRUE(loaded) << to_string(loaded.error());
  EXPECT_TRUE(same(read_text(**loaded), pattern(300'000, 2)));
}

TEST_F(AdoptTest, ARecordThatAPowerLossBroughtBackStillHasItsBlocks) {
  edit_and_adopt(pattern(900'000), true);
  ASSERT_EQ(disk_bytes("staged"), 0u);
  const std::string record = *file_->prepare();
  file_.reset();
  reopen();
  store_->collect_staged({record});
  EXPECT_EQ(store_->cached_bytes(key("b", expected_)), 0u);
  auto loaded = store_->load_staged(record, key("a", pattern(900'000)));
  ASSERT_TRUE(loaded) << to_string(loaded.error());
  EXPECT_TRUE(same(read_text(**loaded), expected_));
}

TEST_F(AdoptTest, AnotherSizeIsNotAdopted) {
  file_ = staged();
  ASSERT_TRUE(file_->write(0, as_bytes(pattern(300'000))));
  (void)commit(*file_);
  const std::string other = pattern(300'001);
  store_->adopt(file_, key("b", other));
  EXPECT_EQ(store_->cached_bytes(key("b", other)), 0u);
  EXPECT_TRUE(same(read_text(*file_), pattern(300'000)));
}

// --- read-ahead ---

TEST_F(ContentStoreTest, ASequentialReaderRarelyWaits) {
  const std::string content = pattern(24 << 20);
  const auto file = serve("a", content);
  ReadAhead ahead(16 << 20);
  std::string got;
  for (std::uint64_t at = 0; at < content.size(); at += 128 << 10) {
    ahead.on_read(*file, at, 128 << 10);
    got += read_text(*file, at, 128 << 10);
  }
  EXPECT_TRUE(same(got, content));
  EXPECT_LT(requests(), 60u);
  EXPECT_EQ(store_->stats().fetched_bytes, content.size());
}

TEST_F(ContentStoreTest, RandomReadsAreNotReadAhead) {
  const std::string content = pattern(24 << 20);
  const auto file = serve("a", content);
  ReadAhead ahead(16 << 20);
  std::mt19937 random(3);
  for (int i = 0; i < 30; ++i) {
    const std::uint64_t at = random() % (content.size() - 4096);
    ahead.on_read(*file, at, 4096);
    EXPECT_TRUE(same(read_text(*file, at, 4096), content.substr(at, 4096)));
  }
  EXPECT_LE(requests(), 31u);
  EXPECT_LE(store_->stats().fetched_bytes, 35 * kBlockBytes);
}

TEST_F(ContentStoreTest, PrefetchInVainIsCountedAndSlowsPrefetch) {
  const std::string content = pattern(16 << 20);
  for (int i = 0; i < 12; ++i) {
    const auto file = serve("f" + std::to_string(i), content);
    (void)read_text(*file, 0, 1000);
    (void)file->prefetch(0, 8 << 20);
    const auto here = [&] {
      const auto stats = store_->stats();
      return file->cached_bytes() >= 8 << 20 || stats.prefetched_unused_bytes > (30 << 20);
    };
    EXPECT_TRUE(eventually(here));
  }
  const auto before = store_->stats();
  EXPECT_GT(before.prefetched_unused_bytes, 20u << 20);
  const auto file = serve("last", content);
  EXPECT_LT(file->prefetch(0, 16 << 20), 8u << 20);
}

}  // namespace
}  // namespace cabinetfs
