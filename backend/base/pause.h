#pragma once

#include <chrono>

#include "backend/base/call.h"

namespace cabinetfs {

// Waits for `span` of real time. False, and at once, when the call is cancelled or its deadline
// comes first.
bool pause(const CallContext& call, std::chrono::nanoseconds span);

}  // namespace cabinetfs
