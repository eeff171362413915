// Volume: changes of the tree. Each is one durable transaction; the reconciler tells the server.
#include "cache/volume_impl.h"

namespace cabinetfs {

Result<void> VolumeImpl::may_change_folder(const NodeRecord& folder, NodeKind kind) {
  if (core_.options.read_only) return fail(ErrorCode::kReadOnly, "mounted read-only");
  if (!VolumeCore::rights(folder).has(Right::kCreate))
    return fail(ErrorCode::kDenied, folder.name + ": no right to create here");
  if (kind == NodeKind::kFile && folder.ino == kRootInode && core_.options.root_path.empty() &&
      !core_.remote.capabilities().root_takes_files) {
    return fail(ErrorCode::kNotPermitted, "the top level of this account holds folders only");
  }
  return {};
}

Result<void> VolumeImpl::may_remove(const NodeRecord& node) const {
  if (core_.options.read_only) return fail(ErrorCode::kReadOnly, "mounted read-only");
  if (node.remote && node.remote->system)
    return fail(ErrorCode::kNotPermitted, node.name + " belongs to the system");
  if (!VolumeCore::rights(node).has(Right::kDelete))
    return fail(ErrorCode::kDenied, node.name + ": no right to delete");
  if (node.remote && node.remote->lock == LockState::kHeldByOther) {
    return fail(ErrorCode::kBusy, node.name + ": locked by " + node.remote->lock_holder);
  }
  return {};
}

void VolumeImpl::touch_folder(Tree::Txn& txn, InodeNumber folder) {
  const Result<NodePtr> node = txn.find(folder);
  if (!node || *node == nullptr) return;
  NodeRecord next = **node;
  next.mtime = next.ctime = core_.now();
  next.times_local = true;
  txn.put(std::move(next));
}

bool VolumeImpl::waits_for_server(InodeNumber ino) {
  // The nearest directory above that says so; the mount's option otherwise.
  for (int depth = 0; depth < 4096 && ino; ++depth) {
    const Result<NodePtr> node = core_.tree.find(ino);
    if (!node || *node == nullptr) break;
    if ((*node)->sync != SyncMode::kInherit) return (*node)->sync == SyncMode::kRemote;
    if (ino == kRootInode) break;
    ino = (*node)->parent ? (*node)->parent : (*node)->remote_parent;
  }
  return core_.options.sync == SyncMode::kRemote;
}

Result<void> VolumeImpl::wait_if_remote(const CallContext& call, InodeNumber ino) {
  return waits_for_server(ino) ? wait_sent(call, ino) : Result<void>();
}

Result<void> VolumeImpl::wait_sent(const CallContext& call, InodeNumber ino) {
  const Result<void> soon = update(ino, [](NodeRecord& node) -> Result<void> {
    node.upload_soon = node.upload_soon || node.dirty();
    return {};
  });
  if (!soon && soon.error().code != ErrorCode::kNotFound) return soon;
  reconciler_.expect(ino);
  reconciler_.wake(ino);
  return reconciler_.wait_settled(core_.bounded(call), ino);
}

Result<Attributes> VolumeImpl::mkdir(const CallContext& call, InodeNumber parent,
                                     const std::string& name, std::uint32_t mode) {
  TRY(check_name(name));
  TRY_ASSIGN(const NodePtr folder, existing_folder(parent));
  TRY(may_change_folder(*folder, NodeKind::kFolder));
  TRY(core_.codec.to_remote(name));
  TRY(listings_.ensure(call, parent, core_.options.fresh));
  if (!call.may_block && waits_for_server(parent))
    return fail(ErrorCode::kWouldBlock, "sync = remote");
  NodeRecord node;
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr above, txn.find(parent));
    if (above == nullptr || above->deleted) return fail(ErrorCode::kNotFound, "the folder is gone");
    TRY_ASSIGN(const NodePtr taken, core_.same_named(txn, parent, name));
    if (taken != nullptr) return fail(ErrorCode::kExists, name);
    TRY_ASSIGN(node.ino, txn.new_inode());
    node.kind = NodeKind::kFolder;
    node.parent = parent;
    node.name = name;
    node.mode = mode & 07777u;
    node.mtime = node.atime = node.ctime = node.btime = node.changed_at = core_.now();
    node.times_local = true;
    node.listed = true;  // it is new, so it is known to be empty
    node.listed_at = core_.now();
    txn.put(node);
    touch_folder(txn, parent);
    TRY(txn.commit());
  }
  core_.wake(node.ino);
  TRY(wait_if_remote(call, node.ino));
  TRY_ASSIGN(const NodePtr made, existing(node.ino));
  return core_.attributes(*made);
}

