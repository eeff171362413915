// Volume: what is unsent, and the commands about it.
#include <fmt/format.h>
#include <unordered_map>

#include <algorithm>

#include "cache/volume_impl.h"
#include "cache/write_lock.h"

namespace cabinetfs {
namespace {

constexpr std::chrono::milliseconds kProgressEvery{250};

std::string action_of(const NodeRecord& node) {
  if (node.deleted) return "delete";
  if (!node.remote) return node.kind == NodeKind::kFolder ? "create-folder" : "upload";
  if (node.content_dirty) return "upload";
  if (node.moved()) return node.parent != node.remote_parent ? "move" : "rename";
  if (node.description) return "describe";
  return "none";
}

}  // namespace

std::string VolumeImpl::state_of(const NodeRecord& node) const {
  if (const auto progress = reconciler_.progress(node.ino); progress && node.content_dirty) {
    const std::uint64_t percent = progress->total == 0 ? 0 : progress->sent * 100 / progress->total;
    return fmt::format("uploading:{}", std::min<std::uint64_t>(percent, 100));
  }
  if (node.failure)
    return fmt::format("failed:{}: {}", to_string(node.failure->code), node.failure->message);
  if (!node.conflict.empty()) return "conflict:" + node.conflict;
  if (node.dirty() && node.ino != kRootInode) return "dirty";
  if (!core_.net.online()) return "offline";
  return "clean";
}

UnsentItem VolumeImpl::describe_unsent(const NodeRecord& node) const {
  UnsentItem item;
  item.ino = node.ino;
  item.path = core_.tree.path_of(node.ino).value_or(node.name);
  item.action = action_of(node);
  item.state = "waiting";
  if (node.content_dirty) item.size = node.size;
  if (const auto progress = reconciler_.progress(node.ino)) {
    item.state = item.action == "upload" ? "uploading" : "sending";
    item.sent = progress->sent;
  } else if (node.failure) {
    item.state = node.failure->refused ? "refused" : "failed";
    item.message = fmt::format("{}: {}", to_string(node.failure->code), node.failure->message);
  }
  item.conflict = node.conflict;
  return item;
}

VolumeStatus VolumeImpl::status() const {
  VolumeStatus out;
  out.online = core_.net.online();
  out.offline_reason = core_.net.reason();
  for (const InodeNumber ino : core_.tree.unsent()) {
    const Result<NodePtr> found = core_.tree.find(ino);
    if (!found || *found == nullptr) continue;
    const NodeRecord& node = **found;
    if (node.ino == kRootInode) continue;
    if (node.failure) ++out.failures;
    if (node.dirty()) {
      out.unsent.push_back(describe_unsent(node));
      out.unsent_bytes +=
          out.unsent.back().size - std::min(out.unsent.back().size, out.unsent.back().sent);
    } else if (!node.conflict.empty()) {
      UnsentItem item = describe_unsent(node);
      item.state = "conflict";
      item.message = node.conflict;
      out.notices.push_back(std::move(item));
    }
  }
  std::ranges::sort(out.unsent, {}, &UnsentItem::path);
  {
    MutexLock lock(core_.notices_mutex);
    out.notices.insert(out.notices.end(), core_.notices.begin(), core_.notices.end());
  }
  out.sent_bytes = core_.sent_bytes;
  out.uploads_done = core_.uploads_done;
  out.conflicts = core_.conflicts;
  out.listings = core_.listings;
  out.listings_ahead = core_.listings_ahead;
  out.nodes_known = core_.meta.count().value_or(0);
  out.nodes_loaded = core_.tree.loaded();
  out.content = core_.contents.stats();
  return out;
}

Result<std::vector<InodeNumber>> VolumeImpl::unsent_below(InodeNumber top) const {
  std::vector<InodeNumber> below;
  for (const InodeNumber ino : core_.tree.unsent()) {
    // Also what stands nowhere any more.
    if (top == kRootInode && ino != kRootInode) {
      below.push_back(ino);
      continue;
    }
    InodeNumber at = ino;
    for (int depth = 0; depth < 4096 && at && at != top && at != kRootInode; ++depth) {
      TRY_ASSIGN(const NodePtr node, core_.tree.find(at));
      if (node == nullptr) break;
      at = node->parent ? node->parent : node->remote_parent;
      if (!at) at = node->intent.folder;  // deleted, and perhaps at the server
    }
    if (at == top && ino != kRootInode) below.push_back(ino);
  }
  return below;
}

Result<void> VolumeImpl::flush_to_server(const CallContext& call, InodeNumber ino,
                                         const std::function<void(const VolumeStatus&)>& progress) {
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "flush");
  // Written, not closed: the state of this moment goes.
  for (const std::shared_ptr<FileState>& file : core_.files.open_files()) {
    MutexLock lock(file->mutex);
    TRY(core_.commit(*file));
  }
  // What comes later is somebody else's to wait for: a program that goes on writing must not keep
  // this from its end.
  TRY_ASSIGN(const std::vector<InodeNumber> left, unsent_below(ino));
  std::unordered_map<InodeNumber, std::uint64_t> wanted;
  for (const InodeNumber each : left) {
    TRY_ASSIGN(const NodePtr node, core_.tree.find(each));
    if (node != nullptr) wanted.emplace(each, node->generation);
  }
  SteadyTime told{};
  while (true) {
    bool waiting = false;
    std::optional<Error> refused;
    for (const auto& [each, generation] : wanted) {
      TRY_ASSIGN(const NodePtr node, core_.tree.find(each));
      const bool locked =
          node != nullptr && node->lock_taken && !core_.files.has_writers(node->ino);
      if (node == nullptr || !(node->dirty() || locked)) continue;
      // Sent, and written to since.
      const bool only_content = node->remote && node->content_dirty && !node->deleted &&
                                !node->moved() && !node->sent_place && !node->description;
      const bool goes_on = node->generation > generation || core_.files.has_writers(each);
      if (only_content && goes_on && generation > 0 && node->uploaded_generation >= generation)
        continue;
      if (node->failure && node->failure->refused) {
        if (!refused) {
          refused = Error{node->failure->code, core_.tree.path_of(each).value_or(node->name) +
                                                   ": " + node->failure->message};
        }
        continue;
      }
      waiting = true;
      if (!node->upload_soon) {
        TRY(update_any(each, [](NodeRecord& next) { next.upload_soon = true; }));
        reconciler_.wake(each);
      }
    }
    const SteadyTime now = core_.clock.steady();
    if (progress && now - told >= kProgressEvery) {
      told = now;
      progress(status());
    }
    if (!waiting) {
      if (refused) return fail(*refused);
      return {};
    }
    if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "flush");
    if (now >= call.deadline) {
      return fail(ErrorCode::kTimeout, core_.net.online() ? std::string("unsent data remains")
                                                          : "offline: " + core_.net.reason());
    }
    reconciler_.wait_for_change(kProgressEvery);
  }
}

