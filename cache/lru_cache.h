#pragma once

// A least-recently-used cache with a cost for each entry: how to keep at most N bytes of anything.
//
//   LruCache<std::string, std::shared_ptr<const Block>> blocks(64 << 20);
//   auto evicted = blocks.put("a", block, block->bytes.size());
//   if (auto* hit = blocks.get("a")) use(**hit);
//
// Entries have a cost in any unit (bytes, mostly). When the sum of all costs exceeds the capacity,
// the entries that were used least recently leave until it fits. Entries that leave are returned,
// not destroyed, so that a caller who guards the cache with a mutex can let the values die after it
// has unlocked:
//
//   std::vector<Cache::Evicted> evicted;   // declared before the lock: destroyed after it
//   MutexLock lock(mutex_);
//   evicted = cache_.put(...);
//
// A pinned entry never leaves by itself, but its cost counts: with everything pinned the total may
// stay above the capacity, and overflow() says by how much.
//
// get, put, erase, touch, pin and unpin are O(1) plus the entries that leave. Each entry costs one
// hash node: the key, the value and 48 bytes.
//
// Not thread safe. Header-only, needs nothing but the standard library. Pointers to values stay
// valid until that entry leaves.

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace cabinetfs {

template <class Key, class Value, class Hash = std::hash<Key>>
class LruCache {
 public:
  struct Evicted {
    Key key;
    Value value;
    std::uint64_t cost = 0;
  };

  explicit LruCache(std::uint64_t capacity) : capacity_(capacity) {}
  // The entries point at each other and at the heads of their lists.
  LruCache(const LruCache&) = delete;
  LruCache& operator=(const LruCache&) = delete;

  // Makes the entry the most recently used one. nullptr when there is none.
  Value* get(const Key& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    move_to_front(found->second);
    return &found->second.value;
  }

  // As get(), but the order stays.
  Value* peek(const Key& key) {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second.value;
  }
  const Value* peek(const Key& key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second.value;
  }

  bool contains(const Key& key) const { return entries_.contains(key); }
  bool touch(const Key& key) { return get(key) != nullptr; }

  // Inserts or replaces; the entry is the most recently used one, and stays pinned if it was.
  // Returns what left for it: a replaced value of the same key comes first. An entry that costs
  // more than the whole capacity leaves at once, after all others that may.
  [[nodiscard]] std::vector<Evicted> put(const Key& key, Value value, std::uint64_t cost) {
    std::vector<Evicted> evicted;
    const auto [found, inserted] = entries_.try_emplace(key, std::move(value), cost);
    Entry& entry = found->second;
    if (inserted) {
      entry.key = &found->first;
      link(recent_, entry);
      cost_ += cost;
    } else {
      evicted.push_back({key, std::exchange(entry.value, std::move(value)), entry.cost});
      change_cost(entry, cost);
      move_to_front(entry);
    }
    shrink(capacity_, evicted);
    return evicted;
  }

  // Takes the entry out, pinned or not.
  std::optional<Value> erase(const Key& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::nullopt;
    std::optional<Value> value(std::move(found->second.value));
    remove(found->second);
    return value;
  }

  // The entry has grown or shrunk. Ignores an unknown key.
  [[nodiscard]] std::vector<Evicted> set_cost(const Key& key, std::uint64_t cost) {
    std::vector<Evicted> evicted;
    if (const auto found = entries_.find(key); found != entries_.end())
      change_cost(found->second, cost);
    shrink(capacity_, evicted);
    return evicted;
  }

  // Pins are counted: as many unpin() as pin() calls free the entry. False for an unknown key.
  bool pin(const Key& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return false;
    Entry& entry = found->second;
    if (entry.pins++ == 0) {
      unlink(entry);
      link(pinned_, entry);
      pinned_cost_ += entry.cost;
    }
    return true;
  }

  // The freed entry is the most recently used one. Ignores an unknown key.
  [[nodiscard]] std::vector<Evicted> unpin(const Key& key) {
    std::vector<Evicted> evicted;
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second.pins == 0) return evicted;
    Entry& entry = found->second;
    if (--entry.pins == 0) {
      unlink(entry);
      link(recent_, entry);
      pinned_cost_ -= entry.cost;
      shrink(capacity_, evicted);
    }
    return evicted;
  }

  bool is_pinned(const Key& key) const {
    const auto found = entries_.find(key);
    return found != entries_.end() && found->second.pins > 0;
  }

  [[nodiscard]] std::vector<Evicted> set_capacity(std::uint64_t capacity) {
    capacity_ = capacity;
    return evict_to(capacity);
  }

  // Lets entries leave until the total is at most `cost`, without changing the capacity.
  [[nodiscard]] std::vector<Evicted> evict_to(std::uint64_t cost) {
    std::vector<Evicted> evicted;
    shrink(cost, evicted);
    return evicted;
  }

  // Calls `visit(key, value)`, least recently used first, pinned ones last, until it returns false.
  // The visitor may change values, but not the cache.
  template <class Visit>
  void for_each(Visit visit) {
    for (Link* head : {&recent_, &pinned_}) {
      for (Link* at = head->previous; at != head; at = at->previous) {
        auto& entry = *static_cast<Entry*>(at);
        if (!visit(*entry.key, entry.value)) return;
      }
    }
  }

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  std::uint64_t capacity() const { return capacity_; }
  std::uint64_t cost() const { return cost_; }
  std::uint64_t pinned_cost() const { return pinned_cost_; }
  std::uint64_t overflow() const { return cost_ > capacity_ ? cost_ - capacity_ : 0; }

 private:
  struct Link {
    Link* previous = this;
    Link* next = this;
  };
  struct Entry : Link {
    Entry(Value v, std::uint64_t c) : value(std::move(v)), cost(c) {}
    Value value;
    std::uint64_t cost;
    std::uint32_t pins = 0;
    const Key* key = nullptr;  // in the hash node that holds this entry
  };

  static void unlink(Link& entry) {
    entry.previous->next = entry.next;
    entry.next->previous = entry.previous;
  }
  static void link(Link& head, Link& entry) {
    entry.previous = &head;
    entry.next = head.next;
    head.next->previous = &entry;
    head.next = &entry;
  }
  void move_to_front(Entry& entry) {
    unlink(entry);
    link(entry.pins > 0 ? pinned_ : recent_, entry);
  }
  void change_cost(Entry& entry, std::uint64_t cost) {
    cost_ = cost_ - entry.cost + cost;
    if (entry.pins > 0) pinned_cost_ = pinned_cost_ - entry.cost + cost;
    entry.cost = cost;
  }
  auto remove(Entry& entry) {
    unlink(entry);
    cost_ -= entry.cost;
    if (entry.pins > 0) pinned_cost_ -= entry.cost;
    return entries_.extract(*entry.key);
  }
  void shrink(std::uint64_t limit, std::vector<Evicted>& evicted) {
    while (cost_ > limit && recent_.previous != &recent_) {
      auto node = remove(*static_cast<Entry*>(recent_.previous));
      assert(!node.empty());
      evicted.push_back(
          {std::move(node.key()), std::move(node.mapped().value), node.mapped().cost});
    }
  }

  std::uint64_t capacity_;
  std::uint64_t cost_ = 0;
  std::uint64_t pinned_cost_ = 0;
  // Rings of entries, most recently used first; node addresses in the map never change.
  Link recent_;
  Link pinned_;
  std::unordered_map<Key, Entry, Hash> entries_;
};

}  // namespace cabinetfs