Result<void> VolumeImpl::unlink(const CallContext& call, InodeNumber parent,
                                const std::string& name) {
  TRY_ASSIGN(const NodePtr child, existing_child(call, parent, name));
  if (child->kind != NodeKind::kFile) return fail(ErrorCode::kIsDirectory, name);
  TRY(may_remove(*child));
  if (!call.may_block && waits_for_server(parent))
    return fail(ErrorCode::kWouldBlock, "sync = remote");
  const bool remote_sync = waits_for_server(parent);
  reconciler_.expect(child->ino);
  const std::shared_ptr<FileState> file = core_.files.acquire(child->ino);
  {
    // A commit of the same file is either before this or sees that the name is gone.
    MutexLock lock(file->mutex);
    std::shared_ptr<StagedContent> dropped;
    TRY_ASSIGN(dropped, core_.staged_to_drop(*file));
    {
      Tree::Txn txn(core_.tree);
      TRY_ASSIGN(const NodePtr now, txn.find(child->ino));
      if (now == nullptr || now->deleted || now->parent != parent || now->name != name)
        return fail(ErrorCode::kNotFound, name);
      file->orphan = now;
      NodeRecord next = *now;
      if (!next.remote && next.intent.kind == Intent::Kind::kNone &&
          !core_.is_in_flight(next.ino)) {
        txn.erase(next.ino);  // the server never heard of it
      } else {
        // What was shown is what goes: somebody's newer version was not seen.
        if (next.remote && !(next.content_dirty && !next.base_validator.empty()))
          next.base_validator = next.remote->validator;
        next.deleted = true;
        next.parent = kNoInode;
        next.content_dirty = false;
        next.staged.clear();
        next.base.reset();
        next.upload_soon = remote_sync;
        next.changed_at = core_.now();
        next.failure.reset();
        txn.put(next);
        TRY(hand_on_identity(core_, txn, next.ino));
      }
      touch_folder(txn, parent);
      TRY(txn.commit());
    }
    if (dropped != nullptr) core_.contents.discard_staged(dropped);
    if (file->handles == 0) file->staged.reset();
  }
  core_.wake(child->ino);
  if (!remote_sync) return {};
  reconciler_.wake(child->ino);
  return reconciler_.wait_settled(core_.bounded(call), child->ino);
}

Result<void> VolumeImpl::rmdir(const CallContext& call, InodeNumber parent,
                               const std::string& name) {
  TRY_ASSIGN(const NodePtr child, existing_child(call, parent, name));
  if (child->kind != NodeKind::kFolder) return fail(ErrorCode::kNotDirectory, name);
  TRY(may_remove(*child));
  // The server deletes whole trees, so emptiness is our business, by a listing that is not old.
  TRY(listings_.ensure(call, child->ino, core_.options.fresh));
  const bool remote_sync = waits_for_server(parent);
  if (!call.may_block && remote_sync) return fail(ErrorCode::kWouldBlock, "sync = remote");
  reconciler_.expect(child->ino);
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr now, txn.find(child->ino));
    if (now == nullptr || now->deleted || now->parent != parent || now->name != name)
      return fail(ErrorCode::kNotFound, name);
    TRY_ASSIGN(const bool inside, txn.has_children(now->ino));
    if (inside) return fail(ErrorCode::kNotEmpty, name);
    if (!now->remote && now->intent.kind == Intent::Kind::kNone && !core_.is_in_flight(now->ino)) {
      txn.erase(now->ino);
    } else {
      NodeRecord next = *now;
      next.deleted = true;
      next.parent = kNoInode;
      next.upload_soon = remote_sync;
      next.changed_at = core_.now();
      next.failure.reset();
      txn.put(std::move(next));
    }
    touch_folder(txn, parent);
    TRY(txn.commit());
  }
  core_.wake(child->ino);
  if (!remote_sync) return {};
  return reconciler_.wait_settled(core_.bounded(call), child->ino);
}