Result<void> VolumeImpl::update_any(InodeNumber ino,
                                    const std::function<void(NodeRecord&)>& change) {
  Tree::Txn txn(core_.tree);
  TRY_ASSIGN(const NodePtr node, txn.find(ino));
  if (node == nullptr) return {};
  NodeRecord next = *node;
  change(next);
  txn.put(std::move(next));
  return txn.commit();
}

Result<void> VolumeImpl::retry(InodeNumber ino) {
  TRY_ASSIGN(const std::vector<InodeNumber> below, unsent_below(ino));
  for (const InodeNumber each : below) {
    TRY(update_any(each, [](NodeRecord& node) {
      node.failure.reset();
      node.upload_soon = true;
      if (!node.dirty()) node.conflict.clear();
    }));
    reconciler_.retry_now(each);
  }
  return {};
}

Result<void> VolumeImpl::discard(const CallContext& call, InodeNumber ino) {
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "discard");
  TRY_ASSIGN(std::vector<InodeNumber> below, unsent_below(ino));
  // A folder that only exists here goes after its children, which may be younger or older than it:
  // as long as somebody goes, somebody else may follow.
  std::optional<Error> first;
  for (std::size_t before = below.size() + 1; !below.empty() && below.size() < before;) {
    before = below.size();
    first.reset();
    std::vector<InodeNumber> left;
    for (const InodeNumber each : below) {
      const Result<void> done = discard_one(each);
      if (done) {
        discard_lock_of(call, each);
        continue;
      }
      left.push_back(each);
      if (!first) first = done.error();
    }
    below = std::move(left);
  }
  if (first) return fail(*first);
  return {};
}

// The lock was for a change that is not going to come. Where this fails, the reconciler gives it
// back.
void VolumeImpl::discard_lock_of(const CallContext& call, InodeNumber ino) {
  const Result<NodePtr> node = core_.tree.find(ino);
  if (!node || *node == nullptr || !(*node)->lock_taken || !(*node)->remote) return;
  const Result<RemoteEntry> freed =
      give_up_write_lock(core_, core_.bounded(call), (*node)->remote->id);
  Result<void> done;
  if (freed) done = own_lock(ino);
  if (freed && done) done = take_answer(ino, *freed);
  if (!freed || !done)
    log_warn("giving up the lock of {}: {}", (*node)->name,
             to_string(freed ? done.error() : freed.error()));
}

