#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/sandbox/kiteworks/bulk.h"
#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/names.h"
#include "tools/sandbox/kiteworks/ops.h"

// Folders: create, change, move, delete, recover, purge.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

// The live object that has the name in the folder; at the top, among what the user sees.
Node* occupant(const Call& call, const Node& parent, const std::string& name) {
  if (&parent != &call.state.tree.root()) return call.state.tree.child(parent, name);
  const std::string folded = fold_name(name);
  for (Node* node : call.state.tree.top_of(call.user, true)) {
    if (!node->deleted && node->folded == folded) return node;
  }
  return nullptr;
}

void check_top_count(const Call& call) {
  std::int64_t count = 0;
  for (const Node* node : call.state.tree.top_of(call.user, false)) count += node->deleted ? 0 : 1;
  if (call.settings.max_top_folders > 0 && count >= call.settings.max_top_folders) {
    throw ApiError(403, "ERR_SYSTEM_FOLDER_QUOTA_EXCEEDED", "There are too many top folders");
  }
}

void apply_attributes(const Call& call, Node& folder, const json& body) {
  if (const auto text = Call::text(body, "description")) folder.description = *text;
  if (body.contains("useFolderQuota"))
    folder.use_folder_quota = Call::truth(body, "useFolderQuota");
  if (body.contains("fileLifetime") && body.at("fileLifetime").is_number_integer()) {
    folder.file_lifetime = body.at("fileLifetime").get<std::int64_t>();
  }
  if (const auto expire = Call::text(body, "expire")) {
    if (*expire != "0" && !expire->empty() && !parse_time(*expire)) {
      throw ApiError(422, "ERR_INPUT_INVALID_DATE", "expire is not a date", "expire");
    }
    folder.expire = *expire == "0" ? "" : *expire;
  }
  if (folder.parent == &call.state.tree.root()) {
    if (body.contains("secure")) folder.secure = Call::truth(body, "secure");
    if (body.contains("syncable")) folder.syncable = Call::truth(body, "syncable");
  }
}

Response create(Call& call) {
  Node& parent = call.destination(call.param(0));
  const json body = call.body();
  const auto name = Call::text(body, "name");
  if (!name) throw ApiError(422, "ERR_INPUT_REQUIRED", "name is required", "name");
  call.check_name(*name);
  if (&parent == &call.state.tree.root()) {
    check_top_count(call);
  } else {
    call.need(parent, "folder_add");
  }
  std::string chosen = *name;
  if (occupant(call, parent, chosen) != nullptr) {
    if (!Call::truth(body, "rename"))
      throw ApiError(409, "ERR_ENTITY_EXISTS", "Entity exists", "name");
    for (int number = 2; occupant(call, parent, chosen) != nullptr; ++number)
      chosen = fmt::format("{} ({})", *name, number);
  }
  Node& folder = create_folder(call.state, call.user, parent, chosen);
  apply_attributes(call, folder, body);
  return call.created(201, folder);
}

Response change(Call& call) {
  Node& folder = call.folder(call.param(0));
  const json body = call.body();
  call.need(folder, "properties_edit");
  const auto name = Call::text(body, "name");
  if (name && *name != folder.name) {
    call.check_not_system(folder);
    call.need(folder, "rename");
    call.check_name(*name);
    const Node* other = occupant(call, *folder.parent, *name);
    if (other != nullptr && other != &folder)
      throw ApiError(409, "ERR_ENTITY_EXISTS", "Entity exists", "name");
    rename_node(call.state, call.user, folder, *name);
  }
  apply_attributes(call, folder, body);
  return call.reply(200, call.wire().folder(folder));
}

Node& check_move(Call& call, const std::string& id, const Node& target) {
  Node& folder = call.folder(id);
  call.check_not_system(folder);
  if (&folder == &target)
    throw ApiError(422, "ERR_CANNOT_MOVE_FOLDER_TO_SELF", "A folder cannot be moved to itself");
  if (Tree::is_below(target, folder)) {
    throw ApiError(422, "ERR_CANNOT_MOVE_TO_CHILD",
                   "A folder cannot be moved into one of its own folders");
  }
  call.need(folder, "folder_move");
  if (&target == &call.state.tree.root()) {
    check_top_count(call);
  } else {
    call.need(target, "folder_add");
  }
  if (folder.secure) throw ApiError(403, "ERR_ENTITY_IS_SECURE_FOLDER", "The folder is restricted");
  call.check_no_locked_inside(folder);
  const Node* other = occupant(call, target, folder.name);
  if (other != nullptr && other != &folder)
    throw ApiError(409, "ERR_ENTITY_EXISTS", "Entity exists");
  return folder;
}

