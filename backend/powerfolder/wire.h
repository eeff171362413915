#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/result.h"

// JSON of /api to structs. No I/O. Lists may come as an array, as a single object, or not at all;
// objects without what makes them useful are left out. kCorrupt: not what was asked for.
namespace cabinetfs::powerfolder {

struct WireFolder {
  std::string id;
  std::string name;
  std::string internal_name;
  // As the folder is called under /webdav: special folders go by their internal name.
  const std::string& dav_name() const;
};

struct WireMember {
  std::string id;
  std::string username;
  std::string permission;  // one of five words, or what else the server says
};

struct WireSelf {
  std::string id;
  std::string username;
  std::string display_name;
  std::optional<std::uint64_t> used;
  std::optional<std::uint64_t> allowed;  // 0 is told for "no limit" and left out
};

Result<std::vector<WireFolder>> parse_folders(std::string_view body);
Result<std::vector<WireMember>> parse_members(std::string_view body);
Result<WireSelf> parse_self(std::string_view body);
// How many entries a listing of /api/files has; kCorrupt also where it names no list.
Result<std::size_t> parse_entry_count(std::string_view body);
// The ID in the answer to a change; empty when it has none.
Result<std::string> parse_changed_id(std::string_view body);
// The token of /login; empty when the answer has none.
Result<std::string> parse_login_token(std::string_view body);

}  // namespace cabinetfs::powerfolder
