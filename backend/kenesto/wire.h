#pragma once

// The vendor's JSON as structs. No I/O, nothing is thrown, and nothing is trusted: depth, types and
// ranges are checked, unknown fields are ignored. What cannot be understood is kCorrupt.

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/result.h"
#include "backend/remote_store.h"

namespace cabinetfs::kenesto {

// The frame around every answer. Success is "OK" in any case; everything else is a failure, which
// the vendor spells in five ways.
struct WireEnvelope {
  bool ok = false;
  std::string status;
  std::string message;                         // "ErrorMessage", hostile, may echo secrets
  std::shared_ptr<const nlohmann::json> data;  // "ResponseData", never nullptr, may be null
  std::shared_ptr<const nlohmann::json> all;   // the whole frame, for Access.svc
};

// Accepts a byte order mark, a document that is a string holding a document, and a frame inside
// one "...Result" member. kCorrupt: no JSON object, or none with a status.
Result<WireEnvelope> parse_envelope(std::string_view body);

// Lower-case "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" of one in any case or in braces; nullopt for
// anything else.
std::optional<std::string> parse_guid(std::string_view text);

// The vendor's dates: RFC 3339, "/Date(ms+hhmm)/", "MM/dd/yyyy[ HH:mm:ss]". nullopt also for the
// .NET default (year 1), which means "not filled in", and for what nanoseconds cannot hold.
std::optional<WallTime> parse_time(std::string_view text);
// "dd/MM/yyyy HH:mm:ss", as permissions have it.
std::optional<WallTime> parse_day_first(std::string_view text);

// A document or folder out of a listing.
struct WireItem {
  RemoteEntry entry;  // without parent, validator and whose lock it is
  std::string family;
  std::string stem;       // "Name"
  std::string extension;  // with its dot, or empty
  bool vault = false;
  bool external_link = false;
  bool checked_out = false;
  bool sized = true;           // the size of the current version was told
  std::string external_token;  // secret
};

struct WirePage {
  std::vector<WireItem> items;
  std::vector<std::string> ids;
  std::optional<std::uint64_t> total;
  std::optional<std::uint64_t> parts;  // files and folders, where they are told apart
  // Whether the server says that there is more; nullopt when it does not say.
  std::optional<bool> more;
  std::string folder_id;  // empty when not told
};
// kCorrupt also where one of them cannot be read: left out it would look like its deletion.
Result<WirePage> parse_documents(const nlohmann::json& data);

// Version ids are lower-case GUIDs. Numbers and order as told; exactly one is current, or kCorrupt.
Result<std::vector<RemoteVersion>> parse_versions(const nlohmann::json& data);
// Newest first.
Result<std::vector<RemoteEvent>> parse_history(const nlohmann::json& data);
Result<std::uint64_t> parse_count(const nlohmann::json& data);
Result<std::string> parse_access_url(const nlohmann::json& data);

struct WireFolder {
  std::string id, name, description;
};
Result<WireFolder> parse_folder(const nlohmann::json& data);

// What one participant may do, and until when.
struct WireRights {
  bool owner = false, view = false, download = false, update = false, share = false, upload = false;
  std::optional<WallTime> until;
};
Result<WireRights> parse_participant(const nlohmann::json& data);

// What the caller may do, from the undocumented RetrieveObjectInfo.
struct WireObjectInfo {
  bool owned = false;
  bool share = false, remove = false, update = false, checkin = false, checkout = false;
  bool discard = false, download = false, view = false, upload = false;
  std::optional<bool> vault;  // of the object itself
  // The object as a listing would tell it, where it is told with its date and size.
  std::optional<WireItem> item;
};
Result<WireObjectInfo> parse_object_info(const nlohmann::json& data);

// Used bytes, from the undocumented RetrieveStatistics.
Result<std::uint64_t> parse_used_space(const nlohmann::json& data);

Result<std::vector<NumberSequences::Sequence>> parse_sequences(const nlohmann::json& data);
Result<std::string> parse_text(const nlohmann::json& data);

struct WireOrganization {
  std::string id;
  bool is_default = false;
};
struct WireAuthentication {
  std::string token;  // secret
  std::vector<WireOrganization> organizations;
};
Result<WireAuthentication> parse_authentication(const WireEnvelope& envelope);

struct WireLogin {
  std::string token;  // secret
  std::string email, first_name, last_name, tenant;
};
Result<WireLogin> parse_login(const WireEnvelope& envelope);

}  // namespace cabinetfs::kenesto
