#include "backend/base/pause.h"

#include <algorithm>

#include "backend/base/mutex.h"

namespace cabinetfs {

bool pause(const CallContext& call, std::chrono::nanoseconds span) {
  struct Waiter {
    Mutex mutex;
    CondVar cancelled;
  } waiter;
  // Before the mutex is taken: the callback takes it too, so that we are either before our check
  // or really waiting.
  const auto wake = call.cancel.on_cancel([&waiter] {
    MutexLock lock(waiter.mutex);
    waiter.cancelled.notify_all();
  });
  const SteadyTime end =
      std::chrono::steady_clock::now() + std::chrono::duration_cast<SteadyTime::duration>(span);
  MutexLock lock(waiter.mutex);
  while (!call.cancel.cancelled()) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= call.deadline) return false;
    if (now >= end) return true;
    waiter.cancelled.wait_until(waiter.mutex, std::min(end, call.deadline));
  }
  return false;
}

}  // namespace cabinetfs
