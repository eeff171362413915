#include <nlohmann/json.hpp>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/bulk.h"
#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/names.h"
#include "tools/sandbox/kiteworks/ops.h"

// Files: rename, move, copy, delete, recover, purge.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

void check_extension(const Call& call, const std::string& name) {
  const std::string extension = extension_of(name);
  for (const std::string& restricted : call.settings.restricted_extensions) {
    if (extension == restricted) {
      throw ApiError(403, "ERR_ENTITY_RESTRICTED_EXTENSION", "The file extension is restricted");
    }
  }
}

// What stands where a file is to go must go away itself, if that is wanted and allowed.
void check_replaceable(const Call& call, const Node& other, bool replace, int status) {
  if (!replace || other.folder)
    throw ApiError(status, "ERR_ENTITY_EXISTS", "Entity exists", "name");
  call.need(other, call.settings.replace_keeps_id ? "version_create" : "file_delete");
  call.check_lock(other, status);
}

NewContent content_of(const Node& file) {
  NewContent content;
  content.blob = file.current().blob;
  content.client_created = file.current().client_created;
  content.client_modified = file.current().client_modified;
  return content;
}

Response change(Call& call) {
  Node& file = call.file(call.param(0));
  const json body = call.body();
  call.need(file, "properties_edit");
  if (!file.lock_user_id.empty() && file.lock_user_id != call.user.id) {
    throw ApiError(422, "ERR_ENTITY_LOCKED", "The file is locked");
  }
  const auto name = Call::text(body, "name");
  if (name && *name != file.name) {
    call.need(file, "rename");
    call.check_name(*name);
    check_extension(call, *name);
    Node* other = call.state.tree.child(*file.parent, *name);
    if (other != nullptr && other != &file) {
      check_replaceable(call, *other, Call::truth(body, "replace"), 422);
      if (call.settings.replace_keeps_id) {
        add_version(call.state, call.user, *other, content_of(file));
        delete_node(call.state, call.user, file);
        return call.reply(200, call.wire().file(*other));
      }
      delete_node(call.state, call.user, *other);
    }
    rename_node(call.state, call.user, file, *name);
  }
  return call.reply(200, call.wire().file(file));
}

Node& file_target(Call& call, const json& body) {
  const auto id = Call::text(body, "destinationFolderId");
  if (!id)
    throw ApiError(422, "ERR_INPUT_REQUIRED", "destinationFolderId is required",
                   "destinationFolderId");
  Node& target = call.destination(*id);
  if (&target == &call.state.tree.root()) {
    throw ApiError(403, "ERR_ENTITY_IS_BASE_DIR", "Files cannot be put into the base folder");
  }
  return target;
}

Response move(Call& call) {
  const json body = call.body();
  Node& target = file_target(call, body);
  const bool replace = Call::truth(body, "replace");
  const auto check = [&](const std::string& id) -> Node& {
    Node& file = call.file(id);
    call.need(file, "file_move");
    call.need(target, "file_add");
    call.check_lock(file);
    call.check_scan(file, file.current());
    Node* other = call.state.tree.child(target, file.name);
    if (other != nullptr && other != &file) check_replaceable(call, *other, replace, 409);
    return file;
  };
  std::vector<Node*> results;
  const auto apply = [&](Node& file) {
    Node* other = call.state.tree.child(target, file.name);
    if (other == &file) {
      results.push_back(&file);
      return;
    }
    if (other != nullptr && call.settings.replace_keeps_id) {
      add_version(call.state, call.user, *other, content_of(file));
      delete_node(call.state, call.user, file);
      results.push_back(other);
      return;
    }
    if (other != nullptr) delete_node(call.state, call.user, *other);
    move_node(call.state, call.user, file, target);
    results.push_back(&file);
  };
  BulkResult result = run_bulk(call, call.ids(body, "ids"), check, apply);
  result.done = results;
  if (result.partial()) return call.reply(207, result.json_of(call));
  if (results.size() == 1) return call.created(201, *results.front());
  return call.reply(201, result.json_of(call));
}

