#include "backend/kenesto/wire_json.h"

#include <charconv>
#include <unordered_set>

namespace cabinetfs::kenesto {
namespace {

// Real answers nest to about six.
constexpr int kMaxDepth = 24;

// Secrets and bulk that nobody here reads stay out of memory: a ViewerUrl holds the session token,
// and is most of a listing besides.
bool is_left_out(const std::string& key) {
  static const std::unordered_set<std::string> kLeftOut = {"ViewerUrl", "ThumbnailUrl", "IconName",
                                                           "ThumbnailPath", "UserData"};
  return kLeftOut.count(key) != 0;
}

const Json& null_json() {
  static const Json kNull;
  return kNull;
}

}  // namespace

Result<Json> parse_document(std::string_view body) {
  bool too_deep = false;
  const auto filter = [&too_deep](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth) {
      too_deep = true;
      return false;
    }
    return event != Json::parse_event_t::key || !parsed.is_string() ||
           !is_left_out(parsed.get_ref<const std::string&>());
  };
  Json document = Json::parse(body.begin(), body.end(), filter, false);
  if (document.is_discarded() || too_deep) return fail(ErrorCode::kCorrupt, "answer is not JSON");
  return document;
}

const Json& member(const Json& json, const char* key) {
  if (!json.is_object()) return null_json();
  const auto found = json.find(key);
  return found == json.end() ? null_json() : *found;
}

const Json& member(const Json& json, std::initializer_list<const char*> keys) {
  for (const char* const key : keys) {
    const Json& found = member(json, key);
    if (!found.is_null()) return found;
  }
  return null_json();
}

std::string text_of(const Json& json) {
  if (json.is_string()) return json.get<std::string>();
  if (json.is_number_unsigned()) return std::to_string(json.get<std::uint64_t>());
  if (json.is_number_integer()) return std::to_string(json.get<std::int64_t>());
  return {};
}

std::optional<std::uint64_t> number_of(const Json& json) {
  if (json.is_number_unsigned()) return json.get<std::uint64_t>();
  if (json.is_number_integer()) {
    const auto value = json.get<std::int64_t>();
    return value < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(value));
  }
  if (json.is_number_float()) {
    const auto value = json.get<double>();
    // 2^53: beyond it a float does not name one integer.
    if (!(value >= 0 && value <= 9007199254740992.0)) return std::nullopt;
    const auto whole = static_cast<std::uint64_t>(value);
    return static_cast<double>(whole) == value ? std::optional(whole) : std::nullopt;
  }
  if (!json.is_string()) return std::nullopt;
  const auto& text = json.get_ref<const std::string&>();
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

bool flag_of(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_float()) return json.get<double>() != 0;
  if (json.is_number()) return json != 0;
  if (!json.is_string()) return false;
  const auto& text = json.get_ref<const std::string&>();
  return text == "true" || text == "True" || text == "TRUE" || text == "1";
}

}  // namespace cabinetfs::kenesto
