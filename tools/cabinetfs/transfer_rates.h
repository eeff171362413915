#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

#include "backend/base/clock.h"
#include "backend/base/mutex.h"

namespace cabinetfs {

// How fast bytes have come and gone lately, from two counters that only grow. Thread safe.
class TransferRates {
 public:
  // Transfers are counted when they end, often a few MiB at once: less would jump.
  static constexpr std::chrono::seconds kWindow{10};
  // How often note() is to be called.
  static constexpr std::chrono::seconds kEvery{1};

  struct Totals {
    std::uint64_t down = 0, up = 0;  // bytes
  };
  void note(const Totals& totals, SteadyTime now) EXCLUDES(mutex_);
  // Bytes per second since the oldest note in the window; nothing without one.
  Totals per_second(const Totals& totals, SteadyTime now) const EXCLUDES(mutex_);

 private:
  struct Note {
    SteadyTime at{};
    Totals totals;
  };
  mutable Mutex mutex_;  // leaf
  std::deque<Note> notes_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
