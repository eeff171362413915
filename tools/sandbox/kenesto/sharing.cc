#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/sandbox/kenesto/call.h"
#include "tools/sandbox/kenesto/shared.h"

// Sharing: ShareDocument (12), MultiSelectShare (13), ShareFolder (14),
// GetParticipantPermissionsForObject (24).

namespace cabinetfs::sandbox::kenesto {
namespace {

using nlohmann::json;

struct Entry {
  User* user = nullptr;
  bool for_update = false;
  Grant grant;
};

// A boolean, which one example of the page sends as text.
std::optional<bool> truth(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  if (found->is_boolean()) return found->get<bool>();
  const std::string text = found->is_string() ? fold_name(found->get<std::string>()) : "";
  if (text == "true") return true;
  if (text == "false") return false;
  throw Fault(400, fmt::format("{} is not a boolean", name));
}

Level level_of(const std::string& name) {
  if (name == "NONE") return Level::kNone;
  if (name == "VIEW_ONLY") return Level::kView;
  if (name == "ALLOW_DOWNLOAD") return Level::kDownload;
  if (name == "ALLOW_UPDATE_VERSIONS") return Level::kUpdate;
  throw Failure("Unknown PermissionTypeValue");
}

User& participant(Call& call, const std::string& email, const std::string& family) {
  User* user = call.state.find_user(email);
  const bool inside =
      user != nullptr && std::find(user->organizations.begin(), user->organizations.end(),
                                   call.organization_id) != user->organizations.end();
  if (family == "PARTICIPANT_USER") {
    if (!inside) throw Failure(fmt::format("{} is not a user of the organization", email));
  } else if (family == "EXTERNAL_USER") {
    if (inside) throw Failure(fmt::format("{} is a user of the organization", email));
    if (email.find('@') == std::string::npos) throw Failure("Not an e-mail address");
    if (user == nullptr) user = &call.state.add_user(email, email, random_hex(8), {});
  } else {
    throw Failure("Unknown FamilyCode");
  }
  return *user;
}

std::vector<Entry> entries(Call& call, const json& holder) {
  const auto found = holder.find("UsersPermissions");
  if (found == holder.end() || !found->is_array() || found->empty()) {
    throw Failure("UsersPermissions is required");
  }
  std::vector<Entry> out;
  for (const json& text : *found) {
    if (!text.is_object()) throw Fault(400, "UsersPermissions holds something else than objects");
    Entry entry;
    const auto for_update = truth(text, "ForUpdate");
    if (!for_update) throw Failure("ForUpdate is required");
    entry.for_update = *for_update;
    entry.grant.level = level_of(call.text(text, "PermissionTypeValue", true));
    const auto spaced = truth(text, "Allow Share");  // as the table of the page has it
    entry.grant.share = truth(text, "AllowShare").value_or(spaced.value_or(false));
    entry.grant.upload = truth(text, "AllowUpload").value_or(false);
    entry.user = &participant(call, call.text(text, "ParticipantUniqueID", true),
                              call.text(text, "FamilyCode", true));
    out.push_back(entry);
  }
  return out;
}

void check_share(const Call& call, const Node& node, const std::vector<Entry>& wanted) {
  const Rights rights = call.rights(node);
  call.need(rights.share && !node.is_root());
  for (const Entry& entry : wanted) {
    if (entry.user->id == node.owner_id) throw Failure("The owner's permissions cannot be changed");
    const Level own = rights.update     ? Level::kUpdate
                      : rights.download ? Level::kDownload
                                        : Level::kView;
    call.need(entry.grant.level <= own && (rights.upload || !entry.grant.upload || !node.folder));
    const bool known = node.grants.count(entry.user->id) > 0;
    if (call.settings.for_update == "strict" && known != entry.for_update) {
      throw Failure(known ? "There is a permission already" : "There is no permission to update");
    }
  }
}

void do_share(Call& call, Node& node, const std::vector<Entry>& wanted) {
  for (const Entry& entry : wanted) {
    Grant grant = entry.grant;
    grant.upload &= node.folder;
    if (grant.level == Level::kNone) grant = {};
    call.state.tree.set_grant(node, entry.user->id, grant);
  }
}

// The user id that the page marks as required, and the app leaves out.
void check_uid(const Call& call) {
  const auto uid = call.guid("uid");
  if (!uid && call.settings.require_uid) throw Failure("Parameter uid is required");
  if (uid && call.state.find_user(*uid) == nullptr) throw Failure("Unknown user");
}

json share_one(Call& call, const char* holder_name, bool folder) {
  const json holder = call.member(call.body(), holder_name);
  const std::string id = call.as_guid(call.text(holder, "ID", true));
  call.mutates(id);
  check_uid(call);
  Node& node = folder ? call.folder(id) : call.document(id);
  const auto wanted = entries(call, holder);
  check_share(call, node, wanted);
  do_share(call, node, wanted);
  return nullptr;
}

json share_many(Call& call) {
  const json holder = call.member(call.body(), "shareObject");
  const auto items = holder.find("Items");
  if (items == holder.end() || !items->is_array() || items->empty()) {
    throw Failure("Items is required");
  }
  std::vector<std::pair<std::string, bool>> objects;  // id, is it a folder
  std::string target;
  for (const json& item : *items) {
    if (!item.is_object()) throw Fault(400, "Items holds something else than objects");
    const std::string type = call.text(item, "Type", true);
    if (type != "Document" && type != "Folder") throw Failure("Unknown Type");
    objects.emplace_back(call.as_guid(call.text(item, "Id", true)), type == "Folder");
    target += (target.empty() ? "" : ",") + objects.back().first;
  }
  call.mutates(target);
  std::vector<Node*> nodes;
  for (const auto& object : objects) {
    nodes.push_back(object.second ? &call.folder(object.first) : &call.document(object.first));
  }
  const auto wanted = entries(call, holder);
  for (const Node* node : nodes) check_share(call, *node, wanted);
  for (Node* node : nodes) do_share(call, *node, wanted);
  return nullptr;
}

json permissions(Call& call) {
  const std::string family = call.need_arg("ofc");
  const std::string id = call.need_guid("oid");
  if (family != "GENERAL" && family != "BASE_FOLDER") throw Failure("Unknown family code");
  const Node& node = family == "GENERAL" ? call.document(id) : call.folder(id);
  const std::string who = call.need_arg("pid");
  const bool email = call.settings.participant_email && who.find('@') != std::string::npos;
  const User* user = call.state.find_user(email ? who : call.as_guid(who));
  if (user == nullptr) throw Failure("Unknown participant");
  const Rights rights = rights_of(*user, node);
  const auto word = [](bool value) { return value ? "True" : "False"; };
  return {{"ALLOW_OWNER", word(rights.owner)},
          {"ALLOW_VIEW", word(rights.view)},
          {"ALLOW_EDIT", word(rights.update)},
          {"ALLOW_SHARE_F", word(rights.share)},
          {"ALLOW_DELETE", word(rights.owner)},
          {"ALLOW_UPLOAD_F", word(node.folder && rights.upload)},
          {"ALLOW_VIEW_CONTENT_F", word(node.folder && rights.view)},
          {"ALLOW_DOWNLOAD", word(rights.download)},
          {"ALLOW_UPDATE_VERSIONS", word(rights.update)},
          {"SHARE_EXPDATE", rights.owner || !rights.view ? "" : "31/12/2099 00:00:00"}};
}

}  // namespace

void add_sharing_routes(Api& api) {
  api.route("POST", "ShareDocument", kFailed,
            [](Call& call) { return share_one(call, "asset", false); });
  api.route("POST", "ShareFolder", kFailed,
            [](Call& call) { return share_one(call, "folder", true); });
  api.route("POST", "MultiSelectShare", kFailed, share_many);
  api.route("GET", "GetParticipantPermissionsForObject", kUpper, permissions);
}

}  // namespace cabinetfs::sandbox::kenesto
