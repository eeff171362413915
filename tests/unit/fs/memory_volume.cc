#include "tests/unit/fs/memory_volume.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace cabinetfs {

struct MemoryVolume::Node {
  InodeNumber ino, parent;
  std::string name;
  NodeKind kind = NodeKind::kFile;
  std::uint32_t mode = 0644;
  WallTime atime{}, mtime{}, ctime{};
  std::string content;
  std::vector<std::string> versions;  // oldest first; the current one is `content`
  std::map<std::string, InodeNumber> children;
  std::map<std::string, std::string> xattrs;
  std::map<std::string, AccessLevel> shares;
  std::string description, lock_holder;
  PinState pin = PinState::kInherit;
  SyncMode sync = SyncMode::kInherit;
  std::size_t remembered = 0;
  std::uint64_t changes = 0, changes_known = 0;  // keep_cache: unchanged since the last open
  bool remote = false;
  bool edited = false;
  bool locked = false;
};

class MemoryVolume::Handle final : public OpenFile {
 public:
  Handle(MemoryVolume& volume, NodePtr node, OpenFlags flags, bool keep)
      : node_(std::move(node)), volume_(volume), flags_(flags), keep_(keep) {
    ++volume_.open_files_;
  }
  ~Handle() override { --volume_.open_files_; }
  InodeNumber ino() const override { return node_->ino; }
  OpenFlags flags() const override { return flags_; }
  bool keep_cache() const override { return keep_; }
  const NodePtr node_;

 private:
  MemoryVolume& volume_;
  const OpenFlags flags_;
  const bool keep_;
};

class MemoryVolume::Version final : public CachedContent {
 public:
  explicit Version(std::string content) : content_(std::move(content)) {}
  std::uint64_t size() const override { return content_.size(); }
  Result<std::size_t> read(const CallContext& /*call*/, std::uint64_t offset,
                           MutableBytes out) override {
    if (offset >= content_.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(out.size(), content_.size() - offset);
    std::copy_n(as_bytes(content_).begin() + static_cast<std::ptrdiff_t>(offset), count,
                out.begin());
    return count;
  }
  const ContentKey& key() const override { return key_; }
  std::uint64_t cached_bytes() const override { return content_.size(); }
  std::uint64_t prefetch(std::uint64_t /*offset*/, std::uint64_t length) override { return length; }
  Result<void> fetch_all(const CallContext& /*call*/) override { return {}; }
  void fill(const std::string& /*content*/) override {}
  void validated(bool /*still_current*/, std::uint64_t /*mark*/) override {}
  std::uint64_t validation_mark() const override { return 0; }
  bool needs_validation() const override { return false; }

 private:
  const std::string content_;
  const ContentKey key_;
};

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

Result<std::size_t> MemoryVolume::read(const CallContext& call, OpenFile& file,
                                       std::uint64_t offset, MutableBytes out) {
  TRY(enter("read"));
  const NodePtr node = static_cast<Handle&>(file).node_;
  TRY(pass(call, node->remote));
  MutexLock lock(mutex_);
  if (offset >= node->content.size()) return std::size_t{0};
  const std::size_t count = std::min<std::size_t>(out.size(), node->content.size() - offset);
  std::copy_n(as_bytes(node->content).begin() + static_cast<std::ptrdiff_t>(offset), count,
              out.begin());
  return count;
}

Result<void> MemoryVolume::append(const CallContext& call, OpenFile& file, std::uint64_t expected,
                                  Bytes bytes) {
  return write(call, file, expected, bytes);
}

Result<void> MemoryVolume::write(const CallContext& call, OpenFile& file, std::uint64_t offset,
                                 Bytes bytes) {
  TRY(enter("write"));
  const NodePtr node = static_cast<Handle&>(file).node_;
  TRY(pass(call, node->remote));
  MutexLock lock(mutex_);
  if (node->content.size() < offset + bytes.size()) node->content.resize(offset + bytes.size());
  node->content.replace(offset, bytes.size(), as_text(bytes));
  node->mtime = Clock::system().wall();
  return {};
}

Result<void> MemoryVolume::flush(const CallContext& /*call*/, OpenFile& file) {
  note(fmt::format("flush {}", file.ino().value));
  return enter("flush");
}

Result<void> MemoryVolume::fsync(const CallContext& call, OpenFile& file) {
  note(fmt::format("fsync {}", file.ino().value));
  TRY(pass(call, static_cast<Handle&>(file).node_->remote));
  return enter("fsync");
}

Result<void> MemoryVolume::fsync_folder(const CallContext& /*call*/, InodeNumber folder) {
  note(fmt::format("fsync_folder {}", folder.value));
  return enter("fsync_folder");
}

void MemoryVolume::release(std::shared_ptr<OpenFile> file) {
  note(fmt::format("release {}", file->ino().value));
}

Result<void> MemoryVolume::allocate(const CallContext& /*call*/, OpenFile& file,
                                    std::uint64_t offset, std::uint64_t length, AllocateMode mode) {
  const NodePtr node = static_cast<Handle&>(file).node_;
  MutexLock lock(mutex_);
  const bool grow = mode == AllocateMode::kGrow || mode == AllocateMode::kZeroRange;
  if (grow && node->content.size() < offset + length) node->content.resize(offset + length);
  if (mode == AllocateMode::kGrow || mode == AllocateMode::kKeepSize) return {};
  for (std::uint64_t i = offset; i < offset + length && i < node->content.size(); ++i) {
    node->content[i] = '\0';
  }
  return {};
}

Result<std::uint64_t> MemoryVolume::seek(const CallContext& /*call*/, OpenFile& file,
                                         std::uint64_t offset, bool data) {
  const NodePtr node = static_cast<Handle&>(file).node_;
  MutexLock lock(mutex_);
  if (offset >= node->content.size()) return fail(ErrorCode::kRange, "beyond the end");
  return data ? offset : node->content.size();
}

Result<std::uint64_t> MemoryVolume::copy_range(const CallContext& /*call*/, OpenFile& in,
                                               std::uint64_t in_offset, OpenFile& out,
                                               std::uint64_t out_offset, std::uint64_t length) {
  TRY(enter("copy_range"));
  const NodePtr from = static_cast<Handle&>(in).node_;
  const NodePtr to = static_cast<Handle&>(out).node_;
  MutexLock lock(mutex_);
  if (in_offset >= from->content.size()) return std::uint64_t{0};
  const std::string bytes = from->content.substr(in_offset, length);
  if (to->content.size() < out_offset + bytes.size()) to->content.resize(out_offset + bytes.size());
  to->content.replace(out_offset, bytes.size(), bytes);
  log_.push_back("copy_range");
  return bytes.size();
}

Result<std::string> MemoryVolume::get_xattr(InodeNumber ino, const std::string& name) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  const auto found = node->xattrs.find(name);
  if (found == node->xattrs.end()) return fail(ErrorCode::kNoData, name);
  return found->second;
}

