#pragma once

#include <optional>

#include "backend/base/call.h"
#include "backend/base/clock.h"

namespace cabinetfs {

// The request limit of one remote: `rate` tokens a second, at most `burst` saved up; rate 0 = no
// limit. Work in the background leaves a part of the burst to the foreground. A pause stops
// everybody, with or without a rate. Not thread safe: the engine thread owns it.
class TokenBucket {
 public:
  TokenBucket(double rate, double burst, SteadyTime now);

  bool try_take(Priority priority, SteadyTime now);
  // When try_take(priority) would succeed if nobody else took a token: `now` or later.
  SteadyTime ready_at(Priority priority, SteadyTime now) const;
  // Nothing is given out before `until`. A shorter pause does not end a longer one.
  void pause_until(SteadyTime until);
  SteadyTime paused_until() const { return paused_until_; }
  // The remote said that the limit was reached: what was saved up is void.
  void drain(SteadyTime now);

 private:
  double level_at(SteadyTime now) const;
  double needed(Priority priority) const;

  const double rate_;
  const double burst_;
  double level_;
  SteadyTime updated_;
  SteadyTime paused_until_ = SteadyTime::min();
};

// Bytes per second for all transfers in one direction together; rate 0 = no limit. A transfer may
// overdraw it by one buffer, and everybody then waits until the debt is paid.
class ByteBudget {
 public:
  ByteBudget(double rate, SteadyTime now) : rate_(rate), level_(0), updated_(now) {}

  bool limited() const { return rate_ > 0; }
  bool may_transfer(SteadyTime now) const { return !limited() || level_at(now) >= 0; }
  void spend(std::size_t bytes, SteadyTime now);
  SteadyTime ready_at(SteadyTime now) const;

 private:
  double level_at(SteadyTime now) const;

  const double rate_;
  double level_;
  SteadyTime updated_;
};

}  // namespace cabinetfs
