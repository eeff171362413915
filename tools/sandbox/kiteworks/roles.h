#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cabinetfs::sandbox::kiteworks {

// Kiteworks role ids; the order of rights is by rank, not by id.
enum class Role {
  kNone = 0,
  kDownloader = 2,
  kCollaborator = 3,
  kManager = 4,
  kOwner = 5,
  kViewer = 6,
  kUploader = 7,
  kFileCollaborator = 8,
  kFileViewer = 9
};

struct RoleInfo {
  Role role;
  const char* name;
  int rank;
  char type;  // 'd' or 'f'
};

const std::vector<RoleInfo>& all_roles();
const RoleInfo* find_role(int id);
const RoleInfo* find_role(std::string_view name, char type);
bool outranks(Role a, Role b);

// The permission names that there are for an object of type 'd' or 'f', and whether a role has one.
const std::vector<std::string>& permission_names(char type);
bool role_allows(Role role, std::string_view permission);
// Stable number of a permission, as the API shows it.
int permission_id(std::string_view permission);

}  // namespace cabinetfs::sandbox::kiteworks
