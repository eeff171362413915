// FakeRemoteStore: what a test does behind the back of the code under test, and what it looks at.

#include <stdexcept>

#include "tests/support/fake_remote_state.h"

namespace cabinetfs {
namespace {

std::vector<std::string> parts_of(const std::string& path) {
  return path.empty() ? std::vector<std::string>() : split(path, '/');
}

// The test itself is wrong, or what it saw has changed meanwhile.
[[noreturn]] void impossible(const std::string& what) {
  throw std::logic_error("FakeRemoteStore: impossible request: " + what);
}

}  // namespace

FakeRemoteStore::Node* FakeRemoteStore::at_path_locked(const std::string& path) const {
  Node* node = find_locked(RemoteId{"root"});
  for (const std::string& part : parts_of(path)) {
    if (node != nullptr) node = child_locked(node->id, part);
  }
  return node;
}

FakeRemoteStore::Node& FakeRemoteStore::must_locked(const std::string& path) const {
  Node* const node = at_path_locked(path);
  if (node == nullptr) impossible("nothing at " + path);
  return *node;
}

std::string FakeRemoteStore::path_locked(const Node& node) const {
  std::string path = node.name;
  for (const Node* at = find_locked(node.parent); at != nullptr && !at->parent.empty();
       at = find_locked(at->parent)) {
    path = at->name + "/" + path;
  }
  return path;
}

FakeRemoteStore::Node& FakeRemoteStore::make_folders_locked(const std::vector<std::string>& parts,
                                                            const std::string& who) {
  Node* node = find_locked(RemoteId{"root"});
  for (const std::string& part : parts) {
    Node* child = child_locked(node->id, part);
    if (child == nullptr) {
      if (who == options_.other_user) keep_listing_locked(*node);
      child = &add_node_locked(NodeKind::kFolder, *node, part, who);
      note_locked(*child, who, "add_folder");
    }
    if (child->kind != NodeKind::kFolder) impossible("a file in the way: " + part);
    node = child;
  }
  return *node;
}

FakeRemoteStore::Node& FakeRemoteStore::write_path_locked(const std::string& path,
                                                          const std::string& content, bool twin,
                                                          const std::string& who) {
  std::vector<std::string> parts = parts_of(path);
  if (parts.empty()) impossible("a file without a name");
  const std::string name = parts.back();
  parts.pop_back();
  Node& folder = make_folders_locked(parts, who);
  Node* node = twin ? nullptr : child_locked(folder.id, name);
  const bool fresh = node == nullptr;
  if (who == options_.other_user) keep_listing_locked(folder);
  if (fresh) node = &add_node_locked(NodeKind::kFile, folder, name, who);
  if (node->kind != NodeKind::kFile) impossible("a folder in the way: " + path);
  add_version_locked(*node, content, WallTime(), who);
  note_locked(*node, who, fresh ? "add_file" : "add_file_version");
  return *node;
}

RemoteId FakeRemoteStore::write_file_as_other(const std::string& path, const std::string& content) {
  MutexLock lock(mutex_);
  return write_path_locked(path, content, false, options_.other_user).id;
}

RemoteId FakeRemoteStore::add_twin(const std::string& path, const std::string& content) {
  MutexLock lock(mutex_);
  return write_path_locked(path, content, true, options_.other_user).id;
}

RemoteId FakeRemoteStore::add_raw(const std::string& folder, const std::string& name,
                                  const std::string& content) {
  MutexLock lock(mutex_);
  Node& node = add_node_locked(NodeKind::kFile, must_locked(folder), name, options_.other_user);
  add_version_locked(node, content, WallTime(), options_.other_user);
  note_locked(node, options_.other_user, "add_file");
  return node.id;
}

RemoteId FakeRemoteStore::mkdir_as_other(const std::string& path) {
  MutexLock lock(mutex_);
  return make_folders_locked(parts_of(path), options_.other_user).id;
}

void FakeRemoteStore::rename_as_other(const std::string& path, const std::string& name) {
  MutexLock lock(mutex_);
  Node& node = must_locked(path);
  Node* const parent = find_locked(node.parent);
  if (parent == nullptr) impossible("renaming the root");
  const Node* const taken = child_locked(parent->id, name);
  if (taken != nullptr && taken != &node) impossible("the name is taken: " + name);
  keep_listing_locked(*parent);
  detach_locked(node);
  attach_locked(node, *parent, name);
  note_locked(node, options_.other_user, "rename", name);
}

void FakeRemoteStore::move_as_other(const std::string& path, const std::string& new_folder) {
  MutexLock lock(mutex_);
  Node& node = must_locked(path);
  Node& folder = must_locked(new_folder);
  if (folder.kind != NodeKind::kFolder) impossible("not a folder: " + new_folder);
  if (child_locked(folder.id, node.name) != nullptr) impossible("the name is taken: " + node.name);
  for (const Node* at = &folder; at != nullptr; at = find_locked(at->parent)) {
    if (at == &node) impossible("a folder into itself: " + path);
  }
  if (Node* const parent = find_locked(node.parent)) keep_listing_locked(*parent);
  keep_listing_locked(folder);
  note_locked(node, options_.other_user, "move_from");
  const std::string name = node.name;
  detach_locked(node);
  attach_locked(node, folder, name);
  note_locked(node, options_.other_user, "move");
}

void FakeRemoteStore::remove_as_other(const std::string& path) {
  MutexLock lock(mutex_);
  Node& node = must_locked(path);
  if (node.parent.empty()) impossible("removing the root");
  if (Node* const parent = find_locked(node.parent)) keep_listing_locked(*parent);
  delete_locked(node, options_.other_user);
}

void FakeRemoteStore::lock_as_other(const std::string& path) {
  MutexLock lock(mutex_);
  must_locked(path).lock_holder = options_.other_user;
}

void FakeRemoteStore::unlock_as_other(const std::string& path) {
  MutexLock lock(mutex_);
  must_locked(path).lock_holder.clear();
}

void FakeRemoteStore::hide_children(const std::string& path, bool hidden) {
  MutexLock lock(mutex_);
  Node& node = must_locked(path);
  node.old_listing.clear();
  node.old_listings = hidden ? 1'000'000 : 0;
}

void FakeRemoteStore::set_lock_to_write(const std::string& path, bool needed) {
  MutexLock lock(mutex_);
  must_locked(path).lock_to_write = needed;
}

std::string FakeRemoteStore::lock_holder(const std::string& path) const {
  MutexLock lock(mutex_);
  return must_locked(path).lock_holder;
}

std::vector<std::string> FakeRemoteStore::locked_by_us() const {
  MutexLock lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [id, node] : state_->nodes) {
    if (!node->deleted && node->lock_holder == options_.user) paths.push_back(path_locked(*node));
  }
  return paths;
}

