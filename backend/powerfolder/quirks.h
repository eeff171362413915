#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "backend/base/result.h"
#include "backend/remote_types.h"

namespace cabinetfs::powerfolder {

// What no platform of the product takes: other members run Windows.
NameRules name_rules(bool case_sensitive);
// kInvalid: names that the product keeps for itself. `top`: of a top-level folder.
Result<void> check_reserved(const std::string& name, bool top);
// Its own directory inside of each folder.
bool is_hidden(const std::string& name);
// "$personal_files" and its like: they belong to the product.
bool is_special(const std::string& top_name);

// The five words of the vendor; nullopt for any other.
std::optional<AccessLevel> level_of(std::string_view permission);
// Empty: there is no such level.
std::string_view word_of(AccessLevel level);

// What a level allows on something inside of a top-level folder.
Rights rights_of(AccessLevel level, NodeKind kind, bool locks);

}  // namespace cabinetfs::powerfolder
