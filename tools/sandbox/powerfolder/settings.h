#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace cabinetfs::sandbox::powerfolder {

// The switches of the server; tools/sandbox/README.md describes each.
struct Settings {
  // What WebDAV answers look like.
  std::string xml_prefix = "D", href_style = "path", href_escaping = "vendor", etag = "none",
              infinity = "odd", self_entry = "first", login_page = "off", slash_redirect = "off",
              content_range = "refuse", empty_path;
  std::int64_t propfind_status = 207, put_status = 204, delete_status = 204, empty_listings = 0,
               quota_status = 507, wrong_host_status = 502, lock_timeout = 300, versions = 5;
  bool ranges = true, conditions = true, locks = false, quota_props = false, omit_length = false,
       odd_displayname = false, system_dirs = false, put_truncates = false, case_sensitive = true,
       keep_chain = false, cross_move = true, server_headers = true;
  std::string names = "any";
  std::vector<std::string> phantom_names;
  // The root of an account.
  std::string root_shows = "member", twins = "first", root_delete = "data";
  bool root_mkcol = true, root_move = true;
  // /api.
  std::string id_style = "bracketed", create_existing = "twin", name_key = "username",
              empty_list = "array", single_item = "array", account_shape = "plain",
              error_body = "html";
  bool files_api = true, create_subdir = true, folder_info = false, members_see_accounts = true;
  // Logging in.
  bool basic_password = true, basic_token = true, bearer = true, webdav_tokens = true, oauth = true,
       rotate_refresh_tokens = false;
  std::string oauth_errors = "json";
  std::int64_t access_lifetime = 86400, refresh_lifetime = 0, lockout_after = 0;
  // What one view learns late of the other.
  std::int64_t api_delay_ms = 0, dav_delay_ms = 0;
  // The line.
  std::int64_t latency_ms = 0, bandwidth = 0, bandwidth_total = 0, rate_status = 429,
               retry_after = 1;
  bool retry_after_date = false;
  double rate = 0, rate_burst = 10, rate_queue = 0;
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

}  // namespace cabinetfs::sandbox::powerfolder
