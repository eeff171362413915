#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/ops.h"

// Roles, permissions, and who is a member of what.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

Node& shared_object(const Call& call, char type) {
  return type == 'd' ? call.folder(call.param(0)) : call.file(call.param(0));
}

Response roles(Call& call) {
  const std::string type = call.request.arg_or("type", "");
  json items = json::array();
  for (const RoleInfo& info : all_roles()) {
    if (type.empty() || type[0] == info.type) items.push_back(call.wire().role(info.role));
  }
  return call.reply(200, {{"data", items}});
}

Response one_role(Call& call) {
  const RoleInfo* info = find_role(std::atoi(call.param(0).c_str()));
  if (info == nullptr) call.missing();
  return call.reply(200, call.wire().role(info->role));
}

// Optionally only the permission of that name.
json permissions_of(const Call& call, const Node& node) {
  json all = call.wire().permissions(node);
  const auto name = call.request.arg("name");
  if (!name) return all;
  json some = json::array();
  for (json& entry : all) {
    if (entry.at("name") == *name) some.push_back(std::move(entry));
  }
  return some;
}

Response folder_permissions(Call& call) {
  return call.reply(200, {{"data", permissions_of(call, call.folder(call.param(0)))}});
}

Response file_permissions(Call& call) {
  return call.reply(200, {{"data", permissions_of(call, call.file(call.param(0)))}});
}

Response permissions_of_files(Call& call) {
  json items = json::array();
  for (const std::string& id : call.ids(json::object(), "id:in")) {
    items.push_back({{"fileId", id}, {"permissions", permissions_of(call, call.file(id))}});
  }
  return call.reply(200, {{"data", items}});
}

// Those who have a role here or from a folder above; the nearest counts.
std::vector<std::pair<std::string, Role>> members_of(const Node& node) {
  std::map<std::string, Role> found;
  for (const Node* at = &node; at != nullptr; at = at->parent) {
    for (const auto& member : at->members) found.insert(member);
  }
  return {found.begin(), found.end()};
}

Response list_members(Call& call, char type) {
  const Node& node = shared_object(call, type);
  call.need(node, "user_view");
  const Call::Page page = call.page();
  const auto members = members_of(node);
  json items = json::array();
  for (std::size_t i = page.offset; i < members.size() && items.size() < page.limit; ++i) {
    items.push_back(call.wire().member(node, members[i].first, members[i].second));
  }
  return call.list(items, members.size(), page);
}

Role role_from(const json& body, char type) {
  const auto id = Call::text(body, "roleId");
  const RoleInfo* info = id ? find_role(std::atoi(id->c_str())) : nullptr;
  if (info == nullptr || info->type != type) {
    throw ApiError(422, "ERR_INPUT_NOT_IN_LIST", "roleId is not valid", "roleId");
  }
  // There is one owner; ownership is not given by sharing.
  if (info->role == Role::kOwner)
    throw ApiError(403, "ERR_ACCESS_USER", "Insufficient access permissions");
  return info->role;
}

void check_shareable(const Call& call, const Node& node, const char* permission) {
  if (node.folder) call.check_not_system(node);
  call.need(node, permission);
}

std::vector<const User*> wanted_users(const Call& call, const json& body) {
  std::vector<const User*> out;
  for (const char* key : {"emails", "userIds"}) {
    if (!body.contains(key) || !body.at(key).is_array()) continue;
    for (const json& entry : body.at(key)) {
      const User* member =
          entry.is_string() ? call.state.find_user(entry.get<std::string>()) : nullptr;
      if (member == nullptr) throw ApiError(422, "ERR_INVALID_PARAMETER", "No such user", key);
      out.push_back(member);
    }
  }
  if (out.empty())
    throw ApiError(422, "ERR_INPUT_REQUIRED", "emails or userIds is required", "emails");
  return out;
}

