// KiteworksStore: members, roles and the quota.

#include <fmt/format.h>

#include <algorithm>

#include "backend/kiteworks/client.h"
#include "backend/kiteworks/quirks.h"

namespace cabinetfs {

using namespace kiteworks;

namespace {

const char* type_of(NodeKind kind) { return kind == NodeKind::kFile ? "f" : "d"; }

bool same_person(const WireUser& user, const std::string& who) {
  return fold_name(user.email) == fold_name(who) || user.id == who ||
         (user.email.empty() && user.name == who);
}

// Role ids are numbers there; one that is not goes as text.
void add_role(JsonText& body, const std::string& role) { body.add_id("roleId", role, true); }

}  // namespace

Result<std::vector<WireRole>> KiteworksStore::need_roles(const CallContext& call, NodeKind kind) {
  const bool file = kind == NodeKind::kFile;
  {
    MutexLock lock(mutex_);
    const auto& known = file ? file_roles_ : folder_roles_;
    if (!known.empty()) return known;
  }
  ApiRequest request;
  request.path = "/rest/roles";
  request.query = {{"type", type_of(kind)}, {"limit", "100"}};
  request.label = "GET /rest/roles";
  TRY_ASSIGN(const HttpResponse response, api_.send(call, request));
  TRY_ASSIGN(WirePage<WireRole> page, parse_roles(response.body));
  std::vector<WireRole> roles;
  for (WireRole& role : page.items) {
    if (role.type.empty() || role.type == type_of(kind)) roles.push_back(std::move(role));
  }
  MutexLock lock(mutex_);
  (file ? file_roles_ : folder_roles_) = roles;
  return roles;
}

Result<std::string> KiteworksStore::role_id(const CallContext& call, NodeKind kind,
                                            AccessLevel level) {
  TRY_ASSIGN(const std::vector<WireRole> roles, need_roles(call, kind));
  const std::string_view wanted = role_name(level);
  for (const WireRole& role : roles) {
    if (!wanted.empty() && fold_name(role.name) == wanted) return role.id;
  }
  return fail(ErrorCode::kNotSupported,
              fmt::format("this server has no role for \"{}\" on a {}", to_string(level),
                          kind == NodeKind::kFile ? "file" : "folder"));
}

Result<std::vector<WireMember>> KiteworksStore::fetch_members(const CallContext& call,
                                                              NodeKind kind, const RemoteId& id) {
  std::vector<WireMember> all;
  const auto fetch = [&](std::uint64_t offset, std::uint64_t limit) -> Result<Page> {
    ApiRequest request;
    request.path = object_path(kind, id, "/members");
    request.query = {{"limit", std::to_string(limit)},
                     {"offset", std::to_string(offset)},
                     {"with", "(user,role)"}};
    request.label =
        kind == NodeKind::kFile ? "GET /rest/files/{id}/members" : "GET /rest/folders/{id}/members";
    request.about = "id=" + id.value;
    const auto response = api_.send(call, request);
    if (!response) return fail(explain(call, id, response.error()));
    TRY_ASSIGN(WirePage<WireMember> page, parse_members(response->body));
    Page keys;
    keys.total = page.total;
    for (WireMember& member : page.items) {
      keys.keys.push_back(member.user.id + "/" + member.user.label());
      all.push_back(std::move(member));
    }
    return keys;
  };
  PageMemory& paging = kind == NodeKind::kFile ? paging_.file_members : paging_.folder_members;
  TRY(collect_pages(paging, config_.page_limit, fetch, [&] { all.clear(); }));
  return all;
}

Result<std::vector<RemotePermission>> KiteworksStore::permissions(const CallContext& call,
                                                                  NodeKind kind,
                                                                  const RemoteId& id) {
  if (is_root(id)) return std::vector<RemotePermission>();
  TRY_ASSIGN(const std::vector<WireMember> members, fetch_members(call, kind, id));
  std::vector<RemotePermission> permissions;
  for (const WireMember& member : members) {
    const bool twice =
        std::any_of(permissions.begin(), permissions.end(),
                    [&](const RemotePermission& seen) { return seen.who == member.user.label(); });
    if (twice) continue;
    RemotePermission permission;
    permission.who = member.user.label();
    permission.vendor_word = member.role_name;
    if (permission.vendor_word.empty()) {
      TRY_ASSIGN(const std::vector<WireRole> roles, need_roles(call, kind));
      for (const WireRole& role : roles) {
        if (role.id == member.role_id) permission.vendor_word = role.name;
      }
    }
    permission.level = role_level(permission.vendor_word);
    permissions.push_back(std::move(permission));
  }
  return permissions;
}

Result<void> KiteworksStore::share(const CallContext& call, NodeKind kind, const RemoteId& id,
                                   const std::string& who, AccessLevel level) {
  if (is_root(id) || level == AccessLevel::kOwner) {
    return fail(ErrorCode::kNotPermitted, "share: the root, or a second owner");
  }
  if (level == AccessLevel::kNone || who.find('@') == std::string::npos) {
    return fail(ErrorCode::kInvalid, "share: a level and an e-mail address are needed");
  }
  TRY_ASSIGN(const std::string role, role_id(call, kind, level));
  const bool file = kind == NodeKind::kFile;
  ApiRequest request;
  request.method = "POST";
  request.path = file ? "/rest/files/members" : object_path(kind, id, "/members");
  request.query = {{"updateIfExists", "true"}};
  request.label = file ? "POST /rest/files/members" : "POST /rest/folders/{id}/members";
  request.about = "id=" + id.value;
  request.idempotent = false;
  JsonText body;
  body.add("emails", std::vector<std::string>{who}).add("notify", false);
  TRY_ASSIGN(const bool numeric, sent_as_number(call, id.value));
  if (file) body.add_ids("ids", {id.value}, numeric);
  add_role(body, role);
  TRY_ASSIGN(request.json, body.take());
  const auto response = api_.send(call, request);
  if (response) {
    if (response->status != 207) return {};
    const Result<WireBulk> bulk = parse_bulk(response->body);
    if (!bulk || bulk->failed.empty()) return {};
    const WireError& error = bulk->failed.front().error;
    return fail(error_code(error),
                fmt::format("share id={}: {} {}", id.value, error.code, error.message));
  }
  if (response.error().wire.code == "ERR_ENTITY_ROLE_IS_ASSIGNED") return {};
  if (response.error().code != ErrorCode::kExists) {
    return fail(explain(call, id, response.error()));
  }
  // A member already, and this server does not change roles that way.
  TRY_ASSIGN(const std::vector<WireMember> members, fetch_members(call, kind, id));
  for (const WireMember& member : members) {
    if (!same_person(member.user, who)) continue;
    ApiRequest change;
    change.method = "PUT";
    change.path = object_path(kind, id, path_of("/members/", member.user.id));
    change.label =
        file ? "PUT /rest/files/{id}/members/{id}" : "PUT /rest/folders/{id}/members/{id}";
    change.about = request.about;
    JsonText update;
    add_role(update, role);
    TRY_ASSIGN(change.json, update.add("notify", false).take());
    const auto changed = api_.send(call, change);
    if (changed || changed.error().wire.code == "ERR_ENTITY_ROLE_IS_ASSIGNED") return {};
    return fail(explain(call, id, changed.error()));
  }
  return fail(explain(call, id, response.error()));
}

Result<void> KiteworksStore::unshare(const CallContext& call, NodeKind kind, const RemoteId& id,
                                     const std::string& who) {
  if (is_root(id)) return fail(ErrorCode::kNotPermitted, "unshare: the root of the account");
  TRY_ASSIGN(const std::vector<WireMember> members, fetch_members(call, kind, id));
  for (const WireMember& member : members) {
    if (!same_person(member.user, who)) continue;
    ApiRequest request;
    request.method = "DELETE";
    request.path = object_path(kind, id, path_of("/members/", member.user.id));
    request.label = kind == NodeKind::kFile ? "DELETE /rest/files/{id}/members/{id}"
                                            : "DELETE /rest/folders/{id}/members/{id}";
    request.about = "id=" + id.value;
    const auto response = api_.send(call, request);
    if (response) return {};
    // A repeated request finds the member gone.
    const auto after = fetch_members(call, kind, id);
    const bool gone = after && std::none_of(after->begin(), after->end(), [&](const WireMember& m) {
                        return same_person(m.user, who);
                      });
    if (gone) return {};
    return fail(explain(call, id, response.error()));
  }
  return fail(ErrorCode::kNoData, fmt::format("unshare id={}: not a member", id.value));
}

Result<Quota> KiteworksStore::quota(const CallContext& call) {
  ApiRequest request;
  request.path = "/rest/users/me/quota";
  request.query = {{"filter", "folder"}};
  request.label = "GET /rest/users/me/quota";
  const auto response = api_.send(call, request);
  if (!response) {
    const ApiFailure& failure = response.error();
    // Accounts without a quota of their own.
    const bool none = failure.code == ErrorCode::kNotFound;
    return fail(none ? ErrorCode::kNotSupported : failure.code, failure.context);
  }
  TRY_ASSIGN(const WireQuota told, parse_quota(response->body));
  Quota quota;
  quota.used = told.used;
  if (told.allowed > 0) quota.total = static_cast<std::uint64_t>(told.allowed);
  return quota;
}

}  // namespace cabinetfs
