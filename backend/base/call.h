#pragma once

#include "backend/base/cancel.h"
#include "backend/base/clock.h"

namespace cabinetfs {

// Who waits for a call. Lower values go first where a remote's request limit or connections are
// short.
enum class Priority { kForeground, kMetadata, kUpload, kPrefetch };

// How long a blocking call may take and who may stop it. Every call that can reach the network
// takes one.
struct CallContext {
  SteadyTime deadline = SteadyTime::max();
  CancelToken cancel;
  Priority priority = Priority::kForeground;
  // False: answer from memory or disk, or fail with kWouldBlock before any effect.
  bool may_block = true;

  static CallContext within(std::chrono::nanoseconds span,
                            Priority priority = Priority::kForeground, CancelToken cancel = {}) {
    return {Clock::system().steady() + span, std::move(cancel), priority, true};
  }
};

}  // namespace cabinetfs
