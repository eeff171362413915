#include "backend/http/transfer_slots.h"

#include <algorithm>

namespace cabinetfs {
namespace {

// Even a server that is always too busy answers somebody at some time.
constexpr std::size_t kFewest = 2;
// An answer that took longer than twice the quickest one has waited for its turn over there; what
// the machines themselves are late by is less than the pause.
constexpr int kPromptFactor = 2;
constexpr std::chrono::milliseconds kPromptPause{20};
// What is remembered of servers and of their kinds of answers. More come from redirects to ever new
// hosts only.
constexpr std::size_t kMaxOrigins = 64;
constexpr std::size_t kMaxKinds = 128;

}  // namespace

TransferSlots::TransferSlots(std::size_t first, std::size_t limit)
    : first_(first == 0 ? std::max<std::size_t>(limit, 1)
                        : std::min(first, std::max<std::size_t>(limit, 1))),
      limit_(std::max<std::size_t>(limit, 1)) {}

TransferSlots::Origin& TransferSlots::origin_of(const std::string& name) {
  const auto found = origins_.find(name);
  if (found != origins_.end()) return found->second;
  if (origins_.size() >= kMaxOrigins) {
    std::erase_if(origins_, [](const auto& known) { return known.second.running == 0; });
  }
  Origin& origin = origins_[name];
  origin.slots = first_;
  return origin;
}

std::size_t TransferSlots::slots_of(const std::string& origin) const {
  const auto found = origins_.find(origin);
  return found == origins_.end() ? first_ : found->second.slots;
}

bool TransferSlots::may_start(const std::string& origin, Priority priority) const {
  const auto found = origins_.find(origin);
  const std::size_t slots = found == origins_.end() ? first_ : found->second.slots;
  std::size_t reserved = 0;
  // Rounded up, so that 2 slots still keep one; of 1 there is nothing to keep.
  if (priority == Priority::kUpload) reserved = (slots + 7) / 8;
  if (priority == Priority::kPrefetch) reserved = (slots + 3) / 4;
  reserved = std::min(reserved, slots - 1);
  return (found == origins_.end() ? 0 : found->second.running) + reserved < slots;
}

void TransferSlots::start(const std::string& origin) {
  ++origin_of(origin).running;
  ++running_;
}

void TransferSlots::finish(const std::string& origin) {
  const auto found = origins_.find(origin);
  if (found == origins_.end() || found->second.running == 0) return;
  --found->second.running;
  --running_;
}

void TransferSlots::answered(const std::string& origin, std::string_view kind,
                             std::chrono::nanoseconds wait) {
  Origin& here = origin_of(origin);
  auto quickest = here.quickest.find(kind);
  if (quickest == here.quickest.end()) {
    if (here.quickest.size() >= kMaxKinds) here.quickest.clear();
    quickest = here.quickest.emplace(kind, wait).first;
  }
  quickest->second = std::min(quickest->second, wait);
  const bool prompt = wait <= kPromptFactor * quickest->second + kPromptPause;
  // Work in the background alone uses three quarters.
  const bool in_use = here.running * 4 >= here.slots * 3;
  if (!prompt || !in_use || here.slots >= limit_) return;
  if (here.cut && ++here.good < here.slots) return;
  here.good = 0;
  ++here.slots;
}

void TransferSlots::too_busy(const std::string& origin, SteadyTime started, SteadyTime now) {
  Origin& here = origin_of(origin);
  if (here.cut && started <= here.cut_at) return;
  here.cut = true;
  here.cut_at = now;
  here.good = 0;
  here.slots = std::min(here.slots, std::max(here.slots / 2, kFewest));
}

}  // namespace cabinetfs
