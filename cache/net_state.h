#pragma once

#include <chrono>
#include <string>

#include "backend/base/clock.h"
#include "backend/base/error.h"
#include "backend/base/mutex.h"

namespace cabinetfs {

// Whether the remote answers, as learnt from the calls that were made anyway. While it does not,
// optional calls (revalidation, prefetch) are skipped, and one caller at a time probes, 1 s to 30 s
// apart. Thread safe, leaf.
class NetState {
 public:
  explicit NetState(Clock& clock) : clock_(clock) {}

  void succeeded() {
    MutexLock lock(mutex_);
    online_ = true;
    reason_.clear();
    pause_ = kFirstPause;
  }
  // Errors that say nothing about reachability are ignored, or count as an answer.
  void failed(const Error& error) {
    if (error.code == ErrorCode::kCancelled || error.code == ErrorCode::kWouldBlock ||
        error.code == ErrorCode::kIo)
      return;
    if (!is_unreachable(error.code)) return succeeded();
    MutexLock lock(mutex_);
    reason_ = to_string(error);
    const SteadyTime now = clock_.steady();
    if (online_ || now >= next_probe_) {
      next_probe_ = now + pause_;
      pause_ = std::min(pause_ * 2, kLongestPause);
    }
    online_ = false;
  }

  bool online() const {
    MutexLock lock(mutex_);
    return online_;
  }
  std::string reason() const {
    MutexLock lock(mutex_);
    return reason_;
  }
  // True for a call that may go out now: online, or it is time for a probe and this caller has it.
  bool may_try() {
    MutexLock lock(mutex_);
    if (online_) return true;
    const SteadyTime now = clock_.steady();
    if (now < next_probe_) return false;
    next_probe_ = now + pause_;
    return true;
  }
  SteadyTime next_probe() const {
    MutexLock lock(mutex_);
    return online_ ? clock_.steady() : next_probe_;
  }

 private:
  static constexpr std::chrono::nanoseconds kFirstPause = std::chrono::seconds(1);
  static constexpr std::chrono::nanoseconds kLongestPause = std::chrono::seconds(30);

  Clock& clock_;
  mutable Mutex mutex_;
  bool online_ GUARDED_BY(mutex_) = true;
  std::string reason_ GUARDED_BY(mutex_);
  std::chrono::nanoseconds pause_ GUARDED_BY(mutex_) = kFirstPause;
  SteadyTime next_probe_ GUARDED_BY(mutex_){};
};

}  // namespace cabinetfs
