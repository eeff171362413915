#include "tests/support/fake_clock.h"

namespace cabinetfs {

// 2026-01-01T00:00:00Z.
constexpr WallTime kFakeStart{std::chrono::seconds(1767225600)};

WallTime FakeClock::wall() const {
  MutexLock lock(mutex_);
  return kFakeStart + passed_;
}

SteadyTime FakeClock::steady() const {
  MutexLock lock(mutex_);
  return SteadyTime(std::chrono::hours(1)) +
         std::chrono::duration_cast<SteadyTime::duration>(passed_);
}

void FakeClock::advance(std::chrono::nanoseconds span) {
  MutexLock lock(mutex_);
  passed_ += span;
}

}  // namespace cabinetfs
