// MemoryVolume: what tests do to it, and the names.
#include <cstdlib>

#include "tests/unit/fs/memory_volume_state.h"

namespace cabinetfs {

MemoryVolume::MemoryVolume() {
  capabilities_.vendor = "memory";
  capabilities_.versions = capabilities_.promote = capabilities_.locks = true;
  capabilities_.permissions = capabilities_.quota = capabilities_.history = true;
  capabilities_.description = true;
  auto root = std::make_shared<Node>();
  root->ino = kRootInode;
  root->kind = NodeKind::kFolder;
  root->mode = 0755;
  MutexLock lock(mutex_);
  nodes_[kRootInode] = std::move(root);
}

MemoryVolume::~MemoryVolume() = default;

// --- For tests.

InodeNumber MemoryVolume::add_folder(const std::string& path) {
  MutexLock lock(mutex_);
  InodeNumber at = kRootInode;
  for (const std::string& part : split(path, '/')) {
    if (part.empty()) continue;
    Node& folder = *nodes_.at(at);
    const NodePtr child = child_locked(folder, part);
    at = child ? child->ino : make_locked(folder, part, NodeKind::kFolder, 0755)->ino;
  }
  return at;
}

InodeNumber MemoryVolume::add_file(const std::string& path, const std::string& content) {
  const auto slash = path.rfind('/');
  const InodeNumber parent =
      slash == std::string::npos ? kRootInode : add_folder(path.substr(0, slash));
  MutexLock lock(mutex_);
  const NodePtr node =
      make_locked(*nodes_.at(parent), path.substr(slash + 1), NodeKind::kFile, 0644);
  node->content = content;
  return node->ino;
}

void MemoryVolume::add_version(const std::string& path, const std::string& content) {
  MutexLock lock(mutex_);
  const NodePtr node = at_path_locked(path);
  node->versions.push_back(node->content);
  node->content = content;
  ++node->changes;
}

std::string MemoryVolume::content(const std::string& path) {
  MutexLock lock(mutex_);
  const NodePtr node = at_path_locked(path);
  return node ? node->content : "(no such file)";
}

void MemoryVolume::remove_as_other(const std::string& path) {
  KernelNotifier* notifier = nullptr;
  InodeNumber parent;
  std::string name;
  {
    MutexLock lock(mutex_);
    const NodePtr node = at_path_locked(path);
    parent = node->parent;
    name = node->name;
    nodes_.at(parent)->children.erase(name);
    nodes_.erase(node->ino);
    notifier = notifier_;
  }
  if (notifier != nullptr) notifier->invalidate_entry(parent, name);
}

void MemoryVolume::write_as_other(const std::string& path, const std::string& content) {
  KernelNotifier* notifier = nullptr;
  InodeNumber ino;
  {
    MutexLock lock(mutex_);
    const NodePtr node = at_path_locked(path);
    node->content = content;
    ++node->changes;
    ino = node->ino;
    notifier = notifier_;
  }
  if (notifier != nullptr) notifier->invalidate_inode(ino, true);
}

void MemoryVolume::invalidate_entry(InodeNumber parent, const std::string& name) {
  KernelNotifier* notifier = nullptr;
  {
    MutexLock lock(mutex_);
    notifier = notifier_;
  }
  if (notifier != nullptr) notifier->invalidate_entry(parent, name);
}

void MemoryVolume::make_remote(const std::string& path) {
  MutexLock lock(mutex_);
  at_path_locked(path)->remote = true;
}

void MemoryVolume::set_edited(const std::string& path) {
  MutexLock lock(mutex_);
  at_path_locked(path)->edited = true;
}

void MemoryVolume::set_events(int count) {
  MutexLock lock(mutex_);
  events_ = count;
}

void MemoryVolume::set_fault(std::function<Result<void>(const std::string&)> fault) {
  MutexLock lock(mutex_);
  fault_ = std::move(fault);
}

std::size_t MemoryVolume::remembered(InodeNumber ino) {
  MutexLock lock(mutex_);
  const auto found = nodes_.find(ino);
  return found == nodes_.end() ? 0 : found->second->remembered;
}

std::vector<std::string> MemoryVolume::log() {
  MutexLock lock(mutex_);
  return log_;
}

// --- Inside.

Result<void> MemoryVolume::enter(const std::string& operation) {
  std::function<Result<void>(const std::string&)> fault;
  {
    MutexLock lock(mutex_);
    fault = fault_;
  }
  return fault ? fault(operation) : Result<void>();
}

Result<MemoryVolume::NodePtr> MemoryVolume::find_locked(InodeNumber ino) {
  const auto found = nodes_.find(ino);
  if (found == nodes_.end()) return fail(ErrorCode::kNotFound, "inode");
  return found->second;
}

Result<MemoryVolume::NodePtr> MemoryVolume::folder_locked(InodeNumber ino) {
  TRY_ASSIGN(NodePtr node, find_locked(ino));
  if (node->kind != NodeKind::kFolder) return fail(ErrorCode::kNotDirectory, node->name);
  return node;
}

MemoryVolume::NodePtr MemoryVolume::child_locked(const Node& folder, const std::string& name) {
  const auto found = folder.children.find(name);
  return found == folder.children.end() ? nullptr : nodes_.at(found->second);
}

MemoryVolume::NodePtr MemoryVolume::at_path_locked(const std::string& path) {
  NodePtr at = nodes_.at(kRootInode);
  for (const std::string& part : split(path, '/')) {
    if (part.empty()) continue;
    at = child_locked(*at, part);
    if (!at) return nullptr;
  }
  return at;
}

MemoryVolume::NodePtr MemoryVolume::make_locked(Node& parent, const std::string& name,
                                                NodeKind kind, std::uint32_t mode) {
  auto node = std::make_shared<Node>();
  node->ino = {next_ino_++};
  node->parent = parent.ino;
  node->name = name;
  node->kind = kind;
  node->mode = mode;
  node->atime = node->mtime = node->ctime = Clock::system().wall();
  parent.children[name] = node->ino;
  nodes_[node->ino] = node;
  return node;
}

std::string MemoryVolume::path_locked(const Node& node) {
  if (node.ino == kRootInode) return "";
  const std::string above = path_locked(*nodes_.at(node.parent));
  return above.empty() ? node.name : above + "/" + node.name;
}

Attributes MemoryVolume::attributes_locked(const Node& node) {
  Attributes out;
  out.ino = node.ino;
  out.kind = node.kind;
  out.mode = node.mode;
  out.size = node.content.size();
  out.atime = node.atime;
  out.mtime = node.mtime;
  out.ctime = out.btime = node.ctime;
  out.valid_for = std::chrono::hours(1);
  return out;
}

Result<void> MemoryVolume::pass(const CallContext& call, bool remote) {
  if (!remote) return {};
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "needs the network");
  return gate_.pass(call);
}

