// Volume: what POSIX has not, asked of or told to the server directly.
#include <algorithm>

#include "cache/volume_impl.h"
#include "cache/write_lock.h"

namespace cabinetfs {
namespace {

constexpr std::chrono::seconds kVersionsFresh{10};

}  // namespace

const Capabilities& VolumeImpl::capabilities() const { return core_.remote.capabilities(); }

Result<RemoteAccount> VolumeImpl::account(const CallContext& call) {
  {
    MutexLock lock(mutex_);
    if (account_) return *account_;
  }
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "account");
  TRY_ASSIGN(const RemoteAccount account, core_.seen(core_.remote.account(core_.bounded(call))));
  MutexLock lock(mutex_);
  account_ = account;
  return account;
}

// The node with its remote object; kNoData while the server does not have it.
Result<NodePtr> VolumeImpl::remote_file(const CallContext& call, InodeNumber ino) {
  TRY_ASSIGN(NodePtr node, existing(ino));
  if (ino == kRootInode && !node->remote) {
    TRY(listings_.ensure_root(call));
    TRY_ASSIGN(node, existing(ino));
  }
  if (!node->remote) return fail(ErrorCode::kNoData, node->name + " is not at the server yet");
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "server call");
  return node;
}

Result<NodeInfo> VolumeImpl::info(InodeNumber ino) {
  TRY_ASSIGN(const NodePtr node, existing(ino));
  NodeInfo out;
  out.record = *node;
  TRY_ASSIGN(out.path, core_.tree.path_of(ino));
  out.state = state_of(*node);
  if (node->kind == NodeKind::kFile) {
    out.edited = node->content_dirty || core_.files.has_writers(ino);
    if (node->remote && !node->content_dirty)
      out.cached_bytes = core_.contents.cached_bytes(VolumeCore::content_key(*node->remote));
    if (const std::shared_ptr<FileState> file = core_.files.find(ino)) {
      MutexLock lock(file->mutex);
      if (file->staged != nullptr) out.cached_bytes = file->staged->staged_bytes();
      if (file->live) {
        out.record.size = file->live_size;
        if (out.state == "clean") out.state = "dirty";
      }
    } else if (node->content_dirty) {
      out.cached_bytes = node->size;
    }
  }
  return out;
}

Result<InodeNumber> VolumeImpl::find_path(const CallContext& call, const std::string& path) {
  InodeNumber at = kRootInode;
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    TRY_ASSIGN(const NodePtr child, existing_child(call, at, part));
    at = child->ino;
  }
  return at;
}

Result<std::vector<RemoteVersion>> VolumeImpl::versions(const CallContext& call, InodeNumber ino) {
  if (!core_.remote.capabilities().versions)
    return fail(ErrorCode::kNotSupported, "this server keeps no versions that can be asked for");
  TRY_ASSIGN(const NodePtr known, existing(ino));
  if (known->kind != NodeKind::kFile) return fail(ErrorCode::kNoData, "folders have no versions");
  const SteadyTime now = core_.clock.steady();
  {
    MutexLock lock(mutex_);
    if (const auto found = versions_.find(ino); found != versions_.end()) {
      const bool young = now - found->second.first < kVersionsFresh &&
                         !core_.recent.confirmed_since(ino, found->second.first);
      if (young || !core_.net.online()) return found->second.second;
    }
  }
  TRY_ASSIGN(const NodePtr node, remote_file(call, ino));
  TRY_ASSIGN(std::vector<RemoteVersion> versions,
             core_.seen(core_.remote.versions(core_.bounded(call), node->remote->id)));
  MutexLock lock(mutex_);
  constexpr std::size_t kMaxCached = 1000;
  if (versions_.size() > kMaxCached) versions_.clear();
  versions_[ino] = {now, versions};
  return versions;
}

