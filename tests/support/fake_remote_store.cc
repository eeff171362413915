#include "tests/support/fake_remote_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "backend/base/text.h"
#include "tests/support/fake_remote_state.h"

namespace cabinetfs {
namespace {

constexpr const char* kRootId = "root";

tl::unexpected<Error> no_such(const char* operation, const RemoteId& id) {
  return fail(ErrorCode::kNotFound, fmt::format("{} id={}: no such object", operation, id.value));
}

}  // namespace

Capabilities FakeRemoteOptions::strict() {
  Capabilities all;
  all.vendor = "fake";
  all.names.case_sensitive = false;
  all.names.forbidden = "\\:*\"<>|";
  all.names.control_forbidden = true;
  all.names.leading_dot_forbidden = true;
  all.names.trailing_dot_forbidden = true;
  all.names.trailing_space_forbidden = true;
  all.copy = all.versions = all.promote = all.locks = all.permissions = all.quota = true;
  all.history = all.description = all.mail = all.change_feed = true;
  all.exclusive_create = all.mtime_at_upload = true;
  all.put_max = 64 * 1024;
  all.chunk_size = 16 * 1024;
  all.bulk_read_max = 50;
  all.bulk_remove_max = 50;
  return all;
}

Capabilities FakeRemoteOptions::like_kiteworks() {
  Capabilities all = strict();
  all.root_takes_files = false;
  return all;
}

Capabilities FakeRemoteOptions::bare() {
  Capabilities none;
  none.vendor = "fake";
  none.chunk_size = 16 * 1024;
  return none;
}

FakeRemoteOptions FakeRemoteOptions::path_ids() {
  FakeRemoteOptions options;
  Capabilities& able = options.capabilities;
  able.ids_follow_path = able.stream_put = able.conditional_write = true;
  able.versions = able.promote = able.change_feed = able.mtime_at_upload = false;
  able.names = NameRules();
  able.bulk_read_max = 0;
  able.bulk_remove_max = 1;
  return options;
}

FakeRemoteOptions FakeRemoteOptions::like_kenesto(bool renames, const std::string& vault) {
  FakeRemoteOptions options;
  Capabilities& able = options.capabilities;
  able.rename = renames;
  able.rename_changes_validator = true;
  able.move = able.copy = able.description = able.mail = able.change_feed = false;
  able.exclusive_create = able.mtime_at_upload = false;
  able.stream_put = true;
  able.names = NameRules();
  able.names.case_sensitive = false;
  able.names.forbidden = ";<>:\"\\|?*";
  able.names.trailing_dot_forbidden = able.names.trailing_space_forbidden = true;
  able.bulk_read_max = 0;
  able.bulk_remove_max = 1;
  options.hashes = false;
  options.vault = vault;
  return options;
}

FakeRemoteStore::Running::Running(FakeRemoteStore& store, std::string operation,
                                  const std::string& what)
    : store_(store), operation_(std::move(operation)), what_(what) {
  MutexLock lock(store_.mutex_);
  State& state = *store_.state_;
  ++state.calls[operation_];
  for (const std::string& name : {operation_, std::string()}) {
    state.max_in_flight[name] = std::max(state.max_in_flight[name], ++state.in_flight[name]);
  }
}

FakeRemoteStore::Running::~Running() {
  MutexLock lock(store_.mutex_);
  State& state = *store_.state_;
  --state.in_flight[operation_];
  --state.in_flight[""];
  state.log.push_back(operation_ + " " + what_);
}

Result<void> FakeRemoteStore::Running::arrive(const CallContext& call) {
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, operation_ + ": needs the network");
  if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, operation_ + ": cancelled");
  if (Clock::system().steady() >= call.deadline) {
    return fail(ErrorCode::kTimeout, operation_ + ": deadline passed");
  }
  Gate* gate = nullptr;
  std::chrono::nanoseconds latency{0};
  {
    MutexLock lock(store_.mutex_);
    latency = store_.state_->latency;
    for (const std::string& name : {operation_, std::string()}) {
      const auto found = store_.state_->gates.find(name);
      if (gate == nullptr && found != store_.state_->gates.end()) gate = found->second;
    }
  }
  if (gate != nullptr) TRY(gate->pass(call));
  return wait_in_call(call, latency);
}

