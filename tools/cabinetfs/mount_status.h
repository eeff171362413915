#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "backend/http/http_stats.h"

namespace cabinetfs {

// {"requests", "bytes_in", "bytes_out", "retries", "throttled", "connections_opened", "in_flight",
// "queued"}
nlohmann::json http_stats_to_json(const HttpStats& stats);

// Prometheus text: cabinetfs_http_requests_total{label,status} and the counters above.
std::string http_metrics(const HttpStats& stats);

}  // namespace cabinetfs
