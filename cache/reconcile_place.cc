// The reconciler's renames and moves, and the looks after a lost answer.
#include "cache/reconciler.h"

namespace cabinetfs {

Result<void> Reconciler::store_sent_place(InodeNumber ino, const std::optional<SentPlace>& place) {
  Tree::Txn txn(core_.tree);
  TRY_ASSIGN(const NodePtr now, txn.find(ino));
  if (now == nullptr) return fail(ErrorCode::kCancelled, "the node is gone");
  NodeRecord next = *now;
  next.sent_place = place;
  txn.put(std::move(next));
  return txn.commit();
}

// A rename or move whose answer got lost. Until this is known, a name on the server that is not the
// shown one could be taken for somebody else's rename.
Result<void> Reconciler::look_at_place(const NodeRecord& node) {
  if (core_.remote.capabilities().ids_follow_path) return look_for_new_id(node);
  const CallContext call = core_.background_call(Priority::kUpload);
  const Result<RemoteEntry> there = core_.seen(core_.remote.stat(call, node.kind, node.remote->id));
  if (!there && is_gone(there.error().code)) {
    TRY(store_sent_place(node.ino, std::nullopt));
    return lost(node.ino);
  }
  if (!there) return fail(there.error());
  InodeNumber folder = node.remote_parent;
  if (core_.codec.same(there->name, node.sent_place->name)) folder = node.sent_place->folder;
  TRY_ASSIGN(const NodePtr parent, core_.tree.find_remote(there->parent));
  if (parent != nullptr) folder = parent->ino;
  return confirm(node.ino, *there, folder);
}

// The same where the id says the place: after the change the object has another one.
Result<void> Reconciler::look_for_new_id(const NodeRecord& node) {
  const CallContext call = core_.background_call(Priority::kUpload);
  const Result<RemoteEntry> old = core_.seen(core_.remote.stat(call, node.kind, node.remote->id));
  const bool old_gone = !old && is_gone(old.error().code);
  if (!old && !old_gone) return fail(old.error());
  Intent place;
  place.folder = node.sent_place->folder;
  place.name = node.sent_place->name;
  TRY_ASSIGN(const std::optional<RemoteEntry> sent, find_created(call, place));
  // Somebody else's may stand at either place; a file is known by its content. Where both are there
  // and cannot be told apart, the change has not happened: it would have taken the old one away.
  const bool is_other = sent && (sent->kind != node.kind || sent->id == node.remote->id);
  const bool same = sent && !is_other && node.kind == NodeKind::kFile &&
                    sent->size == node.remote->size && sent->modified == node.remote->modified &&
                    sent->hashes.md5 == node.remote->hashes.md5;
  const bool unchanged = old && old->validator == node.remote->validator;
  if (old && (unchanged || !same)) return confirm(node.ino, *old, node.remote_parent);
  if (sent && !is_other) return confirm(node.ino, *sent, node.sent_place->folder);
  TRY(store_sent_place(node.ino, std::nullopt));
  return lost(node.ino);
}

Result<void> Reconciler::change_place(const NodeRecord& node, const Plan& plan) {
  const CallContext call = core_.background_call(Priority::kUpload);
  const bool rename = plan.action == Plan::Action::kRename;
  TRY(store_sent_place(node.ino, rename ? SentPlace{node.remote_parent, plan.name}
                                        : SentPlace{plan.folder, node.remote->name}));
  Result<RemoteEntry> changed =
      core_.seen(rename ? core_.remote.rename(call, node.kind, node.remote->id, plan.name)
                        : core_.remote.move(call, node.kind, node.remote->id, plan.folder_id));
  if (changed) return confirm(node.ino, *changed, rename ? node.remote_parent : plan.folder);
  const ErrorCode code = changed.error().code;
  if (!may_have_happened(code)) TRY(store_sent_place(node.ino, std::nullopt));
  if (is_gone(code)) {
    // The object, or the folder that it should go to?
    const Result<RemoteEntry> there =
        core_.seen(core_.remote.stat(call, node.kind, node.remote->id));
    if (there && plan.folder && core_.remote.capabilities().ids_follow_path &&
        core_.is_in_flight(plan.folder))
      return fail(ErrorCode::kTryAgain, "the folder is being renamed itself");
    if (there && !rename) {
      const Result<RemoteEntry> folder =
          core_.seen(core_.remote.stat(call, NodeKind::kFolder, plan.folder_id));
      if (!folder && is_gone(folder.error().code)) return lost(plan.folder);
    }
    if (there) return fail(ErrorCode::kTryAgain, changed.error().context);
    if (is_gone(there.error().code)) return lost(node.ino);
    return fail(there.error());
  }
  if (code == ErrorCode::kExists) {
    TRY_ASSIGN(const bool ours, taken_by_ours(rename ? node.remote_parent : plan.folder,
                                              rename ? plan.name : node.remote->name, node.ino));
    if (ours) return fail(ErrorCode::kTryAgain, "the name is about to become free");
    return give_way(node.ino, "the name is taken on the server");
  }
  if (code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout) {
    // It may have happened: both mean the same when they happen twice, but only looking tells.
    const Result<RemoteEntry> there =
        core_.seen(core_.remote.stat(call, node.kind, node.remote->id));
    if (there && rename && there->name == plan.name)
      return confirm(node.ino, *there, node.remote_parent);
    if (there && !rename && there->parent == plan.folder_id)
      return confirm(node.ino, *there, plan.folder);
  }
  return fail(std::move(changed).error());
}

}  // namespace cabinetfs
