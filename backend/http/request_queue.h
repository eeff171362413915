#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/call.h"
#include "backend/base/clock.h"
#include "backend/http/token_bucket.h"
#include "backend/http/transfer_slots.h"

namespace cabinetfs {

struct QueuedRequest {
  std::uint64_t id = 0;
  Priority priority = Priority::kForeground;
  std::string origin;
  bool metered = true;
  SteadyTime queued;      // when the caller came
  SteadyTime not_before;  // end of a backoff
};

// Requests that wait for a slot, the request limit or the end of a backoff, in the order of their
// priority and then of their arrival. Metadata and uploads move up one rank for every
// kStepUpAfter of waiting, so that a busy foreground does not keep changes from the server for
// ever. Linear searches: there are never more entries than threads that wait in perform(). Not
// thread safe.
class RequestQueue {
 public:
  static constexpr std::chrono::seconds kStepUpAfter{5};

  void push(QueuedRequest request);
  bool erase(std::uint64_t id);
  // Takes out the first entry that may start now, with its token; the slot is the caller's to take.
  std::optional<QueuedRequest> pop_ready(SteadyTime now, TokenBucket& bucket,
                                         const TransferSlots& slots);
  // When to look again, unless a slot becomes free before; max() when only a slot is missing.
  SteadyTime next_ready_at(SteadyTime now, const TokenBucket& bucket,
                           const TransferSlots& slots) const;
  std::size_t size() const { return entries_.size(); }

 private:
  std::vector<QueuedRequest> entries_;  // in the order of arrival
};

}  // namespace cabinetfs