void MemoryVolume::note(std::string line) {
  MutexLock lock(mutex_);
  log_.push_back(std::move(line));
}

// --- Volume.

void MemoryVolume::set_notifier(KernelNotifier* notifier) {
  MutexLock lock(mutex_);
  notifier_ = notifier;
}

Result<Attributes> MemoryVolume::lookup(const CallContext& call, InodeNumber parent,
                                        const std::string& name) {
  TRY(enter("lookup"));
  NodePtr node;
  {
    MutexLock lock(mutex_);
    TRY_ASSIGN(const NodePtr folder, folder_locked(parent));
    node = child_locked(*folder, name);
    if (!node) return fail(ErrorCode::kNotFound, name);
  }
  TRY(pass(call, node->remote && node->kind == NodeKind::kFolder));
  MutexLock lock(mutex_);
  return attributes_locked(*node);
}

Result<Attributes> MemoryVolume::getattr(const CallContext& /*call*/, InodeNumber ino) {
  TRY(enter("getattr"));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  return attributes_locked(*node);
}

Result<Attributes> MemoryVolume::setattr(const CallContext& /*call*/, InodeNumber ino,
                                         const SetAttributes& set, OpenFile* /*file*/) {
  TRY(enter("setattr"));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  if (set.size) node->content.resize(*set.size, '\0');
  if (set.mode) node->mode = *set.mode;
  if (set.atime) node->atime = *set.atime;
  if (set.mtime) node->mtime = *set.mtime;
  return attributes_locked(*node);
}

Result<void> MemoryVolume::access(const CallContext& /*call*/, InodeNumber /*ino*/,
                                  unsigned /*mask*/) {
  return enter("access");
}

Result<DirListing> MemoryVolume::list(const CallContext& call, InodeNumber folder) {
  TRY(enter("list"));
  auto out = std::make_shared<std::vector<DirEntry>>();
  NodePtr node;
  {
    MutexLock lock(mutex_);
    TRY_ASSIGN(node, folder_locked(folder));
  }
  TRY(pass(call, node->remote));
  MutexLock lock(mutex_);
  for (const auto& [name, ino] : node->children) {
    out->push_back({name, attributes_locked(*nodes_.at(ino))});
  }
  return DirListing(std::move(out));
}

