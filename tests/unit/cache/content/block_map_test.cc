#include "cache/block_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>

#include "cache/block_slots.h"
#include "cache/content_record.h"

namespace cabinetfs {
namespace {

using Range = BlockRanges::Range;

// Below `n`.
std::uint32_t pick(std::mt19937& random, std::uint64_t n) {
  return static_cast<std::uint32_t>(random() % n);
}

TEST(BlockRanges, AgreeWithASetOfBytes) {
  std::mt19937 random(20260301);
  BlockRanges ranges;
  std::set<std::uint32_t> bytes;
  for (int step = 0; step < 5000; ++step) {
    const std::uint32_t begin = pick(random, 200), end = begin + pick(random, 20);
    const bool add = random() % 3 != 0;
    if (add)
      ranges.add(begin, end);
    else
      ranges.remove(begin, end);
    for (std::uint32_t at = begin; at < end; ++at) {
      if (add)
        bytes.insert(at);
      else
        bytes.erase(at);
    }
    std::set<std::uint32_t> got;
    std::uint32_t last = 0;
    bool first = true;
    for (const Range& range : ranges.ranges()) {
      ASSERT_LT(range.begin, range.end);
      ASSERT_TRUE(first || range.begin > last) << "ranges touch";
      first = false;
      last = range.end;
      for (std::uint32_t at = range.begin; at < range.end; ++at) got.insert(at);
    }
    ASSERT_EQ(got, bytes) << "step " << step;
    bool covered = true;
    for (std::uint32_t at = begin; at < end; ++at) covered = covered && bytes.contains(at);
    ASSERT_EQ(ranges.covers(begin, end), covered);
    ASSERT_EQ(ranges.end(), bytes.empty() ? 0 : *bytes.rbegin() + 1);
  }
}

TEST(BlockMap, ACopyDoesNotSeeLaterChanges) {
  BlockMap map;
  for (std::uint64_t block = 0; block < 1000; ++block) map.set(block, static_cast<Slot>(block));
  BlockMap copy = map.copy();
  map.set(5, 77);
  map.erase(900);
  copy.set(6, 88);
  EXPECT_EQ(map.find(5).slot, 77u);
  EXPECT_EQ(copy.find(5).slot, 5u);
  EXPECT_FALSE(map.find(900).present());
  EXPECT_TRUE(copy.find(900).present());
  EXPECT_EQ(map.find(6).slot, 6u);
  EXPECT_EQ(copy.find(6).slot, 88u);
  EXPECT_EQ(map.count(), 999u);
  EXPECT_EQ(copy.count(), 1000u);
}

TEST(BlockMap, FindsTheNextBlockOverLargeHoles) {
  BlockMap map;
  map.set(3, 1);
  map.set(1ull << 40, 2);
  EXPECT_EQ(map.next(0), 3u);
  EXPECT_EQ(map.next(4), 1ull << 40);
  EXPECT_EQ(map.next((1ull << 40) + 1), std::nullopt);
}

ContentRecord random_record(std::mt19937& random) {
  ContentRecord record;
  record.id = new_content_id();
  record.sequence = random();
  record.size = 5'000 * kBlockBytes + random() % kBlockBytes;
  record.base_limit = random() % 2 ? record.size : random() % record.size;
  Slot slot = 0;
  for (std::uint64_t block = random() % 10; block < 5000;
       block += 1 + (random() % 8 == 0) * (random() % 100)) {
    switch (random() % 8) {
      case 0:
        record.map.set(block, kZeroSlot);
        break;
      case 1: {
        BlockRanges valid;
        for (unsigned i = 0; i <= random() % 4; ++i) {
          const auto begin = static_cast<std::uint32_t>(random() % (kBlockBytes - 1));
          valid.add(begin,
                    begin + 1 + static_cast<std::uint32_t>(random() % (kBlockBytes - begin)));
        }
        const std::uint32_t stored = valid.end();
        record.map.set_partial(block, random() % 3 ? slot++ : kZeroSlot, stored, valid);
        break;
      }
      case 2:
        slot += pick(random, 5);
        [[fallthrough]];
      default:
        record.map.set(block, slot++);
    }
  }
  record.slots = slot;
  return record;
}

std::string describe(const ContentRecord& record) {
  std::string text = std::to_string(record.sequence) + " " + std::to_string(record.size) + " " +
                     std::to_string(record.base_limit) + " " + std::to_string(record.slots);
  record.map.for_each([&](std::uint64_t block, const BlockEntry& entry) {
    text += " " + std::to_string(block) + ":" + std::to_string(entry.slot);
    if (!entry.valid) return;
    text += "/" + std::to_string(entry.stored);
    for (const Range& range : entry.valid->ranges())
      text += "," + std::to_string(range.begin) + "-" + std::to_string(range.end);
  });
  return text;
}

TEST(ContentRecord, ComesBackAsItWas) {
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    const ContentRecord record = random_record(random);
    const auto decoded = decode_content_record(encode_content_record(record), record.slots);
    ASSERT_TRUE(decoded);
    ASSERT_EQ(describe(*decoded), describe(record));
    ASSERT_EQ(decoded->id, record.id);
  }
}

TEST(ContentRecord, OfASequentialFileIsSmall) {
  ContentRecord record;
  record.size = 100'000 * kBlockBytes;
  for (Slot slot = 0; slot < 100'000; ++slot) record.map.set(slot, slot);
  EXPECT_LT(encode_content_record(record).size(), 40u);
}

TEST(ContentRecord, DamageIsAnErrorOrAnotherRecordNeverACrash) {
  std::mt19937 random(11);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    const ContentRecord record = random_record(random);
    std::string text = encode_content_record(record);
    for (unsigned n = 0; n <= random() % 3; ++n)
      text[random() % text.size()] = static_cast<char>(random());
    if (random() % 4 == 0) text.resize(random() % text.size());
    if (const auto decoded = decode_content_record(text, record.slots))
      decoded->map.for_each([&](std::uint64_t block, const BlockEntry& entry) {
        ASSERT_LT(block * kBlockBytes, decoded->size);
        ASSERT_TRUE(!entry.has_slot() || entry.slot < record.slots);
      });
    else
      ++refused;
  }
  EXPECT_GT(refused, 500);
}

TEST(ContentRecord, CannotClaimMoreSlotsThanTheFileHas) {
  ContentRecord record;
  record.size = 10 * kBlockBytes;
  for (Slot slot = 0; slot < 10; ++slot) record.map.set(slot, slot);
  EXPECT_TRUE(decode_content_record(encode_content_record(record), 10));
  EXPECT_FALSE(decode_content_record(encode_content_record(record), 9));
}

TEST(BlockSlots, ASlotOfALiveRecordIsNotGivenAgain) {
  BlockSlots slots;
  ASSERT_EQ(*slots.allocate(1), 0u);
  ASSERT_EQ(*slots.allocate(1), 1u);
  slots.release(1, 1);  // was in no record
  EXPECT_EQ(*slots.allocate(1), 1u);
  slots.release(0, 2);  // was in record 1
  EXPECT_EQ(*slots.allocate(2), 2u);
  slots.reclaim({1});
  EXPECT_EQ(*slots.allocate(2), 3u);
  slots.reclaim({2, 3});
  EXPECT_EQ(*slots.allocate(3), 0u);
}

TEST(BlockSlots, ASerialNeverRepeats) {
  BlockSlots slots;
  std::set<std::uint64_t> serials;
  for (int i = 0; i < 100; ++i) {
    const Slot slot = *slots.allocate(1);
    EXPECT_TRUE(serials.insert(slots.serial(slot)).second);
    slots.release(slot, 1);
  }
  EXPECT_EQ(slots.file_slots(), 1u);
}

}  // namespace
}  // namespace cabinetfs
