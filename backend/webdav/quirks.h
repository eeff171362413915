#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/call.h"
#include "backend/base/result.h"
#include "backend/remote_types.h"

namespace cabinetfs {

struct HttpResponse;

namespace webdav {

struct WireResource;

// What a status means as the answer to a method; RFC 4918 gives some of them another meaning than
// HTTP does.
ErrorCode error_code(std::string_view method, int status);

// A page for people where XML was due: a login form, terms of use, a proxy.
bool is_html(const HttpResponse& response);

// "e:" and the ETag, whether strong or weak: some servers call the ETag of a fresh file weak until
// the clock has moved on, and mean the same content. Else "m:" with size and time.
Validator make_validator(const WireResource& resource);
// Whether content with these headers can be the one of the validator; nullopt: they don't tell.
std::optional<bool> fits_validator(const Validator& validator, const std::string* etag,
                                   const std::string* last_modified);

// Letters of the property oc:permissions (ownCloud, Nextcloud).
Rights rights_from_letters(std::string_view letters, NodeKind kind);

// kInvalid, kNameTooLong: a name that the rules refuse, or that no path can hold.
Result<void> check_name(const NameRules& rules, const std::string& name);

// Sleeps, unless the call is cancelled or its deadline comes first (kCancelled, kTimeout).
Result<void> wait_for(const CallContext& call, std::chrono::nanoseconds span);

}  // namespace webdav
}  // namespace cabinetfs
