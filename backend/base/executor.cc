#include "backend/base/executor.h"

#include <pthread.h>

#include <exception>
#include <system_error>
#include <utility>

#include "backend/base/log.h"

namespace cabinetfs {

Executor::Executor(std::string name, std::size_t threads, std::size_t max_queued)
    : name_(std::move(name)), max_threads_(threads == 0 ? 1 : threads), max_queued_(max_queued) {
  MutexLock lock(mutex_);
  start_thread_locked();
}

Executor::~Executor() { shutdown(); }

void Executor::submit(std::function<void()> task) {
  MutexLock lock(mutex_);
  if (!stopping_) submit_locked(std::move(task));
}

bool Executor::try_submit(std::function<void()> task) {
  MutexLock lock(mutex_);
  if (stopping_ || queue_.size() >= max_queued_) return false;
  submit_locked(std::move(task));
  return true;
}

void Executor::submit_locked(std::function<void()> task) {
  queue_.push_back(std::move(task));
  // Compared with the queue, not with one: several tasks may arrive before an idle thread wakes up.
  if (queue_.size() > idle_ && threads_.size() < max_threads_) {
    try {
      start_thread_locked();
    } catch (const std::system_error& e) {
      // The limit of processes: those that run do it.
      log_warn("{}: no other thread to be had: {}", name_, e.what());
    }
  }
  work_.notify_one();
}

void Executor::start_thread_locked() {
  threads_.emplace_back([this] { run(); });
  pthread_setname_np(threads_.back().native_handle(), name_.substr(0, 15).c_str());
}

void Executor::shutdown() {
  std::vector<std::thread> threads;
  std::deque<std::function<void()>> dropped;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
    threads.swap(threads_);
    work_.notify_all();
  }
  for (std::thread& thread : threads) thread.join();
}

std::size_t Executor::queued() const {
  MutexLock lock(mutex_);
  return queue_.size();
}

void Executor::run() {
  MutexLock lock(mutex_);
  while (true) {
    while (queue_.empty() && !stopping_) {
      ++idle_;
      work_.wait(mutex_);
      --idle_;
    }
    if (queue_.empty()) return;
    {
      std::function<void()> task = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      try {
        task();
      } catch (const std::exception& e) {
        log_error("{}: a task threw: {}", name_, e.what());
      }
    }  // the task's captures are destroyed outside the lock
    lock.lock();
  }
}

}  // namespace cabinetfs
