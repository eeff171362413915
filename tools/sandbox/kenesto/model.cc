#include "tools/sandbox/kenesto/model.h"

#include <algorithm>
#include <utility>

#include "tools/sandbox/kenesto/shared.h"

namespace cabinetfs::sandbox::kenesto {
namespace {

bool name_before(const Node* node, const std::string& folded) { return node->folded < folded; }

std::vector<Node*>& siblings(const Node& node) {
  return node.folder ? node.parent->folders : node.parent->documents;
}

// The nodes of that name, in the order of the list.
std::vector<Node*> named(const std::vector<Node*>& nodes, std::string_view name,
                         bool case_sensitive) {
  const std::string folded = fold_name(name);
  std::vector<Node*> out;
  for (auto at = std::lower_bound(nodes.begin(), nodes.end(), folded, name_before);
       at != nodes.end() && (*at)->folded == folded; ++at) {
    if (!case_sensitive || (*at)->name == name) out.push_back(*at);
  }
  return out;
}

}  // namespace

Node* Tree::find(std::string_view id) {
  const auto found = nodes_.find(std::string(id));
  return found == nodes_.end() ? nullptr : found->second.get();
}

Node* Tree::document_of(std::string_view version_id) {
  const auto found = by_version_.find(std::string(version_id));
  return found == by_version_.end() ? nullptr : found->second;
}

Node* Tree::folder_named(const Node& parent, std::string_view name, bool case_sensitive) {
  const auto found = named(parent.folders, name, case_sensitive);
  return found.empty() ? nullptr : found.front();
}

Node* Tree::document_named(const Node& parent, std::string_view name, bool case_sensitive) {
  const auto found = named(parent.documents, name, case_sensitive);
  if (found.empty()) return nullptr;
  return *std::max_element(found.begin(), found.end(), [](const Node* a, const Node* b) {
    return a->modified != b->modified ? a->modified < b->modified : a->id < b->id;
  });
}

void Tree::link(Node& node) {
  auto& list = siblings(node);
  list.insert(std::lower_bound(list.begin(), list.end(), node.folded, name_before), &node);
}

void Tree::unlink(Node& node) {
  auto& list = siblings(node);
  auto found = std::lower_bound(list.begin(), list.end(), node.folded, name_before);
  found = std::find(found, list.end(), &node);
  if (found != list.end()) list.erase(found);
}

Node& Tree::take(std::unique_ptr<Node> node, Node* parent) {
  Node& added = *node;
  added.parent = parent;
  added.folded = fold_name(added.name);
  nodes_.emplace(added.id, std::move(node));
  for (const Version& version : added.versions) by_version_[version.id] = &added;
  if (!added.grants.empty()) shared_.insert(&added);
  return added;
}

Node& Tree::add_root(std::unique_ptr<Node> root) { return take(std::move(root), nullptr); }

Node& Tree::add(std::unique_ptr<Node> node, Node& parent) {
  Node& added = take(std::move(node), &parent);
  link(added);
  return added;
}

Node& Tree::add_unsorted(std::unique_ptr<Node> node, Node& parent) {
  Node& added = take(std::move(node), &parent);
  siblings(added).push_back(&added);
  return added;
}

void Tree::sort_children(Node& parent) {
  const auto by_name = [](const Node* a, const Node* b) { return a->folded < b->folded; };
  std::stable_sort(parent.folders.begin(), parent.folders.end(), by_name);
  std::stable_sort(parent.documents.begin(), parent.documents.end(), by_name);
}

void Tree::rename(Node& node, const std::string& name) {
  unlink(node);
  node.name = name;
  node.folded = fold_name(name);
  link(node);
}

void Tree::add_version(Node& document, Version version, bool current) {
  by_version_[version.id] = &document;
  document.versions.push_back(std::move(version));
  if (current) document.current_index = document.versions.size() - 1;
}

void Tree::drop_versions(Node& document, std::size_t count) {
  for (std::size_t i = count; i < document.versions.size(); ++i) {
    by_version_.erase(document.versions[i].id);
  }
  document.versions.erase(document.versions.begin() + static_cast<std::ptrdiff_t>(count),
                          document.versions.end());
  document.current_index = std::min(document.current_index, count - 1);
}

void Tree::set_grant(Node& node, const std::string& user_id, const Grant& grant) {
  if (grant.level == Level::kNone && !grant.share && !grant.upload) {
    node.grants.erase(user_id);
  } else {
    node.grants[user_id] = grant;
  }
  if (node.grants.empty()) {
    shared_.erase(&node);
  } else {
    shared_.insert(&node);
  }
}

void Tree::archive(Node& document) {
  unlink(document);
  Node* root = document.parent;
  while (root->parent != nullptr) root = root->parent;
  document.parent = root;
  document.archived = true;
  document.holder_id.clear();
  archive_.push_back(&document);
}

void Tree::adopt_archived(std::unique_ptr<Node> document, Node& root) {
  archive_.push_back(&take(std::move(document), &root));
}

void Tree::purge(Node& node) {
  // From the back: the list below is then only ever shortened at its end.
  while (!node.folders.empty()) purge(*node.folders.back());
  while (!node.documents.empty()) purge(*node.documents.back());
  if (node.archived) {
    archive_.erase(std::find(archive_.begin(), archive_.end(), &node));
  } else {
    unlink(node);
  }
  for (const Version& version : node.versions) by_version_.erase(version.id);
  shared_.erase(&node);
  nodes_.erase(std::string(node.id));
}

const Node& Tree::root_of(const Node& node) {
  const Node* at = &node;
  while (at->parent != nullptr) at = at->parent;
  return *at;
}

bool Tree::is_below(const Node& node, const Node& folder) {
  for (const Node* at = &node; at != nullptr; at = at->parent) {
    if (at == &folder) return true;
  }
  return false;
}

std::string stem_of(std::string_view file_name) {
  return std::string(file_name.substr(0, file_name.rfind('.')));
}

std::string extension_of(std::string_view file_name) {
  const auto dot = file_name.rfind('.');
  // .NET takes a lone dot at the end for no extension.
  if (dot == std::string_view::npos || dot + 1 == file_name.size()) return {};
  return std::string(file_name.substr(dot));
}

}  // namespace cabinetfs::sandbox::kenesto
