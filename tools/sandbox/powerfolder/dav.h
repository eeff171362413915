#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/sandbox/powerfolder/call.h"
#include "tools/sandbox/powerfolder/model.h"

// What the methods under /webdav share.

namespace cabinetfs::sandbox::powerfolder {

// Where a path leads. The root is depth 0, a top-level folder 1.
struct Place {
  std::size_t depth = 0;
  Folder* folder = nullptr;  // null: the root, or there is no such folder
  Node* parent = nullptr;    // of what is below a folder; null where the parent is missing too
  Node* node = nullptr;      // null: the root, or nothing is there
  std::string name;          // the last part
  bool slash = false;        // the path ends in one

  bool exists() const { return depth == 0 || node != nullptr; }
};

Place resolve(const Call& call, const std::vector<std::string>& segments, bool slash);
// Of the request itself.
Place resolve(const Call& call);

std::string http_date(Millis time);
// Empty where the server makes none.
std::string etag_of(const Settings& settings, const Node& node);
// If-Match and If-None-Match of a change. Throws HttpError 412.
void check_conditions(const Call& call, const Node* node);
// Throws HttpError 423 if somebody else's lock is in the way of changing the node; of a change to
// its directory too where `parent` is given.
void check_unlocked(const Call& call, const Node* node, const Node* parent);
// Locked things below a directory, itself not included.
std::vector<const Node*> locked_below(const Call& call, const Node& dir);
std::string lock_discovery(const Call& call, const Node* node);

// Scheme, host and port as the client addresses the server.
std::string origin_of(const Call& call);
std::string href_of(const Call& call, const std::string& path, bool dir);

Response dav_options(Call& call);
Response dav_propfind(Call& call);
Response dav_get(Call& call);
Response dav_put(Call& call);
// Throws what dav_put() would, before there is a body.
void check_put(const Call& call, std::int64_t size);
// The client went away in the middle of a PUT.
void aborted_put(Call& call);
Response dav_mkcol(Call& call);
Response dav_delete(Call& call);
Response dav_move(Call& call);
Response dav_copy(Call& call);
Response dav_lock(Call& call);
Response dav_unlock(Call& call);

}  // namespace cabinetfs::sandbox::powerfolder
