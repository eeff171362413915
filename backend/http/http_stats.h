#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/mutex.h"

namespace cabinetfs {

// A snapshot of an HTTP client's counters, all since its start unless said otherwise.
struct HttpStats {
  struct Row {
    std::string label;  // HttpRequest::label
    int status = 0;     // 0: no answer
    std::uint64_t count = 0;
    double seconds = 0;  // summed
  };
  std::vector<Row> rows;       // one per label and status, of every attempt that was sent
  std::uint64_t bytes_in = 0;  // bodies as they came over the wire
  std::uint64_t bytes_out = 0;
  std::uint64_t retries = 0;
  std::uint64_t throttled = 0;  // answers that meant "too many requests"
  std::uint64_t connections_opened = 0;
  std::size_t in_flight = 0;  // now
  std::size_t queued = 0;     // now: waiting for a connection, the request limit or a retry

  std::uint64_t requests() const {
    std::uint64_t sum = 0;
    for (const Row& row : rows) sum += row.count;
    return sum;
  }
};

// Collects what HttpStats shows. Thread safe.
class HttpStatsCollector {
 public:
  void count_attempt(const std::string& label, int status, double seconds, std::uint64_t bytes_in,
                     std::uint64_t bytes_out, std::uint64_t connections) EXCLUDES(mutex_);
  void count_retry() EXCLUDES(mutex_);
  void count_throttled() EXCLUDES(mutex_);
  void set_load(std::size_t in_flight, std::size_t queued) EXCLUDES(mutex_);
  HttpStats snapshot() const EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  std::map<std::pair<std::string, int>, HttpStats::Row> rows_ GUARDED_BY(mutex_);
  HttpStats totals_ GUARDED_BY(mutex_);  // its rows stay empty
};

}  // namespace cabinetfs
