#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

// clang's thread-safety attributes; nothing on other compilers.
#if defined(__clang__)
#define CABINET_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define CABINET_THREAD_ATTRIBUTE(x)
#endif
#define CAPABILITY(x) CABINET_THREAD_ATTRIBUTE(capability(x))
#define SCOPED_CAPABILITY CABINET_THREAD_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(x) CABINET_THREAD_ATTRIBUTE(guarded_by(x))
#define PT_GUARDED_BY(x) CABINET_THREAD_ATTRIBUTE(pt_guarded_by(x))
#define REQUIRES(...) CABINET_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) CABINET_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) CABINET_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) CABINET_THREAD_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define EXCLUDES(...) CABINET_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS CABINET_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace cabinetfs {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }
  bool try_lock() TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  std::mutex mutex_;
};

// Holds a Mutex for a scope; may be left and taken again inside it (`unlock`, `lock`).
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex), held_(true) { mutex_.lock(); }
  ~MutexLock() RELEASE() {
    if (held_) mutex_.unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() RELEASE() {
    mutex_.unlock();
    held_ = false;
  }
  void lock() ACQUIRE() {
    mutex_.lock();
    held_ = true;
  }

 private:
  Mutex& mutex_;
  bool held_;
};

// Waits are written as loops over the predicate, so that the analysis sees the guarded fields under
// the lock:
//   while (!ready_) changed_.wait(mutex_);
class CondVar {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex) { cond_.wait(mutex); }

  // False when `until` (steady clock) has passed.
  bool wait_until(Mutex& mutex, std::chrono::steady_clock::time_point until) REQUIRES(mutex) {
    return cond_.wait_until(mutex, until) == std::cv_status::no_timeout;
  }
  bool wait_for(Mutex& mutex, std::chrono::nanoseconds span) REQUIRES(mutex) {
    return wait_until(mutex, std::chrono::steady_clock::now() + span);
  }
  void notify_one() { cond_.notify_one(); }
  void notify_all() { cond_.notify_all(); }

 private:
  std::condition_variable_any cond_;
};

}  // namespace cabinetfs
