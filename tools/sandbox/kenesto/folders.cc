#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/sandbox/kenesto/call.h"
#include "tools/sandbox/kenesto/ops.h"
#include "tools/sandbox/kenesto/wire.h"

// Folders: CreateFolder (1), DeleteFolder (2), RetrieveNumberOfDocuments (5, 19), EditFolder.

namespace cabinetfs::sandbox::kenesto {
namespace {

using nlohmann::json;

void refuse_duplicate(const Call& call, const Node& parent, const std::string& name,
                      const Node* self) {
  const Node* other = Tree::folder_named(parent, name, call.settings.case_sensitive);
  if (other != nullptr && other != self) {
    throw Failure(fmt::format("VAL10357: a folder with the name {} already exists", name));
  }
}

json create(Call& call) {
  const auto parent_id = call.guid("pid");
  call.mutates(parent_id.value_or("root") + "/" + call.arg("fn").value_or(""));
  Node& parent = call.folder(parent_id);
  call.need(call.rights(parent).upload);
  const std::string name = call.checked_name(call.need_arg("fn"));
  refuse_duplicate(call, parent, name, nullptr);
  Node& made = create_folder(call.state, call.user, parent, name, call.flag("iv"));
  made.description = call.arg("fd").value_or("");
  made.keyword = call.arg("fk").value_or("");
  return {{"Id", made.id},
          {"Name", made.name},
          {"Description", made.description},
          {"Keyword", made.keyword}};
}

// A document that somebody else has checked out, below the folder.
bool held_inside(const Call& call, const Node& folder) {
  for (const Node* document : folder.documents) {
    if (!document->holder_id.empty() && document->holder_id != call.user.id) return true;
  }
  for (const Node* child : folder.folders) {
    if (held_inside(call, *child)) return true;
  }
  return false;
}

json remove(Call& call) {
  const std::string id = call.need_guid("fid");
  call.mutates(id);
  Node& folder = call.folder(id);
  call.need(call.rights(folder).owner && !folder.is_root());
  const bool empty = folder.folders.empty() && folder.documents.empty();
  if (call.settings.delete_folder == "only_empty" && !empty && !call.flag("dc")) {
    throw Failure("The folder is not empty");
  }
  if (held_inside(call, folder)) throw Failure("The folder contains checked out documents");
  delete_folder(call.state, folder, call.settings);
  return nullptr;
}

json count(Call& call) {
  const Node& folder = call.folder(call.guid("fid"));
  const auto children = children_of(call.state, call.user, folder, false);
  const Wire wire(call.state, call.settings, call.user, call.organization_id, call.token);
  return {{"TotalDocuments", wire.count(children.size())}, {"FolderName", folder.name}};
}

// Renames, and makes the folder a vault or an ordinary one at the same time.
json edit(Call& call) {
  const std::string id = call.need_guid("fid");
  call.mutates(id);
  Node& folder = call.folder(id);
  const Rights rights = call.rights(folder);
  call.need(!folder.is_root() &&
            (rights.owner || (rights.update && call.settings.rename_by == "update")));
  const std::string name = call.checked_name(call.need_arg("fn"));
  refuse_duplicate(call, *folder.parent, name, &folder);
  rename_node(call.state, call.user, folder, name);
  folder.vault = call.flag("iv");
  return nullptr;
}

}  // namespace

void add_folder_routes(Api& api) {
  api.route("GET", "CreateFolder", kUpper, create);
  api.route("GET", "DeleteFolder", kFail, remove);
  api.route("GET", "RetrieveNumberOfDocuments", kFailed, count);
  api.undocumented("GET", "EditFolder", edit);
}

}  // namespace cabinetfs::sandbox::kenesto
