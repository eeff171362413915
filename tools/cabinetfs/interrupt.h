#pragma once

#include "backend/base/cancel.h"

namespace cabinetfs {

// Ctrl-C and SIGTERM cancel this token instead of ending the process; for commands that wait. A
// second Ctrl-C ends it. Of two in one another the inner one hears it. From one thread.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
  CancelToken token() const;
  bool interrupted() const;

 private:
  struct State;
  State* state_;
};

}  // namespace cabinetfs