void FakeRemoteStore::keep_listing_locked(Node& folder) {
  if (options_.listing_lag == 0 || folder.old_listings > 0) return;
  folder.old_listing.clear();
  for (const auto& [name, id] : folder.children)
    folder.old_listing.push_back(entry_locked(*find_locked(id)));
  folder.old_listings = options_.listing_lag;
}

void FakeRemoteStore::catch_up() {
  MutexLock lock(mutex_);
  for (const auto& [id, node] : state_->nodes) node->old_listings = 0;
}

void FakeRemoteStore::set_rights(const std::string& path, Rights rights) {
  MutexLock lock(mutex_);
  must_locked(path).rights = rights;
}

void FakeRemoteStore::set_scan(const std::string& path, ScanState state) {
  MutexLock lock(mutex_);
  must_locked(path).scan = state;
}

void FakeRemoteStore::set_system(const std::string& path) {
  MutexLock lock(mutex_);
  must_locked(path).system = true;
}

void FakeRemoteStore::set_quota(std::optional<std::uint64_t> total) {
  MutexLock lock(mutex_);
  state_->quota = total;
}

void FakeRemoteStore::publish_hashes() {
  MutexLock lock(mutex_);
  for (const auto& [id, node] : state_->nodes) {
    for (Version& version : node->versions) version.hashes = hashes_of(*version.content);
  }
}

void FakeRemoteStore::break_change_feed() {
  MutexLock lock(mutex_);
  state_->feed_broken = true;
}

