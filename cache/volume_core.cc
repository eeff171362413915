#include "cache/volume_core.h"

#include <algorithm>

#include "backend/base/log.h"

namespace cabinetfs {
namespace {

// The log takes a few pages for each commit.
constexpr std::uint64_t kRoomForRows = 16u << 20;

constexpr std::chrono::minutes kRemember{5};
constexpr std::size_t kMaxNotices = 100;
// The kernel is told of every change, so it may keep what it knows for long.
constexpr std::chrono::milliseconds kAttributesValid = std::chrono::hours(1);

}  // namespace

template <class Map, class Key>
void RecentChanges::note(Map& map, const Key& key, SteadyTime at) {
  map[key] = at;
  if (map.size() < sweep_above_) return;
  std::erase_if(map, [at](const auto& entry) { return entry.second + kRemember < at; });
  // Twice what is left: sweeping stays a constant share of the work.
  sweep_above_ = std::max(kSweepAbove, map.size() * 2);
}

void RecentChanges::confirmed(InodeNumber ino, SteadyTime at) {
  MutexLock lock(mutex_);
  note(confirmed_, ino, at);
}

void RecentChanges::removed(const RemoteId& id, SteadyTime at) {
  MutexLock lock(mutex_);
  note(removed_, id.value, at);
}

void RecentChanges::wrote(const RemoteId& id, SteadyTime at) {
  MutexLock lock(mutex_);
  note(wrote_, id.value, at);
}

bool RecentChanges::confirmed_since(InodeNumber ino, SteadyTime since) const {
  MutexLock lock(mutex_);
  const auto found = confirmed_.find(ino);
  return found != confirmed_.end() && found->second >= since;
}

bool RecentChanges::removed_since(const RemoteId& id, SteadyTime since) const {
  MutexLock lock(mutex_);
  const auto found = removed_.find(id.value);
  return found != removed_.end() && found->second >= since;
}

void RecentChanges::told(InodeNumber ino, const Validator& validator) {
  MutexLock lock(mutex_);
  told_[ino] = validator;
}

std::optional<Validator> RecentChanges::take_told(InodeNumber ino) {
  MutexLock lock(mutex_);
  const auto found = told_.find(ino);
  if (found == told_.end()) return std::nullopt;
  Validator validator = found->second;
  told_.erase(found);
  return validator;
}

bool RecentChanges::wrote_since(const RemoteId& id, SteadyTime since) const {
  MutexLock lock(mutex_);
  const auto found = wrote_.find(id.value);
  return found != wrote_.end() && found->second >= since;
}

void Notices::send(KernelNotifier* notifier) {
  if (notifier == nullptr) return;
  for (const auto& [parent, name] : entries_) notifier->invalidate_entry(parent, name);
  for (const auto& [ino, data] : inodes_) notifier->invalidate_inode(ino, data);
  entries_.clear();
  inodes_.clear();
}

VolumeCore::VolumeCore(VolumeOptions volume_options, RemoteStore& remote_store,
                       MetaStore& meta_store, ContentStore& content_store, Clock& time_source)
    : options(std::move(volume_options)),
      remote(remote_store),
      meta(meta_store),
      contents(content_store),
      clock(time_source),
      tree(
          meta_store, options.loaded_nodes, [this] { return contents.make_room(kRoomForRows); },
          [this](const ContentKey& base, bool held) { contents.hold(base, held); }),
      codec(remote_store.capabilities().names, options.names),
      net(time_source) {
  contents.set_row_sync([&rows = meta] { return rows.sync(); });
}

VolumeCore::~VolumeCore() { contents.set_row_sync({}); }

Rights VolumeCore::rights(const NodeRecord& node) {
  return node.remote && node.remote->rights ? *node.remote->rights : Rights::all();
}

ContentKey VolumeCore::content_key(const RemoteEntry& entry) {
  return {entry.id, VersionId{}, entry.validator, entry.size, entry.hashes};
}

Attributes VolumeCore::attributes(const NodeRecord& node) const {
  Attributes out;
  out.ino = node.ino;
  out.kind = node.kind;
  out.size = node.kind == NodeKind::kFile ? node.size : 0;
  out.mtime = node.mtime;
  out.atime = node.atime;
  out.ctime = std::max(node.ctime, node.mtime);
  out.btime = node.btime;
  out.valid_for = kAttributesValid;
  const bool folder = node.kind == NodeKind::kFolder;
  std::uint32_t mode = node.mode.value_or(folder ? 0755u : 0644u);
  const Rights granted = rights(node);
  if (!granted.has(folder ? Right::kList : Right::kRead)) mode &= ~0444u;
  if (!granted.has(folder ? Right::kCreate : Right::kWrite) || options.read_only) mode &= ~0222u;
  out.mode = mode;
  return out;
}

void VolumeCore::overlay_live(Attributes& attributes) {
  if (attributes.kind != NodeKind::kFile) return;
  const std::shared_ptr<FileState> file = files.find(attributes.ino);
  if (file == nullptr || !file->live) return;
  attributes.size = file->live_size;
  attributes.mtime = WallTime(std::chrono::nanoseconds(file->live_mtime.load()));
  attributes.ctime = std::max(attributes.ctime, attributes.mtime);
}

bool VolumeCore::shows_remote_name(const NodeRecord& node) const {
  if (!node.remote) return false;
  const std::string shown = codec.to_local(node.remote->name, node.remote->id);
  return node.name == shown || node.name == codec.twin_name(shown, node.remote->id);
}

Result<NodePtr> VolumeCore::same_named(Tree::Txn& txn, InodeNumber folder,
                                       const std::string& name) const {
  return codec.rules().case_sensitive ? txn.child(folder, name) : txn.child_folded(folder, name);
}

CallContext VolumeCore::background_call(Priority priority) const {
  return {clock.steady() + options.call_timeout, stopping.token(), priority, true};
}

CallContext VolumeCore::bounded(const CallContext& call) const {
  CallContext out = call;
  out.deadline = std::min(call.deadline, clock.steady() + options.call_timeout);
  return out;
}

void VolumeCore::notice(const NodeRecord& node, const std::string& path, const std::string& action,
                        const std::string& message) {
  log_warn("{}: {}: {}", path, action, message);
  MutexLock lock(notices_mutex);
  UnsentItem item;
  item.ino = node.ino;
  item.path = path;
  item.action = action;
  item.state = "notice";
  item.message = message;
  notices.push_back(std::move(item));
  if (notices.size() > kMaxNotices) notices.pop_front();
}

Result<std::shared_ptr<StagedContent>> VolumeCore::staged_of(FileState& file) {
  TRY_ASSIGN(const NodePtr node, tree.find(file.ino));
  if (file.staged != nullptr) {
    // Unlinked while it was open, and back as the server has it: the unlink dropped what was
    // staged.
    const bool came_back =
        file.orphan != nullptr && node != nullptr && !node->deleted && !node->content_dirty;
    if (file.live || !(file.fresh_edit || came_back)) return file.staged;
    // Begun, and then nothing was written: it must not hide the server's next version.
    contents.discard_staged(file.staged);
    file.staged.reset();
    file.fresh_edit = false;
  }
  if (node == nullptr || node->deleted || !node->content_dirty)
    return std::shared_ptr<StagedContent>();
  if (node->staged.empty()) {
    TRY_ASSIGN(file.staged, contents.create_staged(node->base));
  } else {
    TRY_ASSIGN(file.staged, contents.load_staged(node->staged, node->base));
  }
  file.base = node->base;
  file.base_validator = node->base_validator;
  file.base_modified = node->base_modified;
  file.base_version = node->base_version;
  file.fresh_edit = false;
  return file.staged;
}

Result<std::shared_ptr<StagedContent>> VolumeCore::staged_to_drop(FileState& file) {
  Result<std::shared_ptr<StagedContent>> staged = staged_of(file);
  if (staged || staged.error().code != ErrorCode::kCorrupt) return staged;
  log_warn("the unsent content of node {} is damaged, and dropped now: {}", file.ino.value,
           to_string(staged.error()));
  return std::shared_ptr<StagedContent>();
}

Result<void> VolumeCore::commit(FileState& file) {
  if (!file.live || file.staged == nullptr) return {};
  TRY_ASSIGN(const std::string record, file.staged->prepare());
  {
    Tree::Txn txn(tree);
    TRY_ASSIGN(const NodePtr node, txn.find(file.ino));
    // Unlinked while open: the content lives as long as the handles.
    if (node == nullptr && file.orphan == nullptr)
      return fail(ErrorCode::kStale, "the file was removed by somebody else while it was written");
    if (node == nullptr || node->deleted) return {};
    NodeRecord next = *node;
    // Begun on a clean file; or on one that was unlinked since and has come back as the server has
    // it.
    if (file.fresh_edit || !node->content_dirty) {
      next.base = file.base;
      // An identity that was handed on brought its own.
      if (!node->content_dirty) next.base_validator = file.base_validator;
      next.base_modified = file.base_modified;
      next.base_version = file.base_version;
    }
    next.staged = record;
    // Not live_size: a write that failed in the middle may have left more.
    next.size = file.staged->size();
    next.mtime = WallTime(std::chrono::nanoseconds(file.live_mtime.load()));
    next.ctime = now();
    next.times_local = true;
    next.content_dirty = true;
    ++next.generation;
    next.changed_at = now();
    next.failure.reset();
    next.conflict.clear();
    txn.put(std::move(next));
    TRY(txn.commit());
  }
  file.fresh_edit = false;
  file.live = false;
  file.staged->committed(record);
  if (file.staged->wants_sync()) {
    TRY_ASSIGN(const std::uint64_t state, file.staged->sync());
    TRY(meta.sync());
    file.staged->row_synced(state);
  }
  return {};
}

}  // namespace cabinetfs
