#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tools/sandbox/http/blob.h"

namespace cabinetfs::sandbox::powerfolder {

// Times are milliseconds since 1970 (UTC) everywhere in the model.
using Millis = std::int64_t;
Millis now_ms();

// Of an account on a top-level folder; each contains the weaker ones.
enum class Permission { kNoAccess, kRead, kReadWrite, kAdmin, kOwner };
const char* permission_name(Permission permission);
std::optional<Permission> permission_of_name(std::string_view name);

struct User {
  std::string id, name, password;
  std::int64_t quota = 0;  // bytes; 0 = unlimited
  bool admin = false;
  std::int64_t failures = 0;  // wrong passwords in a row
};

struct Version {
  std::shared_ptr<Blob> blob;
  Millis modified = 0;
  std::string user_id;
};

struct Lock {
  std::string token, user_id, owner;  // owner: what the client wrote, as text
  Millis expires = 0;                 // 0: never
  bool deep = false;
  bool editor = false;  // the server's own web editor holds it
};

// A file or a directory of a top-level folder, whose own node has no parent and the folder's
// internal name.
struct Node {
  std::string name;
  std::int64_t id = 0;  // never given again
  std::int64_t revision = 1;
  Node* parent = nullptr;
  bool dir = false;
  Millis created = 0, modified = 0;
  std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
  std::vector<Version> versions;  // of a file; oldest first, the last is the current one
  std::optional<Lock> lock;

  const Version& current() const { return versions.back(); }
  std::int64_t size() const { return dir ? 0 : current().blob->size(); }
};

struct Folder {
  std::string id, display;  // display: the name in the API where it differs
  std::unique_ptr<Node> root;
  std::map<std::string, Permission> members;  // user id -> what it may
  bool special = false;
  // When each view learns of it, and until when the API goes on saying the old name.
  Millis dav_from = 0, api_from = 0, old_name_until = 0;
  std::string old_name;

  Permission of(const std::string& user_id) const;
  const std::string& name() const { return root->name; }
  // Whose quota it uses; empty if there is none.
  std::string owner() const;
};

// A folder that is gone, and that one of the views has not noticed yet.
struct Ghost {
  std::string id, name;
  std::set<std::string> users;  // ids
  bool in_dav = false;
  Millis until = 0;
};

std::int64_t size_below(const Node& node);
bool is_below(const Node& node, const Node& dir);  // or is it
Node& top_of(Node& node);
// "Top/dir/name".
std::string path_of(const Node& node);
// Lower case of ASCII and of what the C library knows; for servers that ignore case.
std::string fold(std::string_view name);

}  // namespace cabinetfs::sandbox::powerfolder
