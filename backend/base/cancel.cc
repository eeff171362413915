#include "backend/base/cancel.h"

#include <atomic>
#include <map>
#include <thread>
#include <utility>

#include "backend/base/mutex.h"

namespace cabinetfs {
namespace internal {

struct CancelState {
  std::atomic<bool> cancelled = false;
  Mutex mutex;
  CondVar idle;
  std::uint64_t next_id GUARDED_BY(mutex) = 1;
  std::map<std::uint64_t, std::function<void()>> callbacks GUARDED_BY(mutex);
  std::uint64_t running_id GUARDED_BY(mutex) = 0;
  std::thread::id running_on GUARDED_BY(mutex);
};

}  // namespace internal

bool CancelToken::cancelled() const {
  return state_ != nullptr && state_->cancelled.load(std::memory_order_acquire);
}

CancelToken::Registration CancelToken::on_cancel(std::function<void()> callback) const {
  if (state_ == nullptr) return {};
  {
    MutexLock lock(state_->mutex);
    if (!state_->cancelled.load(std::memory_order_acquire)) {
      const std::uint64_t id = state_->next_id++;
      state_->callbacks.emplace(id, std::move(callback));
      return Registration(state_, id);
    }
  }
  callback();
  return {};
}

CancelToken::Registration::Registration(std::shared_ptr<internal::CancelState> state,
                                        std::uint64_t id)
    : state_(std::move(state)), id_(id) {}

CancelToken::Registration::Registration(Registration&& other) noexcept
    : state_(std::move(other.state_)), id_(std::exchange(other.id_, 0)) {}

CancelToken::Registration& CancelToken::Registration::operator=(Registration&& other) noexcept {
  if (this != &other) {
    reset();
    state_ = std::move(other.state_);
    id_ = std::exchange(other.id_, 0);
  }
  return *this;
}

CancelToken::Registration::~Registration() { reset(); }

void CancelToken::Registration::reset() {
  if (state_ == nullptr || id_ == 0) return;
  {
    MutexLock lock(state_->mutex);
    state_->callbacks.erase(id_);
    while (state_->running_id == id_ && state_->running_on != std::this_thread::get_id()) {
      state_->idle.wait(state_->mutex);
    }
  }
  state_.reset();
  id_ = 0;
}

CancelSource::CancelSource() : state_(std::make_shared<internal::CancelState>()) {}

void CancelSource::cancel() {
  const std::shared_ptr<internal::CancelState> state = state_;
  MutexLock lock(state->mutex);
  if (state->cancelled.exchange(true, std::memory_order_acq_rel)) return;
  while (!state->callbacks.empty()) {
    auto node = state->callbacks.extract(state->callbacks.begin());
    state->running_id = node.key();
    state->running_on = std::this_thread::get_id();
    lock.unlock();
    node.mapped()();
    lock.lock();
    state->running_id = 0;
    state->idle.notify_all();
  }
}

}  // namespace cabinetfs
