#include "tests/support/gate.h"

#include <algorithm>
#include <thread>

namespace cabinetfs {
namespace {

// A cancelled token is noticed within this time; the wait itself ends at once when the gate opens.
constexpr std::chrono::milliseconds kLook{2};

Result<void> check(const CallContext& call) {
  if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "cancelled while waiting");
  if (Clock::system().steady() >= call.deadline) {
    return fail(ErrorCode::kTimeout, "deadline passed while waiting");
  }
  return {};
}

}  // namespace

void Gate::close() {
  MutexLock lock(mutex_);
  open_ = false;
  passes_ = 0;
}

void Gate::open() {
  MutexLock lock(mutex_);
  open_ = true;
  changed_.notify_all();
}

void Gate::let_through(int count) {
  MutexLock lock(mutex_);
  passes_ += count;
  changed_.notify_all();
}

int Gate::waiting() const {
  MutexLock lock(mutex_);
  return waiting_;
}

bool Gate::wait_for_waiting(int count, std::chrono::seconds patience) const {
  const auto until = Clock::system().steady() + patience;
  MutexLock lock(mutex_);
  while (waiting_ < count) {
    if (!changed_.wait_until(mutex_, until)) return waiting_ >= count;
  }
  return true;
}

Result<void> Gate::pass(const CallContext& call) {
  MutexLock lock(mutex_);
  if (open_) return {};
  ++waiting_;
  changed_.notify_all();
  Result<void> result;
  while (!open_ && passes_ == 0) {
    result = check(call);
    if (!result) break;
    changed_.wait_for(mutex_, kLook);
  }
  if (result && !open_) --passes_;
  --waiting_;
  return result;
}

Result<void> wait_in_call(const CallContext& call, std::chrono::nanoseconds span) {
  const auto until = Clock::system().steady() + span;
  while (Clock::system().steady() < until) {
    TRY(check(call));
    std::this_thread::sleep_for(
        std::min<std::chrono::nanoseconds>(kLook, until - Clock::system().steady()));
  }
  return {};
}

}  // namespace cabinetfs
