#include "tools/sandbox/powerfolder/model.h"

#include <array>
#include <chrono>

#include "tools/sandbox/kiteworks/names.h"

namespace cabinetfs::sandbox::powerfolder {
namespace {

constexpr std::array<const char*, 5> kPermissionNames = {"NO_ACCESS", "READ", "READ_WRITE", "ADMIN",
                                                         "OWNER"};

}  // namespace

Millis now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

const char* permission_name(Permission permission) {
  return kPermissionNames.at(static_cast<std::size_t>(permission));
}

std::optional<Permission> permission_of_name(std::string_view name) {
  for (std::size_t i = 0; i < kPermissionNames.size(); ++i) {
    if (name == kPermissionNames[i]) return static_cast<Permission>(i);
  }
  return std::nullopt;
}

Permission Folder::of(const std::string& user_id) const {
  const auto found = members.find(user_id);
  return found == members.end() ? Permission::kNoAccess : found->second;
}

std::string Folder::owner() const {
  for (const auto& [user_id, permission] : members) {
    if (permission == Permission::kOwner) return user_id;
  }
  return {};
}

std::int64_t size_below(const Node& node) {
  std::int64_t sum = node.size();
  for (const auto& entry : node.children) sum += size_below(*entry.second);
  return sum;
}

bool is_below(const Node& node, const Node& dir) {
  for (const Node* at = &node; at != nullptr; at = at->parent) {
    if (at == &dir) return true;
  }
  return false;
}

Node& top_of(Node& node) {
  Node* at = &node;
  while (at->parent != nullptr) at = at->parent;
  return *at;
}

std::string path_of(const Node& node) {
  return node.parent == nullptr ? node.name : path_of(*node.parent) + "/" + node.name;
}

std::string fold(std::string_view name) { return kiteworks::fold_name(name); }

}  // namespace cabinetfs::sandbox::powerfolder
