#include "tools/cabinetfs/transfer_rates.h"

namespace cabinetfs {

void TransferRates::note(const Totals& totals, SteadyTime now) {
  MutexLock lock(mutex_);
  while (!notes_.empty() && now - notes_.front().at >= kWindow) notes_.pop_front();
  notes_.push_back({now, totals});
}

TransferRates::Totals TransferRates::per_second(const Totals& totals, SteadyTime now) const {
  MutexLock lock(mutex_);
  for (const Note& note : notes_) {
    if (now - note.at > kWindow) continue;
    const double seconds = std::chrono::duration<double>(now - note.at).count();
    // Two looks at one moment say nothing.
    if (seconds < 0.1) return {};
    const auto rate = [seconds](std::uint64_t from, std::uint64_t to) {
      return to <= from ? 0 : static_cast<std::uint64_t>(static_cast<double>(to - from) / seconds);
    };
    return {rate(note.totals.down, totals.down), rate(note.totals.up, totals.up)};
  }
  return {};
}

}  // namespace cabinetfs
