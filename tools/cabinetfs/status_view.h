#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace cabinetfs {

// The text that `cabinetfs status` shows of one mount's answer (fs/status_json.h, and what the
// mount process adds: mount_point, remote, url, account, since, http). `max_items` lines of unsent
// changes, the rest counted.
std::string render_status(const nlohmann::json& status, unsigned width, std::size_t max_items);

}  // namespace cabinetfs