Result<Quota> MemoryVolume::quota(const CallContext& call) {
  TRY(enter("quota"));
  TRY(pass(call, true));
  return Quota{1u << 20, 10u << 20};
}

void MemoryVolume::remember(InodeNumber ino) {
  MutexLock lock(mutex_);
  if (const auto found = nodes_.find(ino); found != nodes_.end()) ++found->second->remembered;
}

void MemoryVolume::forget(InodeNumber ino, std::uint64_t count) {
  MutexLock lock(mutex_);
  const auto found = nodes_.find(ino);
  if (found == nodes_.end()) return;
  if (found->second->remembered < count) std::abort();  // the shell gave back what it never had
  found->second->remembered -= count;
}

Result<Attributes> MemoryVolume::mkdir(const CallContext& /*call*/, InodeNumber parent,
                                       const std::string& name, std::uint32_t mode) {
  TRY(enter("mkdir"));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr folder, folder_locked(parent));
  if (child_locked(*folder, name)) return fail(ErrorCode::kExists, name);
  return attributes_locked(*make_locked(*folder, name, NodeKind::kFolder, mode));
}

Result<void> MemoryVolume::unlink(const CallContext& /*call*/, InodeNumber parent,
                                  const std::string& name) {
  TRY(enter("unlink"));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr folder, folder_locked(parent));
  const NodePtr node = child_locked(*folder, name);
  if (!node) return fail(ErrorCode::kNotFound, name);
  if (node->kind == NodeKind::kFolder) return fail(ErrorCode::kIsDirectory, name);
  folder->children.erase(name);
  return {};
}

Result<void> MemoryVolume::rmdir(const CallContext& /*call*/, InodeNumber parent,
                                 const std::string& name) {
  TRY(enter("rmdir"));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr folder, folder_locked(parent));
  const NodePtr node = child_locked(*folder, name);
  if (!node) return fail(ErrorCode::kNotFound, name);
  if (node->kind != NodeKind::kFolder) return fail(ErrorCode::kNotDirectory, name);
  if (!node->children.empty()) return fail(ErrorCode::kNotEmpty, name);
  folder->children.erase(name);
  return {};
}

Result<void> MemoryVolume::rename(const CallContext& /*call*/, InodeNumber parent,
                                  const std::string& name, InodeNumber new_parent,
                                  const std::string& new_name, RenameMode mode) {
  TRY(enter("rename"));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr from, folder_locked(parent));
  TRY_ASSIGN(const NodePtr to, folder_locked(new_parent));
  const NodePtr node = child_locked(*from, name);
  if (!node) return fail(ErrorCode::kNotFound, name);
  const NodePtr target = child_locked(*to, new_name);
  if (mode == RenameMode::kNoReplace && target) return fail(ErrorCode::kExists, new_name);
  if (mode == RenameMode::kExchange && !target) return fail(ErrorCode::kNotFound, new_name);
  if (mode == RenameMode::kReplace && target && !target->children.empty()) {
    return fail(ErrorCode::kNotEmpty, new_name);
  }
  from->children.erase(name);
  to->children[new_name] = node->ino;
  node->parent = new_parent;
  node->name = new_name;
  if (mode == RenameMode::kExchange) {
    from->children[name] = target->ino;
    target->parent = parent;
    target->name = name;
  }
  return {};
}

Result<Volume::Created> MemoryVolume::create(const CallContext& /*call*/, InodeNumber parent,
                                             const std::string& name, std::uint32_t mode,
                                             OpenFlags flags, bool exclusive) {
  TRY(enter("create"));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr folder, folder_locked(parent));
  NodePtr node = child_locked(*folder, name);
  if (node && exclusive) return fail(ErrorCode::kExists, name);
  if (!node) node = make_locked(*folder, name, NodeKind::kFile, mode);
  if (flags.truncate) node->content.clear();
  return Created{attributes_locked(*node), std::make_shared<Handle>(*this, node, flags, false)};
}

Result<std::shared_ptr<OpenFile>> MemoryVolume::open_file(const CallContext& /*call*/,
                                                          InodeNumber ino, OpenFlags flags) {
  TRY(enter("open"));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  if (node->kind == NodeKind::kFolder) return fail(ErrorCode::kIsDirectory, node->name);
  if (flags.truncate) node->content.clear();
  const bool keep = node->changes_known == node->changes && !flags.truncate;
  node->changes_known = node->changes;
  return std::shared_ptr<OpenFile>(std::make_shared<Handle>(*this, node, flags, keep));
}

}  // namespace cabinetfs
