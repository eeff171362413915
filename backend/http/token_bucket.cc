#include "backend/http/token_bucket.h"

#include <algorithm>

namespace cabinetfs {
namespace {

double seconds_between(SteadyTime from, SteadyTime to) {
  return to > from ? std::chrono::duration<double>(to - from).count() : 0;
}

SteadyTime after_seconds(SteadyTime now, double seconds) {
  // One microsecond on top, so that rounding never makes a waiter wake a moment too early.
  return now + std::chrono::duration_cast<SteadyTime::duration>(
                   std::chrono::duration<double>(seconds + 1e-6));
}

// A saved-up allowance of this many seconds lets transfers run in bursts that fill a connection.
constexpr double kByteBurstSeconds = 0.1;

}  // namespace

TokenBucket::TokenBucket(double rate, double burst, SteadyTime now)
    : rate_(rate), burst_(std::max(burst > 0 ? burst : rate, 1.0)), level_(burst_), updated_(now) {}

double TokenBucket::level_at(SteadyTime now) const {
  return std::min(burst_, level_ + seconds_between(updated_, now) * rate_);
}

double TokenBucket::needed(Priority priority) const {
  double reserve = 0;
  switch (priority) {
    case Priority::kForeground:
      break;
    case Priority::kMetadata:
      reserve = burst_ / 8;
      break;
    case Priority::kUpload:
      reserve = burst_ / 4;
      break;
    case Priority::kPrefetch:
      reserve = burst_ / 2;
      break;
  }
  // A full bucket serves everybody: with a burst of 1 there is nothing to hold back.
  return std::min(burst_, 1 + reserve);
}

bool TokenBucket::try_take(Priority priority, SteadyTime now) {
  if (now < paused_until_) return false;
  if (rate_ <= 0) return true;
  const double level = level_at(now);
  if (level < needed(priority)) return false;
  level_ = level - 1;
  updated_ = now;
  return true;
}

SteadyTime TokenBucket::ready_at(Priority priority, SteadyTime now) const {
  const SteadyTime start = std::max(now, paused_until_);
  if (rate_ <= 0) return start;
  const double missing = needed(priority) - level_at(start);
  return missing <= 0 ? start : after_seconds(start, missing / rate_);
}

void TokenBucket::pause_until(SteadyTime until) { paused_until_ = std::max(paused_until_, until); }

void TokenBucket::drain(SteadyTime now) {
  level_ = std::min(level_at(now), 0.0);
  updated_ = now;
}

double ByteBudget::level_at(SteadyTime now) const {
  return std::min(rate_ * kByteBurstSeconds, level_ + seconds_between(updated_, now) * rate_);
}

void ByteBudget::spend(std::size_t bytes, SteadyTime now) {
  if (!limited()) return;
  level_ = level_at(now) - static_cast<double>(bytes);
  updated_ = now;
}

SteadyTime ByteBudget::ready_at(SteadyTime now) const {
  if (may_transfer(now)) return now;
  return after_seconds(now, -level_at(now) / rate_);
}

}  // namespace cabinetfs
