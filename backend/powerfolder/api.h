#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/call.h"
#include "backend/base/result.h"
#include "backend/powerfolder/wire.h"

namespace cabinetfs {

class HttpClient;

namespace powerfolder {

// The services below {server}/api that we use. Reads go as GET; what changes something goes as POST
// with a form, so that nothing on the way repeats it. Success is the status, never the message.
// Stateless, thread safe.
class FolderApi {
 public:
  // `server` without a slash at the end. `http` outlives this.
  FolderApi(HttpClient& http, std::string server);

  Result<std::vector<WireFolder>> folders(const CallContext& call) const;
  // The folder's ID, where the answer tells it; a name that exists may get a twin: look first.
  Result<std::string> create(const CallContext& call, const std::string& name) const;
  // Removes the folder for all members, with what is in it. The server's own default would delete
  // the data. Sent once.
  Result<void> remove(const CallContext& call, const std::string& id, bool delete_data) const;
  Result<std::vector<WireMember>> members(const CallContext& call, const std::string& id) const;
  Result<void> set_permission(const CallContext& call, const std::string& id,
                              const std::string& who, std::string_view permission) const;
  Result<void> remove_members(const CallContext& call, const std::string& id) const;

  // /api/files (since 11.3): whether a directory has entries. `path` is below the folder, decoded.
  Result<bool> has_entries(const CallContext& call, const std::string& id,
                           const std::string& path) const;
  Result<WireSelf> self(const CallContext& call) const;

 private:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  struct Request {
    bool change = false;
    std::string path;  // encoded, "/api/folders"
    Fields fields = {};
    bool idempotent = true;
  };
  // The body of an answer with status 200, 201 or 204.
  Result<std::string> send(const CallContext& call, const Request& request) const;

  HttpClient& http_;
  const std::string server_;
};

// name=value pairs, encoded.
std::string encode_form(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace powerfolder
}  // namespace cabinetfs
