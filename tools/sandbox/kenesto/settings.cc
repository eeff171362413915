#include "tools/sandbox/kenesto/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string_view>

namespace cabinetfs::sandbox::kenesto {
namespace {

using nlohmann::json;
using Choices = std::initializer_list<const char*>;

// Calls `visit(name, field, choices)` for every setting, so that reading and writing cannot drift
// apart.
template <class S, class Visit>
void each_setting(S& s, Visit visit) {
  const Choices any = {};
  visit("access_lifetime", s.access_lifetime, any);
  visit("login_lifetime", s.login_lifetime, any);
  visit("licence_expired", s.licence_expired, any);
  visit("single_session", s.single_session, any);
  visit("expired_shape", s.expired_shape,
        Choices{"failed", "401", "403", "html", "redirect", "page"});
  visit("expired_text", s.expired_text, any);
  visit("ok_spelling", s.ok_spelling, Choices{"mixed", "OK", "ok"});
  visit("fail_spelling", s.fail_spelling, Choices{"page", "FAILED"});
  visit("fault_shape", s.fault_shape, Choices{"html", "failed"});
  visit("ps_error", s.ps_error, Choices{"failed", "html"});
  visit("ud_echo", s.ud_echo, Choices{"raw", "encoded"});
  visit("holder_key", s.holder_key, Choices{"misspelt", "correct"});
  visit("holder_value", s.holder_value, Choices{"name", "email", "id"});
  visit("numbers", s.numbers, Choices{"page", "number"});
  visit("version_dates", s.version_dates, Choices{"min", "real", "offset"});
  visit("version_order", s.version_order, Choices{"oldest", "newest"});
  visit("folder_file_name", s.folder_file_name, Choices{"empty", "name"});
  visit("next_href", s.next_href, Choices{"url", "foreign", "none"});
  visit("next_href_end", s.next_href_end, Choices{"empty", "null", "false"});
  visit("total_counts", s.total_counts, Choices{"all", "files"});
  visit("root_id", s.root_id, Choices{"guid", "zero", "empty"});
  visit("failure_http", s.failure_http, Choices{"200", "400", "403", "500"});
  visit("bom", s.bom, any);
  visit("json_string", s.json_string, any);
  visit("escape_slashes", s.escape_slashes, any);
  visit("folder_dates", s.folder_dates, any);
  visit("documents_tell_vault", s.documents_tell_vault, any);
  visit("viewer_url", s.viewer_url, any);
  visit("undocumented", s.undocumented, any);
  visit("missing_calls", s.missing_calls, any);
  visit("listed_twice", s.listed_twice, any);
  visit("shared_in_root", s.shared_in_root, any);
  visit("log_downloads", s.log_downloads, any);
  visit("same_name", s.same_name, Choices{"new_document", "new_version", "fail"});
  visit("completed_twice", s.completed_twice, Choices{"fail", "ok", "again"});
  visit("completed_data", s.completed_data, Choices{"none", "id", "object"});
  visit("path_separators", s.path_separators, Choices{"backslash", "both"});
  visit("name_rules", s.name_rules, Choices{"strict", "trim", "none"});
  visit("bid_renames", s.bid_renames, any);
  visit("empty_files", s.empty_files, any);
  visit("strict_completed_url", s.strict_completed_url, any);
  visit("path_id_is_document", s.path_id_is_document, any);
  visit("visible_early", s.visible_early, any);
  visit("case_sensitive", s.case_sensitive, any);
  visit("vault_needs_checkout", s.vault_needs_checkout, any);
  visit("checkin_needs_version", s.checkin_needs_version, any);
  visit("checkin_publishes", s.checkin_publishes, any);
  visit("checkout_anywhere", s.checkout_anywhere, any);
  visit("checkout_twice", s.checkout_twice, any);
  visit("discard_own", s.discard_own, any);
  visit("multiple", s.multiple, Choices{"partial", "atomic"});
  visit("delete_folder", s.delete_folder, Choices{"recursive", "only_empty"});
  visit("document_id_serves", s.document_id_serves, Choices{"version1", "current"});
  visit("set_current", s.set_current, Choices{"pointer", "copy"});
  visit("rename_extension", s.rename_extension, Choices{"keep", "full"});
  visit("rename_duplicates", s.rename_duplicates, Choices{"allow", "fail"});
  visit("rename_by", s.rename_by, Choices{"owner", "update"});
  visit("for_update", s.for_update, Choices{"lenient", "strict"});
  visit("delete_archives", s.delete_archives, any);
  visit("require_uid", s.require_uid, any);
  visit("participant_email", s.participant_email, any);
  visit("delete_linger_ms", s.delete_linger_ms, any);
  visit("download_lifetime", s.download_lifetime, any);
  visit("upload_lifetime", s.upload_lifetime, any);
  visit("put_max", s.put_max, any);
  visit("signature", s.signature, Choices{"v2", "v4"});
  visit("etag", s.etag, Choices{"auto", "md5", "opaque"});
  visit("store_host", s.store_host, any);
  visit("store_ranges", s.store_ranges, any);
  visit("latency_ms", s.latency_ms, any);
  visit("bandwidth", s.bandwidth, any);
  visit("bandwidth_total", s.bandwidth_total, any);
  visit("rate_status", s.rate_status, Choices{"429", "403", "503"});
  visit("retry_after", s.retry_after, any);
  visit("rate", s.rate, any);
  visit("rate_burst", s.rate_burst, any);
  visit("rate_queue", s.rate_queue, any);
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
    const auto same = [&text](const char* choice) { return text == choice; };
    if (choices.size() > 0 && std::none_of(choices.begin(), choices.end(), same)) {
      throw std::invalid_argument(
          fmt::format("setting {}: {} is not one of its values", name, text));
    }
    const bool may_be_negative = std::string_view(name) == "delete_linger_ms";
    if (found->is_number() && found->template get<double>() < (may_be_negative ? -1 : 0)) {
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

}  // namespace cabinetfs::sandbox::kenesto