Result<std::shared_ptr<CachedContent>> VolumeImpl::open_version(const CallContext& call,
                                                                InodeNumber ino,
                                                                std::uint32_t number) {
  TRY_ASSIGN(const std::vector<RemoteVersion> all, versions(call, ino));
  const auto found = std::ranges::find(all, number, &RemoteVersion::number);
  if (found == all.end()) return fail(ErrorCode::kNotFound, "no version " + std::to_string(number));
  TRY_ASSIGN(const NodePtr node, existing(ino));
  if (!node->remote) return fail(ErrorCode::kNotFound, "not at the server");
  ContentKey key;
  key.file = node->remote->id;
  key.size = found->size;
  key.hashes = found->hashes;
  if (found->current && node->remote->size == found->size) {
    key = VolumeCore::content_key(*node->remote);
  } else {
    key.version = found->id;
  }
  return core_.contents.open_cached(key);
}

Result<void> VolumeImpl::take_answer(InodeNumber ino, const RemoteEntry& entry) {
  Notices notices;
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr node, txn.find(ino));
    if (node == nullptr || !node->remote) return {};
    // Renamed here while the answer was on its way.
    if (node->remote->id != entry.id) return {};
    RemoteEntry merged = entry;
    if (!merged.rights) merged.rights = node->remote->rights;
    TRY(apply_entry(core_, txn, node->remote_parent, merged, core_.clock.steady(), notices));
    // Inside: a listing that was asked for earlier may be waiting for the tree.
    core_.recent.confirmed(ino, core_.clock.steady());
    TRY(txn.commit());
  }
  {
    MutexLock lock(mutex_);
    versions_.erase(ino);
  }
  notices.send(core_.notifier);
  return {};
}

Result<void> VolumeImpl::promote(const CallContext& call, InodeNumber ino, std::uint32_t number) {
  if (!core_.remote.capabilities().promote)
    return fail(ErrorCode::kNotSupported,
                "this server does not make an old version the current one");
  TRY_ASSIGN(const NodePtr node, remote_file(call, ino));
  if (node->content_dirty)
    return fail(ErrorCode::kBusy, node->name + ": changes made here are not at the server yet");
  if (core_.files.has_writers(ino))
    return fail(ErrorCode::kBusy, node->name + ": a program has it open for writing");
  if (!VolumeCore::rights(*node).has(Right::kWrite)) return fail(ErrorCode::kDenied, node->name);
  {
    MutexLock lock(mutex_);
    versions_.erase(ino);
  }
  TRY_ASSIGN(const std::vector<RemoteVersion> all, versions(call, ino));
  const auto found = std::ranges::find(all, number, &RemoteVersion::number);
  if (found == all.end()) return fail(ErrorCode::kInvalid, "no version " + std::to_string(number));
  if (found->current) return {};
  TRY_ASSIGN(const RemoteEntry now,
             core_.seen(core_.remote.promote(core_.bounded(call), node->remote->id, found->id)));
  return take_answer(ino, now);
}

// The user decides about this lock himself from now on.
Result<void> VolumeImpl::own_lock(InodeNumber ino) {
  return update_any(ino, [](NodeRecord& node) { node.lock_taken = false; });
}

Result<void> VolumeImpl::wait_unlocked(const CallContext& call, InodeNumber ino) {
  TRY_ASSIGN(const NodePtr node, core_.tree.find(ino));
  if (node == nullptr || !node->lock_taken || node->dirty() || !core_.is_in_flight(ino)) return {};
  return core_.in_flight->wait_landed(core_.bounded(call), ino);
}

