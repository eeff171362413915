#pragma once

// What this vendor does differently from what one would expect: Kenesto's documents API
// (KDocuments.svc) as published until June 2026.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "backend/base/result.h"
#include "backend/remote_types.h"

namespace cabinetfs {

namespace kenesto {

// The root has no id in requests; this one, which the vendor's own programs use, stands for it.
inline constexpr const char* kRootId = "00000000-0000-0000-0000-000000000000";

// 25, 100 and 200 are the page sizes that do not make the server throw.
inline constexpr std::uint64_t kPageSize = 200;

// Exactly this, without a boundary, although the body is the raw file: it is part of what the
// upload address signs.
inline constexpr const char* kUploadType = "multipart/form-data";

// Names: what the vendor's own programs refuse (folder names of at most 200 characters without
// ; < > : " / \ | ? *). A backslash would even make folders.
NameRules name_rules();

// kInvalid or kNameTooLong for what must not be sent.
Result<void> check_name(const std::string& name);

// A failure that was told in words. Known codes are VAL10357 (name taken), VAL10335 (licence
// expired) and ACCESS_DENIED; the rest is prose. `otherwise`: neither words nor status say
// anything.
ErrorCode error_code(std::string_view message, int status, ErrorCode otherwise);

// The code in a message ("VAL10357", "ACCESS_DENIED"), or empty.
std::string code_in(std::string_view message);

// No page says how a dead session looks. These answers may mean it, and are settled by asking
// something that any session may.
bool may_mean_dead_session(std::string_view message, int status);

// The words or the status say that the object does not exist. To be confirmed by a listing.
bool may_mean_gone(std::string_view message, int status);

// "NONE", "VIEW_ONLY", "ALLOW_DOWNLOAD", "ALLOW_UPDATE_VERSIONS".
std::string_view permission_type(AccessLevel level);

}  // namespace kenesto
}  // namespace cabinetfs