FakeRemoteStore::FakeRemoteStore(const Files& files, const Options& options)
    : options_(options), state_(std::make_unique<State>(options.seed)) {
  MutexLock lock(mutex_);
  state_->quota = options_.quota;
  state_->latency = options_.latency;
  auto root = std::make_unique<Node>();
  root->id = RemoteId{kRootId};
  root->kind = NodeKind::kFolder;
  root->system = true;
  root->created = root->changed = now();
  root->rights = Rights::all();
  root->rights.remove(Right::kDelete).remove(Right::kRename).remove(Right::kShare);
  state_->nodes.emplace(kRootId, std::move(root));
  for (const auto& [path, content] : files) {
    if (!path.empty() && path.back() == '/') {
      make_folders_locked(split(path.substr(0, path.size() - 1), '/'), options_.user);
    } else {
      write_path_locked(path, content, false, options_.user);
    }
  }
  // What was there from the start is not news.
  state_->feed.clear();
}

FakeRemoteStore::~FakeRemoteStore() = default;

std::string FakeRemoteStore::fold(const std::string& name) const {
  return options_.capabilities.names.case_sensitive ? name : fold_name(name);
}

WallTime FakeRemoteStore::now() const { return stored_time(options_.clock->wall()); }

WallTime FakeRemoteStore::stored_time(WallTime time) const {
  if (!options_.whole_seconds) return time;
  return WallTime(std::chrono::floor<std::chrono::seconds>(time));
}

FakeRemoteStore::Node* FakeRemoteStore::find_locked(const RemoteId& id) const {
  const auto found = state_->nodes.find(id.value);
  return found == state_->nodes.end() || found->second->deleted ? nullptr : found->second.get();
}

Result<FakeRemoteStore::Node*> FakeRemoteStore::get_locked(const char* operation, NodeKind kind,
                                                           const RemoteId& id) const {
  Node* const node = find_locked(id);
  if (node == nullptr) return no_such(operation, id);
  if (node->kind != kind) {
    return fail(kind == NodeKind::kFile ? ErrorCode::kIsDirectory : ErrorCode::kNotDirectory,
                fmt::format("{} id={}: the wrong kind of object", operation, id.value));
  }
  return node;
}

Result<FakeRemoteStore::Node*> FakeRemoteStore::folder_locked(const char* operation,
                                                              const RemoteId& id,
                                                              Right right) const {
  TRY_ASSIGN(Node* const node, get_locked(operation, NodeKind::kFolder, id));
  if (!node->rights.has(right)) {
    return fail(ErrorCode::kDenied, fmt::format("{} id={}: no right", operation, id.value));
  }
  return node;
}

FakeRemoteStore::Node* FakeRemoteStore::child_locked(const RemoteId& folder,
                                                     const std::string& name) const {
  Node* const parent = find_locked(folder);
  if (parent == nullptr) return nullptr;
  const auto found = parent->children.find(fold(name));
  return found == parent->children.end() ? nullptr : find_locked(found->second);
}

RemoteEntry FakeRemoteStore::entry_locked(const Node& node) const {
  RemoteEntry entry;
  entry.id = node.id;
  entry.parent = node.parent;
  entry.name = node.name;
  entry.kind = node.kind;
  entry.created = node.created;
  entry.changed = node.changed;
  entry.modified = node.changed;
  entry.rights = node.rights;
  entry.system = node.system;
  entry.creator = node.creator;
  entry.modifier = node.modifier;
  entry.description = node.description;
  if (node.kind == NodeKind::kFile) {
    const Version& current = node.versions.back();
    entry.size = current.content->size();
    entry.modified = current.modified;
    entry.validator = current.validator;
    entry.hashes = current.hashes;
    entry.scan = node.scan;
    entry.version_count = static_cast<std::uint32_t>(node.versions.size());
    entry.mime = "application/octet-stream";
    if (options_.capabilities.locks) {
      entry.lock = node.lock_holder.empty()            ? LockState::kFree
                   : node.lock_holder == options_.user ? LockState::kHeldByUs
                                                       : LockState::kHeldByOther;
      entry.lock_holder = node.lock_holder;
      entry.lock_to_write = node.lock_to_write;
    }
  }
  return entry;
}

