// The reconciler's renames and moves, and the looks after a lost answer.
#include <algorithm>

#include "cache/reconciler.h"

namespace cabinetfs {

Result<void> Reconciler::forget_sent_place(InodeNumber ino) {
  Tree::Txn txn(core_.tree);
  TRY_ASSIGN(const NodePtr now, txn.find(ino));
  if (now == nullptr) return fail(ErrorCode::kCancelled, "the node is gone");
  NodeRecord next = *now;
  next.sent_place.reset();
  txn.put(std::move(next));
  return txn.commit();
}

Result<void> Reconciler::store_sent_place(const NodeRecord& node, const SentPlace& place) {
  Tree::Txn txn(core_.tree);
  TRY_ASSIGN(const NodePtr now, txn.find(node.ino));
  if (now == nullptr) return fail(ErrorCode::kCancelled, "the node is gone");
  // Its place may be wanted by another one by now.
  if (now->deleted != node.deleted || now->name != node.name || now->parent != node.parent)
    return fail(ErrorCode::kCancelled, "renamed or deleted before it was sent");
  NodeRecord next = *now;
  next.sent_place = place;
  TRY_ASSIGN(const std::string wanted, core_.codec.to_remote(node.name));
  const bool last = !node.deleted && place.folder == node.parent && place.name == wanted;
  if (!last && !next.first_place)
    next.first_place = FirstPlace{node.remote_parent, node.remote->name};
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
    TRY(forget_sent_place(node.ino));
    return lost(node.ino, node.remote->id);
  }
  if (!there) return fail(there.error());
  InodeNumber folder = node.remote_parent;
  if (core_.codec.same(there->name, node.sent_place->name)) folder = node.sent_place->folder;
  TRY_ASSIGN(const NodePtr parent, core_.tree.find_remote(there->parent));
  if (parent != nullptr) folder = parent->ino;
  return confirm_place(call, node, *there, folder, node.sent_place->version);
}

// The version that is behind what `node` knows of the server's file; empty: that cannot be said.
Result<VersionId> Reconciler::version_behind(const CallContext& call, const NodeRecord& node) {
  const Capabilities& able = core_.remote.capabilities();
  if (!able.rename_changes_validator || !able.versions || node.kind != NodeKind::kFile)
    return VersionId{};
  TRY_ASSIGN(const VersionId current, current_version(call, node.remote->id));
  // Afterwards, so that a version which is saved in between shows.
  const Result<RemoteEntry> there = core_.seen(core_.remote.stat(call, node.kind, node.remote->id));
  if (!there && is_transient(there.error().code)) return fail(there.error());
  return there && there->validator == node.remote->validator ? current : VersionId{};
}

Result<VersionId> Reconciler::current_version(const CallContext& call, const RemoteId& file) {
  const Result<std::vector<RemoteVersion>> all = core_.seen(core_.remote.versions(call, file));
  if (!all && is_transient(all.error().code)) return fail(all.error());
  if (!all) return VersionId{};
  const auto current = std::find_if(all->begin(), all->end(),
                                    [](const RemoteVersion& each) { return each.current; });
  return current == all->end() ? VersionId{} : current->id;
}

// `sent`: version_behind(), before the change was sent.
Result<void> Reconciler::confirm_place(const CallContext& call, const NodeRecord& node,
                                       const RemoteEntry& entry, InodeNumber folder,
                                       const VersionId& sent) {
  bool same_content = false;
  if (!sent.empty() && entry.size == node.remote->size &&
      entry.validator != node.remote->validator) {
    TRY_ASSIGN(const VersionId current, current_version(call, node.remote->id));
    same_content = current == sent;
  }
  return confirm(node.ino, entry, folder, same_content);
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
  TRY_ASSIGN(const std::vector<RemoteEntry> at_place, find_created(call, place));
  const RemoteEntry* const sent = at_place.empty() ? nullptr : &at_place.front();
  // Somebody else's may stand at either place; a file is known by its content. Where both are there
  // and cannot be told apart, the change has not happened: it would have taken the old one away.
  const bool is_other = sent && (sent->kind != node.kind || sent->id == node.remote->id);
  const bool same = sent && !is_other && node.kind == NodeKind::kFile &&
                    sent->size == node.remote->size && sent->modified == node.remote->modified &&
                    sent->hashes.md5 == node.remote->hashes.md5;
  const bool unchanged = old && old->validator == node.remote->validator;
  if (old && (unchanged || !same)) return confirm(node.ino, *old, node.remote_parent);
  if (sent && !is_other) return confirm(node.ino, *sent, node.sent_place->folder);
  TRY(forget_sent_place(node.ino));
  return lost(node.ino, node.remote->id);
}

Result<void> Reconciler::change_place(const NodeRecord& node, const Plan& plan) {
  const CallContext call = core_.background_call(Priority::kUpload);
  const bool rename = plan.action == Plan::Action::kRename;
  TRY_ASSIGN(const VersionId version, version_behind(call, node));
  TRY(store_sent_place(node, rename ? SentPlace{node.remote_parent, plan.name, version}
                                    : SentPlace{plan.folder, node.remote->name, version}));
  Result<RemoteEntry> changed =
      core_.seen(rename ? core_.remote.rename(call, node.kind, node.remote->id, plan.name)
                        : core_.remote.move(call, node.kind, node.remote->id, plan.folder_id));
  if (changed)
    return confirm_place(call, node, *changed, rename ? node.remote_parent : plan.folder, version);
  const ErrorCode code = changed.error().code;
  if (!may_have_happened(code)) TRY(forget_sent_place(node.ino));
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
      if (!folder && is_gone(folder.error().code)) return lost(plan.folder, plan.folder_id);
    }
    if (there) return fail(ErrorCode::kTryAgain, changed.error().context);
    if (is_gone(there.error().code)) return lost(node.ino, node.remote->id);
    return fail(there.error());
  }
  if (code == ErrorCode::kExists) {
    TRY_ASSIGN(const bool ours, taken_by_ours(rename ? node.remote_parent : plan.folder,
                                              rename ? plan.name : node.remote->name, node.ino));
    if (ours) return fail(ErrorCode::kTryAgain, "the name is about to become free");
    TRY_ASSIGN(const std::string wanted, core_.codec.to_remote(node.name));
    if (rename && plan.name != wanted)
      return fail(ErrorCode::kTryAgain, "a temporary name is taken");
    return give_way(node.ino, "the name is taken on the server");
  }
  if (code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout) {
    // It may have happened: both mean the same when they happen twice, but only looking tells.
    const Result<RemoteEntry> there =
        core_.seen(core_.remote.stat(call, node.kind, node.remote->id));
    if (there && rename && there->name == plan.name)
      return confirm_place(call, node, *there, node.remote_parent, version);
    if (there && !rename && there->parent == plan.folder_id)
      return confirm_place(call, node, *there, plan.folder, version);
  }
  return fail(std::move(changed).error());
}

}  // namespace cabinetfs
