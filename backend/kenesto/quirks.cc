#include "backend/kenesto/quirks.h"

#include <algorithm>
#include <array>

#include "backend/base/result.h"
#include "backend/base/text.h"
#include "backend/http/http_status.h"

namespace cabinetfs::kenesto {
namespace {

template <std::size_t N>
bool has_any(const std::string& text, const std::array<std::string_view, N>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

constexpr std::array<std::string_view, 5> kTaken = {"val10357", "already exist", "duplicate",
                                                    "name is taken", "already in use"};
constexpr std::array<std::string_view, 4> kGone = {"not found", "not exist", "n't exist",
                                                   "no such"};
constexpr std::array<std::string_view, 4> kHeld = {"checked out", "checked-out", "check out first",
                                                   "locked"};
constexpr std::array<std::string_view, 4> kFull = {"quota", "storage limit", "out of space",
                                                   "storage is full"};
constexpr std::array<std::string_view, 8> kRefused = {
    "access_denied", "val10335",      "permission",    "denied",
    "not allowed",   "not authorize", "not authorise", "frozen",
};
constexpr std::array<std::string_view, 8> kSession = {"session",     "token",        "expired",
                                                      "log in",      "login",        "unauthorized",
                                                      "authenticat", "access_denied"};

}  // namespace

NameRules name_rules() {
  NameRules rules;
  rules.case_sensitive = false;
  rules.forbidden = ";<>:\"\\|?*";
  rules.control_forbidden = true;
  rules.trailing_dot_forbidden = true;
  rules.leading_space_forbidden = true;
  rules.trailing_space_forbidden = true;
  rules.max_characters = 200;
  return rules;
}

Result<void> check_name(const std::string& name) {
  if (utf8_length(name) > name_rules().max_characters) {
    return fail(ErrorCode::kNameTooLong, "names have at most 200 characters there");
  }
  const bool bad_byte = std::any_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == '/' ||
           name_rules().forbidden.find(c) != std::string::npos;
  });
  if (name.empty() || name == "." || name == ".." || bad_byte || name.front() == ' ' ||
      name.back() == ' ' || name.back() == '.' || !is_valid_utf8(name)) {
    return fail(ErrorCode::kInvalid, "a name that this vendor does not take");
  }
  return {};
}

std::string code_in(std::string_view message) {
  if (message.find("ACCESS_DENIED") != std::string_view::npos) return "ACCESS_DENIED";
  const std::size_t at = message.find("VAL");
  if (at == std::string_view::npos) return {};
  std::size_t end = at + 3;
  while (end < message.size() && message[end] >= '0' && message[end] <= '9') ++end;
  return end == at + 3 ? std::string() : std::string(message.substr(at, end - at));
}

ErrorCode error_code(std::string_view message, int status, ErrorCode otherwise) {
  const std::string words = fold_name(message);
  if (has_any(words, kTaken)) return ErrorCode::kExists;
  if (has_any(words, kFull)) return ErrorCode::kOverQuota;
  if (has_any(words, kHeld)) return ErrorCode::kBusy;
  if (has_any(words, kGone)) return ErrorCode::kNotFound;
  if (has_any(words, kRefused)) return ErrorCode::kDenied;
  if (status >= 400) return error_from_status(status);
  return otherwise;
}

bool may_mean_dead_session(std::string_view message, int status) {
  return status == 401 || status == 403 || has_any(fold_name(message), kSession);
}

bool may_mean_gone(std::string_view message, int status) {
  return status == 404 || status == 410 || has_any(fold_name(message), kGone);
}

std::string_view permission_type(AccessLevel level) {
  switch (level) {
    case AccessLevel::kNone:
      return "NONE";
    case AccessLevel::kView:
      return "VIEW_ONLY";
    case AccessLevel::kRead:
      return "ALLOW_DOWNLOAD";
    case AccessLevel::kWrite:
    case AccessLevel::kManage:
    case AccessLevel::kOwner:
      return "ALLOW_UPDATE_VERSIONS";
  }
  return "NONE";
}

}  // namespace cabinetfs::kenesto
