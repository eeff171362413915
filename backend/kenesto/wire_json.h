#pragma once

// Reading hostile JSON; for the wire sources only.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/result.h"

namespace cabinetfs::kenesto {

using Json = nlohmann::json;

// The document without the fields that nobody here reads. kCorrupt: not JSON, or nested deeper
// than any answer of this vendor.
Result<Json> parse_document(std::string_view body);

// The member of an object, or null. `json` may be anything.
const Json& member(const Json& json, const char* key);
const Json& member(const Json& json, std::initializer_list<const char*> keys);

// Strings as they are, integers in decimal, anything else empty.
std::string text_of(const Json& json);
// Non-negative integers, also as text.
std::optional<std::uint64_t> number_of(const Json& json);
// Booleans, numbers (0 = false), and "true"/"True"/"false"/"False"; anything else false.
bool flag_of(const Json& json);

inline tl::unexpected<Error> not_understood(const char* what) {
  return fail(ErrorCode::kCorrupt, std::string("answer not understood: ") + what);
}

}  // namespace cabinetfs::kenesto
