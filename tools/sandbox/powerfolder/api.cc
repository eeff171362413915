#include "tools/sandbox/powerfolder/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/sandbox/kiteworks/jwt.h"
#include "tools/sandbox/powerfolder/ops.h"

namespace cabinetfs::sandbox::powerfolder {
namespace {

using nlohmann::json;

Response reply(const json& body) {
  return Response::json_text(200, body.dump(-1, ' ', false, json::error_handler_t::replace));
}

Response list(const Call& call, json items) {
  json set = json::object();
  if (items.empty() && call.settings.empty_list == "204") {
    Response nothing;
    nothing.status = 204;
    return nothing;
  }
  if (items.size() == 1 && call.settings.single_item == "object") {
    set["Result"] = items.at(0);
  } else if (!items.empty() || call.settings.empty_list == "array") {
    set["Result"] = std::move(items);
  }
  return reply({{"ResultSet", set}});
}

std::string required(const Call& call, const char* name) {
  auto value = parameter(call.request, name);
  if (!value || value->empty()) throw HttpError(400, fmt::format("{} is missing", name));
  return *std::move(value);
}

Folder& folder_by_id(const Call& call, const std::string& id) {
  Folder* folder = call.state.find_folder(id);
  if (folder == nullptr || folder->api_from > now_ms()) throw HttpError(404, "No such folder");
  return *folder;
}

Folder& named_folder(const Call& call) {
  if (const auto id = parameter(call.request, "ID"); id && !id->empty()) {
    return folder_by_id(call, *id);
  }
  const std::string name = required(call, "name");
  for (const auto& folder : call.state.folders) {
    // With twins this is one of them, and nobody knows which.
    if (folder->name() == name && folder->of(call.user.id) > Permission::kNoAccess) return *folder;
  }
  throw HttpError(404, "No such folder");
}

std::string shown_name(const Folder& folder) {
  if (folder.old_name_until > now_ms()) return folder.old_name;
  return folder.display.empty() ? folder.name() : folder.display;
}

json folder_json(const Call& call, const Folder& folder) {
  return {{"name", shown_name(folder)},
          {"internalName", folder.old_name_until > now_ms() ? folder.old_name : folder.name()},
          {"folderID", folder.id},
          {"resourceURL", call.state.base_url + "/files/" + path_id(folder.id)}};
}

Response create(Call& call) {
  const std::string name = required(call, "name");
  check_name(call.settings, name, true);
  for (const char* key : {"path", "serverID"}) {
    if (parameter(call.request, key) && !call.user.admin) {
      throw HttpError(403, "Administrators only");
    }
  }
  const std::string id = parameter(call.request, "ID").value_or("");
  const auto answer = [&](const Folder& folder) {
    return reply({{"ID", folder.id}, {"message", "Successfully created folder " + name}});
  };
  if (!id.empty()) {
    if (Folder* known = call.state.find_folder(id)) {
      need(call, *known, Permission::kRead);
      return answer(*known);
    }
    auto& kept = call.state.kept;
    const auto found =
        std::find_if(kept.begin(), kept.end(), [&id](const auto& one) { return one->id == id; });
    Folder& folder = create_folder(call.state, call.user, name, id, View::kApi);
    if (found != kept.end()) {
      folder.root = std::move((*found)->root);
      folder.root->name = name;
      kept.erase(found);
    }
    return answer(folder);
  }
  if (call.settings.create_existing != "twin") {
    for (const auto& folder : call.state.folders) {
      if (folder->name() != name || folder->of(call.user.id) == Permission::kNoAccess) continue;
      if (call.settings.create_existing == "refuse") throw HttpError(409, "The folder exists");
      return answer(*folder);
    }
  }
  return answer(create_folder(call.state, call.user, name, {}, View::kApi));
}

std::size_t member_count(const Folder& folder) {
  return static_cast<std::size_t>(
      std::count_if(folder.members.begin(), folder.members.end(),
                    [](const auto& one) { return one.second > Permission::kNoAccess; }));
}

Response remove(Call& call) {
  Folder& folder = folder_by_id(call, required(call, "ID"));
  need(call, folder, Permission::kOwner);
  const json answer = {
      {"ID", folder.id},
      {"message", fmt::format("Successfully deleted folder {}. Removed {} members.",
                              shown_name(folder), member_count(folder))}};
  // Without the parameter the data goes too.
  const bool keep = parameter(call.request, "deleteData").value_or("1") == "0";
  delete_folder(call.state, folder, keep, View::kApi);
  return reply(answer);
}

Response set_permission(Call& call) {
  Folder& folder = named_folder(call);
  const auto permission = permission_of_name(required(call, "permission"));
  if (!permission) throw HttpError(400, "No such permission");
  need(call, folder, *permission == Permission::kOwner ? Permission::kOwner : Permission::kAdmin);
  const std::string name = required(call, "username");
  User* member = call.state.find_user(name);
  if (member == nullptr) {
    if (parameter(call.request, "createAccount").value_or("") != "1") {
      throw HttpError(404, "No such account");
    }
    member = &call.state.add_user(name, "");
  }
  if (*permission == Permission::kOwner) {
    // There is one owner; the one before stays an administrator.
    for (auto& entry : folder.members) {
      if (entry.second == Permission::kOwner) entry.second = Permission::kAdmin;
    }
  }
  if (*permission == Permission::kNoAccess) {
    folder.members.erase(member->id);
  } else {
    folder.members[member->id] = *permission;
  }
  return reply({{"message", fmt::format("Set new permission for {} on {} to {}", member->name,
                                        shown_name(folder), permission_name(*permission))},
                {"ID", folder.id}});
}

Response get_accounts(Call& call) {
  const Folder& folder = folder_by_id(call, required(call, "ID"));
  need(call, folder, call.settings.members_see_accounts ? Permission::kRead : Permission::kAdmin);
  json items = json::array();
  for (const auto& [user_id, permission] : folder.members) {
    const User* member = call.state.find_user(user_id);
    if (member == nullptr) continue;
    items.push_back({{"ID", member->id},
                     {call.settings.name_key, member->name},
                     {"permission", permission_name(permission)}});
  }
  return list(call, std::move(items));
}

Response remove_all_accounts(Call& call) {
  Folder& folder = folder_by_id(call, required(call, "ID"));
  need(call, folder, Permission::kAdmin);
  const std::size_t count = member_count(folder);
  folder.members.clear();
  return reply({{"message", fmt::format("Revoked all permissions for {} users on folder {}", count,
                                        shown_name(folder))},
                {"ID", folder.id}});
}

Response get_all(Call& call) {
  json items = json::array();
  const Millis now = now_ms();
  for (const auto& folder : call.state.folders) {
    if (folder->of(call.user.id) == Permission::kNoAccess || folder->api_from > now) continue;
    items.push_back(folder_json(call, *folder));
  }
  for (const Ghost& ghost : call.state.ghosts) {
    if (ghost.in_dav || ghost.until <= now || ghost.users.count(call.user.id) == 0) continue;
    items.push_back({{"name", ghost.name},
                     {"internalName", ghost.name},
                     {"folderID", ghost.id},
                     {"resourceURL", call.state.base_url + "/files/" + path_id(ghost.id)}});
  }
  return list(call, std::move(items));
}

void count(Call& call, const std::string& service) {
  ++call.state.actions[fmt::format("{} {}.{}", call.request.method, service,
                                   parameter(call.request, "action").value_or(""))];
}

Folder& folder_in_path(const Call& call) {
  std::string text = call.request.segments.at(2);
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (text.size() % 4 != 0) text += '=';
  try {
    return folder_by_id(call, kiteworks::base64_decode(text));
  } catch (const std::invalid_argument&) {
    throw HttpError(404, "No such folder");
  }
}

// Null if there is nothing, or nothing yet.
const Node* file_below(const Call& call, Folder& folder) {
  const Node* at = folder.root.get();
  const auto& segments = call.request.segments;
  for (std::size_t i = 3; i < segments.size() && at != nullptr; ++i) {
    at = at->dir ? child_of(call.settings, *at, segments[i]) : nullptr;
  }
  return at;
}

bool known_to_api(const Call& call, const Node& node) {
  return node.created <= call.state.settled ||
         node.created + call.settings.api_delay_ms <= now_ms();
}

}  // namespace

std::string path_id(const std::string& id) {
  std::string text = kiteworks::base64_encode(id);
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (!text.empty() && text.back() == '=') text.pop_back();
  return text;
}

Response api_folders(Call& call) {
  static const std::map<std::string, Response (*)(Call&)> kActions = {
      {"create", create},
      {"delete", remove},
      {"setPermission", set_permission},
      {"getAccounts", get_accounts},
      {"removeAllAccounts", remove_all_accounts},
      {"getAll", get_all}};
  count(call, "folders");
  const auto found = kActions.find(required(call, "action"));
  if (found == kActions.end()) throw HttpError(400, "No such action");
  return found->second(call);
}

Response api_folder(Call& call) {
  count(call, "folder");
  Folder& folder = folder_in_path(call);
  const std::string action = required(call, "action");
  if (action == "getInfo" && call.settings.folder_info) {
    need(call, folder, Permission::kRead);
    return reply(folder_json(call, folder));
  }
  if (action != "createSubdir" || !call.settings.create_subdir) {
    throw HttpError(400, "No such action");
  }
  need(call, folder, Permission::kReadWrite);
  const std::string name = required(call, "dirName");
  check_name(call.settings, name, false);
  if (child_of(call.settings, *folder.root, name) != nullptr) {
    throw HttpError(409, "The directory exists");
  }
  add_dir(call.state, *folder.root, name);
  return reply({{"ID", folder.id}, {"message", "Successfully created directory " + name}});
}

Response api_files(Call& call) {
  if (!call.settings.files_api) throw HttpError(404, "Not found");
  count(call, "files");
  Folder& folder = folder_in_path(call);
  need(call, folder, Permission::kRead);
  const Node* node = file_below(call, folder);
  if (node == nullptr || (node->parent != nullptr && !known_to_api(call, *node))) {
    throw HttpError(404, "Not found");
  }
  const std::string action = required(call, "action");
  if (action == "exists") return reply({{"message", "exists"}});
  if (action != "getAll") throw HttpError(400, "No such action");
  json items = json::array();
  std::string base = call.state.base_url + "/files/" + path_id(folder.id);
  for (std::size_t i = 3; i < call.request.segments.size(); ++i) {
    base += "/" + percent_encode(call.request.segments[i]);
  }
  for (const auto& [name, child] : node->children) {
    if (!known_to_api(call, *child)) continue;
    items.push_back({{"fileName", name}, {"resourceURL", base + "/" + percent_encode(name)}});
  }
  return list(call, std::move(items));
}

Response api_accounts(Call& call) {
  count(call, "accounts");
  if (required(call, "action") != "getInfo") throw HttpError(400, "No such action");
  const User* user = &call.user;
  for (const char* key : {"username", "name"}) {
    const auto wanted = parameter(call.request, key);
    if (!wanted) continue;
    user = call.state.find_user(*wanted);
    if (user != &call.user && !call.user.admin) throw HttpError(403, "Administrators only");
    if (user == nullptr) throw HttpError(404, "No such account");
  }
  json account = {{"ID", user->id},
                  {call.settings.name_key, user->name},
                  {"spaceAllowed", user->quota},
                  {"spaceUsed", used_by(call.state, *user)}};
  if (call.settings.account_shape == "plain") return reply(account);
  return reply({{"ResultSet", {{"Result", json::array({account})}}}});
}

}  // namespace cabinetfs::sandbox::powerfolder
