#include "tools/sandbox/kiteworks/hasher.h"

#include <exception>

#include "tools/sandbox/http/blob.h"

namespace cabinetfs::sandbox::kiteworks {

Hasher::Hasher() : thread_([this] { run(); }) {}

Hasher::~Hasher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Hasher::request(const std::shared_ptr<Blob>& blob) {
  {
    const std::lock_guard lock(mutex_);
    if (!asked_.insert(blob.get()).second) return;
    queue_.push_back(blob);
  }
  changed_.notify_all();
}

void Hasher::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (queue_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const std::weak_ptr<Blob> next = queue_.front();
    queue_.pop_front();
    lock.unlock();
    const Blob* done = nullptr;
    if (const std::shared_ptr<Blob> blob = next.lock()) {
      done = blob.get();
      try {
        static_cast<void>(blob->hashes());
      } catch (const std::exception&) {
        // The file has gone: its fingerprint stays `Generating...`, as on a server whose storage
        // lost it.
      }
    }
    lock.lock();
    // Forgotten again, since another blob may get the same address later.
    asked_.erase(done);
  }
}

}  // namespace cabinetfs::sandbox::kiteworks