Result<std::vector<std::string>> MemoryVolume::list_xattrs(InodeNumber ino) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  std::vector<std::string> names;
  for (const auto& [name, value] : node->xattrs) names.push_back(name);
  return names;
}

Result<void> MemoryVolume::set_xattr(InodeNumber ino, const std::string& name,
                                     const std::string& value, XattrMode mode) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  const bool there = node->xattrs.contains(name);
  if (mode == XattrMode::kCreate && there) return fail(ErrorCode::kExists, name);
  if (mode == XattrMode::kReplace && !there) return fail(ErrorCode::kNoData, name);
  node->xattrs[name] = value;
  return {};
}

Result<void> MemoryVolume::remove_xattr(InodeNumber ino, const std::string& name) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  if (node->xattrs.erase(name) == 0) return fail(ErrorCode::kNoData, name);
  return {};
}

Result<RemoteAccount> MemoryVolume::account(const CallContext& /*call*/) {
  return RemoteAccount{"1", "me@example.com", "Me"};
}

Result<NodeInfo> MemoryVolume::info(InodeNumber ino) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  NodeInfo out;
  out.record.ino = node->ino;
  out.record.kind = node->kind;
  out.record.parent = node->parent;
  out.record.name = node->name;
  out.record.size = node->content.size();
  out.record.mtime = node->mtime;
  out.record.pin = node->pin;
  out.record.sync = node->sync;
  out.edited = node->edited;
  RemoteEntry remote;
  remote.id.value = fmt::format("id-{}", node->ino.value);
  remote.name = node->name;
  remote.kind = node->kind;
  remote.size = node->content.size();
  remote.rights = Rights::all();
  remote.mime = "text/plain";
  remote.description = node->description;
  remote.hashes.md5 = "d41d8cd98f00b204e9800998ecf8427e";
  remote.lock = node->locked                ? LockState::kHeldByUs
                : node->lock_holder.empty() ? LockState::kFree
                                            : LockState::kHeldByOther;
  remote.lock_holder = node->lock_holder;
  remote.version_count = static_cast<std::uint32_t>(node->versions.size() + 1);
  out.record.remote = remote;
  out.path = path_locked(*node);
  out.state = "clean";
  out.cached_bytes = node->content.size();
  return out;
}

Result<InodeNumber> MemoryVolume::find_path(const CallContext& /*call*/, const std::string& path) {
  MutexLock lock(mutex_);
  const NodePtr node = at_path_locked(path);
  if (!node) return fail(ErrorCode::kNotFound, path);
  return node->ino;
}

Result<std::vector<RemoteVersion>> MemoryVolume::versions(const CallContext& call,
                                                          InodeNumber ino) {
  TRY(enter("versions"));
  NodePtr node;
  {
    MutexLock lock(mutex_);
    TRY_ASSIGN(node, find_locked(ino));
  }
  TRY(pass(call, node->remote));
  MutexLock lock(mutex_);
  std::vector<RemoteVersion> out;
  for (std::size_t i = node->versions.size() + 1; i > 0; --i) {
    RemoteVersion version;
    version.number = static_cast<std::uint32_t>(i);
    version.id.value = fmt::format("v{}", i);
    version.current = i == node->versions.size() + 1;
    version.size = version.current ? node->content.size() : node->versions[i - 1].size();
    version.modified = WallTime(std::chrono::hours(1000 * i));
    version.author = "me@example.com";
    out.push_back(version);
  }
  return out;
}

