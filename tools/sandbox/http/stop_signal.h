#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace cabinetfs::sandbox {

// Waits that end at once when the server stops. Any thread.
class StopSignal {
 public:
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
  }
  bool stopped() const {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }
  // Tells waiters to look at their condition again.
  void poke() {
    { const std::lock_guard lock(mutex_); }
    changed_.notify_all();
  }
  // False if the server is stopping.
  bool sleep_until(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_until(lock, deadline, [this] { return stopped_; });
  }
  // Until `done` says so (it must not call back into this object), the deadline, or the stop.
  void wait_until(std::chrono::steady_clock::time_point deadline,
                  const std::function<bool()>& done) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline, [&] { return stopped_ || done(); });
  }

 private:
  mutable std::mutex mutex_;  // guards stopped_
  std::condition_variable changed_;
  bool stopped_ = false;
};

}  // namespace cabinetfs::sandbox
