#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace cabinetfs::sandbox::kenesto {

// The switches of the server; tools/sandbox/README.md describes each.
struct Settings {
  // Logging in
  std::int64_t access_lifetime = 3600, login_lifetime = 600;
  bool licence_expired = false, single_session = false;
  std::string expired_shape = "failed", expired_text = "Invalid or expired session token";
  // What answers look like
  std::string ok_spelling = "mixed", fail_spelling = "page", fault_shape = "html",
              ps_error = "failed", ud_echo = "raw", holder_key = "misspelt", holder_value = "name",
              numbers = "page", version_dates = "min", version_order = "oldest",
              folder_file_name = "empty", next_href = "url", next_href_end = "empty",
              total_counts = "all", root_id = "guid";
  std::int64_t failure_http = 200;
  bool bom = false, json_string = false, escape_slashes = true, folder_dates = true,
       viewer_url = true, documents_tell_vault = true;
  // What the vendor's page leaves open
  bool undocumented = true, shared_in_root = true, log_downloads = true;
  std::string missing_calls;  // names with commas between
  std::string listed_twice;   // name of an entry
  std::string same_name = "new_document", completed_twice = "fail", completed_data = "none",
              path_separators = "backslash", name_rules = "strict";
  bool bid_renames = false, empty_files = true, strict_completed_url = false,
       path_id_is_document = true, visible_early = false, case_sensitive = false;
  bool vault_needs_checkout = true, checkin_needs_version = false, checkin_publishes = false,
       checkout_anywhere = false, checkout_twice = false, discard_own = true;
  std::string multiple = "partial", delete_folder = "recursive", document_id_serves = "version1",
              set_current = "pointer", rename_extension = "keep", rename_duplicates = "allow",
              rename_by = "owner", for_update = "lenient";
  bool delete_archives = true, require_uid = false, participant_email = false;
  std::int64_t delete_linger_ms = 0;  // -1: until the admin call `settle`
  // The object store
  std::int64_t download_lifetime = 3600, upload_lifetime = 86400, put_max = 5368709120;
  std::string signature = "v2", etag = "auto", store_host = "127.0.0.1";
  bool store_ranges = true;
  // The line
  std::int64_t latency_ms = 0, bandwidth = 0, bandwidth_total = 0, rate_status = 429,
               retry_after = 1;
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

}  // namespace cabinetfs::sandbox::kenesto
