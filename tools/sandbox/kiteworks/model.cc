#include "tools/sandbox/kiteworks/model.h"

#include <algorithm>
#include <chrono>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/names.h"

namespace cabinetfs::sandbox::kiteworks {
namespace {

bool name_before(const Node* node, const std::string& folded) { return node->folded < folded; }

std::vector<Node*>& siblings(Node& parent, const Node& node) {
  return node.folder ? parent.folders : parent.files;
}

Node* find_named(const std::vector<Node*>& nodes, const std::string& folded) {
  const auto found = std::lower_bound(nodes.begin(), nodes.end(), folded, name_before);
  return found != nodes.end() && (*found)->folded == folded ? *found : nullptr;
}

}  // namespace

Millis now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Tree::Tree() {
  auto root = std::make_unique<Node>();
  root->id.push_back('0');
  root->folder = true;
  root->special = Special::kRoot;
  root_ = root.get();
  nodes_.emplace(root->id, std::move(root));
}

Tree::~Tree() = default;

Node* Tree::find(std::string_view id) {
  const auto found = nodes_.find(std::string(id));
  return found == nodes_.end() ? nullptr : found->second.get();
}

Node* Tree::child(const Node& parent, std::string_view name) const {
  const std::string folded = fold_name(name);
  if (Node* folder = find_named(parent.folders, folded)) return folder;
  return find_named(parent.files, folded);
}

void Tree::link(Node& node) {
  auto& list = siblings(*node.parent, node);
  list.insert(std::lower_bound(list.begin(), list.end(), node.folded, name_before), &node);
}

void Tree::unlink(Node& node) {
  auto& list = siblings(*node.parent, node);
  // Top folders of several users may share a name, so the place is searched from the first of them.
  auto found = std::lower_bound(list.begin(), list.end(), node.folded, name_before);
  found = std::find(found, list.end(), &node);
  if (found != list.end()) list.erase(found);
}

Node& Tree::add(std::unique_ptr<Node> node, Node& parent) {
  Node& added = *node;
  added.parent = &parent;
  added.folded = fold_name(added.name);
  nodes_.emplace(added.id, std::move(node));
  link(added);
  if (!added.members.empty()) shared_.insert(&added);
  return added;
}

Node& Tree::add_unsorted(std::unique_ptr<Node> node, Node& parent) {
  Node& added = *node;
  added.parent = &parent;
  added.folded = fold_name(added.name);
  nodes_.emplace(added.id, std::move(node));
  if (added.deleted) {
    parent.trash.push_back(&added);
  } else {
    siblings(parent, added).push_back(&added);
  }
  if (!added.members.empty()) shared_.insert(&added);
  if (!added.lock_user_id.empty()) locked.insert(&added);
  return added;
}

void Tree::sort_children(Node& parent) {
  const auto by_name = [](const Node* a, const Node* b) { return a->folded < b->folded; };
  std::sort(parent.folders.begin(), parent.folders.end(), by_name);
  std::sort(parent.files.begin(), parent.files.end(), by_name);
}

void Tree::rename(Node& node, const std::string& name) {
  unlink(node);
  node.name = name;
  node.folded = fold_name(name);
  link(node);
}

void Tree::move(Node& node, Node& parent, const std::string& name) {
  unlink(node);
  node.parent = &parent;
  node.name = name;
  node.folded = fold_name(name);
  link(node);
}

void Tree::trash(Node& node) {
  unlink(node);
  node.deleted = true;
  node.parent->trash.push_back(&node);
}

void Tree::restore(Node& node) {
  auto& list = node.parent->trash;
  list.erase(std::find(list.begin(), list.end(), &node));
  node.deleted = false;
  link(node);
}

void Tree::purge(Node& node) {
  // From the back: the list below is then only ever shortened at its end.
  const auto drop_children = [this](const std::vector<Node*>& children) {
    while (!children.empty()) purge(*children.back());
  };
  drop_children(node.folders);
  drop_children(node.files);
  drop_children(node.trash);
  if (node.deleted) {
    auto& list = node.parent->trash;
    list.erase(std::find(list.begin(), list.end(), &node));
  } else {
    unlink(node);
  }
  shared_.erase(&node);
  locked.erase(&node);
  nodes_.erase(std::string(node.id));
}

bool Tree::is_deleted(const Node& node) {
  for (const Node* at = &node; at != nullptr; at = at->parent) {
    if (at->deleted) return true;
  }
  return false;
}

bool Tree::is_below(const Node& node, const Node& folder) {
  for (const Node* at = &node; at != nullptr; at = at->parent) {
    if (at == &folder) return true;
  }
  return false;
}

Role Tree::role(const User& user, const Node& node) const {
  Role best = Role::kNone;
  for (const Node* at = &node; at != nullptr; at = at->parent) {
    const auto found = at->members.find(user.id);
    if (found != at->members.end() && outranks(found->second, best)) best = found->second;
  }
  return best;
}

std::vector<Node*> Tree::top_of(const User& user, bool with_my_folder) {
  std::vector<Node*> out;
  for (Node* node : shared_) {
    if (!node->folder || node->special == Special::kMyDir) continue;
    if (node->special == Special::kSyncDir && !with_my_folder) continue;
    if (node->members.count(user.id) == 0) continue;
    // A shared folder inside a folder that is visible anyway is found there.
    if (role(user, *node->parent) != Role::kNone) continue;
    out.push_back(node);
  }
  std::sort(out.begin(), out.end(), [](const Node* a, const Node* b) {
    return a->folded != b->folded ? a->folded < b->folded : a->id < b->id;
  });
  return out;
}

std::vector<Node*> Tree::shared_files_of(const User& user) const {
  std::vector<Node*> out;
  for (Node* node : shared_) {
    if (!node->folder && node->members.count(user.id) > 0 && !is_deleted(*node) &&
        role(user, *node->parent) == Role::kNone) {
      out.push_back(node);
    }
  }
  std::sort(out.begin(), out.end(), [](const Node* a, const Node* b) {
    return a->folded != b->folded ? a->folded < b->folded : a->id < b->id;
  });
  return out;
}

std::vector<const Node*> Tree::chain_of(const User& user, const Node& node) const {
  std::vector<const Node*> out;
  for (const Node* at = &node; at != root_ && at != nullptr; at = at->parent) {
    out.push_back(at);
    if (at->parent == nullptr || role(user, *at->parent) == Role::kNone) break;
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::string Tree::path_of(const User& user, const Node& node) const {
  std::string out;
  for (const Node* at : chain_of(user, node)) {
    if (!out.empty()) out += '/';
    out += at->name;
  }
  return out;
}

void Tree::set_member(Node& node, const std::string& user_id, Role role) {
  if (role == Role::kNone) {
    node.members.erase(user_id);
  } else {
    node.members[user_id] = role;
  }
  if (node.members.empty()) {
    shared_.erase(&node);
  } else {
    shared_.insert(&node);
  }
}

}  // namespace cabinetfs::sandbox::kiteworks
