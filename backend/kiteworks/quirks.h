#pragma once

// What this vendor does differently from what one would expect: Kiteworks API version 28, appliance
// 9.3, as published and observed until February 2026.

#include <cstdint>
#include <string_view>

#include "backend/base/error.h"
#include "backend/remote_types.h"

namespace cabinetfs {

struct HttpResponse;

namespace kiteworks {

struct WireError;

// The invisible folder above the top folders. Folders are created in it under this id, and top
// folders name it as their parent; it cannot be listed by id, takes no files, and cannot be shared.
inline constexpr std::string_view kRootId = "0";
// What the firewall of the appliance answers (2026).
inline constexpr int kFirewallStatus = 490;

// Fields that an answer holds only when they are asked for. versionsCount may be ignored by the
// server; see ValidatorPolicy.
inline constexpr std::string_view kWanted = "(permissions,versionsCount)";

// Stands in a hash until it has been computed.
inline constexpr std::string_view kHashPending = "Generating...";

// 30 requests a second from one source address, whoever is behind it; more than about 40 beyond
// that are refused. Two thirds leave room for other programs of the same user.
inline constexpr double kRequestsPerSecond = 20;
inline constexpr double kRequestBurst = 20;

// A server that does not tell `uploadChunkMax` takes at least this.
inline constexpr std::uint64_t kSafeChunk = 8u << 20;
inline constexpr std::uint64_t kLeastChunk = 1u << 20;
inline constexpr std::uint64_t kLargestChunk = 64u << 20;

// Ids in one request line: 100 UUIDs with encoded commas are 4 KB.
inline constexpr std::size_t kBulkIds = 100;
// What one bulk download may bring; it is held in memory.
inline constexpr std::uint64_t kBulkBytes = 32u << 20;

// Names: case-insensitive, 255 characters, no / \ : * " < > | and nothing that cannot be printed,
// no dot at the front or the back. The vendor has no official list; this is what working clients
// avoid (rclone also escapes '?').
NameRules name_rules();

// The vendor's code, or the status where there is no code, as one of ours.
ErrorCode error_code(const WireError& error);

// An unknown id is answered like a forbidden one (403 ERR_ACCESS_USER), and a proxy's 404 page says
// nothing about the object. Such an answer is neither "gone" nor "denied" before the parent's
// listing has been looked at.
bool may_mean_gone(const WireError& error);

// 403 without a code of the API, or 429: over the request limit. (One vendor page says 403,
// another 429.)
bool is_throttled(const HttpResponse& response);

// The token is dead. ERR_ACCESS_USER comes under 401 on some listings and must not cost a refresh.
bool is_token_rejected(const HttpResponse& response);

// Levels and the roles that carry them. Folder roles: Viewer, Downloader, Collaborator, Manager,
// owner, Uploader; file roles: Viewer, Collaborator. Their numbers differ between documents and
// installations, so they are found by name. Empty: no role has this level.
std::string_view role_name(AccessLevel level);
AccessLevel role_level(std::string_view role);

// Events of the activity log that change nothing.
bool is_harmless_event(std::string_view event);

}  // namespace kiteworks
}  // namespace cabinetfs
