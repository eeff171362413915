#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "backend/base/call.h"
#include "backend/base/clock.h"

namespace cabinetfs {

// Which transfers run: at most so many at one time against one origin, the last of them kept from
// work in the background.
//
// How many an origin can take is found out, as TCP finds out about a line: `first` of them to begin
// with; one more for each answer that came promptly while they were in use; half as many when the
// server says that it is too busy, and from then on one more only after as many good answers as
// there are slots. Never more than `limit`. Not thread safe.
class TransferSlots {
 public:
  // first = 0: `limit` from the start.
  TransferSlots(std::size_t first, std::size_t limit);

  bool may_start(const std::string& origin, Priority priority) const;
  void start(const std::string& origin);
  void finish(const std::string& origin);
  std::size_t running() const { return running_; }

  // Both before finish(). An answer, and how long after the request its first byte came; answers
  // are compared with the quickest of the same `kind`.
  void answered(const std::string& origin, std::string_view kind, std::chrono::nanoseconds wait);
  // The refusal of a request that began at `started`: those that were on their way together halve
  // once.
  void too_busy(const std::string& origin, SteadyTime started, SteadyTime now);
  std::size_t slots_of(const std::string& origin) const;

 private:
  struct Origin {
    std::size_t running = 0;
    std::size_t slots = 0;
    bool cut = false;      // the server was too busy once
    SteadyTime cut_at{};   // and when that was
    std::size_t good = 0;  // answers since the last change, once cut
    std::map<std::string, std::chrono::nanoseconds, std::less<>> quickest;  // by kind
  };

  Origin& origin_of(const std::string& name);

  const std::size_t first_;
  const std::size_t limit_;
  std::map<std::string, Origin> origins_;
  std::size_t running_ = 0;
};

}  // namespace cabinetfs