Result<void> VolumeImpl::rename(const CallContext& call, InodeNumber parent,
                                const std::string& name, InodeNumber new_parent,
                                const std::string& new_name, RenameMode mode) {
  TRY(check_name(new_name));
  TRY_ASSIGN(const NodePtr source, existing_child(call, parent, name));
  TRY_ASSIGN(const NodePtr folder, existing_folder(new_parent));
  TRY(listings_.ensure(call, new_parent, core_.options.fresh));
  TRY(core_.codec.to_remote(new_name));
  if (core_.options.read_only) return fail(ErrorCode::kReadOnly, "mounted read-only");
  if (source->remote && source->remote->system)
    return fail(ErrorCode::kNotPermitted, name + " belongs to the system");
  if (!VolumeCore::rights(*source).has(Right::kRename))
    return fail(ErrorCode::kDenied, name + ": no right to rename");
  if (parent != new_parent || mode == RenameMode::kExchange)
    TRY(may_change_folder(*folder, source->kind));
  const bool remote_sync = waits_for_server(new_parent);
  if (!call.may_block && remote_sync) return fail(ErrorCode::kWouldBlock, "sync = remote");

  TRY_ASSIGN(const NodePtr target_before, core_.tree.child(new_parent, new_name));
  if (target_before != nullptr && target_before->ino == source->ino) return {};
  if (target_before != nullptr && target_before->kind == NodeKind::kFolder &&
      mode != RenameMode::kExchange) {
    TRY(listings_.ensure(call, target_before->ino, core_.options.fresh));
  }
  if (target_before != nullptr && target_before->kind == NodeKind::kFile &&
      mode == RenameMode::kReplace)
    TRY(lock_for_change(call, target_before->ino));
  reconciler_.expect(source->ino);
  // Held so that no commit of the replaced file comes in between.
  const std::shared_ptr<FileState> replaced_file = target_before != nullptr &&
                                                           target_before->kind == NodeKind::kFile &&
                                                           mode == RenameMode::kReplace
                                                       ? core_.files.acquire(target_before->ino)
                                                       : std::make_shared<FileState>(kNoInode);
  InodeNumber replaced_ino;
  {
    MutexLock lock(replaced_file->mutex);
    std::shared_ptr<StagedContent> dropped;
    if (replaced_file->ino) {
      TRY_ASSIGN(dropped, core_.staged_to_drop(*replaced_file));
    }
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr from, txn.find(source->ino));
    if (from == nullptr || from->deleted || from->parent != parent || from->name != name)
      return fail(ErrorCode::kNotFound, name);
    TRY_ASSIGN(const NodePtr above, txn.find(new_parent));
    if (above == nullptr || above->deleted)
      return fail(ErrorCode::kNotFound, "the target folder is gone");
    for (NodePtr up = above; up != nullptr && up->ino != kRootInode;) {
      if (up->ino == from->ino)
        return fail(ErrorCode::kInvalid, "a folder cannot be moved into itself");
      TRY_ASSIGN(up, txn.find(up->parent));
    }
    TRY_ASSIGN(const NodePtr target, core_.same_named(txn, new_parent, new_name));
    NodeRecord moved = *from;
    const WallTime now = core_.now();
    if (target != nullptr && target->ino != from->ino) {
      if (mode == RenameMode::kNoReplace) return fail(ErrorCode::kExists, new_name);
      // The same name to the server, another to us: a replacement would be a surprise.
      if (target->name != new_name)
        return fail(ErrorCode::kExists, new_name + ": taken as " + target->name);
      if (mode == RenameMode::kExchange) {
        NodeRecord other = *target;
        if (other.remote && other.remote->system)
          return fail(ErrorCode::kNotPermitted, new_name + " belongs to the system");
        if (!VolumeCore::rights(other).has(Right::kRename))
          return fail(ErrorCode::kDenied, new_name);
        TRY_ASSIGN(NodePtr up, txn.find(parent));
        while (up != nullptr && up->ino != kRootInode) {
          if (up->ino == other.ino) return fail(ErrorCode::kInvalid, "one holds the other");
          TRY_ASSIGN(up, txn.find(up->parent));
        }
        other.parent = parent;
        other.name = name;
        other.renamed = other.remote.has_value() && !core_.shows_remote_name(other);
        other.changed_at = other.ctime = now;
        other.upload_soon = remote_sync;
        TRY(may_change_place(txn, *target, other, nullptr));
        txn.put(std::move(other));
      } else {
        if (target_before == nullptr || target->ino != target_before->ino)
          return fail(ErrorCode::kTryAgain, new_name);
        if (from->kind == NodeKind::kFolder && target->kind == NodeKind::kFile)
          return fail(ErrorCode::kNotDirectory, new_name);
        if (from->kind == NodeKind::kFile && target->kind == NodeKind::kFolder)
          return fail(ErrorCode::kIsDirectory, new_name);
        TRY(may_remove(*target));
        if (target->kind == NodeKind::kFolder) {
          TRY_ASSIGN(const bool inside, txn.has_children(target->ino));
          if (inside) return fail(ErrorCode::kNotEmpty, new_name);
        }
        replaced_ino = target->ino;
        replaced_file->orphan = target;
        if (!target->remote && target->intent.kind == Intent::Kind::kNone &&
            !core_.is_in_flight(target->ino)) {
          txn.erase(target->ino);
        } else {
          NodeRecord gone = *target;
          if (gone.remote && !(gone.content_dirty && !gone.base_validator.empty()))
            gone.base_validator = gone.remote->validator;
          gone.deleted = true;
          gone.parent = kNoInode;
          gone.content_dirty = false;
          gone.staged.clear();
          gone.base.reset();
          gone.changed_at = now;
          gone.upload_soon = remote_sync;
          gone.failure.reset();
          txn.put(std::move(gone));
        }
      }
    } else if (target == nullptr && mode == RenameMode::kExchange) {
      return fail(ErrorCode::kNotFound, new_name);
    }
    moved.parent = new_parent;
    moved.name = new_name;
    moved.renamed = moved.remote.has_value() && !core_.shows_remote_name(moved);
    moved.changed_at = moved.ctime = now;
    moved.upload_soon = moved.upload_soon || remote_sync;
    TRY(may_change_place(txn, *from, moved, mode == RenameMode::kReplace ? target.get() : nullptr));
    // The tries of another change are none of this one's.
    if (moved.failure && (!moved.remote || moved.moved())) moved.failure.reset();
    txn.put(moved);
    if (replaced_ino) TRY(hand_on_identity(core_, txn, replaced_ino));
    touch_folder(txn, parent);
    if (new_parent != parent) touch_folder(txn, new_parent);
    // A deleted file may have stood at the new place (rm, then mv).
    if (!replaced_ino && moved.kind == NodeKind::kFile) {
      TRY_ASSIGN(const std::string remote_name, core_.codec.to_remote(new_name));
      TRY_ASSIGN(const NodePtr before, txn.displaced_at(new_parent, remote_name, moved.ino));
      if (before != nullptr && before->deleted) TRY(hand_on_identity(core_, txn, before->ino));
    }
    TRY(txn.commit());
    if (dropped != nullptr && replaced_ino) core_.contents.discard_staged(dropped);
    if (replaced_file->handles == 0) replaced_file->staged.reset();
  }
  core_.wake(source->ino);
  if (replaced_ino) core_.wake(replaced_ino);
  if (mode == RenameMode::kExchange && target_before != nullptr) core_.wake(target_before->ino);
  if (!remote_sync) return {};
  return reconciler_.wait_settled(core_.bounded(call), source->ino);
}

}  // namespace cabinetfs
