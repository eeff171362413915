#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace cabinetfs::sandbox {

// What was asked of the server, by endpoint. Any thread.
class Counters {
 public:
  struct Entry {
    std::string method, path, query, range, endpoint, user, fault;
    int status = 0;  // 0: no answer was sent
    std::int64_t ms = 0, bytes_in = 0, bytes_out = 0;
  };
  void connected();
  void started(const std::string& endpoint);
  void finished(Entry entry);
  void reset();
  nlohmann::json counts() const;
  nlohmann::json requests() const;

 private:
  static constexpr std::size_t kLogLength = 2000;
  struct Endpoint {
    std::int64_t count = 0, in_flight = 0, max_in_flight = 0;
  };
  mutable std::mutex mutex_;  // guards everything below
  std::map<std::string, Endpoint> endpoints_;
  std::map<int, std::int64_t> statuses_;
  std::deque<Entry> log_;
  std::int64_t total_ = 0, in_flight_ = 0, max_in_flight_ = 0, bytes_in_ = 0, bytes_out_ = 0,
               connections_ = 0, first_logged_ = 1;
};

}  // namespace cabinetfs::sandbox