Result<void> FakeRemoteStore::check_name_locked(const Node& folder, const std::string& name,
                                                const RemoteId& self) const {
  const NameRules& rules = options_.capabilities.names;
  const auto refuse = [&](ErrorCode code, const char* why) {
    return fail(code, fmt::format("name in folder id={}: {}", folder.id.value, why));
  };
  if (name.empty() || name == "." || name == ".." || !is_valid_utf8(name)) {
    return refuse(ErrorCode::kInvalid, "not a name");
  }
  if (utf8_length(name) > rules.max_characters) {
    return refuse(ErrorCode::kNameTooLong, "too long");
  }
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '/' || c == '\0' || rules.forbidden.find(c) != std::string::npos ||
        (rules.control_forbidden && (byte < 0x20 || byte == 0x7f))) {
      return refuse(ErrorCode::kInvalid, "forbidden character");
    }
  }
  if ((rules.leading_dot_forbidden && name.front() == '.') ||
      (rules.trailing_dot_forbidden && name.back() == '.') ||
      (rules.leading_space_forbidden && name.front() == ' ') ||
      (rules.trailing_space_forbidden && name.back() == ' ')) {
    return refuse(ErrorCode::kInvalid, "forbidden first or last character");
  }
  const auto [first, last] = folder.children.equal_range(fold(name));
  for (auto it = first; it != last; ++it) {
    if (it->second != self) return refuse(ErrorCode::kExists, "the name is taken");
  }
  return {};
}

Result<void> FakeRemoteStore::check_change_locked(const char* operation, const Node& node,
                                                  Right right) const {
  if (node.system) {
    return fail(ErrorCode::kNotPermitted,
                fmt::format("{} id={}: system folder", operation, node.id.value));
  }
  if (!node.rights.has(right)) {
    return fail(ErrorCode::kDenied, fmt::format("{} id={}: no right", operation, node.id.value));
  }
  if (!node.lock_holder.empty() && node.lock_holder != options_.user) {
    return fail(ErrorCode::kBusy,
                fmt::format("{} id={}: locked by {}", operation, node.id.value, node.lock_holder));
  }
  return {};
}

FakeRemoteStore::Node& FakeRemoteStore::add_node_locked(NodeKind kind, Node& parent,
                                                        const std::string& name,
                                                        const std::string& who) {
  auto node = std::make_unique<Node>();
  node->id = RemoteId{fmt::format("{}{}", kind == NodeKind::kFile ? 'f' : 'd', state_->next_id++)};
  node->kind = kind;
  node->created = node->changed = now();
  node->creator = node->modifier = who;
  node->members[who] = AccessLevel::kOwner;
  Node& added = *node;
  state_->nodes.emplace(added.id.value, std::move(node));
  attach_locked(added, parent, name);
  const bool in_vault =
      !options_.vault.empty() && path_locked(added).starts_with(options_.vault + "/");
  added.lock_to_write = kind == NodeKind::kFile && (options_.lock_to_write || in_vault);
  return added;
}

void FakeRemoteStore::attach_locked(Node& node, Node& parent, const std::string& name) {
  node.name = name;
  node.parent = parent.id;
  if (options_.capabilities.ids_follow_path) rename_ids_locked(node);
  parent.children.emplace(fold(name), node.id);
}

void FakeRemoteStore::rename_ids_locked(Node& node) {
  auto held = state_->nodes.extract(node.id.value);
  // What is deleted leaves its place to others.
  node.id.value = node.deleted
                      ? fmt::format("deleted {} {}", state_->next_id++, node.path_when_deleted)
                      : node.parent.value + "/" + node.name;
  held.key() = node.id.value;
  if (!state_->nodes.insert(std::move(held)).inserted) {
    fmt::print(stderr, "FakeRemoteStore: two objects at {}\n", node.id.value);
    std::abort();
  }
  node.old_listings = 0;
  auto children = std::move(node.children);
  node.children.clear();
  for (const auto& [name, id] : children) {
    Node& child = *state_->nodes.at(id.value);
    child.parent = node.id;
    rename_ids_locked(child);
    node.children.emplace(name, child.id);
  }
}

RemoteId FakeRemoteStore::rebased(const RemoteId& id, const RemoteId& from, const RemoteId& to) {
  if (id == from) return to;
  if (!id.value.starts_with(from.value + "/")) return id;
  return RemoteId{to.value + id.value.substr(from.value.size())};
}

