#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace cabinetfs::sandbox::kiteworks {

// The switches of the server; tools/sandbox/README.md describes each.
struct Settings {
  std::string list_shape = "envelope", error_shape = "native", version_header = "accellion";
  std::string leading_dot = "refuse", trailing_dot = "refuse", question_mark = "accept",
              trailing_space = "accept";
  std::string upload_prefix = "dacfs_upload1", resend_chunk = "refuse";
  std::string location_header = "X-Accellion-Location", timestamps = "+0000";
  std::string denied_permissions = "listed";
  bool list_metadata = true, expires_in_string = false, issue_refresh_token = true,
       rotate_refresh_tokens = true, password_grant = false, retry_after_date = false,
       require_upload_prefix = true, list_my_folder = true, legacy_scalars = false,
       replace_keeps_id = false, touch_parent = false, log_downloads = true,
       activities_denied = false, zip_enabled = true, system_ids = true, snake_versions = false;
  std::int64_t default_limit = 25, max_page = 0, missing_status = 403, list_denied_status = 403,
               access_lifetime = 3600, refresh_lifetime = 2592000, latency_ms = 0, bandwidth = 0,
               bandwidth_total = 0, rate_status = 403, retry_after = 1, upload_chunk_max = 10485760,
               upload_timeout = 3600, upload_init_status = 201, max_upload_size = 0, scan_ms = 0,
               hash_ms = 0, sha3_ms = 0, max_top_folders = 0;
  double rate = 0, rate_burst = 10, rate_queue = 0;
  std::vector<std::string> restricted_extensions, restricted_types;
};

nlohmann::json to_json(const Settings& settings);
// `settings` with the changes applied. Throws std::invalid_argument for an unknown name or a bad
// value.
Settings apply(Settings settings, const nlohmann::json& changes);

// The settings in force. Any thread.
class SettingsStore {
 public:
  std::shared_ptr<const Settings> get() const {
    const std::lock_guard lock(mutex_);
    return settings_;
  }
  void change(const nlohmann::json& changes);

 private:
  mutable std::mutex mutex_;  // guards settings_
  std::shared_ptr<const Settings> settings_ = std::make_shared<const Settings>();
};

}  // namespace cabinetfs::sandbox::kiteworks