Result<void> VolumeImpl::lock_for_change(const CallContext& call, InodeNumber ino) {
  const auto is_ours = [this, ino]() -> Result<NodePtr> {
    TRY_ASSIGN(const NodePtr node, core_.tree.find(ino));
    const bool needed = node != nullptr && !node->deleted && node->remote &&
                        node->remote->lock_to_write && !node->content_dirty;
    if (!needed || node->remote->lock == LockState::kHeldByUs) return NodePtr();
    if (node->remote->lock == LockState::kHeldByOther) {
      return fail(
          ErrorCode::kDenied,
          node->name + ": locked by " +
              (node->remote->lock_holder.empty() ? "somebody else" : node->remote->lock_holder));
    }
    return node;
  };
  TRY(wait_unlocked(call, ino));
  TRY_ASSIGN(const NodePtr node, is_ours());
  if (node == nullptr) return {};
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "the lock that writing needs");
  const CallContext bounded = core_.bounded(call);
  const Result<RemoteEntry> locked = take_write_lock(core_, bounded, ino, node->remote->id);
  // Whatever becomes of the change: if there is none in the end, the lock goes back. Without an
  // answer it is taken, perhaps.
  core_.wake(ino);
  if (locked) return take_answer(ino, *locked);
  if (locked.error().code == ErrorCode::kNotFound) {
    // What was asked about is not this file's object any more: it has taken over that of the file
    // whose place it came to, and what is written now is a new version of that one.
    TRY_ASSIGN(const NodePtr now, core_.tree.find(ino));
    if (now != nullptr && !now->deleted && now->remote && now->remote->id != node->remote->id)
      return lock_for_change(call, ino);
  }
  if (locked.error().code != ErrorCode::kBusy && locked.error().code != ErrorCode::kConflict)
    return fail(locked.error());
  // Somebody was faster: who? Another thread of ours, perhaps.
  TRY(listings_.revalidate(bounded, ino));
  TRY_ASSIGN(const NodePtr still, is_ours());
  if (still == nullptr) return {};
  return fail(ErrorCode::kDenied, locked.error().context);
}

Result<void> VolumeImpl::lock(const CallContext& call, InodeNumber ino) {
  if (!core_.remote.capabilities().locks)
    return fail(ErrorCode::kNotSupported, "this server has no locks");
  TRY(wait_unlocked(call, ino));
  TRY_ASSIGN(const NodePtr node, remote_file(call, ino));
  if (node->kind != NodeKind::kFile) return fail(ErrorCode::kNotSupported, "only files are locked");
  TRY_ASSIGN(const RemoteEntry now,
             core_.seen(core_.remote.lock(core_.bounded(call), node->remote->id)));
  TRY(own_lock(ino));
  return take_answer(ino, now);
}

Result<void> VolumeImpl::unlock(const CallContext& call, InodeNumber ino,
                                const std::string& comment) {
  if (!core_.remote.capabilities().locks)
    return fail(ErrorCode::kNotSupported, "this server has no locks");
  TRY_ASSIGN(const NodePtr node, remote_file(call, ino));
  if (node->kind != NodeKind::kFile) return fail(ErrorCode::kNotSupported, "only files are locked");
  TRY_ASSIGN(const RemoteEntry now,
             core_.seen(core_.remote.unlock(core_.bounded(call), node->remote->id, comment)));
  TRY(own_lock(ino));
  return take_answer(ino, now);
}

Result<std::vector<RemotePermission>> VolumeImpl::permissions(const CallContext& call,
                                                              InodeNumber ino) {
  if (!core_.remote.capabilities().permissions)
    return fail(ErrorCode::kNotSupported, "this server does not tell or change permissions");
  TRY_ASSIGN(const NodePtr node, remote_file(call, ino));
  return core_.seen(core_.remote.permissions(core_.bounded(call), node->kind, node->remote->id));
}

Result<void> VolumeImpl::share(const CallContext& call, InodeNumber ino, const std::string& who,
                               AccessLevel level) {
  if (!core_.remote.capabilities().permissions)
    return fail(ErrorCode::kNotSupported, "this server does not tell or change permissions");
  TRY_ASSIGN(const NodePtr node, remote_file(call, ino));
  return core_.seen(
      core_.remote.share(core_.bounded(call), node->kind, node->remote->id, who, level));
}

