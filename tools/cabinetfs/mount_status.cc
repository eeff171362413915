#include "tools/cabinetfs/mount_status.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "backend/base/text.h"

namespace cabinetfs {

nlohmann::json http_stats_to_json(const HttpStats& stats) {
  return {{"requests", stats.requests()}, {"bytes_in", stats.bytes_in},
          {"bytes_out", stats.bytes_out}, {"retries", stats.retries},
          {"throttled", stats.throttled}, {"connections_opened", stats.connections_opened},
          {"in_flight", stats.in_flight}, {"queued", stats.queued}};
}

std::string http_metrics(const HttpStats& stats) {
  std::string out = "# TYPE cabinetfs_http_requests_total counter\n";
  std::string seconds = "# TYPE cabinetfs_http_request_seconds_total counter\n";
  for (const HttpStats::Row& row : stats.rows) {
    std::string label = replace_all(row.label, "\\", "\\\\");
    label = replace_all(std::move(label), "\"", "\\\"");
    label = replace_all(std::move(label), "\n", "\\n");
    out += fmt::format("cabinetfs_http_requests_total{{label=\"{}\",status=\"{}\"}} {}\n", label,
                       row.status, row.count);
    seconds +=
        fmt::format("cabinetfs_http_request_seconds_total{{label=\"{}\",status=\"{}\"}} {:.6f}\n",
                    label, row.status, row.seconds);
  }
  out += seconds;
  const auto add = [&out](const char* name, const char* type, std::uint64_t value) {
    out +=
        fmt::format("# TYPE cabinetfs_http_{} {}\ncabinetfs_http_{} {}\n", name, type, name, value);
  };
  add("bytes_in_total", "counter", stats.bytes_in);
  add("bytes_out_total", "counter", stats.bytes_out);
  add("retries_total", "counter", stats.retries);
  add("throttled_total", "counter", stats.throttled);
  add("connections_opened_total", "counter", stats.connections_opened);
  add("in_flight", "gauge", stats.in_flight);
  add("queued", "gauge", stats.queued);
  return out;
}

}  // namespace cabinetfs
