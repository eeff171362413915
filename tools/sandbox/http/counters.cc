#include "tools/sandbox/http/counters.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace cabinetfs::sandbox {

void Counters::connected() {
  const std::lock_guard lock(mutex_);
  ++connections_;
}

void Counters::started(const std::string& endpoint) {
  const std::lock_guard lock(mutex_);
  ++total_;
  max_in_flight_ = std::max(max_in_flight_, ++in_flight_);
  Endpoint& counted = endpoints_[endpoint];
  ++counted.count;
  counted.max_in_flight = std::max(counted.max_in_flight, ++counted.in_flight);
}

void Counters::finished(Entry entry) {
  const std::lock_guard lock(mutex_);
  --in_flight_;
  --endpoints_[entry.endpoint].in_flight;
  if (entry.status != 0) ++statuses_[entry.status];
  bytes_in_ += entry.bytes_in;
  bytes_out_ += entry.bytes_out;
  log_.push_back(std::move(entry));
  if (log_.size() > kLogLength) {
    log_.pop_front();
    ++first_logged_;
  }
}

void Counters::reset() {
  const std::lock_guard lock(mutex_);
  // What is on its way stays counted as on its way, or the numbers would go below zero when it
  // ends.
  for (auto it = endpoints_.begin(); it != endpoints_.end();) {
    it->second.count = 0;
    it->second.max_in_flight = it->second.in_flight;
    it = it->second.in_flight == 0 ? endpoints_.erase(it) : std::next(it);
  }
  statuses_.clear();
  log_.clear();
  total_ = bytes_in_ = bytes_out_ = connections_ = 0;
  max_in_flight_ = in_flight_;
  first_logged_ = 1;
}

nlohmann::json Counters::counts() const {
  const std::lock_guard lock(mutex_);
  auto endpoints = nlohmann::json::object();
  auto peaks = nlohmann::json::object();
  for (const auto& [name, endpoint] : endpoints_) {
    if (endpoint.count > 0) endpoints[name] = endpoint.count;
    peaks[name] = endpoint.max_in_flight;
  }
  auto statuses = nlohmann::json::object();
  for (const auto& [status, count] : statuses_) statuses[std::to_string(status)] = count;
  return {{"total", total_},
          {"endpoints", endpoints},
          {"statuses", statuses},
          {"bytes_in", bytes_in_},
          {"bytes_out", bytes_out_},
          {"in_flight", in_flight_},
          {"max_in_flight", max_in_flight_},
          {"max_in_flight_by_endpoint", peaks},
          {"connections", connections_}};
}

nlohmann::json Counters::requests() const {
  const std::lock_guard lock(mutex_);
  auto out = nlohmann::json::array();
  std::int64_t n = first_logged_;
  for (const Entry& entry : log_) {
    out.push_back({{"n", n++},
                   {"method", entry.method},
                   {"path", entry.path},
                   {"query", entry.query},
                   {"range", entry.range},
                   {"endpoint", entry.endpoint},
                   {"status", entry.status},
                   {"user", entry.user},
                   {"ms", entry.ms},
                   {"bytes_in", entry.bytes_in},
                   {"bytes_out", entry.bytes_out},
                   {"fault", entry.fault}});
  }
  return out;
}

}  // namespace cabinetfs::sandbox
