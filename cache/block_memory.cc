#include "cache/block_memory.h"

#include <utility>
#include <vector>

namespace cabinetfs {

// Not make_unique: zeroing what is about to be overwritten costs a quarter of the decryption.
Block::Block(std::uint32_t bytes) : size(bytes), data(new std::byte[bytes]) {}

BlockMemory::BlockMemory(std::uint64_t budget)
    : transit_budget_(budget / 2), cache_(budget - budget / 2) {}

BlockPtr BlockMemory::get(std::uint64_t content, std::uint64_t index) {
  MutexLock lock(mutex_);
  const BlockPtr* const hit = cache_.get({content, index});
  return hit ? *hit : nullptr;
}

void BlockMemory::put(std::uint64_t content, std::uint64_t index, BlockPtr block) {
  std::vector<Cache::Evicted> evicted;  // dies after the lock
  const std::uint64_t cost = block->size;
  MutexLock lock(mutex_);
  evicted = cache_.put({content, index}, std::move(block), cost);
}

void BlockMemory::erase(std::uint64_t content, std::uint64_t index) {
  BlockPtr gone;  // dies after the lock
  MutexLock lock(mutex_);
  if (auto entry = cache_.erase({content, index})) gone = *std::move(entry);
}

bool BlockMemory::try_reserve(std::uint64_t bytes) {
  std::uint64_t now = in_flight_.load();
  do {
    if (now + bytes > transit_budget_) return false;
  } while (!in_flight_.compare_exchange_weak(now, now + bytes));
  return true;
}

std::uint64_t BlockMemory::used() const {
  MutexLock lock(mutex_);
  return cache_.cost() + in_flight_.load();
}

}  // namespace cabinetfs
