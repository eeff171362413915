#include "backend/powerfolder/quirks.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "backend/base/text.h"

namespace cabinetfs::powerfolder {
namespace {

constexpr std::array<std::pair<std::string_view, AccessLevel>, 5> kWords = {{
    {"NO_ACCESS", AccessLevel::kNone},
    {"READ", AccessLevel::kRead},
    {"READ_WRITE", AccessLevel::kWrite},
    {"ADMIN", AccessLevel::kManage},
    {"OWNER", AccessLevel::kOwner},
}};

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

NameRules name_rules(bool case_sensitive) {
  NameRules rules;
  rules.case_sensitive = case_sensitive;
  rules.forbidden = "\\:*?\"<>|";
  rules.control_forbidden = true;
  rules.trailing_dot_forbidden = true;
  rules.trailing_space_forbidden = true;
  return rules;
}

bool is_hidden(const std::string& name) { return fold_name(name) == ".powerfolder"; }

Result<void> check_reserved(const std::string& name, bool top) {
  const std::string folded = fold_name(name);
  if (is_hidden(name) || (top && (ends_with(folded, ".webdav") || ends_with(folded, ".crypto")))) {
    return fail(ErrorCode::kInvalid, fmt::format("the name \"{}\" is kept for the server", name));
  }
  return {};
}

bool is_special(const std::string& top_name) { return !top_name.empty() && top_name[0] == '$'; }

std::optional<AccessLevel> level_of(std::string_view permission) {
  for (const auto& [word, level] : kWords) {
    if (word == permission) return level;
  }
  return std::nullopt;
}

std::string_view word_of(AccessLevel level) {
  for (const auto& [word, known] : kWords) {
    if (known == level) return word;
  }
  return {};
}

Rights rights_of(AccessLevel level, NodeKind kind, bool locks) {
  Rights rights;
  if (level < AccessLevel::kRead) return rights;
  rights.add(Right::kRead);
  if (kind == NodeKind::kFolder) rights.add(Right::kList);
  if (level < AccessLevel::kWrite) return rights;
  rights.add(Right::kDelete).add(Right::kRename);
  if (kind == NodeKind::kFolder) {
    rights.add(Right::kCreate);
  } else {
    rights.add(Right::kWrite);
    if (locks) rights.add(Right::kLock);
  }
  return rights;
}

}  // namespace cabinetfs::powerfolder
