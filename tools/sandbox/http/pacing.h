#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "tools/sandbox/http/stop_signal.h"

namespace cabinetfs::sandbox {

// A line with a speed: every transfer books its time on it and waits until it is through. Any
// thread.
class Pacer {
 public:
  // The moment at which `bytes` more have passed at `bytes_per_second` (> 0).
  std::chrono::steady_clock::time_point book(std::size_t bytes, std::int64_t bytes_per_second);

 private:
  std::mutex mutex_;  // guards free_at_
  std::chrono::steady_clock::time_point free_at_{};
};

// Token bucket per source address. Any thread.
class RateLimiter {
 public:
  struct Limits {
    double rate = 0;    // requests per second; 0 = off
    double burst = 10;  // so many at once
    double queue = 0;   // so many more wait for their turn
  };
  // How long this request has to wait, or a negative duration if it is refused.
  std::chrono::nanoseconds admit(const std::string& source, const Limits& limits);

 private:
  struct Bucket {
    double tokens = 0;
    std::chrono::steady_clock::time_point at{};
    bool fresh = true;
  };
  std::mutex mutex_;  // guards buckets_
  std::map<std::string, Bucket> buckets_;
};

}  // namespace cabinetfs::sandbox
