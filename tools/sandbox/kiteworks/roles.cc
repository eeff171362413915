#include "tools/sandbox/kiteworks/roles.h"

#include <algorithm>
#include <map>
#include <set>

namespace cabinetfs::sandbox::kiteworks {
namespace {

const std::vector<std::string>& all_permissions() {
  static const std::vector<std::string> kAll = {"view",
                                                "download",
                                                "properties_view",
                                                "properties_edit",
                                                "rename",
                                                "file_add",
                                                "file_edit",
                                                "file_delete",
                                                "file_move",
                                                "file_copy",
                                                "file_recover",
                                                "file_permanent_delete",
                                                "folder_add",
                                                "folder_delete",
                                                "folder_move",
                                                "folder_copy",
                                                "folder_recover",
                                                "folder_permanent_delete",
                                                "version_view",
                                                "version_create",
                                                "version_promote",
                                                "version_delete",
                                                "lock",
                                                "unlock",
                                                "children_view_deleted",
                                                "user_view",
                                                "user_add",
                                                "user_edit",
                                                "user_remove",
                                                "comment_view",
                                                "comment_add",
                                                "task_view",
                                                "task_add",
                                                "sync_enable",
                                                "sync_disable"};
  return kAll;
}

// The public material names the roles but has no complete table of their rights; this one follows
// the product's user documentation where that is silent: collaborators work on files, managers also
// on folders and members.
const std::set<std::string, std::less<>>& rights_of(Role role) {
  using Set = std::set<std::string, std::less<>>;
  static const Set kNothing;
  static const Set kViewer = {"view", "properties_view", "version_view", "comment_view",
                              "task_view"};
  static const Set kUploader = {"properties_view", "file_add", "folder_add"};
  static const Set kDownloader = [] {
    Set set = kViewer;
    set.insert({"download", "user_view", "comment_add", "file_copy", "folder_copy", "sync_enable",
                "sync_disable"});
    return set;
  }();
  static const Set kCollaborator = [] {
    Set set = kDownloader;
    set.insert({"properties_edit", "rename", "file_add", "file_edit", "file_delete", "file_move",
                "file_recover", "folder_add", "version_create", "version_promote", "lock", "unlock",
                "task_add", "children_view_deleted"});
    return set;
  }();
  static const Set kAll(all_permissions().begin(), all_permissions().end());
  switch (role) {
    case Role::kNone:
      return kNothing;
    case Role::kViewer:
    case Role::kFileViewer:
      return kViewer;
    case Role::kUploader:
      return kUploader;
    case Role::kDownloader:
      return kDownloader;
    case Role::kCollaborator:
    case Role::kFileCollaborator:
      return kCollaborator;
    case Role::kManager:
    case Role::kOwner:
      return kAll;
  }
  return kNothing;
}

int rank_of(Role role) {
  const RoleInfo* info = find_role(static_cast<int>(role));
  return info == nullptr ? 0 : info->rank;
}

}  // namespace

const std::vector<RoleInfo>& all_roles() {
  static const std::vector<RoleInfo> kRoles = {
      {Role::kUploader, "Uploader", 5, 'd'},
      {Role::kViewer, "Viewer", 10, 'd'},
      {Role::kDownloader, "Downloader", 20, 'd'},
      {Role::kCollaborator, "Collaborator", 30, 'd'},
      {Role::kManager, "Manager", 40, 'd'},
      {Role::kOwner, "Owner", 50, 'd'},
      {Role::kFileViewer, "Viewer", 10, 'f'},
      {Role::kFileCollaborator, "Collaborator", 30, 'f'},
  };
  return kRoles;
}

const RoleInfo* find_role(int id) {
  for (const RoleInfo& info : all_roles()) {
    if (static_cast<int>(info.role) == id) return &info;
  }
  return nullptr;
}

const RoleInfo* find_role(std::string_view name, char type) {
  for (const RoleInfo& info : all_roles()) {
    if (info.name == name && info.type == type) return &info;
  }
  return nullptr;
}

bool outranks(Role a, Role b) { return rank_of(a) > rank_of(b); }

const std::vector<std::string>& permission_names(char type) {
  static const auto kSplit = [] {
    std::map<char, std::vector<std::string>> out;
    for (const std::string& name : all_permissions()) {
      const bool folder_only = name.rfind("folder_", 0) == 0 || name.rfind("sync_", 0) == 0 ||
                               name == "file_add" || name == "children_view_deleted";
      if (!folder_only) out['f'].push_back(name);
      // Folders list what holds for the files in them as well: a client asks once per folder.
      out['d'].push_back(name);
    }
    return out;
  }();
  return kSplit.at(type);
}

bool role_allows(Role role, std::string_view permission) {
  return rights_of(role).count(permission) > 0;
}

int permission_id(std::string_view permission) {
  const auto& all = all_permissions();
  return static_cast<int>(std::find(all.begin(), all.end(), permission) - all.begin()) + 1;
}

}  // namespace cabinetfs::sandbox::kiteworks