Response add_members(Call& call, Node& node, const json& body) {
  check_shareable(call, node, "user_add");
  const Role role = role_from(body, node.type());
  const auto users = wanted_users(call, body);
  const bool update = call.request.flag("updateIfExists");
  for (const User* member : users) {
    const auto found = node.members.find(member->id);
    if (found == node.members.end()) continue;
    if (found->second == Role::kOwner)
      throw ApiError(403, "ERR_ENTITY_IS_OWNER", "The user is the owner");
    if (!update) throw ApiError(409, "ERR_ENTITY_ROLE_IS_ASSIGNED", "The user is a member already");
  }
  json items = json::array();
  for (const User* member : users) {
    set_role(call.state, call.user, node, *member, role);
    items.push_back(call.wire().member(node, member->id, role));
  }
  return call.reply(201, {{"data", items}});
}

Response add_file_members(Call& call) {
  const json body = call.body();
  json items = json::array();
  for (const std::string& id : call.ids(body, "fileIds")) {
    const Response one = add_members(call, call.file(id), body);
    const json added = json::parse(one.body);
    for (const json& item : added.at("data")) items.push_back(item);
  }
  return call.reply(201, {{"data", items}});
}

// The member that the path names, who must have got the role right here.
std::pair<const User*, Role> direct_member(const Call& call, const Node& node) {
  const User* member = call.state.find_user(call.param(1));
  const auto found = member == nullptr ? node.members.end() : node.members.find(member->id);
  if (found == node.members.end()) call.missing();
  return {member, found->second};
}

Response one_member(Call& call, char type) {
  const Node& node = shared_object(call, type);
  call.need(node, "user_view");
  for (const auto& [user_id, role] : members_of(node)) {
    if (user_id == call.param(1)) return call.reply(200, call.wire().member(node, user_id, role));
  }
  call.missing();
}

Response change_member(Call& call, char type) {
  Node& node = shared_object(call, type);
  check_shareable(call, node, "user_edit");
  const auto [member, before] = direct_member(call, node);
  if (before == Role::kOwner) throw ApiError(403, "ERR_ENTITY_IS_OWNER", "The user is the owner");
  const Role role = role_from(call.body(), type);
  set_role(call.state, call.user, node, *member, role);
  return call.reply(200, call.wire().member(node, member->id, role));
}

Response remove_member(Call& call, char type) {
  Node& node = shared_object(call, type);
  check_shareable(call, node, "user_remove");
  const auto [member, before] = direct_member(call, node);
  if (before == Role::kOwner) throw ApiError(403, "ERR_ENTITY_IS_OWNER", "The user is the owner");
  set_role(call.state, call.user, node, *member, Role::kNone);
  Response response;
  response.status = type == 'd' ? 204 : 200;
  return response;
}

Response leave(Call& call, char type) {
  Node& node = shared_object(call, type);
  const auto found = node.members.find(call.user.id);
  if (found == node.members.end()) call.missing();
  if (found->second == Role::kOwner)
    throw ApiError(403, "ERR_ENTITY_IS_OWNER", "The owner cannot leave");
  set_role(call.state, call.user, node, call.user, Role::kNone);
  Response response;
  response.status = type == 'd' ? 204 : 200;
  return response;
}

}  // namespace

void add_member_routes(Api& api) {
  api.route("GET", "/rest/roles", roles);
  api.route("GET", "/rest/roles/{id}", one_role);
  api.route("GET", "/rest/permissions/folder/{id}", folder_permissions);
  api.route("GET", "/rest/permissions/file/{id}", file_permissions);
  api.route("GET", "/rest/permissions/files", permissions_of_files);
  api.route("POST", "/rest/folders/{id}/members",
            [](Call& call) { return add_members(call, call.folder(call.param(0)), call.body()); });
  api.route("POST", "/rest/files/members", add_file_members);
  for (const char type : {'d', 'f'}) {
    const std::string base =
        type == 'd' ? "/rest/folders/{id}/members" : "/rest/files/{id}/members";
    const auto with_type = [type](Response (*run)(Call&, char)) {
      return [type, run](Call& call) { return run(call, type); };
    };
    api.route("GET", base.c_str(), with_type(list_members));
    api.route("GET", (base + "/{user}").c_str(), with_type(one_member));
    api.route("PUT", (base + "/{user}").c_str(), with_type(change_member));
    api.route("DELETE", (base + "/{user}").c_str(), with_type(remove_member));
    api.route("DELETE", (base + "/me").c_str(), with_type(leave));
  }
}

}  // namespace cabinetfs::sandbox::kiteworks
