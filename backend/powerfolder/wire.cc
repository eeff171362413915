#include "backend/powerfolder/wire.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "backend/base/text.h"

namespace cabinetfs::powerfolder {
namespace {

using nlohmann::json;

Result<json> parse(std::string_view body) {
  json document = json::parse(body, nullptr, false);
  if (document.is_discarded()) return fail(ErrorCode::kCorrupt, "not JSON");
  return document;
}

// Text, or a number as text: ids of other services are numbers.
std::string text_of(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  if (found == object.end()) return {};
  std::string text;
  if (found->is_string()) {
    text = found->get<std::string>();
  } else if (found->is_number_unsigned()) {
    text = std::to_string(found->get<std::uint64_t>());
  }
  return is_valid_utf8(text) ? text : std::string();
}

std::string first_text(const json& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (std::string text = text_of(object, key); !text.empty()) return text;
  }
  return {};
}

std::optional<std::uint64_t> number_of(const json& object, const char* key) {
  const std::string text = text_of(object, key);
  std::uint64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || rest != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// {"ResultSet":{"Result":[...]}}, or what comes close to it.
Result<std::vector<json>> results_of(std::string_view body) {
  // 204: an empty list.
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return std::vector<json>();
  TRY_ASSIGN(json document, parse(body));
  json list;
  if (document.is_array()) {
    list = std::move(document);
  } else {
    if (!document.is_object() || !document.contains("ResultSet")) {
      return fail(ErrorCode::kCorrupt, "no ResultSet");
    }
    json& set = document["ResultSet"];
    if (set.is_array()) {
      list = std::move(set);
    } else if (set.is_object() && set.contains("Result")) {
      list = std::move(set["Result"]);
    }
  }
  std::vector<json> out;
  if (list.is_object()) {
    out.push_back(std::move(list));
  } else if (list.is_array()) {
    for (json& item : list) out.push_back(std::move(item));
  } else if (!list.is_null()) {
    return fail(ErrorCode::kCorrupt, "a Result that is no list");
  }
  return out;
}

}  // namespace

const std::string& WireFolder::dav_name() const {
  return !internal_name.empty() && internal_name.front() == '$' ? internal_name : name;
}

Result<std::vector<WireFolder>> parse_folders(std::string_view body) {
  TRY_ASSIGN(const std::vector<json> items, results_of(body));
  std::vector<WireFolder> folders;
  for (const json& item : items) {
    WireFolder folder;
    folder.id = first_text(item, {"folderID", "ID", "id"});
    folder.name = text_of(item, "name");
    folder.internal_name = text_of(item, "internalName");
    if (folder.name.empty()) folder.name = folder.internal_name;
    if (!folder.id.empty() && !folder.name.empty()) folders.push_back(std::move(folder));
  }
  return folders;
}

Result<std::vector<WireMember>> parse_members(std::string_view body) {
  TRY_ASSIGN(const std::vector<json> items, results_of(body));
  std::vector<WireMember> members;
  for (const json& item : items) {
    WireMember member;
    member.id = text_of(item, "ID");
    member.username = first_text(item, {"username", "name"});
    member.permission = text_of(item, "permission");
    if (!member.username.empty() || !member.id.empty()) members.push_back(std::move(member));
  }
  return members;
}

Result<WireSelf> parse_self(std::string_view body) {
  TRY_ASSIGN(json document, parse(body));
  if (document.is_object() && document.contains("ResultSet")) {
    TRY_ASSIGN(std::vector<json> items, results_of(body));
    if (items.empty()) return fail(ErrorCode::kCorrupt, "no account");
    document = std::move(items.front());
  }
  if (!document.is_object()) return fail(ErrorCode::kCorrupt, "no account");
  WireSelf self;
  self.id = first_text(document, {"ID", "accountID", "id"});
  self.username = first_text(document, {"username", "name"});
  self.display_name = first_text(document, {"displayName", "display_name"});
  self.used = number_of(document, "spaceUsed");
  self.allowed = number_of(document, "spaceAllowed");
  if (self.allowed == 0u) self.allowed.reset();
  if (self.id.empty() && self.username.empty()) return fail(ErrorCode::kCorrupt, "no account");
  return self;
}

Result<std::size_t> parse_entry_count(std::string_view body) {
  // What makes an empty list of folders (204, no Result) says nothing about one of files.
  TRY_ASSIGN(const json document, parse(body));
  const json& set =
      document.is_object() && document.contains("ResultSet") ? document["ResultSet"] : document;
  if (!set.is_array() && !(set.is_object() && set.contains("Result") && !set["Result"].is_null()))
    return fail(ErrorCode::kCorrupt, "no Result");
  TRY_ASSIGN(const std::vector<json> items, results_of(body));
  std::size_t count = 0;
  for (const json& item : items) {
    if (item.is_object() && !item.empty() && text_of(item, "fileName") != ".PowerFolder") ++count;
  }
  return count;
}

Result<std::string> parse_changed_id(std::string_view body) {
  TRY_ASSIGN(const json document, parse(body));
  if (!document.is_object()) return fail(ErrorCode::kCorrupt, "no object");
  return text_of(document, "ID");
}

Result<std::string> parse_login_token(std::string_view body) {
  TRY_ASSIGN(const json document, parse(body));
  if (!document.is_object()) return fail(ErrorCode::kCorrupt, "no object");
  const auto account = document.find("account");
  if (account == document.end()) return std::string();
  std::string token = text_of(*account, "token");
  for (const char c : token) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return std::string();
  }
  return token;
}

}  // namespace cabinetfs::powerfolder