Response copy(Call& call) {
  const json body = call.body();
  Node& target = file_target(call, body);
  const bool replace = Call::truth(body, "replace");
  const auto new_name = Call::text(body, "newFileName");
  const std::vector<std::string> ids = call.ids(body, "ids");
  if (new_name && ids.size() != 1) {
    throw ApiError(422, "ERR_INVALID_PARAMETER", "newFileName is for one file", "newFileName");
  }
  if (new_name) {
    call.check_name(*new_name, "newFileName");
    check_extension(call, *new_name);
  }
  const auto check = [&](const std::string& id) -> Node& {
    Node& file = call.file(id);
    call.need(file, "file_copy");
    call.need(file, "download");
    call.need(target, "file_add");
    call.check_scan(file, file.current());
    call.check_quota(target, file.current().blob->size());
    Node* other = call.state.tree.child(target, new_name.value_or(file.name));
    if (replace && other != nullptr && other != &file) check_replaceable(call, *other, true, 409);
    return file;
  };
  std::vector<Node*> results;
  const auto apply = [&](Node& file) {
    std::string name = new_name.value_or(file.name);
    Node* other = call.state.tree.child(target, name);
    if (other != nullptr && (!replace || other == &file)) {
      name = free_name(call.state, target, name);
    } else if (other != nullptr && call.settings.replace_keeps_id) {
      add_version(call.state, call.user, *other, content_of(file));
      results.push_back(other);
      return;
    } else if (other != nullptr) {
      delete_node(call.state, call.user, *other);
    }
    results.push_back(&create_file(call.state, call.user, target, name, content_of(file)));
  };
  BulkResult result = run_bulk(call, ids, check, apply);
  result.done = results;
  if (result.partial()) return call.reply(207, result.json_of(call));
  if (results.size() == 1) return call.created(201, *results.front());
  return call.reply(201, result.json_of(call));
}

Node& check_delete(Call& call, const std::string& id) {
  Node& file = call.file(id);
  call.need(file, "file_delete");
  call.check_lock(file);
  return file;
}

Node& check_recover(Call& call, const std::string& id) {
  Node& file = call.file(id, true);
  if (!file.deleted) throw ApiError(403, "ERR_ENTITY_NOT_DELETED", "The file is not deleted");
  call.need(file, "file_recover");
  if (Tree::is_deleted(*file.parent))
    throw ApiError(403, "ERR_ENTITY_DELETED", "The parent folder is deleted");
  if (call.state.tree.child(*file.parent, file.name) != nullptr) {
    throw ApiError(409, "ERR_ENTITY_EXISTS", "Entity exists");
  }
  return file;
}

Node& check_purge(Call& call, const std::string& id) {
  Node& file = call.file(id, true);
  if (!file.deleted) throw ApiError(403, "ERR_ENTITY_NOT_DELETED", "The file is not deleted");
  call.need(file, "file_permanent_delete");
  if (!file.lock_user_id.empty()) throw ApiError(403, "ERR_ENTITY_LOCKED", "The file is locked");
  return file;
}

using Check = Node& (*)(Call&, const std::string&);
using Change = void (*)(State&, const User&, Node&);

BulkResult apply_to(Call& call, Check check, Change apply) {
  const std::vector<std::string> ids = call.request.params.empty()
                                           ? call.ids(json::object(), "id:in")
                                           : std::vector<std::string>{call.param(0)};
  return run_bulk(
      call, ids, [&](const std::string& id) -> Node& { return check(call, id); },
      [&](Node& file) { apply(call.state, call.user, file); });
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

void add_file_routes(Api& api) {
  api.route("PUT", "/rest/files/{id}", change);
  api.route("POST", "/rest/files/actions/move", move);
  api.route("POST", "/rest/files/actions/copy", copy);
  api.route("DELETE", "/rest/files/{id}", remove);
  api.route("DELETE", "/rest/files", remove);
  api.route("PATCH", "/rest/files/{id}/actions/recover", recover);
  api.route("PATCH", "/rest/files/actions/recover", recover);
  api.route("DELETE", "/rest/files/{id}/actions/permanent", purge);
  api.route("DELETE", "/rest/files/actions/permanent", purge);
}

}  // namespace cabinetfs::sandbox::kiteworks
