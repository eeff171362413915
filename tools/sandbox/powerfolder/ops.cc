#include "tools/sandbox/powerfolder/ops.h"

#include <algorithm>
#include <utility>

#include "tools/sandbox/powerfolder/errors.h"
#include "tools/sandbox/powerfolder/state.h"

namespace cabinetfs::sandbox::powerfolder {
namespace {

void leave_ghost(State& state, const Folder& folder, View by) {
  const auto settings = state.settings.get();
  const std::int64_t delay = by == View::kDav   ? settings->api_delay_ms
                             : by == View::kApi ? settings->dav_delay_ms
                                                : 0;
  if (delay == 0) return;
  Ghost ghost;
  ghost.id = folder.id;
  ghost.name = folder.name();
  for (const auto& [user_id, permission] : folder.members) {
    if (permission != Permission::kNoAccess) ghost.users.insert(user_id);
  }
  ghost.in_dav = by == View::kApi;
  ghost.until = now_ms() + delay;
  state.ghosts.push_back(std::move(ghost));
}

void delay_views(const State& state, Folder& folder, View by) {
  const auto settings = state.settings.get();
  if (by == View::kDav) folder.api_from = now_ms() + settings->api_delay_ms;
  if (by == View::kApi) folder.dav_from = now_ms() + settings->dav_delay_ms;
}

std::unique_ptr<Folder> take_folder(std::vector<std::unique_ptr<Folder>>& from, const Folder& one) {
  const auto found = std::find_if(from.begin(), from.end(),
                                  [&one](const auto& folder) { return folder.get() == &one; });
  std::unique_ptr<Folder> taken = std::move(*found);
  from.erase(found);
  return taken;
}

std::unique_ptr<Node> detach(Node& node) {
  auto& siblings = node.parent->children;
  const auto found = siblings.find(node.name);
  std::unique_ptr<Node> taken = std::move(found->second);
  siblings.erase(found);
  taken->parent = nullptr;
  return taken;
}

void trim_versions(const Settings& settings, Node& file) {
  const auto most = static_cast<std::size_t>(settings.versions) + 1;  // and the current one
  while (file.versions.size() > most) file.versions.erase(file.versions.begin());
}

}  // namespace

Folder& create_folder(State& state, const User& owner, const std::string& name, std::string id,
                      View by) {
  auto folder = std::make_unique<Folder>();
  folder->id =
      id.empty() ? state.new_id(state.settings.get()->id_style == "bracketed") : std::move(id);
  folder->root = state.new_node(name, true);
  folder->members[owner.id] = Permission::kOwner;
  delay_views(state, *folder, by);
  state.folders.push_back(std::move(folder));
  return *state.folders.back();
}

void delete_folder(State& state, Folder& folder, bool keep_data, View by) {
  leave_ghost(state, folder, by);
  std::unique_ptr<Folder> taken = take_folder(state.folders, folder);
  if (!keep_data) return;
  taken->members.clear();
  state.kept.push_back(std::move(taken));
}

void rename_folder(State& state, Folder& folder, const std::string& name, View by) {
  const auto settings = state.settings.get();
  if (by == View::kDav && settings->api_delay_ms > 0) {
    folder.old_name = folder.name();
    folder.old_name_until = now_ms() + settings->api_delay_ms;
  }
  folder.root->name = name;
}

Folder& lift_to_top(State& state, const User& owner, Node& dir, const std::string& name) {
  Folder& folder = create_folder(state, owner, name, {}, View::kDav);
  folder.root = detach(dir);
  folder.root->name = name;
  return folder;
}

Node& sink_from_top(State& state, Folder& folder, Node& parent, const std::string& name) {
  leave_ghost(state, folder, View::kDav);
  std::unique_ptr<Node> node = std::move(take_folder(state.folders, folder)->root);
  node->name = name;
  Node& moved = *node;
  attach(std::move(node), parent);
  return moved;
}

Node* child_of(const Settings& settings, const Node& parent, std::string_view name) {
  const auto found = parent.children.find(name);
  if (found != parent.children.end()) return found->second.get();
  if (settings.case_sensitive) return nullptr;
  const std::string folded = fold(name);
  for (const auto& [other, node] : parent.children) {
    if (fold(other) == folded) return node.get();
  }
  return nullptr;
}

void attach(std::unique_ptr<Node> node, Node& parent) {
  node->parent = &parent;
  const std::string name = node->name;
  parent.children[name] = std::move(node);
}

Node& add_dir(State& state, Node& parent, const std::string& name) {
  auto node = state.new_node(name, true);
  Node& added = *node;
  attach(std::move(node), parent);
  return added;
}

Node& write_file(State& state, const User& user, Node& parent, const std::string& name,
                 std::shared_ptr<Blob> content) {
  const auto settings = state.settings.get();
  Node* file = child_of(*settings, parent, name);
  if (file == nullptr) {
    auto node = state.new_node(name, false);
    file = node.get();
    attach(std::move(node), parent);
  } else {
    ++file->revision;
    file->modified = now_ms();
  }
  file->versions.push_back({std::move(content), file->modified, user.id});
  trim_versions(*settings, *file);
  return *file;
}

void remove_node(Node& node) { detach(node); }

void move_node(Node& node, Node& parent, const std::string& name) {
  std::unique_ptr<Node> taken = detach(node);
  taken->name = name;
  attach(std::move(taken), parent);
}

std::unique_ptr<Node> copy_of(State& state, const User& user, const Node& node,
                              const std::string& name, bool deep) {
  auto copy = state.new_node(name, node.dir);
  if (!node.dir) {
    copy->versions.push_back({node.current().blob, copy->modified, user.id});
    return copy;
  }
  if (!deep) return copy;
  for (const auto& [child_name, child] : node.children) {
    attach(copy_of(state, user, *child, child_name, true), *copy);
  }
  return copy;
}

void check_name(const Settings& settings, std::string_view name, bool at_root) {
  bool good = !name.empty() && name.size() <= 255 && name != "." && name != "..";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    good = good && byte >= 0x20 && byte != 0x7f && c != '/';
    if (settings.names == "windows" &&
        std::string_view("\\:*?\"<>|").find(c) != std::string::npos) {
      good = false;
    }
  }
  if (settings.names == "windows" && good && (name.back() == '.' || name.back() == ' ')) {
    good = false;
  }
  if (at_root && (name.ends_with(".webdav") || name.ends_with(".crypto"))) good = false;
  if (!good) throw HttpError(403, "The name is not allowed");
}

std::int64_t used_by(const State& state, const User& user) {
  std::int64_t sum = 0;
  for (const auto& folder : state.folders) {
    if (folder->owner() == user.id) sum += size_below(*folder->root);
  }
  return sum;
}

void check_quota(const State& state, const Folder& folder, std::int64_t more) {
  const User* owner = state.find_user(folder.owner());
  if (owner == nullptr || owner->quota == 0) return;
  if (used_by(state, *owner) + more > owner->quota) {
    throw HttpError(static_cast<int>(state.settings.get()->quota_status), "The account is full",
                    "quota-not-exceeded");
  }
}

}  // namespace cabinetfs::sandbox::powerfolder
