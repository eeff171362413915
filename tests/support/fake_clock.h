#pragma once

#include "backend/base/clock.h"
#include "backend/base/mutex.h"

namespace cabinetfs {

// Stands still until told. Thread safe.
class FakeClock final : public Clock {
 public:
  WallTime wall() const override;
  SteadyTime steady() const override;
  void advance(std::chrono::nanoseconds span);

 private:
  mutable Mutex mutex_;
  std::chrono::nanoseconds passed_ GUARDED_BY(mutex_){0};
};

}  // namespace cabinetfs
