#pragma once

#include <chrono>

#include "backend/base/call.h"
#include "backend/base/mutex.h"
#include "backend/base/result.h"

namespace cabinetfs {

// Holds callers until the test lets them go. Starts open. Thread safe; must outlive its callers.
class Gate {
 public:
  void close() EXCLUDES(mutex_);
  void open() EXCLUDES(mutex_);
  // Lets `count` callers through a closed gate, those that wait now or come later.
  void let_through(int count = 1) EXCLUDES(mutex_);

  // Callers that stand at the gate now.
  int waiting() const EXCLUDES(mutex_);
  // False when fewer than `count` stood here at once within `patience`.
  bool wait_for_waiting(int count, std::chrono::seconds patience = std::chrono::seconds(10)) const
      EXCLUDES(mutex_);

  // kTimeout and kCancelled as the call says.
  Result<void> pass(const CallContext& call) EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  mutable CondVar changed_;
  bool open_ GUARDED_BY(mutex_) = true;
  int passes_ GUARDED_BY(mutex_) = 0;
  int waiting_ GUARDED_BY(mutex_) = 0;
};

// Waits for `span`, or as long as the call may take: kTimeout, kCancelled.
Result<void> wait_in_call(const CallContext& call, std::chrono::nanoseconds span);

}  // namespace cabinetfs
