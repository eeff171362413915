#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "backend/base/cancel.h"
#include "backend/base/executor.h"
#include "backend/base/result.h"
#include "backend/remote_store.h"
#include "cache/block_memory.h"
#include "cache/node_record.h"

namespace cabinetfs {

class Fetch;

// Where a fetch's blocks go. Called on the network engine's threads (publish) and the fetcher's
// (finished); must not block.
class FetchTarget {
 public:
  virtual ~FetchTarget() = default;
  // In order, from fetch.first on. False stops the fetch: nobody wants it any more.
  virtual bool publish(Fetch& fetch, std::uint64_t block, BlockPtr bytes) = 0;
  // Once, whatever happened. Blocks from fetch.first + fetch.delivered on have not come.
  virtual void finished(const std::shared_ptr<Fetch>& fetch, Result<void> result) = 0;
};

// One range request for whole blocks of one content; or (`stream`) one for all of a large content,
// from a server without ranges.
class Fetch {
 public:
  Fetch(std::shared_ptr<FetchTarget> t, const ContentKey& k, std::uint64_t first_block,
        std::uint64_t block_count, Priority p, bool all)
      : target(std::move(t)),
        key(k),
        first(first_block),
        count(block_count),
        stream(all),
        priority(p) {}
  std::uint64_t end() const { return first + count; }
  std::uint64_t bytes() const;

  const std::shared_ptr<FetchTarget> target;
  const ContentKey& key;  // the target's
  const std::uint64_t first, count;
  const bool stream;
  std::atomic<Priority> priority;
  CancelSource cancel;
  std::atomic<bool> claimed{false};  // by the thread that runs it
  // The target's, under its lock.
  bool detached = false;        // its blocks are not wanted any more
  std::uint64_t delivered = 0;  // blocks
  std::uint64_t reserved = 0;   // bytes of the memory budget that it still holds
};

// Runs fetches: each is one blocking RemoteStore::read(). Several pools, so that neither any amount
// of prefetch nor contents that stream for minutes keep a waiting reader from a thread. Thread
// safe.
class Fetcher {
 public:
  Fetcher(RemoteStore& remote, unsigned threads, std::chrono::nanoseconds timeout);
  ~Fetcher();

  // By the fetch's priority: prefetch and uploads in one pool, the rest in the other. Always ends
  // with target->finished(), unless the pools have been shut down.
  void start(std::shared_ptr<Fetch> fetch);
  // A reader has come to wait for it: if it has not begun, it begins with the readers' pool.
  void promote(std::shared_ptr<Fetch> fetch);
  // Whether the server sends parts of a content, as far as is known by now.
  bool ranges() const { return remote_.capabilities().ranges; }
  // What is queued never runs, what runs is waited for (cancel it first).
  void shutdown();

 private:
  void run(const std::shared_ptr<Fetch>& fetch);

  RemoteStore& remote_;
  const std::chrono::nanoseconds timeout_;
  Executor foreground_;
  Executor background_;
  Executor small_;    // whole small files, ahead
  Executor streams_;  // Fetch::stream
};

}  // namespace cabinetfs
