#include "tools/sandbox/kiteworks/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;
using Choices = std::initializer_list<const char*>;

// Calls `visit(name, field, choices)` for every setting, so that reading and writing cannot drift
// apart.
template <class S, class Visit>
void each_setting(S& s, Visit visit) {
  const Choices any = {};
  const Choices verdict = {"accept", "refuse"};
  visit("list_shape", s.list_shape, Choices{"envelope", "bare", "spec"});
  visit("list_metadata", s.list_metadata, any);
  visit("default_limit", s.default_limit, any);
  visit("max_page", s.max_page, any);
  visit("error_shape", s.error_shape,
        Choices{"native", "array", "object", "error", "flat", "html"});
  visit("missing_status", s.missing_status, Choices{"403", "404"});
  visit("list_denied_status", s.list_denied_status, Choices{"403", "401"});
  visit("version_header", s.version_header, Choices{"accellion", "kiteworks", "either"});
  visit("expires_in_string", s.expires_in_string, any);
  visit("access_lifetime", s.access_lifetime, any);
  visit("refresh_lifetime", s.refresh_lifetime, any);
  visit("issue_refresh_token", s.issue_refresh_token, any);
  visit("rotate_refresh_tokens", s.rotate_refresh_tokens, any);
  visit("password_grant", s.password_grant, any);
  visit("leading_dot", s.leading_dot, verdict);
  visit("trailing_dot", s.trailing_dot, verdict);
  visit("question_mark", s.question_mark, verdict);
  visit("trailing_space", s.trailing_space, verdict);
  visit("latency_ms", s.latency_ms, any);
  visit("bandwidth", s.bandwidth, any);
  visit("bandwidth_total", s.bandwidth_total, any);
  visit("rate", s.rate, any);
  visit("rate_burst", s.rate_burst, any);
  visit("rate_queue", s.rate_queue, any);
  visit("rate_status", s.rate_status, Choices{"403", "429"});
  visit("retry_after", s.retry_after, any);
  visit("retry_after_date", s.retry_after_date, any);
  visit("upload_chunk_max", s.upload_chunk_max, any);
  visit("upload_timeout", s.upload_timeout, any);
  visit("upload_init_status", s.upload_init_status, Choices{"200", "201"});
  visit("upload_prefix", s.upload_prefix, any);
  visit("require_upload_prefix", s.require_upload_prefix, any);
  visit("resend_chunk", s.resend_chunk, verdict);
  visit("location_header", s.location_header,
        Choices{"X-Accellion-Location", "X-Kiteworks-Location"});
  visit("max_upload_size", s.max_upload_size, any);
  visit("restricted_extensions", s.restricted_extensions, any);
  visit("restricted_types", s.restricted_types, any);
  visit("scan_ms", s.scan_ms, any);
  visit("hash_ms", s.hash_ms, any);
  visit("sha3_ms", s.sha3_ms, any);
  visit("list_my_folder", s.list_my_folder, any);
  visit("timestamps", s.timestamps, Choices{"+0000", "Z", "+00:00"});
  visit("legacy_scalars", s.legacy_scalars, any);
  visit("denied_permissions", s.denied_permissions, Choices{"listed", "omitted"});
  visit("replace_keeps_id", s.replace_keeps_id, any);
  visit("touch_parent", s.touch_parent, any);
  visit("log_downloads", s.log_downloads, any);
  visit("activities_denied", s.activities_denied, any);
  visit("max_top_folders", s.max_top_folders, any);
  visit("zip_enabled", s.zip_enabled, any);
  visit("system_ids", s.system_ids, any);
  visit("snake_versions", s.snake_versions, any);
}

struct Writer {
  json& out;
  template <class T>
  void operator()(const char* name, const T& field, Choices) const {
    out[name] = field;
  }
};

struct Reader {
  const json& changes;
  std::set<std::string>& known;

  template <class T>
  void operator()(const char* name, T& field, Choices choices) const {
    known.insert(name);
    const auto found = changes.find(name);
    if (found == changes.end()) return;
    try {
      field = found->template get<T>();
    } catch (const json::exception&) {
      throw std::invalid_argument(fmt::format("setting {}: bad value {}", name, found->dump()));
    }
    if (choices.size() > 0) {
      const std::string text =
          found->is_string() ? found->template get<std::string>() : found->dump();
      if (std::none_of(choices.begin(), choices.end(),
                       [&text](const char* choice) { return text == choice; })) {
        throw std::invalid_argument(
            fmt::format("setting {}: {} is not one of its values", name, text));
      }
    } else if (found->is_number() && found->template get<double>() < 0) {
      throw std::invalid_argument(fmt::format("setting {}: negative", name));
    }
  }
};

}  // namespace

json to_json(const Settings& settings) {
  json out = json::object();
  each_setting(settings, Writer{out});
  return out;
}

Settings apply(Settings settings, const json& changes) {
  if (!changes.is_object()) throw std::invalid_argument("settings are a JSON object");
  std::set<std::string> known;
  each_setting(settings, Reader{changes, known});
  for (const auto& item : changes.items()) {
    if (known.count(item.key()) == 0) {
      throw std::invalid_argument(fmt::format("unknown setting {}", item.key()));
    }
  }
  return settings;
}

void SettingsStore::change(const json& changes) {
  const std::lock_guard lock(mutex_);
  settings_ = std::make_shared<const Settings>(apply(*settings_, changes));
}

}  // namespace cabinetfs::sandbox::kiteworks
