#include "cache/path_ids.h"

#include <optional>
#include <unordered_set>

namespace cabinetfs {
namespace {

// A bound against a damaged database.
constexpr int kDeepest = 4096;

// Where the node's ids begin: each is looked at with all that is above it on the server.
Result<std::vector<InodeNumber>> starts_of(Tree::Txn& txn, const NodeRecord& node) {
  std::vector<InodeNumber> starts;
  if (node.remote) starts.push_back(node.remote_parent);
  if (!node.deleted && (!node.remote || node.moved())) starts.push_back(node.parent);
  if (node.intent.kind != Intent::Kind::kNone) starts.push_back(node.intent.folder);
  if (node.sent_place) starts.push_back(node.sent_place->folder);
  if (node.base && !node.deleted) {
    TRY_ASSIGN(const NodePtr base, txn.find_remote(node.base->file));
    if (base != nullptr && base->ino != node.ino) starts.push_back(base->ino);
  }
  return starts;
}

// Calls for `start` and each folder above it on the server, until one is what is looked for.
template <class Is>
Result<InodeNumber> find_upwards(Tree::Txn& txn, InodeNumber start, const Is& is) {
  InodeNumber at = start;
  for (int depth = 0; depth < kDeepest && at && at != kRootInode; ++depth) {
    TRY_ASSIGN(const NodePtr row, txn.find(at));
    if (row == nullptr) break;
    if (is(*row)) return row->ino;
    if (row->remote)
      at = row->remote_parent;
    else
      at = row->intent.kind != Intent::Kind::kNone ? row->intent.folder : row->parent;
  }
  return kNoInode;
}

// The content's key as it is called now; nothing when it is called as before.
std::optional<ContentKey> renamed_key(const VolumeCore& core, const ContentKey& key,
                                      const NewNames& names) {
  ContentKey now = key;
  if (names.from != names.to) now.file = core.remote.rebase(key.file, names.from, names.to);
  if (key.file == names.from && !names.was.empty() && key.validator == names.was)
    now.validator = names.is;
  if (now == key) return std::nullopt;
  return now;
}

}  // namespace

Result<InodeNumber> moving_at(VolumeCore& core, Tree::Txn& txn, InodeNumber ino) {
  return find_upwards(txn, ino, [&core](const NodeRecord& row) {
    return row.remote && (row.sent_place || core.is_in_flight(row.ino));
  });
}

Result<InodeNumber> moving_for(VolumeCore& core, Tree::Txn& txn, const NodeRecord& node) {
  TRY_ASSIGN(const std::vector<InodeNumber> starts, starts_of(txn, node));
  for (const InodeNumber start : starts) {
    TRY_ASSIGN(const InodeNumber found, moving_at(core, txn, start));
    if (found && found != node.ino) return found;
  }
  return kNoInode;
}

Result<InodeNumber> in_flight_by_way_of(VolumeCore& core, Tree::Txn& txn, InodeNumber ino) {
  if (core.in_flight == nullptr) return kNoInode;
  for (const InodeNumber flying : core.in_flight->flights()) {
    if (flying == ino) continue;
    TRY_ASSIGN(const NodePtr row, txn.find(flying));
    if (row == nullptr) continue;
    TRY_ASSIGN(const std::vector<InodeNumber> starts, starts_of(txn, *row));
    for (const InodeNumber start : starts) {
      TRY_ASSIGN(const InodeNumber found, find_upwards(txn, start, [ino](const NodeRecord& above) {
                   return above.ino == ino;
                 }));
      if (found) return flying;
    }
  }
  return kNoInode;
}

Result<void> rebase_rows(VolumeCore& core, Tree::Txn& txn, InodeNumber top, const NewNames& names,
                         std::vector<ContentRename>& contents) {
  // Read first, changed afterwards: a transaction's own changes make its reads dearer.
  std::vector<NodePtr> below;
  std::vector<InodeNumber> folders;
  if (names.from != names.to) folders.push_back(top);
  std::unordered_set<InodeNumber> seen{top};
  while (!folders.empty()) {
    const InodeNumber folder = folders.back();
    folders.pop_back();
    TRY_ASSIGN(const std::vector<NodePtr> children, txn.remote_children(folder));
    for (const NodePtr& child : children) {
      if (!seen.insert(child->ino).second) continue;
      below.push_back(child);
      if (child->kind == NodeKind::kFolder) folders.push_back(child->ino);
    }
  }
  for (const NodePtr& row : below) {
    if (!row->remote) continue;
    NodeRecord next = *row;
    next.remote->id = core.remote.rebase(next.remote->id, names.from, names.to);
    next.remote->parent = core.remote.rebase(next.remote->parent, names.from, names.to);
    if (row->kind == NodeKind::kFile && next.remote->id != row->remote->id) {
      contents.push_back(
          {VolumeCore::content_key(*row->remote), VolumeCore::content_key(*next.remote)});
    }
    txn.put(std::move(next));
  }
  for (const InodeNumber holder : txn.base_holders()) {
    TRY_ASSIGN(const NodePtr row, txn.find(holder));
    if (row == nullptr || !row->base) continue;
    const std::optional<ContentKey> key = renamed_key(core, *row->base, names);
    if (!key) continue;
    // Under another validator: only the bytes that are here are known to be the same.
    if (key->validator == row->base->validator) contents.push_back({*row->base, *key});
    NodeRecord next = *row;
    next.base = key;
    txn.put(std::move(next));
  }
  return {};
}

Result<void> rebase_files(VolumeCore& core, const NewNames& names,
                          const std::vector<ContentRename>& contents) {
  for (const std::shared_ptr<FileState>& file : core.files.open_files()) {
    MutexLock lock(file->mutex);
    if (file->ino == names.ino && !names.was.empty()) file->validators[names.was.value] = names.is;
    if (file->clean != nullptr && renamed_key(core, file->clean->key(), names))
      file->clean.reset();  // opened again under the row's key
  }
  // While nobody holds them under the old key, or under the new one yet.
  core.contents.rename_cached(contents);
  for (const std::shared_ptr<FileState>& file : core.files.open_files()) {
    MutexLock lock(file->mutex);
    if (!file->base) continue;
    const std::optional<ContentKey> key = renamed_key(core, *file->base, names);
    if (!key) continue;
    if (file->base->file == names.from && !names.was.empty() && file->base_validator == names.was)
      file->base_validator = names.is;
    file->base = key;
    if (file->staged != nullptr) file->staged->rebase(*key);
  }
  // A commit between the transaction and this has written the old one, also of a file that is
  // closed by now.
  Tree::Txn txn(core.tree);
  for (const InodeNumber holder : txn.base_holders()) {
    TRY_ASSIGN(const NodePtr row, txn.find(holder));
    if (row == nullptr || !row->base) continue;
    const std::optional<ContentKey> stored = renamed_key(core, *row->base, names);
    if (!stored) continue;
    NodeRecord next = *row;
    if (next.base->file == names.from && !names.was.empty() && next.base_validator == names.was)
      next.base_validator = names.is;
    next.base = stored;
    txn.put(std::move(next));
  }
  return txn.commit();
}

}  // namespace cabinetfs