// The object that the discarded content was to be made from, which has been on its way to removal:
// renamed over the discarded one, perhaps, and nowhere else.
Result<void> VolumeImpl::bring_back(Tree::Txn& txn, const RemoteId& source, InodeNumber discarded,
                                    Notices& notices) {
  TRY_ASSIGN(const NodePtr gone, txn.find_remote(source));
  if (gone == nullptr || gone->ino == discarded || !gone->deleted || core_.is_in_flight(gone->ino))
    return {};
  NodeRecord next = *gone;
  TRY(put_back(core_, txn, next, notices));
  show_remote(next, true);
  notices.inode(next.ino, true);
  txn.put(std::move(next));
  return {};
}

Result<void> VolumeImpl::discard_one(InodeNumber ino) {
  Notices notices;
  const std::shared_ptr<FileState> file = core_.files.acquire(ino);
  {
    MutexLock lock(file->mutex);
    if (file->writers > 0) return fail(ErrorCode::kBusy, "a program is writing to it");
    TRY_ASSIGN(const std::shared_ptr<StagedContent> staged, core_.staged_to_drop(*file));
    {
      Tree::Txn txn(core_.tree);
      TRY_ASSIGN(const NodePtr node, txn.find(ino));
      if (node == nullptr) return {};
      if (core_.is_in_flight(ino))
        return fail(ErrorCode::kBusy, node->name + ": being sent just now");
      if (node->deleted && !node->remote) {
        txn.erase(ino);
      } else if (!node->remote) {
        TRY_ASSIGN(const bool inside, txn.has_children(ino));
        if (inside)
          return fail(ErrorCode::kNotEmpty, node->name + ": holds files that are on the server");
        notices.entry(node->parent, node->name);
        notices.inode(node->parent, true);
        if (node->intent.kind == Intent::Kind::kNone) {
          txn.erase(ino);
        } else {
          // It may have reached the server all the same.
          NodeRecord next = *node;
          next.deleted = true;
          next.parent = kNoInode;
          next.content_dirty = false;
          next.staged.clear();
          next.base.reset();
          next.failure.reset();
          txn.put(std::move(next));
        }
      } else {
        NodeRecord next = *node;
        if (next.deleted || next.moved()) TRY(put_back(core_, txn, next, notices));
        next.content_dirty = false;
        next.staged.clear();
        next.base.reset();
        next.description.reset();
        next.failure.reset();
        next.conflict.clear();
        next.intent = Intent{};
        next.upload_soon = false;
        next.times_local = false;
        show_remote(next, true);
        notices.inode(ino, true);
        txn.put(std::move(next));
      }
      if (node->base) TRY(bring_back(txn, node->base->file, ino, notices));
      // What it was to replace, and whose identity it has not taken over yet.
      const bool has_its_own_place = node->remote && !node->moved();
      const Result<std::string> place = core_.codec.to_remote(node->name);
      if (!node->deleted && !has_its_own_place && place) {
        TRY_ASSIGN(const NodePtr replaced, txn.displaced_at(node->parent, *place, ino));
        if (replaced != nullptr && replaced->deleted && replaced->remote)
          TRY(bring_back(txn, replaced->remote->id, ino, notices));
      }
      TRY(txn.commit());
    }
    if (staged != nullptr) {
      core_.contents.discard_staged(staged);
      file->staged.reset();
      file->live = false;
      ++file->epoch;
      file->clean.reset();
    }
  }
  notices.send(core_.notifier);
  reconciler_.wake(ino);
  return {};
}

Result<void> VolumeImpl::prefetch(const CallContext& call, InodeNumber ino) {
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "prefetch");
  std::vector<InodeNumber> pending{ino}, files;
  while (!pending.empty()) {
    if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "prefetch");
    const InodeNumber at = pending.back();
    pending.pop_back();
    TRY_ASSIGN(const NodePtr node, core_.tree.find(at));
    if (node == nullptr || node->deleted) continue;
    if (node->kind == NodeKind::kFolder) {
      TRY(listings_.ensure(call, at, core_.options.fresh));
      TRY_ASSIGN(const std::vector<NodePtr> children, core_.tree.children(at));
      for (const NodePtr& child : children) pending.push_back(child->ino);
      continue;
    }
    files.push_back(at);
  }
  return walk_.fetch_all(call, files);
}

Result<void> VolumeImpl::refresh(InodeNumber ino) {
  TRY_ASSIGN(const NodePtr node, existing(ino));
  const InodeNumber folder = node->kind == NodeKind::kFolder ? ino : node->parent;
  return update(folder, [](NodeRecord& next) -> Result<void> {
    next.listed_at = WallTime{};
    return {};
  });
}

}  // namespace cabinetfs
