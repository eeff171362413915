#include "backend/powerfolder/api.h"

#include <fmt/format.h>

#include <utility>

#include "backend/base/text.h"
#include "backend/http/http_client.h"
#include "backend/http/http_status.h"
#include "backend/webdav/quirks.h"

namespace cabinetfs::powerfolder {
namespace {

// A thousand folders or members are about 300 KB.
constexpr std::size_t kMaxBody = 16u << 20;

}  // namespace

std::string encode_form(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    if (!out.empty()) out += '&';
    out += percent_encode(name) + "=" + percent_encode(value);
  }
  return out;
}

FolderApi::FolderApi(HttpClient& http, std::string server)
    : http_(http), server_(std::move(server)) {}

Result<std::string> FolderApi::send(const CallContext& call, const Request& request) const {
  const std::string form = encode_form(request.fields);
  const std::string& action = request.fields.front().second;
  HttpRequest http;
  http.method = request.change ? "POST" : "GET";
  http.url = server_ + request.path + (request.change ? "" : "?" + form);
  // The path may hold ids and names of users' files.
  http.label = fmt::format("{} {} {}", http.method,
                           request.path.substr(0, request.path.find('/', 5)), action);
  if (request.change) {
    http.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    http.body = HttpBody::from_string(form);
  }
  http.headers.emplace_back("Accept", "application/json");
  http.idempotent = request.idempotent;
  http.max_body = kMaxBody;
  http.redirects = HttpRequest::Redirects::kNone;
  const std::string label = http.label;
  Result<HttpResponse> response = http_.perform(call, std::move(http));
  if (!response) {
    return fail(response.error().code, label + ": " + response.error().context);
  }
  const int status = response->status;
  if (status == 204) return std::string();
  const bool redirected = status >= 300 && status < 400;
  if (redirected || (status < 300 && webdav::is_html(*response))) {
    return fail(ErrorCode::kUnauthenticated,
                label +
                    ": the server answers with a web page; log in once by browser (terms of "
                    "use, a changed password), then try again");
  }
  if (status == 200 || status == 201) return std::move(response->body);
  Error error = error_from_response(*response, label);
  // The service says 401 as well where a member may not ask.
  if (status == 401) error.code = ErrorCode::kDenied;
  if (status == 409) error.code = ErrorCode::kExists;
  if (error.code == ErrorCode::kInternal) error.code = ErrorCode::kCorrupt;
  return fail(std::move(error));
}

Result<std::vector<WireFolder>> FolderApi::folders(const CallContext& call) const {
  TRY_ASSIGN(const std::string body, send(call, {false, "/api/folders", {{"action", "getAll"}}}));
  return parse_folders(body);
}

Result<std::string> FolderApi::create(const CallContext& call, const std::string& name) const {
  TRY_ASSIGN(const std::string body,
             send(call, {true, "/api/folders", {{"action", "create"}, {"name", name}}, false}));
  // Made, whatever the answer says: an error would mean that nothing was.
  return parse_changed_id(body).value_or("");
}

Result<void> FolderApi::remove(const CallContext& call, const std::string& id,
                               bool delete_data) const {
  const auto done =
      send(call, {true,
                  "/api/folders",
                  {{"action", "delete"}, {"ID", id}, {"deleteData", delete_data ? "1" : "0"}},
                  false});
  // Gone already, perhaps by a first try whose answer was lost.
  if (done || done.error().code == ErrorCode::kNotFound) return {};
  return fail(done.error());
}

Result<std::vector<WireMember>> FolderApi::members(const CallContext& call,
                                                   const std::string& id) const {
  TRY_ASSIGN(const std::string body,
             send(call, {false, "/api/folders", {{"action", "getAccounts"}, {"ID", id}}}));
  return parse_members(body);
}

Result<void> FolderApi::set_permission(const CallContext& call, const std::string& id,
                                       const std::string& who, std::string_view permission) const {
  // By ID only: of two folders with one name the server would pick one. It tells the state that is
  // wanted, so twice means the same.
  TRY(send(call, {true,
                  "/api/folders",
                  {{"action", "setPermission"},
                   {"ID", id},
                   {"username", who},
                   {"permission", std::string(permission)}}}));
  return {};
}

Result<void> FolderApi::remove_members(const CallContext& call, const std::string& id) const {
  TRY(send(call, {true, "/api/folders", {{"action", "removeAllAccounts"}, {"ID", id}}, false}));
  return {};
}

Result<bool> FolderApi::has_entries(const CallContext& call, const std::string& id,
                                    const std::string& path) const {
  std::string place = "/api/files/" + to_base64url(as_bytes(id));
  if (!path.empty()) {
    for (const std::string& name : split(path, '/')) place += "/" + percent_encode(name);
  }
  TRY_ASSIGN(const std::string body, send(call, {false, place, {{"action", "getAll"}}}));
  TRY_ASSIGN(const std::size_t count, parse_entry_count(body));
  return count > 0;
}

Result<WireSelf> FolderApi::self(const CallContext& call) const {
  TRY_ASSIGN(const std::string body, send(call, {false, "/api/accounts", {{"action", "getInfo"}}}));
  return parse_self(body);
}

}  // namespace cabinetfs::powerfolder
