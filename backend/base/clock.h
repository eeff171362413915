#pragma once

#include <chrono>
#include <cstdint>

namespace cabinetfs {

// Nanoseconds since 1970-01-01T00:00:00Z: file times.
using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;
// Intervals and deadlines.
using SteadyTime = std::chrono::steady_clock::time_point;

// Where time comes from, so that tests can move it. Thread safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual SteadyTime steady() const = 0;

  static Clock& system();
};

}  // namespace cabinetfs
