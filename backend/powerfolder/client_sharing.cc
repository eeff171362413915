// PowerFolderStore: members of top-level folders.

#include <fmt/format.h>

#include <algorithm>

#include "backend/powerfolder/client.h"
#include "backend/powerfolder/quirks.h"

namespace cabinetfs {

using namespace powerfolder;

namespace {

bool is_person(const WireMember& member, const std::string& who) {
  return (!member.username.empty() && fold_name(member.username) == fold_name(who)) ||
         (!member.id.empty() && member.id == who);
}

RemotePermission permission_from(const WireMember& member) {
  RemotePermission permission;
  permission.who = member.username.empty() ? member.id : member.username;
  permission.level = level_of(member.permission).value_or(AccessLevel::kNone);
  permission.vendor_word = member.permission;
  return permission;
}

}  // namespace

Result<FolderTable::Folder> PowerFolderStore::need_folder(const CallContext& call,
                                                          const RemoteId& id) {
  const std::string top = top_of(id);
  TRY_ASSIGN(auto folder, folders_.find(call, top));
  if (!folder) {
    // Or it does not show what is shared through a group.
    TRY(files_.stat(call, NodeKind::kFolder, RemoteId{has_all_folders() ? top : std::string()}));
    TRY_ASSIGN(folder, find_late(call, top));
  }
  if (!folder) {
    return fail(ErrorCode::kTryAgain,
                fmt::format("the folder service does not know \"{}\" (yet)", top));
  }
  if (folder->twin) {
    return fail(ErrorCode::kReadOnly,
                fmt::format("several folders of this account are called \"{}\"", top));
  }
  return *std::move(folder);
}

Result<FolderTable::Folder> PowerFolderStore::need_top(const CallContext& call, const RemoteId& id,
                                                       const char* what) {
  if (!is_top(id)) {
    return fail(ErrorCode::kNotPermitted,
                top_of(id).empty()
                    ? fmt::format("{}: the root of the account", what)
                    : fmt::format("{}: rights belong to the whole top-level folder \"{}\"; {} that",
                                  what, top_of(id), what));
  }
  return need_folder(call, id);
}

Result<std::vector<RemotePermission>> PowerFolderStore::permissions(const CallContext& call,
                                                                    NodeKind, const RemoteId& id) {
  std::vector<RemotePermission> out;
  if (top_of(id).empty()) return out;
  TRY_ASSIGN(const FolderTable::Folder folder, need_folder(call, id));
  TRY_ASSIGN(const std::vector<WireMember> members, api_.members(call, folder.id));
  for (const WireMember& member : members) {
    if (level_of(member.permission) == AccessLevel::kNone) continue;
    out.push_back(permission_from(member));
  }
  return out;
}

Result<RemotePermission> PowerFolderStore::permission_of(const CallContext& call, NodeKind,
                                                         const RemoteId& id,
                                                         const std::string& who) {
  if (!top_of(id).empty()) {
    TRY_ASSIGN(const FolderTable::Folder folder, need_folder(call, id));
    TRY_ASSIGN(const std::vector<WireMember> members, api_.members(call, folder.id));
    for (const WireMember& member : members) {
      if (is_person(member, who)) return permission_from(member);
    }
  }
  return fail(ErrorCode::kNoData, who + " is not a member of this folder");
}

Result<void> PowerFolderStore::share(const CallContext& call, NodeKind, const RemoteId& id,
                                     const std::string& who, AccessLevel level) {
  if (level == AccessLevel::kOwner) {
    // It would make the folder count against somebody else's quota.
    return fail(ErrorCode::kNotPermitted, "share: an owner is set in the web interface");
  }
  if (level == AccessLevel::kNone || who.empty()) {
    return fail(ErrorCode::kInvalid, "share: a person and a level are needed");
  }
  const std::string_view word = word_of(level);
  if (word.empty()) {
    return fail(ErrorCode::kNotSupported,
                fmt::format("share: there is no level \"{}\" here", to_string(level)));
  }
  TRY_ASSIGN(const FolderTable::Folder folder, need_top(call, id, "share"));
  TRY(api_.set_permission(call, folder.id, who, word));
  folders_.forget();
  return {};
}

Result<void> PowerFolderStore::unshare(const CallContext& call, NodeKind, const RemoteId& id,
                                       const std::string& who) {
  TRY_ASSIGN(const FolderTable::Folder folder, need_top(call, id, "unshare"));
  TRY_ASSIGN(const std::vector<WireMember> members, api_.members(call, folder.id));
  const auto member = std::find_if(members.begin(), members.end(),
                                   [&](const WireMember& one) { return is_person(one, who); });
  if (member == members.end() || level_of(member->permission) == AccessLevel::kNone) {
    return fail(ErrorCode::kNoData, who + " is not a member of this folder");
  }
  const std::string& name = member->username.empty() ? who : member->username;
  TRY(api_.set_permission(call, folder.id, name, word_of(AccessLevel::kNone)));
  folders_.forget();
  return {};
}

Result<void> PowerFolderStore::unshare_all(const CallContext& call, NodeKind, const RemoteId& id) {
  TRY_ASSIGN(const FolderTable::Folder folder, need_top(call, id, "unshare"));
  const Result<void> done = api_.remove_members(call, folder.id);
  folders_.forget();
  return done;
}

}  // namespace cabinetfs
