#pragma once

// The vendor's JSON as structs. No I/O, nothing is thrown, and nothing is trusted: depth, types and
// ranges are checked, unknown fields are ignored. What cannot be understood is kCorrupt.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/result.h"
#include "backend/remote_types.h"

namespace cabinetfs {

struct HttpResponse;

namespace kiteworks {

struct WireUser {
  std::string id;
  std::string name;
  std::string email;
  // What people recognise: the address, else the name, else the id.
  const std::string& label() const;
};

// A file or folder. `entry` lacks what needs knowledge beyond the answer: validator, `system` and
// the lock state.
struct WireNode {
  RemoteEntry entry;
  bool deleted = false;
  bool locked = false;
  WireUser lock_user;
  // As told, in seconds or as text when it cannot be read; for the validator.
  std::string modified_mark;
  std::string client_modified_mark;
  std::optional<std::uint32_t> versions_count;
};

// One page of a list in either envelope. `received` counts everything, also what was left out
// because it is neither file nor folder.
template <class T>
struct WirePage {
  std::vector<T> items;
  std::size_t received = 0;
  std::optional<std::uint64_t> total;
};

struct WireError {
  int status = 0;
  std::string code;     // "ERR_...", empty when there is none
  std::string message;  // one printable line, at most 200 bytes
  std::string field;
  bool from_api = false;  // the body was JSON
};

struct WireAccount {
  WireUser user;
  bool numeric_ids = false;  // old servers: ids are JSON numbers, here in decimal
  std::string my_folder;     // may be missing: empty
  std::string tray;
  std::string base;
};

struct WireUpload {
  std::string id;
  std::string uri;
  std::string upload_url;
  std::uint64_t total_size = 0;
  std::optional<std::uint64_t> uploaded_size;
  std::optional<std::uint64_t> uploaded_chunks;
  std::string replaces;  // id of the file that gets a version, or empty
  std::optional<bool> finished;
};

struct WireVersion {
  RemoteVersion version;            // `number` and `current` not yet decided
  std::uint64_t server_number = 0;  // 0 = current, older ones count up
  std::string name;
  bool deleted = false;
};

struct WireRole {
  std::string id;
  std::string name;
  std::string type;  // "d" or "f"; may be empty
};

struct WireMember {
  WireUser user;
  std::string role_id;
  std::string role_name;
};

struct WireActivity {
  std::uint64_t id = 0;
  WallTime created{};
  std::string event;
  std::string message;
  WireUser user;
  std::vector<std::string> files;    // ids
  std::vector<std::string> folders;  // ids of folders that are named, without the next one
  std::string parent;                // where it happened; empty = among the top folders, or nowhere
  bool successful = true;
};

struct WireQuota {
  std::uint64_t used = 0;
  std::int64_t allowed = 0;  // 0 and less: no limit
};

// Outcome of a bulk call that may succeed in part.
struct WireBulk {
  std::vector<std::string> succeeded;
  struct Failure {
    std::string id;  // may be empty
    WireError error;
  };
  std::vector<Failure> failed;
  std::vector<WireNode> nodes;
};

// Never fails: what cannot be read leaves only the status.
WireError parse_error(const HttpResponse& response);
// Whether the body is an object that names errors, whatever the status says.
bool names_errors(const HttpResponse& response);

Result<WireNode> parse_node(std::string_view body);
Result<WirePage<WireNode>> parse_nodes(std::string_view body);
Result<WireAccount> parse_account(std::string_view body);
Result<WireUpload> parse_upload(std::string_view body);
// The server's largest chunk, nullopt when it does not say.
Result<std::optional<std::uint64_t>> parse_upload_config(std::string_view body);
Result<WirePage<WireVersion>> parse_versions(std::string_view body);
Result<WirePage<WireRole>> parse_roles(std::string_view body);
Result<WirePage<WireMember>> parse_members(std::string_view body);
Result<WirePage<WireActivity>> parse_activities(std::string_view body);
Result<WireQuota> parse_quota(std::string_view body);
Result<WireBulk> parse_bulk(std::string_view body);
// The `id` of an object of any kind.
Result<std::string> parse_id(std::string_view body);

// Which of our rights the vendor's permissions amount to.
Rights rights_of(NodeKind kind, const std::vector<std::string>& permissions);

// "2026-01-21T20:43:42+0000", as requests carry times.
std::string format_time(WallTime time);

// The last part of a location header, or empty.
std::string id_of_location(std::string_view location);

}  // namespace kiteworks
}  // namespace cabinetfs
