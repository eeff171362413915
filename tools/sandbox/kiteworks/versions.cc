#include <nlohmann/json.hpp>

#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/ops.h"

// Versions: list, promote, delete. Number 0 is the current one.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

std::size_t find_version(const Call& call, const Node& file, std::string_view id) {
  for (std::size_t i = 0; i < file.versions.size(); ++i) {
    if (file.versions[i].id == id) return i;
  }
  call.missing();
}

Response list_versions(Call& call) {
  const Node& file = call.file(call.param(0));
  call.need(file, "version_view");
  const Call::Page page = call.page();
  Wire wire = call.wire();
  json items = json::array();
  const std::size_t total = file.versions.size();
  for (std::size_t i = page.offset; i < total && items.size() < page.limit; ++i) {
    items.push_back(wire.version(file, total - 1 - i));  // newest first
  }
  return call.list(items, total, page);
}

Response one_version(Call& call) {
  const Node& file = call.file(call.param(0));
  call.need(file, "version_view");
  return call.reply(200, call.wire().version(file, find_version(call, file, call.param(1))));
}

Response promote(Call& call) {
  Node& file = call.file(call.param(0));
  call.need(file, "version_promote");
  call.check_lock(file);
  const std::size_t index = find_version(call, file, call.param(1));
  const Node* other = call.state.tree.child(*file.parent, file.versions[index].name);
  if (other != nullptr && other != &file) throw ApiError(409, "ERR_ENTITY_EXISTS", "Entity exists");
  if (index + 1 != file.versions.size()) promote_version(call.state, call.user, file, index);
  return call.reply(200, call.wire().version(file, file.versions.size() - 1));
}

Response remove(Call& call) {
  Node& file = call.file(call.param(0));
  call.need(file, "version_delete");
  call.check_lock(file);
  const std::size_t index = find_version(call, file, call.param(1));
  if (file.versions.size() == 1) {
    throw ApiError(422, "ERR_INVALID_PARAMETER", "The last version cannot be deleted");
  }
  delete_version(call.state, call.user, file, index);
  Response response;
  response.status = 204;
  return response;
}

}  // namespace

void add_version_routes(Api& api) {
  api.route("GET", "/rest/files/{id}/versions", list_versions);
  api.route("GET", "/rest/files/{id}/versions/{vid}", one_version);
  api.route("POST", "/rest/files/{id}/versions/{vid}/actions/promote", promote);
  api.route("DELETE", "/rest/files/{id}/versions/{vid}", remove);
}

}  // namespace cabinetfs::sandbox::kiteworks