Result<std::shared_ptr<CachedContent>> MemoryVolume::open_version(const CallContext& call,
                                                                  InodeNumber ino,
                                                                  std::uint32_t number) {
  NodePtr node;
  {
    MutexLock lock(mutex_);
    TRY_ASSIGN(node, find_locked(ino));
  }
  TRY(pass(call, node->remote));
  MutexLock lock(mutex_);
  if (number == 0 || number > node->versions.size() + 1) {
    return fail(ErrorCode::kNotFound, "version");
  }
  return std::shared_ptr<CachedContent>(std::make_shared<Version>(
      number == node->versions.size() + 1 ? node->content : node->versions[number - 1]));
}

Result<void> MemoryVolume::promote(const CallContext& /*call*/, InodeNumber ino,
                                   std::uint32_t number) {
  note(fmt::format("promote {} {}", ino.value, number));
  return enter("promote");
}

Result<void> MemoryVolume::lock(const CallContext& /*call*/, InodeNumber ino) {
  TRY(enter("lock"));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  node->locked = true;
  return {};
}

Result<void> MemoryVolume::unlock(const CallContext& /*call*/, InodeNumber ino,
                                  const std::string& comment) {
  note(fmt::format("unlock {} {}", ino.value, comment));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  node->locked = false;
  return {};
}

Result<std::vector<RemotePermission>> MemoryVolume::permissions(const CallContext& /*call*/,
                                                                InodeNumber ino) {
  TRY(enter("permissions"));
  note("permissions");
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  std::vector<RemotePermission> out{{"me@example.com", AccessLevel::kOwner, "Owner"}};
  for (const auto& [who, level] : node->shares) out.push_back({who, level, "Word"});
  return out;
}

Result<void> MemoryVolume::share(const CallContext& /*call*/, InodeNumber ino,
                                 const std::string& who, AccessLevel level) {
  TRY(enter("share"));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  node->shares[who] = level;
  return {};
}

Result<void> MemoryVolume::unshare(const CallContext& /*call*/, InodeNumber ino,
                                   const std::string& who) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  if (node->shares.erase(who) == 0) return fail(ErrorCode::kNoData, who);
  return {};
}

Result<std::vector<RemoteEvent>> MemoryVolume::history(const CallContext& /*call*/,
                                                       InodeNumber /*ino*/) {
  TRY(enter("history"));
  MutexLock lock(mutex_);
  if (events_ == 0) {
    return std::vector<RemoteEvent>{
        {WallTime(std::chrono::seconds(1'000'000'000)), "me@example.com", "upload", "first"}};
  }
  std::vector<RemoteEvent> events;
  for (int i = events_; i > 0; --i) {
    events.push_back({WallTime(std::chrono::seconds(1'000'000'000 + i)), "me@example.com", "upload",
                      fmt::format("event {}", i)});
  }
  return events;
}

Result<void> MemoryVolume::set_description(InodeNumber ino, const std::string& text) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  node->description = text;
  return {};
}

Result<void> MemoryVolume::set_pin(InodeNumber ino, PinState state) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  node->pin = state;
  return {};
}

Result<void> MemoryVolume::set_sync(InodeNumber ino, SyncMode mode) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  node->sync = mode;
  return {};
}

Result<void> MemoryVolume::send_mail(const CallContext& /*call*/, const Mail& mail) {
  for (const Mail::Attachment& attachment : mail.attachments) {
    std::string content(attachment.size, '\0');
    if (!attachment.read(0, std::as_writable_bytes(std::span(content)))) {
      return fail(ErrorCode::kIo, attachment.name);
    }
    note(fmt::format("mail {} {}={}", mail.to.empty() ? "" : mail.to[0], attachment.name, content));
  }
  return {};
}

Result<void> MemoryVolume::flush_to_server(
    const CallContext& call, InodeNumber ino,
    const std::function<void(const VolumeStatus&)>& progress) {
  note(fmt::format("flush_to_server {}", ino.value));
  if (progress) progress(status_to_tell);
  TRY(gate_.pass(call));
  return enter("flush_to_server");
}

Result<void> MemoryVolume::retry(InodeNumber ino) {
  note(fmt::format("retry {}", ino.value));
  return {};
}

Result<void> MemoryVolume::discard(const CallContext& /*call*/, InodeNumber ino) {
  note(fmt::format("discard {}", ino.value));
  return {};
}

Result<void> MemoryVolume::prefetch(const CallContext& /*call*/, InodeNumber ino) {
  note(fmt::format("prefetch {}", ino.value));
  return {};
}

Result<void> MemoryVolume::refresh(InodeNumber ino) {
  note(fmt::format("refresh {}", ino.value));
  return {};
}

}  // namespace cabinetfs
