#include "backend/http/request_queue.h"

#include <algorithm>
#include <utility>

namespace cabinetfs {
namespace {

Priority rank(const QueuedRequest& request, SteadyTime now) {
  if (request.priority == Priority::kForeground || request.priority == Priority::kPrefetch) {
    return request.priority;
  }
  const auto steps = (now - request.queued) / RequestQueue::kStepUpAfter;
  const auto raised =
      static_cast<std::int64_t>(request.priority) - std::max<std::int64_t>(steps, 0);
  return static_cast<Priority>(std::max<std::int64_t>(raised, 0));
}

}  // namespace

void RequestQueue::push(QueuedRequest request) { entries_.push_back(std::move(request)); }

bool RequestQueue::erase(std::uint64_t id) {
  return std::erase_if(entries_, [id](const QueuedRequest& entry) { return entry.id == id; }) > 0;
}

std::optional<QueuedRequest> RequestQueue::pop_ready(SteadyTime now, TokenBucket& bucket,
                                                     const TransferSlots& slots) {
  auto best = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->not_before > now) continue;
    const Priority entry_rank = rank(*entry, now);
    if (best != entries_.end() && entry_rank >= rank(*best, now)) continue;
    if (!slots.may_start(entry->origin, entry->priority)) continue;
    if (entry->metered && bucket.ready_at(entry_rank, now) > now) continue;
    best = entry;
  }
  if (best == entries_.end()) return std::nullopt;
  if (best->metered && !bucket.try_take(rank(*best, now), now)) return std::nullopt;
  QueuedRequest taken = std::move(*best);
  entries_.erase(best);
  return taken;
}

SteadyTime RequestQueue::next_ready_at(SteadyTime now, const TokenBucket& bucket,
                                       const TransferSlots& slots) const {
  SteadyTime next = SteadyTime::max();
  for (const QueuedRequest& entry : entries_) {
    if (!slots.may_start(entry.origin, entry.priority)) continue;
    SteadyTime ready = std::max(entry.not_before, now);
    if (entry.metered) ready = std::max(ready, bucket.ready_at(rank(entry, now), now));
    next = std::min(next, ready);
  }
  return next;
}

}  // namespace cabinetfs