void FakeRemoteStore::expire_uploads() {
  MutexLock lock(mutex_);
  state_->sessions.clear();
}

void FakeRemoteStore::set_latency(std::chrono::nanoseconds latency) {
  MutexLock lock(mutex_);
  state_->latency = latency;
}

void FakeRemoteStore::set_gate(const std::string& operation, Gate* gate) {
  MutexLock lock(mutex_);
  if (gate == nullptr) {
    state_->gates.erase(operation);
  } else {
    state_->gates[operation] = gate;
  }
}

RemoteId FakeRemoteStore::id_of(const std::string& path) const {
  MutexLock lock(mutex_);
  const Node* const node = at_path_locked(path);
  return node == nullptr ? RemoteId() : node->id;
}

std::optional<std::string> FakeRemoteStore::content(const std::string& path) const {
  MutexLock lock(mutex_);
  const Node* const node = at_path_locked(path);
  if (node == nullptr || node->kind != NodeKind::kFile) return std::nullopt;
  return *node->versions.back().content;
}

FakeRemoteStore::TreeEntry FakeRemoteStore::tree_entry_locked(const Node& node) const {
  TreeEntry entry;
  entry.id = node.id;
  entry.kind = node.kind;
  for (const Version& version : node.versions) entry.versions.push_back(*version.content);
  if (!node.versions.empty()) {
    entry.content = entry.versions.back();
    entry.modified = node.versions.back().modified;
  }
  return entry;
}

std::map<std::string, FakeRemoteStore::TreeEntry> FakeRemoteStore::dump() const {
  MutexLock lock(mutex_);
  std::map<std::string, TreeEntry> all;
  for (const auto& [id, node] : state_->nodes) {
    if (node->deleted || node->parent.empty()) continue;
    std::string path = path_locked(*node);
    if (all.count(path) != 0) path += "#" + id;
    all.emplace(std::move(path), tree_entry_locked(*node));
  }
  return all;
}

std::vector<std::pair<std::string, FakeRemoteStore::TreeEntry>> FakeRemoteStore::deleted() const {
  MutexLock lock(mutex_);
  std::vector<std::pair<std::string, TreeEntry>> all;
  for (const auto& [id, node] : state_->nodes) {
    if (node->deleted) all.emplace_back(node->path_when_deleted, tree_entry_locked(*node));
  }
  return all;
}

std::vector<Mail> FakeRemoteStore::mails() const {
  MutexLock lock(mutex_);
  return state_->mails;
}

std::size_t FakeRemoteStore::open_uploads() const {
  MutexLock lock(mutex_);
  return state_->sessions.size();
}

std::uint64_t FakeRemoteStore::calls(const std::string& operation) const {
  MutexLock lock(mutex_);
  const auto found = state_->calls.find(operation);
  return found == state_->calls.end() ? 0 : found->second;
}

std::uint64_t FakeRemoteStore::total_calls() const {
  MutexLock lock(mutex_);
  std::uint64_t total = 0;
  for (const auto& [operation, count] : state_->calls) total += count;
  return total;
}

void FakeRemoteStore::reset_calls() {
  MutexLock lock(mutex_);
  state_->calls.clear();
  state_->max_in_flight.clear();
  state_->log.clear();
  state_->bytes_read = state_->bytes_written = 0;
}

int FakeRemoteStore::max_in_flight(const std::string& operation) const {
  MutexLock lock(mutex_);
  const auto found = state_->max_in_flight.find(operation);
  return found == state_->max_in_flight.end() ? 0 : found->second;
}

int FakeRemoteStore::in_flight() const {
  MutexLock lock(mutex_);
  const auto found = state_->in_flight.find("");
  return found == state_->in_flight.end() ? 0 : found->second;
}

std::vector<std::string> FakeRemoteStore::log() const {
  MutexLock lock(mutex_);
  return state_->log;
}

std::uint64_t FakeRemoteStore::bytes_read() const {
  MutexLock lock(mutex_);
  return state_->bytes_read;
}

std::uint64_t FakeRemoteStore::bytes_written() const {
  MutexLock lock(mutex_);
  return state_->bytes_written;
}

}  // namespace cabinetfs
