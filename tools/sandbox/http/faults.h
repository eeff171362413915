#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

namespace cabinetfs::sandbox {

struct Request;
class StopSignal;

enum class FaultAction {
  kDelay,
  kStatus,
  kDrop,
  kReset,
  kDropUpload,
  kTruncate,
  kCorrupt,
  kSlow,
  kStall
};

// One rule. Constant once it is in the table, but for its counters, which the table's mutex guards.
struct FaultRule {
  int id = 0;
  std::string method;  // empty: any
  std::string path_text, user;
  std::optional<std::regex> path;
  bool with_query = false;
  FaultAction action = FaultAction::kDelay;
  std::string action_name;
  bool after_effect = false;
  std::int64_t skip = 0, times = 1;
  std::int64_t ms = 0, bytes = 0, offset = -1, bytes_per_second = 0;
  int status = 500;
  std::string body, content_type;
  std::vector<std::pair<std::string, std::string>> headers;

  std::int64_t seen = 0, hits = 0, waiting = 0;
  bool removed = false;
};

// The rules by which the server misbehaves. Any thread.
class FaultTable {
 public:
  explicit FaultTable(StopSignal& stop) : stop_(stop) {}

  // One rule or a list of them; their ids. Throws std::invalid_argument with a reason; then none is
  // added.
  nlohmann::json add(const nlohmann::json& rules);
  nlohmann::json list() const;
  void clear();
  bool remove(int id);

  // The rule that hits this request, which is then counted. Null if there is none.
  std::shared_ptr<FaultRule> match(const Request& request);
  // Holds the caller as a `stall` rule wants it.
  void stall(FaultRule& rule);

 private:
  StopSignal& stop_;
  mutable std::mutex mutex_;  // guards everything below, and the counters of the rules
  std::vector<std::shared_ptr<FaultRule>> rules_;
  int last_id_ = 0;
};

}  // namespace cabinetfs::sandbox