Result<void> VolumeImpl::unshare(const CallContext& call, InodeNumber ino, const std::string& who) {
  if (!core_.remote.capabilities().permissions)
    return fail(ErrorCode::kNotSupported, "this server does not tell or change permissions");
  TRY_ASSIGN(const NodePtr node, remote_file(call, ino));
  return core_.seen(core_.remote.unshare(core_.bounded(call), node->kind, node->remote->id, who));
}

Result<std::vector<RemoteEvent>> VolumeImpl::history(const CallContext& call, InodeNumber ino) {
  if (!core_.remote.capabilities().history)
    return fail(ErrorCode::kNotSupported, "this server tells no history");
  TRY_ASSIGN(const NodePtr node, remote_file(call, ino));
  return core_.seen(core_.remote.history(core_.bounded(call), node->kind, node->remote->id));
}

Result<void> VolumeImpl::set_description(InodeNumber ino, const std::string& text) {
  if (!core_.remote.capabilities().description)
    return fail(ErrorCode::kNotSupported, "this server keeps no descriptions");
  TRY(update(ino, [this, &text](NodeRecord& node) -> Result<void> {
    if (!is_valid_utf8(text)) return fail(ErrorCode::kInvalid, "a description is UTF-8 text");
    node.description = text;
    node.changed_at = core_.now();
    return {};
  }));
  core_.wake(ino);
  return {};
}

Result<void> VolumeImpl::set_pin(InodeNumber ino, PinState state) {
  TRY(update(ino, [state](NodeRecord& node) -> Result<void> {
    node.pin = state;
    return {};
  }));
  pins_.wake();
  return {};
}

Result<void> VolumeImpl::set_sync(InodeNumber ino, SyncMode mode) {
  TRY_ASSIGN(const NodePtr node, existing_folder(ino));
  return update(ino, [mode](NodeRecord& next) -> Result<void> {
    next.sync = mode;
    return {};
  });
}

Result<void> VolumeImpl::send_mail(const CallContext& call, const Mail& mail) {
  if (!core_.remote.capabilities().mail)
    return fail(ErrorCode::kNotSupported, "this server sends no mail");
  return core_.seen(core_.remote.send_mail(call, mail));
}

Result<std::string> VolumeImpl::get_xattr(InodeNumber ino, const std::string& name) {
  TRY_ASSIGN(const NodePtr node, existing(ino));
  const auto found = node->xattrs.find(name);
  if (found == node->xattrs.end()) return fail(ErrorCode::kNoData, name);
  return found->second;
}

Result<std::vector<std::string>> VolumeImpl::list_xattrs(InodeNumber ino) {
  TRY_ASSIGN(const NodePtr node, existing(ino));
  std::vector<std::string> names;
  for (const auto& [name, value] : node->xattrs) names.push_back(name);
  return names;
}

Result<void> VolumeImpl::set_xattr(InodeNumber ino, const std::string& name,
                                   const std::string& value, XattrMode mode) {
  // One row holds them all; the kernel's own bound for one value is 64 KiB.
  constexpr std::size_t kMaxTotal = 128u << 10;
  return update(ino, [&](NodeRecord& node) -> Result<void> {
    const bool there = node.xattrs.contains(name);
    if (mode == XattrMode::kCreate && there) return fail(ErrorCode::kExists, name);
    if (mode == XattrMode::kReplace && !there) return fail(ErrorCode::kNoData, name);
    node.xattrs[name] = value;
    std::size_t total = 0;
    for (const auto& [key, text] : node.xattrs) total += key.size() + text.size();
    if (total > kMaxTotal)
      return fail(ErrorCode::kNoSpace, "extended attributes of one file: at most 128 KiB");
    return {};
  });
}

Result<void> VolumeImpl::remove_xattr(InodeNumber ino, const std::string& name) {
  return update(ino, [&name](NodeRecord& node) -> Result<void> {
    if (node.xattrs.erase(name) == 0) return fail(ErrorCode::kNoData, name);
    return {};
  });
}

}  // namespace cabinetfs