RemoteId FakeRemoteStore::top_locked(RemoteId folder) const {
  for (const Node* at = find_locked(folder); at != nullptr && at->id.value != kRootId;
       at = find_locked(at->parent)) {
    folder = at->id;
  }
  return folder;
}

void FakeRemoteStore::detach_locked(Node& node) {
  Node* const parent = find_locked(node.parent);
  if (parent == nullptr) return;
  const auto [first, last] = parent->children.equal_range(fold(node.name));
  for (auto it = first; it != last; ++it) {
    if (it->second != node.id) continue;
    parent->children.erase(it);
    return;
  }
}

void FakeRemoteStore::delete_locked(Node& node, const std::string& who) {
  const auto children = node.children;
  for (const auto& [name, id] : children) {
    if (Node* const child = find_locked(id)) delete_locked(*child, who);
  }
  note_locked(node, who, node.kind == NodeKind::kFile ? "delete_file" : "delete_folder");
  node.path_when_deleted = path_locked(node);
  detach_locked(node);
  for (const Version& version : node.versions) state_->used -= version.content->size();
  node.deleted = true;
  if (options_.capabilities.ids_follow_path) rename_ids_locked(node);
}

void FakeRemoteStore::note_locked(const Node& node, const std::string& who,
                                  const std::string& event, const std::string& detail) {
  if (Node* const folder = find_locked(node.parent); folder != nullptr && who == options_.user)
    folder->old_listings = 0;
  const auto found = state_->nodes.find(node.id.value);
  found->second->events.push_back({now(), who, event, detail});
  state_->feed.push_back({node.kind == NodeKind::kFile ? node.id : RemoteId(), node.parent});
}

Result<RemoteAccount> FakeRemoteStore::account(const CallContext& call) {
  Running running(*this, "account", "");
  TRY(running.arrive(call));
  return RemoteAccount{"u1", options_.user, "Fake User"};
}

Result<RemoteEntry> FakeRemoteStore::root(const CallContext& call) {
  Running running(*this, "root", "");
  TRY(running.arrive(call));
  MutexLock lock(mutex_);
  return entry_locked(*find_locked(RemoteId{kRootId}));
}

Result<std::vector<RemoteEntry>> FakeRemoteStore::list(const CallContext& call,
                                                       const RemoteId& folder) {
  Running running(*this, "list", folder.value);
  TRY(running.arrive(call));
  MutexLock lock(mutex_);
  TRY_ASSIGN(Node* const node, folder_locked("list", folder, Right::kList));
  std::vector<RemoteEntry> entries;
  if (node->old_listings > 0) {
    --node->old_listings;
    entries = node->old_listing;
  } else {
    entries.reserve(node->children.size());
    for (const auto& [name, id] : node->children) entries.push_back(entry_locked(*find_locked(id)));
  }
  std::shuffle(entries.begin(), entries.end(), state_->random);
  return entries;
}

Result<RemoteEntry> FakeRemoteStore::stat(const CallContext& call, NodeKind kind,
                                          const RemoteId& id) {
  Running running(*this, "stat", id.value);
  TRY(running.arrive(call));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const Node* const node, get_locked("stat", kind, id));
  return entry_locked(*node);
}

Result<std::optional<RemoteEntry>> FakeRemoteStore::find_child(const CallContext& call,
                                                               const RemoteId& folder,
                                                               const std::string& name) {
  Running running(*this, "find_child", name);
  TRY(running.arrive(call));
  MutexLock lock(mutex_);
  TRY(folder_locked("find_child", folder, Right::kList));
  const Node* const child = child_locked(folder, name);
  if (child == nullptr) return std::optional<RemoteEntry>();
  return std::optional<RemoteEntry>(entry_locked(*child));
}

Result<RemoteEntry> FakeRemoteStore::create_folder(const CallContext& call, const RemoteId& parent,
                                                   const std::string& name) {
  Running running(*this, "create_folder", name);
  TRY(running.arrive(call));
  MutexLock lock(mutex_);
  TRY_ASSIGN(Node* const folder, folder_locked("create_folder", parent, Right::kCreate));
  TRY(check_name_locked(*folder, name, RemoteId()));
  Node& made = add_node_locked(NodeKind::kFolder, *folder, name, options_.user);
  note_locked(made, options_.user, "add_folder");
  return entry_locked(made);
}

