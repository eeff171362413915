#include "tools/sandbox/http/pacing.h"

#include <algorithm>

namespace cabinetfs::sandbox {

using std::chrono::steady_clock;

steady_clock::time_point Pacer::book(std::size_t bytes, std::int64_t bytes_per_second) {
  const std::chrono::duration<double> took(static_cast<double>(bytes) /
                                           static_cast<double>(bytes_per_second));
  const std::lock_guard lock(mutex_);
  free_at_ = std::max(free_at_, steady_clock::now()) +
             std::chrono::duration_cast<steady_clock::duration>(took);
  return free_at_;
}

std::chrono::nanoseconds RateLimiter::admit(const std::string& source, const Limits& limits) {
  if (limits.rate <= 0) return std::chrono::nanoseconds(0);
  const auto now = steady_clock::now();
  const std::lock_guard lock(mutex_);
  Bucket& bucket = buckets_[source];
  if (bucket.fresh) {
    bucket.fresh = false;
    bucket.tokens = limits.burst;
  } else {
    const std::chrono::duration<double> passed = now - bucket.at;
    bucket.tokens = std::min(limits.burst, bucket.tokens + passed.count() * limits.rate);
  }
  bucket.at = now;
  // Those who wait have taken their tokens already: the bucket goes below zero by as many.
  if (bucket.tokens - 1 < -limits.queue) return std::chrono::nanoseconds(-1);
  bucket.tokens -= 1;
  if (bucket.tokens >= 0) return std::chrono::nanoseconds(0);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(-bucket.tokens / limits.rate));
}

}  // namespace cabinetfs::sandbox
