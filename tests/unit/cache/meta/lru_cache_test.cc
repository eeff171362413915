#include "cache/lru_cache.h"

#include <gtest/gtest.h>

#include <list>
#include <memory>
#include <random>
#include <string>

namespace cabinetfs {
namespace {

using Cache = LruCache<std::string, int>;

std::string keys_of(const std::vector<Cache::Evicted>& evicted) {
  std::string keys;
  for (const auto& entry : evicted) keys += entry.key;
  return keys;
}

std::string order_of(Cache& cache) {
  std::string keys;
  cache.for_each([&](const std::string& key, int&) {
    keys += key;
    return true;
  });
  return keys;
}

TEST(LruCache, LeavesOldestFirstAndReturnsWhatLeft) {
  Cache cache(30);
  EXPECT_TRUE(cache.put("a", 1, 10).empty());
  EXPECT_TRUE(cache.put("b", 2, 10).empty());
  EXPECT_TRUE(cache.put("c", 3, 10).empty());
  ASSERT_NE(cache.get("a"), nullptr);
  const auto evicted = cache.put("d", 4, 15);
  EXPECT_EQ(keys_of(evicted), "bc");
  EXPECT_EQ(evicted[0].value, 2);
  EXPECT_EQ(evicted[0].cost, 10u);
  EXPECT_EQ(cache.cost(), 25u);
  EXPECT_EQ(order_of(cache), "ad");
}

TEST(LruCache, PeekKeepsTheOrder) {
  Cache cache(2);
  (void)cache.put("a", 1, 1);
  (void)cache.put("b", 2, 1);
  ASSERT_NE(cache.peek("a"), nullptr);
  EXPECT_EQ(keys_of(cache.put("c", 3, 1)), "a");
}

TEST(LruCache, ReplacingReturnsTheOldValueAndCountsTheNewCost) {
  Cache cache(10);
  (void)cache.put("a", 1, 4);
  const auto evicted = cache.put("a", 2, 6);
  ASSERT_EQ(evicted.size(), 1u);
  EXPECT_EQ(evicted[0].value, 1);
  EXPECT_EQ(evicted[0].cost, 4u);
  EXPECT_EQ(*cache.get("a"), 2);
  EXPECT_EQ(cache.cost(), 6u);
}

TEST(LruCache, EntryAboveTheCapacityLeavesAtOnce) {
  Cache cache(10);
  (void)cache.put("a", 1, 5);
  EXPECT_EQ(keys_of(cache.put("big", 2, 11)), "abig");
  EXPECT_TRUE(cache.empty());
  EXPECT_EQ(cache.cost(), 0u);
}

TEST(LruCache, PinnedEntriesStayAndCount) {
  Cache cache(10);
  (void)cache.put("a", 1, 6);
  ASSERT_TRUE(cache.pin("a"));
  ASSERT_TRUE(cache.pin("a"));
  EXPECT_EQ(keys_of(cache.put("b", 2, 6)), "b") << "only unpinned entries may leave";
  EXPECT_EQ(cache.pinned_cost(), 6u);
  EXPECT_TRUE(cache.set_capacity(3).empty());
  EXPECT_EQ(cache.overflow(), 3u);
  EXPECT_TRUE(cache.unpin("a").empty()) << "one pin is left";
  EXPECT_EQ(keys_of(cache.unpin("a")), "a");
  EXPECT_FALSE(cache.pin("a"));
  EXPECT_EQ(cache.pinned_cost(), 0u);
}

TEST(LruCache, ErasingAPinnedEntryForgetsThePin) {
  Cache cache(10);
  (void)cache.put("a", 1, 4);
  cache.pin("a");
  EXPECT_EQ(cache.erase("a"), std::optional<int>(1));
  EXPECT_EQ(cache.erase("a"), std::nullopt);
  EXPECT_EQ(cache.cost() + cache.pinned_cost(), 0u);
  (void)cache.put("a", 2, 4);
  EXPECT_FALSE(cache.is_pinned("a"));
}

TEST(LruCache, GrowingAnEntryPushesOthersOut) {
  Cache cache(10);
  (void)cache.put("a", 1, 4);
  (void)cache.put("b", 2, 4);
  EXPECT_EQ(keys_of(cache.set_cost("b", 8)), "a");
  EXPECT_EQ(cache.cost(), 8u);
  EXPECT_TRUE(cache.set_cost("unknown", 100).empty());
}

TEST(LruCache, TakesMoveOnlyValues) {
  LruCache<int, std::unique_ptr<int>> cache(1);
  (void)cache.put(1, std::make_unique<int>(7), 1);
  const auto evicted = cache.put(2, std::make_unique<int>(8), 1);
  ASSERT_EQ(evicted.size(), 1u);
  EXPECT_EQ(*evicted[0].value, 7);
}

// Against the obvious slow implementation.
TEST(LruCache, AgreesWithASimpleModel) {
  std::mt19937 random(20260121);
  struct Item {
    int key;
    std::uint64_t cost;
    int pins;
  };
  LruCache<int, int> cache(100);
  std::list<Item> model;  // most recently used first
  const auto find = [&](int key) {
    auto at = model.begin();
    while (at != model.end() && at->key != key) ++at;
    return at;
  };
  const auto total = [&] {
    std::uint64_t sum = 0;
    for (const Item& item : model) sum += item.cost;
    return sum;
  };
  const auto shrink = [&] {
    for (auto at = model.end(); at != model.begin() && total() > 100;) {
      --at;
      if (at->pins == 0) at = model.erase(at);
    }
  };
  for (int step = 0; step < 20000; ++step) {
    const int key = static_cast<int>(random() % 30);
    const auto at = find(key);
    switch (random() % 6) {
      case 0:
      case 1: {
        const std::uint64_t cost = 1 + random() % 25;
        const int pins = at == model.end() ? 0 : at->pins;
        if (at != model.end()) model.erase(at);
        model.push_front({key, cost, pins});
        shrink();
        (void)cache.put(key, step, cost);
        break;
      }
      case 2:
        ASSERT_EQ(cache.get(key) != nullptr, at != model.end()) << step;
        if (at != model.end()) model.splice(model.begin(), model, at);
        break;
      case 3:
        ASSERT_EQ(cache.pin(key), at != model.end()) << step;
        if (at != model.end()) ++at->pins;
        break;
      case 4:
        (void)cache.unpin(key);
        if (at != model.end() && at->pins > 0 && --at->pins == 0) {
          model.splice(model.begin(), model, at);
          shrink();
        }
        break;
      default:
        ASSERT_EQ(cache.erase(key).has_value(), at != model.end()) << step;
        if (at != model.end()) model.erase(at);
    }
    ASSERT_EQ(cache.size(), model.size()) << step;
    ASSERT_EQ(cache.cost(), total()) << step;
    for (const Item& item : model) ASSERT_TRUE(cache.contains(item.key)) << step;
  }
}

}  // namespace
}  // namespace cabinetfs