Result<RemoteEntry> FakeRemoteStore::rename(const CallContext& call, NodeKind kind,
                                            const RemoteId& id, const std::string& name) {
  Running running(*this, "rename", id.value + " " + name);
  TRY(running.arrive(call));
  if (!options_.capabilities.rename) return fail(ErrorCode::kNotSupported, "rename");
  MutexLock lock(mutex_);
  TRY_ASSIGN(Node* const node, get_locked("rename", kind, id));
  TRY(check_change_locked("rename", *node, Right::kRename));
  Node* const parent = find_locked(node->parent);
  if (options_.capabilities.rename_keeps_extension && kind == NodeKind::kFile &&
      extension_of(name) != extension_of(node->name)) {
    return fail(ErrorCode::kCrossDevice, "rename: another extension");
  }
  TRY(check_name_locked(*parent, name, id));
  detach_locked(*node);
  attach_locked(*node, *parent, name);
  place_changed_locked(*node);
  note_locked(*node, options_.user, "rename", name);
  return entry_locked(*node);
}

// Some servers' ETags change with the place, and some take a new name for a modification.
void FakeRemoteStore::place_changed_locked(Node& node) {
  const Capabilities& able = options_.capabilities;
  if (node.kind != NodeKind::kFile || !(able.ids_follow_path || able.rename_changes_validator))
    return;
  Version& current = node.versions.back();
  current.validator = Validator{fmt::format("w{}", state_->next_validator++)};
  if (able.rename_changes_validator) current.modified = now();
}

Result<RemoteEntry> FakeRemoteStore::move(const CallContext& call, NodeKind kind,
                                          const RemoteId& id, const RemoteId& new_parent) {
  Running running(*this, "move", id.value + " " + new_parent.value);
  TRY(running.arrive(call));
  if (!options_.capabilities.move) return fail(ErrorCode::kNotSupported, "move");
  MutexLock lock(mutex_);
  TRY_ASSIGN(Node* const node, get_locked("move", kind, id));
  TRY(check_change_locked("move", *node, Right::kRename));
  TRY_ASSIGN(Node* const target, folder_locked("move", new_parent, Right::kCreate));
  if (kind == NodeKind::kFile && new_parent.value == kRootId &&
      !options_.capabilities.root_takes_files) {
    return fail(ErrorCode::kNotPermitted, "move: the root takes no files");
  }
  for (const Node* at = target; at != nullptr; at = find_locked(at->parent)) {
    if (at->id == id) return fail(ErrorCode::kInvalid, "move: a folder into itself");
  }
  if (!options_.capabilities.move_across_top &&
      top_locked(node->parent) != top_locked(new_parent)) {
    return fail(ErrorCode::kCrossDevice, "move: across the top level");
  }
  TRY(check_name_locked(*target, node->name, id));
  note_locked(*node, options_.user, "move_from");
  const std::string name = node->name;
  detach_locked(*node);
  attach_locked(*node, *target, name);
  place_changed_locked(*node);
  note_locked(*node, options_.user, "move");
  return entry_locked(*node);
}

Result<void> FakeRemoteStore::remove_locked(NodeKind kind, const RemoteId& id) {
  Node* const node = find_locked(id);
  if (node == nullptr) return {};
  TRY(get_locked("remove", kind, id));
  TRY(check_change_locked("remove", *node, Right::kDelete));
  if (!node->children.empty()) {
    return fail(ErrorCode::kNotEmpty, fmt::format("remove id={}: not empty", id.value));
  }
  delete_locked(*node, options_.user);
  return {};
}

Result<void> FakeRemoteStore::remove(const CallContext& call, NodeKind kind, const RemoteId& id) {
  Running running(*this, "remove", id.value);
  TRY(running.arrive(call));
  MutexLock lock(mutex_);
  return remove_locked(kind, id);
}

std::vector<Result<void>> FakeRemoteStore::remove_files(const CallContext& call,
                                                        const std::vector<RemoteId>& ids) {
  Running running(*this, "remove_files", fmt::format("{} files", ids.size()));
  std::vector<Result<void>> results;
  const Result<void> arrived = running.arrive(call);
  MutexLock lock(mutex_);
  for (const RemoteId& id : ids) {
    results.push_back(arrived ? remove_locked(NodeKind::kFile, id) : arrived);
  }
  return results;
}

}  // namespace cabinetfs
