#pragma once

// Reading hostile JSON; for the wire sources only.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/result.h"
#include "backend/kiteworks/wire.h"

namespace cabinetfs::kiteworks {

using Json = nlohmann::json;

// The document without the fields that nobody here reads. A `permissions` array comes as the names
// of what is allowed, in whichever form it was sent. kCorrupt: not JSON, or nested deeper than any
// answer of this vendor.
Result<Json> parse_document(std::string_view body);

// The member of an object, or null. `json` may be anything.
const Json& member(const Json& json, const char* key);
// The first of several spellings that is there and not null.
const Json& member(const Json& json, std::initializer_list<const char*> keys);

// Strings as they are, integers in decimal, anything else empty.
std::string text_of(const Json& json);
// Non-negative integers, also as decimal text or as a whole float.
std::optional<std::uint64_t> number_of(const Json& json);
std::optional<std::int64_t> signed_of(const Json& json);
// Booleans, numbers (0 = false) and their text forms.
std::optional<bool> flag_of(const Json& json);
std::optional<WallTime> time_of(const Json& json);
WireUser user_of(const Json& json);
Result<WireNode> node_of(const Json& json);

WireError error_of(const Json& json, int status);

// The list in either envelope: a bare array, or `data` with `metadata` beside it.
struct Envelope {
  const Json* items = nullptr;
  std::optional<std::uint64_t> total;
};
Result<Envelope> envelope_of(const Json& json);

inline tl::unexpected<Error> not_understood(const char* what) {
  return fail(ErrorCode::kCorrupt, std::string("answer not understood: ") + what);
}

}  // namespace cabinetfs::kiteworks
