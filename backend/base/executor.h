#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "backend/base/mutex.h"

namespace cabinetfs {

// A named pool with a bounded number of threads, one pool per kind of waiting. The first thread
// starts with the pool, the others as they are needed and can be had. Tasks run in the order of
// submission; no task may wait for another task of its own pool. Thread safe.
class Executor {
 public:
  // `name`: at most 15 bytes, shown by ps. `max_queued`: try_submit declines beyond it; submit
  // never does. Throws std::system_error where not even one thread can be had.
  Executor(std::string name, std::size_t threads, std::size_t max_queued = SIZE_MAX);
  // Drops what is queued, waits for what is running.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // After shutdown() the task is destroyed without being run.
  void submit(std::function<void()> task) EXCLUDES(mutex_);
  bool try_submit(std::function<void()> task) EXCLUDES(mutex_);
  void shutdown() EXCLUDES(mutex_);
  std::size_t queued() const EXCLUDES(mutex_);

 private:
  void run() EXCLUDES(mutex_);
  void submit_locked(std::function<void()> task) REQUIRES(mutex_);
  void start_thread_locked() REQUIRES(mutex_);

  const std::string name_;
  const std::size_t max_threads_;
  const std::size_t max_queued_;
  mutable Mutex mutex_;
  CondVar work_;
  std::deque<std::function<void()>> queue_ GUARDED_BY(mutex_);
  std::size_t idle_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
