#include "fs/kernel_notifier.h"

#include <pthread.h>

#include "backend/base/log.h"

namespace cabinetfs {

QueueingNotifier::QueueingNotifier(KernelSink& sink, std::size_t max_names)
    : sink_(sink), max_names_(max_names), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "cabinet-notify");
}

QueueingNotifier::~QueueingNotifier() { stop(); }

QueueingNotifier::Waiting& QueueingNotifier::waiting_locked(InodeNumber ino) {
  const auto [place, added] = waiting_.try_emplace(ino);
  if (added) {
    queue_.push_back(ino);
    changed_.notify_all();
  }
  return place->second;
}

void QueueingNotifier::invalidate_inode(InodeNumber ino, bool data) {
  MutexLock lock(mutex_);
  if (stopping_) return;
  Waiting& waiting = waiting_locked(ino);
  waiting.inode = true;
  waiting.data = waiting.data || data;
}

void QueueingNotifier::invalidate_entry(InodeNumber parent, const std::string& name) {
  bool overflow = false;
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    Waiting& waiting = waiting_locked(parent);
    if (names_ >= max_names_) {
      overflow = !waiting.inode || !waiting.data;
      waiting.inode = waiting.data = true;
    } else if (waiting.names.insert(name).second) {
      ++names_;
    }
  }
  if (overflow) log_warn("kernel notifications: too many names wait; dropping whole directories");
}

void QueueingNotifier::run() {
  MutexLock lock(mutex_);
  while (true) {
    while (queue_.empty() && !stopping_) changed_.wait(mutex_);
    if (stopping_) return;
    const InodeNumber ino = queue_.front();
    queue_.pop_front();
    Waiting waiting;
    if (auto node = waiting_.extract(ino)) waiting = std::move(node.mapped());
    names_ -= waiting.names.size();
    busy_ = true;
    lock.unlock();
    tell(ino, waiting);
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

void QueueingNotifier::tell(InodeNumber ino, const Waiting& waiting) {
  bool inode = waiting.inode;
  bool data = waiting.data;
  for (const std::string& name : waiting.names) {
    if (stopping()) return;
    // When the kernel knows no such name it leaves its cached listing of the directory alone, and
    // that may lack a name that is new.
    if (!sink_.drop_entry(ino, name)) inode = data = true;
    MutexLock lock(mutex_);
    ++sent_;
  }
  if (!inode || stopping()) return;
  sink_.drop_inode(ino, data);
  MutexLock lock(mutex_);
  ++sent_;
}

bool QueueingNotifier::stopping() const {
  MutexLock lock(mutex_);
  return stopping_;
}

void QueueingNotifier::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    queue_.clear();
    waiting_.clear();
    names_ = 0;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void QueueingNotifier::drain() {
  MutexLock lock(mutex_);
  while (!stopping_ && (busy_ || !queue_.empty())) changed_.wait(mutex_);
}

std::uint64_t QueueingNotifier::sent() const {
  MutexLock lock(mutex_);
  return sent_;
}

}  // namespace cabinetfs
