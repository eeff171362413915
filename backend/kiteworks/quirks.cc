#include "backend/kiteworks/quirks.h"

#include <algorithm>
#include <array>
#include <utility>

#include "backend/http/http_client.h"
#include "backend/kiteworks/wire.h"

namespace cabinetfs::kiteworks {
namespace {

struct CodeRow {
  std::string_view code;  // the whole code, or its beginning when it ends with '*'
  ErrorCode meaning;
};

// The first row that fits counts.
constexpr std::array kCodes = {
    // The client beneath has refreshed the token once before we see one of these.
    CodeRow{"ERR_AUTH_*", ErrorCode::kUnauthenticated},
    CodeRow{"ERR_INVALID_GRANT", ErrorCode::kUnauthenticated},
    CodeRow{"INVALID_GRANT", ErrorCode::kUnauthenticated},
    CodeRow{"ERR_ACCESS_*", ErrorCode::kDenied},
    CodeRow{"ERR_ENTITY_DELETED*", ErrorCode::kNotFound},
    CodeRow{"ERR_ENTITY_PERM*_DELETED", ErrorCode::kNotFound},
    CodeRow{"ERR_ENTITY_NOT_FOUND", ErrorCode::kNotFound},
    CodeRow{"ERR_ENTITY_LOCKED*", ErrorCode::kBusy},
    CodeRow{"ERR_ENTITY_SAFE_EDIT_LOCKED", ErrorCode::kBusy},
    CodeRow{"ERR_ENTITY_CONTAINS_LOCKED_FILES", ErrorCode::kBusy},
    // The scan of a fresh upload is still running.
    CodeRow{"ERR_ENTITY_NOT_SCANNED", ErrorCode::kTryAgain},
    CodeRow{"ERR_ENTITY_DLP_SCANNING", ErrorCode::kTryAgain},
    CodeRow{"ERR_ENTITY_VIRUS_FOUND", ErrorCode::kDenied},
    CodeRow{"ERR_ENTITY_DLP_LOCKED", ErrorCode::kDenied},
    CodeRow{"ERR_ENTITY_IS_SECURE_FOLDER", ErrorCode::kDenied},
    CodeRow{"ERR_ENTITY_RESTRICTED_*", ErrorCode::kNotPermitted},
    CodeRow{"ERR_ENTITY_IS_BASE_DIR", ErrorCode::kNotPermitted},
    CodeRow{"ERR_ENTITY_IS_MY_DIR", ErrorCode::kNotPermitted},
    CodeRow{"ERR_ENTITY_IS_SYNC_DIR", ErrorCode::kNotPermitted},
    CodeRow{"ERR_ENTITY_IS_NOT_UPDATABLE", ErrorCode::kNotPermitted},
    CodeRow{"ERR_ENTITY_EXISTS", ErrorCode::kExists},
    CodeRow{"ERR_CANNOT_MOVE_FOLDER_TO_SELF", ErrorCode::kInvalid},
    CodeRow{"ERR_CANNOT_MOVE_TO_CHILD", ErrorCode::kInvalid},
    CodeRow{"ERR_SYSTEM_NO_STORAGE_AVAILABLE", ErrorCode::kOverQuota},
    CodeRow{"ERR_SYSTEM_FOLDER_QUOTA_EXCEEDED", ErrorCode::kOverQuota},
    // The pool behind the appliance, not the account.
    CodeRow{"ERR_SYSTEM_NO_AVAILABLE_STORAGE_HOSTS", ErrorCode::kNoSpace},
    CodeRow{"ERR_LICENSE_MAX_UPLOAD_SIZE", ErrorCode::kTooLarge},
    CodeRow{"ERR_FILE_TOO_LARGE", ErrorCode::kTooLarge},
    CodeRow{"ERR_SYSTEM_TENANT_SUSPENDED", ErrorCode::kNoAccess},
    CodeRow{"ERR_LICENSE_EXPIRED", ErrorCode::kNoAccess},
    CodeRow{"ERR_PROFILE_COLLABORATION_DISABLED", ErrorCode::kNoAccess},
    CodeRow{"ERR_PROFILE_*", ErrorCode::kDenied},
    CodeRow{"ERR_INPUT_MAX_LENGTH", ErrorCode::kNameTooLong},
    CodeRow{"ERR_INPUT_*", ErrorCode::kInvalid},
    CodeRow{"ERR_INVALID_PARAMETER", ErrorCode::kInvalid},
    CodeRow{"ERR_REQUEST_*", ErrorCode::kInvalid},
};

bool fits(std::string_view pattern, std::string_view code) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return code == pattern;
  const std::string_view head = pattern.substr(0, star);
  const std::string_view tail = pattern.substr(star + 1);
  return code.size() >= head.size() + tail.size() && code.substr(0, head.size()) == head &&
         code.substr(code.size() - tail.size()) == tail;
}

ErrorCode code_of_status(int status) {
  switch (status) {
    case 400:
    case 422:
      return ErrorCode::kInvalid;
    case 401:
      return ErrorCode::kUnauthenticated;
    case 404:
    case 410:
      return ErrorCode::kNotFound;
    case 409:
      return ErrorCode::kExists;
    case 413:
      return ErrorCode::kTooLarge;
    case 416:
      return ErrorCode::kConflict;
    case 423:
      return ErrorCode::kBusy;
    case 429:
      return ErrorCode::kTryAgain;
    case 507:
      return ErrorCode::kOverQuota;
    default:
      // 403 without a code has been tried as "too many requests" by then, and the firewall
      // would say the same again.
      return status >= 400 && status < 500 && status != 408 ? ErrorCode::kDenied
                                                            : ErrorCode::kUnavailable;
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_json(const HttpResponse& response) {
  const std::string* const type = response.find("content-type");
  return type != nullptr && lower(*type).find("json") != std::string::npos;
}

}  // namespace

NameRules name_rules() {
  NameRules rules;
  rules.case_sensitive = false;
  rules.forbidden = "\\:*\"<>|?";
  rules.control_forbidden = true;
  rules.leading_dot_forbidden = true;
  rules.trailing_dot_forbidden = true;
  rules.trailing_space_forbidden = true;
  rules.max_characters = 255;
  return rules;
}

ErrorCode error_code(const WireError& error) {
  // A page of some proxy is no word of the API about the object.
  if ((error.status == 404 || error.status == 410) && !error.from_api) {
    return ErrorCode::kUnavailable;
  }
  for (const CodeRow& row : kCodes) {
    if (fits(row.code, error.code)) return row.meaning;
  }
  return code_of_status(error.status);
}

bool may_mean_gone(const WireError& error) {
  if (error.status == 404 || error.status == 410) return true;
  if (error.status != 401 && error.status != 403) return false;
  return error.code == "ERR_ACCESS_USER" || error.code == "ERR_ACCESS_DENIED" ||
         (error.status == 403 && error.code.empty());
}

bool is_throttled(const HttpResponse& response) {
  if (response.status == 429) return true;
  if (response.status != 403) return false;
  return !is_json(response) || parse_error(response).code.empty();
}

bool is_token_rejected(const HttpResponse& response) {
  if (response.status != 401 && response.status != 403) return false;
  const std::string code = parse_error(response).code;
  if (code.empty()) return response.status == 401;
  return fits("ERR_AUTH_*", code) || code == "ERR_INVALID_GRANT" || code == "INVALID_GRANT";
}

constexpr std::array<std::pair<AccessLevel, std::string_view>, 5> kRoles = {{
    {AccessLevel::kView, "viewer"},
    {AccessLevel::kRead, "downloader"},
    {AccessLevel::kWrite, "collaborator"},
    {AccessLevel::kManage, "manager"},
    {AccessLevel::kOwner, "owner"},
}};

std::string_view role_name(AccessLevel level) {
  for (const auto& [known, name] : kRoles) {
    if (known == level) return name;
  }
  return {};
}

AccessLevel role_level(std::string_view role) {
  const std::string name = lower(role);
  for (const auto& [level, known] : kRoles) {
    if (known == name) return level;
  }
  // May add files and see none of them.
  if (name == "uploader") return AccessLevel::kWrite;
  return AccessLevel::kNone;
}

bool is_harmless_event(std::string_view event) {
  constexpr std::array<std::string_view, 6> kHarmless = {
      "download", "view_file", "download_zip", "preview_file", "download_version", "view_folder"};
  return std::find(kHarmless.begin(), kHarmless.end(), event) != kHarmless.end();
}

}  // namespace cabinetfs::kiteworks
