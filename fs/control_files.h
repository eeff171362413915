#pragma once

#include <functional>
#include <string>
#include <vector>

#include "fs/request_runner.h"
#include "fs/virtual_nodes.h"

namespace cabinetfs {

struct ControlFileParts {
  Volume* volume = nullptr;
  std::string remote;
  std::string mount_point;
  std::string config_text;  // without secrets
  std::function<RequestRunnerStats()> requests;
  std::function<std::string()> extra_metrics;  // Prometheus text; may be empty
};

// What stands in `.cabinet/`: status.json, uploads.json, metrics (Prometheus text format 0.0.4),
// config.toml, log.
std::vector<ControlFile> make_control_files(const ControlFileParts& parts);

std::string metrics_text(const VolumeStatus& status, const RequestRunnerStats& requests);

}  // namespace cabinetfs
