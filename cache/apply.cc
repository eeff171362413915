// What the server says, taken into the tree: see listing.h for the functions.
#include <algorithm>
#include <utility>

#include "cache/listing.h"

namespace cabinetfs {
namespace {

// Erases a clean subtree. The caller has made sure that nothing below is unsent or being written.
Result<void> erase_below(VolumeCore& core, Tree::Txn& txn, const NodeRecord& top,
                         Notices& notices) {
  std::vector<NodePtr> pending;
  pending.push_back(std::make_shared<const NodeRecord>(top));
  while (!pending.empty()) {
    const NodePtr node = pending.back();
    pending.pop_back();
    if (node->kind == NodeKind::kFolder) {
      TRY_ASSIGN(const std::vector<NodePtr> children, txn.children(node->ino));
      pending.insert(pending.end(), children.begin(), children.end());
    }
    if (const std::shared_ptr<FileState> file = core.files.find(node->ino);
        file != nullptr && file->handles > 0) {
      // The tree's mutex is inside the file's: the orphan is left to whoever asks next, from the
      // handle's own state.
      notices.inode(node->ino, true);
    }
    txn.erase(node->ino);
  }
  return {};
}

// Something below (or the node itself) has to outlive what the server says.
Result<bool> holds_unsent(VolumeCore& core, Tree::Txn& txn, const NodeRecord& top) {
  std::vector<NodePtr> pending;
  pending.push_back(std::make_shared<const NodeRecord>(top));
  while (!pending.empty()) {
    const NodePtr node = pending.back();
    pending.pop_back();
    if (node->kind == NodeKind::kFile) {
      if (node->content_dirty || !node->remote || core.files.has_writers(node->ino)) return true;
      // Moved here from another folder, where the server still has it.
      if (node->ino != top.ino && node->moved()) return true;
      continue;
    }
    if (node->ino != top.ino && node->dirty()) return true;
    TRY_ASSIGN(const std::vector<NodePtr> children, txn.children(node->ino));
    pending.insert(pending.end(), children.begin(), children.end());
  }
  return false;
}

Result<void> add_node(VolumeCore& core, Tree::Txn& txn, InodeNumber folder,
                      const RemoteEntry& entry, Notices& notices) {
  const std::string shown = core.codec.to_local(entry.name, entry.id);
  // Perhaps it is ours, whose answer got lost: whoever sent it looks first.
  TRY_ASSIGN(const NodePtr sent, txn.displaced_at(folder, entry.name, kNoInode));
  if (sent != nullptr && !sent->remote) return {};
  if (sent != nullptr && sent->sent_place && core.remote.capabilities().ids_follow_path &&
      sent->sent_place->folder == folder && core.codec.same(sent->sent_place->name, entry.name))
    return {};
  TRY_ASSIGN(const NodePtr same_name, core.same_named(txn, folder, shown));
  if (same_name != nullptr && !same_name->remote && core.codec.same(same_name->name, shown)) {
    // Ours of that name has not been sent yet. Folders are one from now on; of files the reconciler
    // decides when ours gets there.
    if (same_name->kind == NodeKind::kFolder && entry.kind == NodeKind::kFolder &&
        !core.is_in_flight(same_name->ino)) {
      NodeRecord merged = *same_name;
      merged.remote = entry;
      merged.remote_parent = folder;
      merged.listed = false;
      merged.renamed = !core.shows_remote_name(merged);
      merged.failure.reset();
      core.recent.confirmed(merged.ino, core.clock.steady());
      txn.put(std::move(merged));
    }
    return {};
  }
  NodeRecord node;
  TRY_ASSIGN(node.ino, txn.new_inode());
  node.kind = entry.kind;
  node.remote = entry;
  node.remote_parent = folder;
  node.parent = folder;
  node.name = shown;
  if (same_name != nullptr) {
    TRY_ASSIGN(node.name, free_shown_name(core, txn, folder, entry, node.ino));
  }
  show_remote(node, true);
  txn.put(std::move(node));
  notices.inode(folder, true);
  return {};
}

}  // namespace

bool is_what_was_sent(const Intent& intent, const RemoteEntry& entry) {
  if (intent.kind == Intent::Kind::kCreateFolder) return entry.kind == NodeKind::kFolder;
  if (intent.kind != Intent::Kind::kPut && intent.kind != Intent::Kind::kUpload) return false;
  if (entry.kind != NodeKind::kFile || entry.size != intent.size) return false;
  if (!intent.before.empty() && entry.validator == intent.before) return false;
  // Sizes and times are no proof: what is taken for ours may be deleted.
  return !intent.md5.empty() && entry.hashes.md5 == intent.md5;
}

bool may_be_what_was_sent(const Intent& intent, const RemoteEntry& entry) {
  if (intent.kind != Intent::Kind::kPut && intent.kind != Intent::Kind::kUpload) return false;
  if (entry.kind != NodeKind::kFile || entry.size != intent.size) return false;
  if (!intent.before.empty() && entry.validator == intent.before) return false;
  return entry.hashes.md5.empty() && !intent.md5.empty();
}

void show_remote(NodeRecord& node, bool content_changed) {
  const RemoteEntry& entry = *node.remote;
  if (node.kind == NodeKind::kFile) node.size = entry.size;
  if (content_changed || !node.times_local) {
    node.mtime = entry.modified;
    node.ctime = std::max(entry.changed, entry.modified);
    // What a program has set stays for as long as the content does.
    if (content_changed) node.atime = std::max(node.atime, node.mtime);
    node.times_local = false;
  }
  node.btime = entry.created;
}

Result<std::string> free_shown_name(VolumeCore& core, Tree::Txn& txn, InodeNumber folder,
                                    const RemoteEntry& entry, InodeNumber self) {
  const std::string shown = core.codec.to_local(entry.name, entry.id);
  TRY_ASSIGN(const NodePtr taken, txn.child(folder, shown));
  if (taken == nullptr || taken->ino == self) return shown;
  return core.codec.twin_name(shown, entry.id);
}

// A part of a move has been done: it is undone, by a change of its own. Where that is not possible,
// or is refused too, what the server has counts.
static Result<void> go_back_to_first_place(VolumeCore& core, Tree::Txn& txn, NodeRecord& node,
                                           Notices& notices) {
  if (!node.first_place) return {};
  const FirstPlace first = *std::exchange(node.first_place, std::nullopt);
  TRY_ASSIGN(const NodePtr folder, txn.find(first.folder));
  if (folder == nullptr || folder->deleted || !folder->remote) return {};
  const std::string shown = core.codec.to_local(first.name, node.remote->id);
  TRY_ASSIGN(const NodePtr taken, core.same_named(txn, first.folder, shown));
  if (taken != nullptr && taken->ino != node.ino) return {};
  node.parent = first.folder;
  node.name = shown;
  node.renamed = !core.shows_remote_name(node);
  node.upload_soon = node.upload_soon || node.moved();
  notices.inode(first.folder, true);
  return {};
}

Result<void> put_back(VolumeCore& core, Tree::Txn& txn, NodeRecord& node, Notices& notices) {
  if (node.deleted) {
    // What was sent before is none of the states that the row has from now on.
    node.intent.generation = 0;
  } else {
    notices.entry(node.parent, node.name);
    notices.inode(node.parent, true);
  }
  node.deleted = false;
  node.parent = node.remote_parent;
  TRY_ASSIGN(node.name, free_shown_name(core, txn, node.parent, *node.remote, node.ino));
  node.renamed = !core.shows_remote_name(node);
  node.failure.reset();
  notices.inode(node.parent, true);
  return go_back_to_first_place(core, txn, node, notices);
}

Result<void> apply_entry(VolumeCore& core, Tree::Txn& txn, InodeNumber folder,
                         const RemoteEntry& entry, SteadyTime asked, Notices& notices) {
  if (core.recent.removed_since(entry.id, asked)) return {};
  TRY_ASSIGN(const NodePtr known, txn.find_remote(entry.id));
  if (known == nullptr) return add_node(core, txn, folder, entry, notices);
  if (core.is_in_flight(known->ino)) {
    if (known->deleted && known->kind == NodeKind::kFile)
      core.recent.told(known->ino, entry.validator);
    return {};
  }
  if (core.recent.confirmed_since(known->ino, asked)) return {};
  if (known->sent_place) return {};  // our own rename or move, perhaps: whoever sent it looks first
  if (known->kind != entry.kind) {
    // Where ids are places, another object stands there now; else believe what we had.
    if (!core.remote.capabilities().ids_follow_path) return {};
    TRY(apply_gone(core, txn, *known, asked, notices));
    TRY_ASSIGN(const NodePtr kept, txn.find(known->ino));
    if (kept != nullptr) return {};
    return add_node(core, txn, folder, entry, notices);
  }
  if (*known->remote == entry && known->remote_parent == folder) return {};

  NodeRecord node = *known;
  const bool content_changed =
      entry.kind == NodeKind::kFile && entry.validator != node.remote->validator;
  if (node.deleted) {
    const bool ours = is_what_was_sent(node.intent, entry);
    // What may be ours is looked at before it is removed.
    const bool edited = entry.kind == NodeKind::kFile && entry.validator != node.base_validator &&
                        !ours && !may_be_what_was_sent(node.intent, entry);
    node.remote = entry;
    if (ours) node.base_validator = entry.validator;
    node.remote_parent = folder;
    if (edited) {
      // Deleted here, changed there: the edit wins.
      TRY(put_back(core, txn, node, notices));
      show_remote(node, true);
      node.conflict = "deleted here while it was changed on the server: kept";
      ++core.conflicts;
      notices.inode(node.ino, true);
    }
    txn.put(std::move(node));
    return {};
  }

  const bool was_moved = node.moved();
  const InodeNumber old_parent = node.parent;
  const std::string old_name = node.name;
  node.remote = entry;
  node.remote_parent = folder;
  if (!was_moved) {
    if (node.parent != folder || !core.shows_remote_name(node)) {
      TRY_ASSIGN(node.name, free_shown_name(core, txn, folder, entry, node.ino));
      node.parent = folder;
      if (old_parent != node.parent || old_name != node.name) {
        notices.entry(old_parent, old_name);
        notices.inode(old_parent, true);
        notices.inode(folder, true);
      }
    }
    node.renamed = false;
  } else {
    node.renamed = !core.shows_remote_name(node);
  }
  if (!node.deleted && !node.moved()) node.first_place.reset();
  if (!node.content_dirty) {
    if (content_changed) {
      show_remote(node, true);
      node.conflict.clear();
    } else {
      show_remote(node, false);
    }
    notices.inode(node.ino, content_changed);
  }
  txn.put(std::move(node));
  return {};
}

Result<void> apply_gone(VolumeCore& core, Tree::Txn& txn, const NodeRecord& node, SteadyTime asked,
                        Notices& notices) {
  if (core.is_in_flight(node.ino) || core.recent.confirmed_since(node.ino, asked)) return {};
  if (node.sent_place) return {};
  if (node.deleted) {
    txn.erase(node.ino);
    return {};
  }
  // The reconciler meets the loss when it sends what is unsent, and makes the object (or its
  // folder) anew.
  TRY_ASSIGN(const bool keep, holds_unsent(core, txn, node));
  if (keep) return {};
  notices.entry(node.parent, node.name);
  notices.inode(node.parent, true);
  return erase_below(core, txn, node, notices);
}

}  // namespace cabinetfs
