#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "backend/base/mutex.h"
#include "backend/base/text.h"
#include "cache/lru_cache.h"

namespace cabinetfs {

// The plain bytes of a block. Filled by its maker, then shared and never changed.
struct Block {
  explicit Block(std::uint32_t bytes);
  std::uint32_t size;
  std::unique_ptr<std::byte[]> data;
  MutableBytes mutable_bytes() { return {data.get(), size}; }
  Bytes bytes() const { return {data.get(), size}; }
};
using BlockPtr = std::shared_ptr<const Block>;

// Blocks in memory for all contents of a store, under one budget: half of it for blocks that were
// used lately, half for what is on its way (fetches, blocks that still have to be written to disk).
// Thread safe; its mutex is a leaf.
class BlockMemory {
 public:
  explicit BlockMemory(std::uint64_t budget);

  // A number for a content that has never been given before: the first half of the keys. A content
  // that throws its blocks away takes a new one; the old entries age out.
  std::uint64_t new_content() { return ++last_content_; }

  BlockPtr get(std::uint64_t content, std::uint64_t index) EXCLUDES(mutex_);
  void put(std::uint64_t content, std::uint64_t index, BlockPtr block) EXCLUDES(mutex_);
  void erase(std::uint64_t content, std::uint64_t index) EXCLUDES(mutex_);

  // For what is on its way. The try form declines beyond the budget (prefetch), the other does not
  // (a waiting reader).
  bool try_reserve(std::uint64_t bytes);
  void reserve(std::uint64_t bytes) { in_flight_ += bytes; }
  void release(std::uint64_t bytes) { in_flight_ -= bytes; }
  std::uint64_t transit_budget() const { return transit_budget_; }
  std::uint64_t in_flight() const { return in_flight_; }
  std::uint64_t used() const EXCLUDES(mutex_);

 private:
  struct Key {
    std::uint64_t content = 0;
    std::uint64_t index = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::uint64_t>()(key.content * 0x9e3779b97f4a7c15ull + key.index);
    }
  };
  using Cache = LruCache<Key, BlockPtr, KeyHash>;

  const std::uint64_t transit_budget_;
  std::atomic<std::uint64_t> in_flight_{0};
  std::atomic<std::uint64_t> last_content_{0};
  mutable Mutex mutex_;
  Cache cache_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
