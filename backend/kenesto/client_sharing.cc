// KenestoStore: permissions.

#include <fmt/format.h>

#include <algorithm>

#include "backend/kenesto/client.h"
#include "backend/kenesto/quirks.h"

namespace cabinetfs {

using namespace kenesto;

namespace {

constexpr std::size_t kRememberedShares = 4096;

std::string domain_of(const std::string& address) {
  const std::size_t at = address.rfind('@');
  return at == std::string::npos ? std::string() : fold_name(address.substr(at + 1));
}

std::string share_key(const RemoteId& id, const std::string& who) {
  return id.value + " " + fold_name(who);
}

std::string permissions_json(const std::vector<std::string>& who, const std::string& own_domain,
                             bool external, bool update, bool upload, AccessLevel level) {
  std::string out = "[";
  for (const std::string& one : who) {
    if (out.size() > 1) out += ',';
    const bool outside = external && domain_of(one) != own_domain;
    out += fmt::format(
        "{{\"ParticipantUniqueID\":{},\"FamilyCode\":\"{}\",\"ForUpdate\":{},"
        "\"PermissionTypeValue\":\"{}\",\"AllowShare\":{},\"AllowUpload\":{}}}",
        json_text(one), outside ? "EXTERNAL_USER" : "PARTICIPANT_USER", update,
        permission_type(level), level == AccessLevel::kManage, upload);
  }
  return out += ']';
}

Result<void> check_share(const std::string& who, AccessLevel level) {
  if (level == AccessLevel::kOwner) {
    return fail(ErrorCode::kNotPermitted, "share: a second owner");
  }
  if (who.find('@') == std::string::npos || !is_valid_utf8(who)) {
    return fail(ErrorCode::kInvalid, "share: an e-mail address is needed");
  }
  return {};
}

AccessLevel level_of(const WireRights& rights, WallTime now) {
  if (rights.owner) return AccessLevel::kOwner;
  if (rights.until && *rights.until < now) return AccessLevel::kNone;
  if (rights.update) return rights.share ? AccessLevel::kManage : AccessLevel::kWrite;
  if (rights.download) return AccessLevel::kRead;
  return rights.view ? AccessLevel::kView : AccessLevel::kNone;
}

}  // namespace

ApiResult<WireEnvelope> KenestoStore::send_share(const CallContext& call,
                                                 const std::vector<RemoteObject>& objects,
                                                 const std::vector<std::string>& who,
                                                 AccessLevel level) {
  const KenestoUser user = session_.user();
  const std::string own_domain = domain_of(user.email.empty() ? config_.user : user.email);
  const bool outsiders = std::any_of(
      who.begin(), who.end(), [&](const std::string& one) { return domain_of(one) != own_domain; });
  bool known = false;
  {
    MutexLock lock(mutex_);
    known = shared_.count(share_key(objects.front().id, who.front())) != 0;
  }
  const bool folders = std::any_of(objects.begin(), objects.end(), [](const RemoteObject& object) {
    return object.kind == NodeKind::kFolder;
  });
  const bool upload = folders && (level == AccessLevel::kWrite || level == AccessLevel::kManage);

  ApiRequest request;
  request.mutates = true;
  const bool one = objects.size() == 1;
  const RemoteObject& first = objects.front();
  request.about = one ? "id=" + first.id.value : fmt::format("{} objects", objects.size());
  const bool file = first.kind == NodeKind::kFile;
  request.call = !one ? "MultiSelectShare" : file ? "ShareDocument" : "ShareFolder";

  // Whether somebody has a permission already and is a user of the company cannot be asked, so the
  // server is told one thing and, when it refuses, the other. Addresses of the own domain are never
  // taken for outsiders: a slip of the pen must not invite a stranger.
  struct Try {
    bool external, update;
  };
  std::vector<Try> tries;
  for (const bool external : {false, true}) {
    if (external && !outsiders) continue;
    if (level == AccessLevel::kNone || known) {
      tries.push_back({external, true});
      if (level != AccessLevel::kNone) tries.push_back({external, false});
    } else {
      tries.push_back({external, false});
      tries.push_back({external, true});
    }
  }
  for (std::size_t i = 0;; ++i) {
    const std::string users =
        permissions_json(who, own_domain, tries[i].external, tries[i].update, upload, level);
    if (one) {
      request.json = fmt::format("{{\"{}\":{{\"ID\":{},\"UsersPermissions\":{}}}}}",
                                 file ? "asset" : "folder", json_text(first.id.value), users);
    } else {
      std::string items;
      for (const RemoteObject& object : objects) {
        if (!items.empty()) items += ',';
        items += fmt::format("{{\"Id\":{},\"Type\":\"{}\"}}", json_text(object.id.value),
                             object.kind == NodeKind::kFile ? "Document" : "Folder");
      }
      request.json = fmt::format("{{\"shareObject\":{{\"UsersPermissions\":{},\"Items\":[{}]}}}}",
                                 users, items);
    }
    ApiResult<WireEnvelope> answer = api_.send(call, request);
    if (answer) {
      MutexLock lock(mutex_);
      if (shared_.size() > kRememberedShares) shared_.clear();
      for (const RemoteObject& object : objects) {
        for (const std::string& each : who) {
          if (level == AccessLevel::kNone) {
            shared_.erase(share_key(object.id, each));
          } else {
            shared_.insert(share_key(object.id, each));
          }
        }
      }
      return answer;
    }
    const ApiFailure& failed = answer.error();
    const bool final = !failed.told || failed.code == ErrorCode::kUnauthenticated ||
                       failed.code == ErrorCode::kUnavailable;
    if (final || i + 1 == tries.size()) return answer;
  }
}

Result<void> KenestoStore::share_one(const CallContext& call, NodeKind kind, const RemoteId& id,
                                     const std::string& who, AccessLevel level) {
  if (is_root(id)) return fail(ErrorCode::kNotPermitted, "share: the root of the account");
  TRY(check_share(who, level));
  const auto answer = send_share(call, {{kind, id}}, {who}, level);
  if (!answer) return fail(explain(call, kind, id, answer.error()));
  return {};
}

Result<void> KenestoStore::share(const CallContext& call, NodeKind kind, const RemoteId& id,
                                 const std::string& who, AccessLevel level) {
  if (level == AccessLevel::kNone) return fail(ErrorCode::kInvalid, "share: a level is needed");
  return share_one(call, kind, id, who, level);
}

Result<void> KenestoStore::unshare(const CallContext& call, NodeKind kind, const RemoteId& id,
                                   const std::string& who) {
  return share_one(call, kind, id, who, AccessLevel::kNone);
}

std::vector<Result<void>> KenestoStore::share_many(const CallContext& call,
                                                   const std::vector<RemoteObject>& objects,
                                                   const std::vector<std::string>& who,
                                                   AccessLevel level) {
  if (objects.empty() || who.empty()) return std::vector<Result<void>>(objects.size());
  Result<void> good;
  for (const std::string& one : who) {
    if (good) good = check_share(one, level);
  }
  for (const RemoteObject& object : objects) {
    if (good && is_root(object.id)) {
      good = fail(ErrorCode::kNotPermitted, "share: the root of the account");
    }
  }
  if (!good) return std::vector<Result<void>>(objects.size(), good);
  if (objects.size() > 1) {
    const auto answer = send_share(call, objects, who, level);
    if (answer) return std::vector<Result<void>>(objects.size());
    if (!answer.error().told) {
      return std::vector<Result<void>>(objects.size(),
                                       fail(static_cast<const Error&>(answer.error())));
    }
  }
  // Which of them it was is not told: one by one.
  std::vector<Result<void>> results;
  results.reserve(objects.size());
  for (const RemoteObject& object : objects) {
    const auto answer = send_share(call, {object}, who, level);
    if (answer) {
      results.emplace_back();
    } else {
      results.emplace_back(fail(explain(call, object.kind, object.id, answer.error())));
    }
  }
  return results;
}

Result<std::vector<RemotePermission>> KenestoStore::permissions(const CallContext& call,
                                                                NodeKind kind, const RemoteId& id) {
  if (is_root(id)) return std::vector<RemotePermission>();
  if (!has_object_info()) {
    return fail(ErrorCode::kNotSupported, "permissions: this vendor lists nobody's");
  }
  const Result<WireObjectInfo> info = fetch_object_info(call, kind, id);
  if (!info) {
    // The call says no such thing as "gone".
    TRY(fetch_item(call, kind, id));
    return fail(info.error());
  }
  WireRights rights;
  rights.owner = info->owned;
  rights.view = info->view;
  rights.download = info->download;
  rights.update = info->update;
  rights.share = info->share;
  RemotePermission own;
  own.level = level_of(rights, api_.server_time());
  const KenestoUser user = session_.user();
  own.who = user.email.empty() ? config_.user : user.email;
  own.vendor_word = rights.owner ? "OWNER" : std::string(permission_type(own.level));
  if (own.who.empty() || own.level == AccessLevel::kNone) return std::vector<RemotePermission>();
  return std::vector<RemotePermission>{std::move(own)};
}

Result<RemotePermission> KenestoStore::permission_of(const CallContext& call, NodeKind kind,
                                                     const RemoteId& id, const std::string& who) {
  const auto participant = parse_guid(who);
  if (!participant) {
    if (has_object_info()) return RemoteStore::permission_of(call, kind, id, who);
    return fail(ErrorCode::kNoData,
                "permission: the server tells it by the id of a participant only");
  }
  ApiRequest request;
  request.call = "GetParticipantPermissionsForObject";
  request.about = "id=" + id.value;
  request.query = {{"oid", id.value},
                   {"ofc", kind == NodeKind::kFile ? "GENERAL" : "BASE_FOLDER"},
                   {"pid", *participant}};
  const auto envelope = api_.send(call, request);
  if (!envelope) return fail(explain(call, kind, id, envelope.error()));
  TRY_ASSIGN(const WireRights rights, parse_participant(*envelope->data));
  RemotePermission out;
  out.who = who;
  out.level = level_of(rights, api_.server_time());
  if (out.level == AccessLevel::kNone) {
    return fail(ErrorCode::kNoData, "id=" + id.value + ": no permission of their own");
  }
  out.vendor_word = rights.owner ? "OWNER" : std::string(permission_type(out.level));
  return out;
}

}  // namespace cabinetfs
