#include "tools/sandbox/kiteworks/ops.h"

#include <fmt/format.h>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/names.h"
#include "tools/sandbox/kiteworks/state.h"

namespace cabinetfs::sandbox::kiteworks {
namespace {

constexpr std::size_t kActivityLength = 200'000;

void touch(State& state, const User& actor, Node& node) {
  node.modified = now_ms();
  node.modifier_id = actor.id;
  if (state.settings.get()->touch_parent && node.parent != nullptr) {
    node.parent->modified = node.modified;
  }
}

Version make_version(State& state, const User& actor, const Node& file, const std::string& name,
                     NewContent content) {
  Version version;
  version.id = state.new_id();
  version.name = name;
  version.mime = mime_of(name);
  version.user_id = actor.id;
  version.note = std::move(content.note);
  version.blob = std::move(content.blob);
  version.created = version.stored = now_ms();
  version.client_created = content.client_created;
  version.client_modified = content.client_modified;
  version.charged_to = payer_of(state, file, actor).id;
  state.used[version.charged_to] += version.blob->size();
  return version;
}

void uncharge(State& state, const Node& node) {
  for (const Version& version : node.versions)
    state.used[version.charged_to] -= version.blob->size();
  for (const auto* list : {&node.folders, &node.files, &node.trash}) {
    for (const Node* child : *list) uncharge(state, *child);
  }
}

const char* by_kind(const Node& node, const char* folder_event, const char* file_event) {
  return node.folder ? folder_event : file_event;
}

}  // namespace

const User& payer_of(const State& state, const Node& node, const User& actor) {
  for (const Node* at = &node; at != nullptr; at = at->parent) {
    for (const auto& [user_id, role] : at->members) {
      if (role == Role::kOwner) {
        const User* owner = state.find_user(user_id);
        if (owner != nullptr) return *owner;
      }
    }
  }
  return actor;
}

void record(State& state, const User& actor, const char* event, const Node& node,
            std::string message) {
  Activity activity;
  // Ids of a real log have gaps, since other users' events are numbered in the same row.
  state.last_activity_id += 1 + static_cast<std::int64_t>(state.random() % 3);
  activity.id = state.last_activity_id;
  activity.created = now_ms();
  activity.event = event;
  activity.message = message.empty() ? fmt::format("{}: {}", event, node.name) : std::move(message);
  activity.user_id = actor.id;
  activity.node_id = node.id;
  activity.node_name = node.name;
  activity.node_path = state.tree.path_of(actor, node);
  activity.folder = node.folder;
  if (!node.folder && !node.versions.empty()) {
    activity.size = node.current().blob->size();
    activity.version_id = node.current().id;
  }
  for (const Node* at = node.parent; at != nullptr; at = at->parent)
    activity.ancestors.push_back(at->id);
  state.activities.push_back(std::move(activity));
  if (state.activities.size() > kActivityLength) state.activities.pop_front();
}

Node& create_folder(State& state, const User& actor, Node& parent, const std::string& name) {
  auto node = std::make_unique<Node>();
  node->id = state.new_id();
  node->name = name;
  node->folder = true;
  node->creator_id = actor.id;
  Node& added = state.tree.add(std::move(node), parent);
  if (&parent == &state.tree.root()) state.tree.set_member(added, actor.id, Role::kOwner);
  touch(state, actor, added);
  added.created = added.modified;
  record(state, actor, "add_folder", added);
  return added;
}

Node& create_file(State& state, const User& actor, Node& parent, const std::string& name,
                  NewContent content) {
  auto node = std::make_unique<Node>();
  node->id = state.new_id();
  node->name = name;
  node->creator_id = actor.id;
  node->parent = &parent;
  node->versions.push_back(make_version(state, actor, *node, name, std::move(content)));
  Node& added = state.tree.add(std::move(node), parent);
  touch(state, actor, added);
  added.created = added.modified;
  record(state, actor, "add_file", added);
  return added;
}

void add_version(State& state, const User& actor, Node& file, NewContent content) {
  file.versions.push_back(make_version(state, actor, file, file.name, std::move(content)));
  touch(state, actor, file);
  record(state, actor, "add_file_version", file);
}

void rename_node(State& state, const User& actor, Node& node, const std::string& name) {
  const std::string before = node.name;
  state.tree.rename(node, name);
  if (!node.folder) {
    node.current().name = name;
    node.current().mime = mime_of(name);
  }
  touch(state, actor, node);
  record(state, actor, by_kind(node, "update_folder", "update_file"), node,
         fmt::format("renamed {} to {}", before, name));
}

void move_node(State& state, const User& actor, Node& node, Node& parent) {
  // Those who look at the old place learn of it as well as those who look at the new one.
  record(state, actor, by_kind(node, "move_folder", "move_file"), node);
  const bool was_top = node.parent == &state.tree.root();
  state.tree.move(node, parent, node.name);
  if (&parent == &state.tree.root()) {
    state.tree.set_member(node, actor.id, Role::kOwner);
  } else if (was_top) {
    const auto members = node.members;
    for (const auto& [user_id, role] : members) {
      if (role == Role::kOwner) state.tree.set_member(node, user_id, Role::kNone);
    }
  }
  touch(state, actor, node);
  record(state, actor, by_kind(node, "move_folder", "move_file"), node);
}

void delete_node(State& state, const User& actor, Node& node) {
  record(state, actor, by_kind(node, "delete_folder", "delete_file"), node);
  touch(state, actor, node);
  state.tree.trash(node);
}

void recover_node(State& state, const User& actor, Node& node) {
  state.tree.restore(node);
  touch(state, actor, node);
  record(state, actor, by_kind(node, "recover_folder", "recover_file"), node);
}

void purge_node(State& state, const User& actor, Node& node) {
  record(state, actor, by_kind(node, "permanent_delete_folder", "permanent_delete_file"), node);
  uncharge(state, node);
  state.tree.purge(node);
}

void promote_version(State& state, const User& actor, Node& file, std::size_t index) {
  Version promoted = std::move(file.versions[index]);
  file.versions.erase(file.versions.begin() + static_cast<std::ptrdiff_t>(index));
  file.versions.push_back(std::move(promoted));
  const std::string name = file.current().name;
  if (name != file.name) state.tree.rename(file, name);
  touch(state, actor, file);
  record(state, actor, "promote_file_version", file);
}

void delete_version(State& state, const User& actor, Node& file, std::size_t index) {
  const Version& version = file.versions[index];
  state.used[version.charged_to] -= version.blob->size();
  const bool current = index + 1 == file.versions.size();
  file.versions.erase(file.versions.begin() + static_cast<std::ptrdiff_t>(index));
  if (current) touch(state, actor, file);
  record(state, actor, "delete_file_version", file);
}

void set_lock(State& state, const User& actor, Node& file, bool locked) {
  file.lock_user_id = locked ? actor.id : std::string();
  if (locked) {
    state.tree.locked.insert(&file);
  } else {
    state.tree.locked.erase(&file);
  }
  record(state, actor, locked ? "lock_file" : "unlock_file", file);
}

void set_role(State& state, const User& actor, Node& node, const User& member, Role role) {
  const bool had = node.members.count(member.id) > 0;
  state.tree.set_member(node, member.id, role);
  const char* event = role == Role::kNone ? "delete_permission"
                      : had               ? "modify_permission"
                                          : "add_permission";
  record(state, actor, event, node, fmt::format("{}: {}", event, member.email));
}

std::string free_name(const State& state, const Node& parent, const std::string& name) {
  for (int number = 2;; ++number) {
    std::string candidate = numbered_name(name, number);
    if (state.tree.child(parent, candidate) == nullptr) return candidate;
  }
}

}  // namespace cabinetfs::sandbox::kiteworks