Node& move_target(Call& call, const json& body) {
  const auto id = Call::text(body, "destinationFolderId");
  if (!id)
    throw ApiError(422, "ERR_INPUT_REQUIRED", "destinationFolderId is required",
                   "destinationFolderId");
  return call.destination(*id);
}

Response move(Call& call) {
  Node& target = move_target(call, call.body());
  Node& folder = check_move(call, call.param(0), target);
  if (folder.parent != &target) move_node(call.state, call.user, folder, target);
  return call.created(201, folder);
}

Response move_many(Call& call) {
  const json body = call.body();
  Node& target = move_target(call, body);
  const BulkResult result = run_bulk(
      call, call.ids(body, "folderIds"),
      [&](const std::string& id) -> Node& { return check_move(call, id, target); },
      [&](Node& folder) {
        if (folder.parent != &target) move_node(call.state, call.user, folder, target);
      });
  return call.reply(result.partial() ? 207 : 201, result.json_of(call));
}

Node& check_delete(Call& call, const std::string& id) {
  Node& folder = call.folder(id);
  call.check_not_system(folder);
  call.need(folder, "folder_delete");
  call.check_no_locked_inside(folder);
  return folder;
}

Node& check_recover(Call& call, const std::string& id) {
  Node& folder = call.folder(id, true);
  if (!folder.deleted) throw ApiError(403, "ERR_ENTITY_NOT_DELETED", "The folder is not deleted");
  call.need(folder, "folder_recover");
  if (Tree::is_deleted(*folder.parent))
    throw ApiError(403, "ERR_ENTITY_DELETED", "The parent folder is deleted");
  if (occupant(call, *folder.parent, folder.name) != nullptr)
    throw ApiError(409, "ERR_ENTITY_EXISTS", "Entity exists");
  return folder;
}

Node& check_purge(Call& call, const std::string& id) {
  Node& folder = call.folder(id, true);
  if (!folder.deleted) throw ApiError(403, "ERR_ENTITY_NOT_DELETED", "The folder is not deleted");
  call.need(folder, "folder_permanent_delete");
  return folder;
}

using Check = Node& (*)(Call&, const std::string&);
using Change = void (*)(State&, const User&, Node&);

// The same change for one folder or, with `id:in`, for many.
BulkResult apply_to(Call& call, Check check, Change apply) {
  const std::vector<std::string> ids = call.request.params.empty()
                                           ? call.ids(json::object(), "id:in")
                                           : std::vector<std::string>{call.param(0)};
  return run_bulk(
      call, ids, [&](const std::string& id) -> Node& { return check(call, id); },
      [&](Node& folder) { apply(call.state, call.user, folder); });
}

Response remove(Call& call) {
  return bulk_removed(call, apply_to(call, check_delete, delete_node));
}
Response purge(Call& call) { return bulk_removed(call, apply_to(call, check_purge, purge_node)); }

Response recover(Call& call) {
  const BulkResult result = apply_to(call, check_recover, recover_node);
  return call.reply(200, result.json_of(call));
}

}  // namespace

void add_folder_routes(Api& api) {
  api.route("POST", "/rest/folders/{id}/folders", create);
  api.route("PUT", "/rest/folders/{id}", change);
  api.route("POST", "/rest/folders/{id}/actions/move", move);
  api.route("POST", "/rest/folders/actions/move", move_many);
  api.route("DELETE", "/rest/folders/{id}", remove);
  api.route("DELETE", "/rest/folders", remove);
  api.route("PATCH", "/rest/folders/{id}/actions/recover", recover);
  api.route("PATCH", "/rest/folders/actions/recover", recover);
  api.route("DELETE", "/rest/folders/{id}/actions/permanent", purge);
  api.route("DELETE", "/rest/folders/actions/permanent", purge);
}

}  // namespace cabinetfs::sandbox::kiteworks
