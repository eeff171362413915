#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/result.h"

// XML to structs. No I/O. Namespaces count by their URI; what a `propstat` with a status other than
// 200 holds does not exist. DTDs are refused, so there are no entities but XML's own.
namespace cabinetfs::webdav {

struct WireLock {
  std::string token;  // "opaquelocktoken:..."
  std::string owner;  // all text of the owner element
  friend bool operator==(const WireLock&, const WireLock&) = default;
};

// One `response` of a multistatus.
struct WireResource {
  std::string href;  // as it stands there
  // Of the response as a whole; 0 = it speaks by its propstats.
  int status = 0;
  // The worst status above 399 among the propstats, and whether one was 200.
  int worst_propstat = 0;
  bool has_properties = false;

  bool collection = false;
  std::optional<std::uint64_t> length;
  std::string etag;  // as it stands there, with W/ and quotes
  std::optional<WallTime> modified;
  std::optional<WallTime> created;
  std::string mime;
  std::optional<std::int64_t> quota_available;
  std::optional<std::int64_t> quota_used;
  std::vector<WireLock> locks;
  std::string oc_permissions;  // ownCloud, Nextcloud: letters
  std::string oc_id;
};

// kCorrupt: not a multistatus document. Responses without a href are left out.
Result<std::vector<WireResource>> parse_multistatus(std::string_view body);

// The answer to LOCK: a `prop` with the lockdiscovery.
Result<std::vector<WireLock>> parse_lock_answer(std::string_view body);

// What an error body says in words (sabre's `message`, or the names of failed preconditions); empty
// when it says nothing. At most 200 bytes.
std::string parse_error_text(std::string_view body);

// ETags: the text between the quotes, W/ taken off; empty for none.
std::string_view opaque_part(std::string_view etag);
// Usable in If-Match.
bool is_strong(std::string_view etag);

}  // namespace cabinetfs::webdav
