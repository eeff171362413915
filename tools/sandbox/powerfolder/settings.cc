#include "tools/sandbox/powerfolder/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

namespace cabinetfs::sandbox::powerfolder {
namespace {

using nlohmann::json;
using Choices = std::initializer_list<const char*>;

// Calls `visit(name, field, choices)` for every setting, so that reading and writing cannot drift
// apart.
template <class S, class Visit>
void each_setting(S& s, Visit visit) {
  const Choices any = {};
  visit("xml_prefix", s.xml_prefix, Choices{"D", "d", ""});
  visit("href_style", s.href_style, Choices{"path", "url"});
  visit("href_escaping", s.href_escaping, Choices{"vendor", "full"});
  visit("etag", s.etag, Choices{"none", "weak", "strong"});
  visit("infinity", s.infinity, Choices{"odd", "refuse", "multistatus"});
  visit("self_entry", s.self_entry, Choices{"first", "last", "absent"});
  visit("login_page", s.login_page, Choices{"off", "html", "redirect"});
  visit("slash_redirect", s.slash_redirect, Choices{"off", "301", "302", "307", "308"});
  visit("content_range", s.content_range, Choices{"refuse", "replace"});
  visit("empty_path", s.empty_path, any);
  visit("propfind_status", s.propfind_status, Choices{"207", "200"});
  visit("put_status", s.put_status, Choices{"204", "200", "201"});
  visit("delete_status", s.delete_status, Choices{"204", "200"});
  visit("empty_listings", s.empty_listings, any);
  visit("quota_status", s.quota_status, any);
  visit("wrong_host_status", s.wrong_host_status, Choices{"502", "400", "0"});
  visit("lock_timeout", s.lock_timeout, any);
  visit("versions", s.versions, any);
  visit("ranges", s.ranges, any);
  visit("conditions", s.conditions, any);
  visit("locks", s.locks, any);
  visit("quota_props", s.quota_props, any);
  visit("omit_length", s.omit_length, any);
  visit("odd_displayname", s.odd_displayname, any);
  visit("system_dirs", s.system_dirs, any);
  visit("put_truncates", s.put_truncates, any);
  visit("case_sensitive", s.case_sensitive, any);
  visit("keep_chain", s.keep_chain, any);
  visit("cross_move", s.cross_move, any);
  visit("server_headers", s.server_headers, any);
  visit("names", s.names, Choices{"any", "windows"});
  visit("phantom_names", s.phantom_names, any);
  visit("root_shows", s.root_shows, Choices{"member", "owned"});
  visit("twins", s.twins, Choices{"first", "both"});
  visit("root_delete", s.root_delete, Choices{"data", "unlink", "refuse"});
  visit("root_mkcol", s.root_mkcol, any);
  visit("root_move", s.root_move, any);
  visit("id_style", s.id_style, Choices{"bracketed", "plain"});
  visit("create_existing", s.create_existing, Choices{"twin", "return", "refuse"});
  visit("name_key", s.name_key, Choices{"username", "name"});
  visit("empty_list", s.empty_list, Choices{"array", "missing", "204"});
  visit("single_item", s.single_item, Choices{"array", "object"});
  visit("account_shape", s.account_shape, Choices{"plain", "resultset"});
  visit("error_body", s.error_body, Choices{"html", "json", "text"});
  visit("files_api", s.files_api, any);
  visit("create_subdir", s.create_subdir, any);
  visit("folder_info", s.folder_info, any);
  visit("members_see_accounts", s.members_see_accounts, any);
  visit("basic_password", s.basic_password, any);
  visit("basic_token", s.basic_token, any);
  visit("bearer", s.bearer, any);
  visit("webdav_tokens", s.webdav_tokens, any);
  visit("oauth", s.oauth, any);
  visit("rotate_refresh_tokens", s.rotate_refresh_tokens, any);
  visit("oauth_errors", s.oauth_errors, Choices{"json", "html"});
  visit("access_lifetime", s.access_lifetime, any);
  visit("refresh_lifetime", s.refresh_lifetime, any);
  visit("lockout_after", s.lockout_after, any);
  visit("api_delay_ms", s.api_delay_ms, any);
  visit("dav_delay_ms", s.dav_delay_ms, any);
  visit("latency_ms", s.latency_ms, any);
  visit("bandwidth", s.bandwidth, any);
  visit("bandwidth_total", s.bandwidth_total, any);
  visit("rate", s.rate, any);
  visit("rate_burst", s.rate_burst, any);
  visit("rate_queue", s.rate_queue, any);
  visit("rate_status", s.rate_status, Choices{"429", "503"});
  visit("retry_after", s.retry_after, any);
  visit("retry_after_date", s.retry_after_date, any);
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
    const std::string text =
        found->is_string() ? found->template get<std::string>() : found->dump();
    if (choices.size() > 0 && std::none_of(choices.begin(), choices.end(),
                                           [&](const char* choice) { return text == choice; })) {
      throw std::invalid_argument(
          fmt::format("setting {}: {} is not one of its values", name, text));
    }
    if (found->is_number() && found->template get<double>() < 0) {
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

}  // namespace cabinetfs::sandbox::powerfolder
