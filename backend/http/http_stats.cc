#include "backend/http/http_stats.h"

namespace cabinetfs {

void HttpStatsCollector::count_attempt(const std::string& label, int status, double seconds,
                                       std::uint64_t bytes_in, std::uint64_t bytes_out,
                                       std::uint64_t connections) {
  MutexLock lock(mutex_);
  HttpStats::Row& row = rows_[{label, status}];
  ++row.count;
  row.seconds += seconds;
  totals_.bytes_in += bytes_in;
  totals_.bytes_out += bytes_out;
  totals_.connections_opened += connections;
}

void HttpStatsCollector::count_retry() {
  MutexLock lock(mutex_);
  ++totals_.retries;
}

void HttpStatsCollector::count_throttled() {
  MutexLock lock(mutex_);
  ++totals_.throttled;
}

void HttpStatsCollector::set_load(std::size_t in_flight, std::size_t queued) {
  MutexLock lock(mutex_);
  totals_.in_flight = in_flight;
  totals_.queued = queued;
}

HttpStats HttpStatsCollector::snapshot() const {
  MutexLock lock(mutex_);
  HttpStats stats = totals_;
  for (const auto& [key, row] : rows_) {
    stats.rows.push_back(row);
    stats.rows.back().label = key.first;
    stats.rows.back().status = key.second;
  }
  return stats;
}

}  // namespace cabinetfs
