#include "cache/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <unordered_set>

#include "backend/base/log.h"
#include "backend/base/text.h"
#include "cache/path_ids.h"

namespace cabinetfs {
namespace {

// How soon a plan that waits for another node is looked at again even if nobody woke it: a net
// under the wake-ups.
constexpr std::chrono::seconds kBlockedRecheck{5};

Plan wait_until(const NodePtr& node, SteadyTime at) {
  Plan plan;
  plan.action = Plan::Action::kWait;
  plan.node = node;
  plan.at = at;
  return plan;
}

Plan blocked_by(const NodePtr& node, InodeNumber blocker, SteadyTime now) {
  Plan plan;
  plan.action = Plan::Action::kBlocked;
  plan.node = node;
  plan.blocker = blocker;
  plan.at = now + kBlockedRecheck;
  return plan;
}

// With the extension that it has: a vendor need not be able to change that. Another one each time:
// other machines have the same inode numbers.
std::string temporary_name(const NodeRecord& node) {
  static thread_local std::mt19937_64 random(std::random_device{}());
  std::string name = fmt::format("cabinetfs-{}-{:016x}-tmp", node.ino.value, random());
  if (node.kind == NodeKind::kFile) name += extension_of(node.remote->name);
  return name;
}

Plan act(Plan::Action action, const NodePtr& node) {
  Plan plan;
  plan.action = action;
  plan.node = node;
  return plan;
}

}  // namespace

std::string_view to_string(Plan::Action action) {
  switch (action) {
    case Plan::Action::kNothing:
      return "nothing";
    case Plan::Action::kWait:
    case Plan::Action::kBlocked:
      return "wait";
    case Plan::Action::kCreateFolder:
      return "create-folder";
    case Plan::Action::kUpload:
    case Plan::Action::kDetach:
      return "upload";
    case Plan::Action::kRename:
      return "rename";
    case Plan::Action::kMove:
    case Plan::Action::kLook:
      return "move";
    case Plan::Action::kRemoveFile:
    case Plan::Action::kRemoveFolder:
    case Plan::Action::kForget:
      return "delete";
    case Plan::Action::kDescribe:
      return "describe";
    case Plan::Action::kUnlock:
      return "unlock";
  }
  return "nothing";
}

std::optional<SteadyTime> Planner::quiet_until(const NodeRecord& node) const {
  if (node.upload_soon) return std::nullopt;
  // Read first: should both clocks jump in between, the wait ends early instead of late.
  const SteadyTime steady = core_.clock.steady();
  const auto left = node.changed_at + core_.options.upload_delay - core_.now();
  // A clock that was set back must not keep a change for hours.
  if (left <= left.zero() || left > core_.options.upload_delay) return std::nullopt;
  return steady + left;
}

Result<Plan> Planner::next(Tree::Txn& txn, InodeNumber ino) {
  TRY_ASSIGN(Plan plan, decide(txn, ino));
  if (!core_.remote.capabilities().ids_follow_path) return plan;
  switch (plan.action) {
    case Plan::Action::kNothing:
    case Plan::Action::kWait:
    case Plan::Action::kBlocked:
      return plan;
    default:
      break;
  }
  // Nothing is asked by an id that is changing just now.
  TRY_ASSIGN(InodeNumber other, moving_for(core_, txn, *plan.node));
  const bool place = plan.action == Plan::Action::kRename || plan.action == Plan::Action::kMove;
  if (!other && place) {
    TRY_ASSIGN(other, in_flight_by_way_of(core_, txn, plan.node->ino));
  }
  if (other) return blocked_by(plan.node, other, core_.clock.steady());
  return plan;
}

Result<Plan> Planner::decide(Tree::Txn& txn, InodeNumber ino) {
  TRY_ASSIGN(const NodePtr node, txn.find(ino));
  if (node == nullptr || ino == kRootInode) return Plan{};
  if (!node->dirty() && !node->lock_taken) return Plan{};
  if (node->failure) {
    if (node->failure->refused) return Plan{};
    const SteadyTime steady = core_.clock.steady();
    const auto left = node->failure->next_try - core_.now();
    // Longer than it was ever told to wait: the clock was set back.
    if (left > left.zero() && left <= kLongestPause) return wait_until(node, steady + left);
  }
  if (node->sent_place && node->remote) return act(Plan::Action::kLook, node);
  if (node->deleted) {
    TRY_ASSIGN(Plan plan, plan_removal(txn, node));
    return out_of_the_way(txn, node, std::move(plan));
  }
  if (const auto quiet = quiet_until(*node)) return wait_until(node, *quiet);
  if (!node->remote) return plan_creation(txn, node);
  if (node->moved()) {
    TRY_ASSIGN(Plan planned, plan_place(txn, node));
    TRY_ASSIGN(Plan plan, out_of_the_way(txn, node, std::move(planned)));
    if (plan.action != Plan::Action::kBlocked || !node->content_dirty) return plan;
    // The content need not wait for the place.
  }
  if (node->content_dirty) {
    const bool writing = core_.files.has_writers(ino);
    if (core_.files.waits_for_writers(*node)) return Plan{};  // close wakes it
    // What is committed is at the server; what is being written comes with the next commit. Without
    // a writer (he crashed) the upload finds that there is nothing left to send.
    if (writing && node->uploaded_generation == node->generation && node->generation != 0)
      return Plan{};
    return act(Plan::Action::kUpload, node);
  }
  if (node->description) return act(Plan::Action::kDescribe, node);
  if (node->moved()) return plan_place(txn, node);
  // Given back when nobody writes any more; close wakes it.
  if (node->lock_taken && !core_.files.has_writers(ino)) return act(Plan::Action::kUnlock, node);
  return Plan{};
}

Result<Plan> Planner::plan_removal(Tree::Txn& txn, const NodePtr& node) {
  if (!node->remote) {
    if (node->intent.kind != Intent::Kind::kNone) return act(Plan::Action::kForget, node);
    txn.erase(node->ino);
    return Plan{};
  }
  if (const auto quiet = quiet_until(*node)) return wait_until(node, *quiet);
  if (node->kind == NodeKind::kFile) {
    TRY(hand_on_identity(core_, txn, node->ino));
    TRY_ASSIGN(const NodePtr now, txn.find(node->ino));
    if (now == nullptr || !now->deleted || !now->remote) return Plan{};
    if (const InodeNumber holder = txn.base_holder(now->remote->id, now->ino))
      return blocked_by(now, holder, core_.clock.steady());
    // Somebody is shown at its place who may still take the identity over once he is not in flight.
    TRY_ASSIGN(const NodePtr heir,
               core_.same_named(txn, now->remote_parent,
                                core_.codec.to_local(now->remote->name, now->remote->id)));
    const bool may_be_there =
        heir != nullptr && !heir->remote && heir->intent.kind != Intent::Kind::kNone;
    if (heir != nullptr && heir->ino != now->ino &&
        (may_be_there || core_.is_in_flight(heir->ino))) {
      return blocked_by(now, heir->ino, core_.clock.steady());
    }
    return act(Plan::Action::kRemoveFile, now);
  }
  TRY_ASSIGN(const std::vector<NodePtr> inside, txn.remote_children(node->ino));
  for (const NodePtr& child : inside) {
    if (child->deleted || child->moved()) return blocked_by(node, child->ino, core_.clock.steady());
  }
  // On its way into it, though it is to go elsewhere by now.
  if (const InodeNumber coming = txn.displaced_in(node->ino, node->ino))
    return blocked_by(node, coming, core_.clock.steady());
  return act(Plan::Action::kRemoveFolder, node);
}

Result<Plan> Planner::place_free(Tree::Txn& txn, const NodePtr& node, InodeNumber folder,
                                 const std::string& remote_name) {
  TRY_ASSIGN(const NodePtr standing, txn.displaced_at(folder, remote_name, node->ino));
  if (standing == nullptr) return Plan{};
  return blocked_by(node, standing->ino, core_.clock.steady());
}

Result<Plan> Planner::plan_creation(Tree::Txn& txn, const NodePtr& node) {
  const Plan::Action create =
      node->kind == NodeKind::kFolder ? Plan::Action::kCreateFolder : Plan::Action::kUpload;
  // Whether it is there already comes before all else: others may wait for its place.
  if (node->intent.kind != Intent::Kind::kNone) return act(create, node);
  TRY_ASSIGN(const NodePtr parent, txn.find(node->parent));
  if (parent == nullptr) {
    // Its folder went away with nobody left to ask; the content must not.
    NodeRecord next = *node;
    next.parent = kRootInode;
    txn.put(std::move(next));
    return wait_until(node, core_.clock.steady() + kBlockedRecheck);
  }
  if (!parent->remote || parent->deleted)
    return blocked_by(node, parent->ino, core_.clock.steady());
  if (node->kind == NodeKind::kFile && core_.files.waits_for_writers(*node)) return Plan{};
  TRY_ASSIGN(const std::string name, core_.codec.to_remote(node->name));
  TRY_ASSIGN(Plan taken, place_free(txn, node, parent->ino, name));
  if (taken.action != Plan::Action::kBlocked) return act(create, node);
  if (!node->content_dirty || !node->base || core_.files.has_writers(node->ino)) return taken;
  // Who stands there may wait for the version that this content stands on.
  TRY_ASSIGN(const bool circle, waits_behind(txn, node, node->ino));
  return circle ? act(Plan::Action::kDetach, node) : taken;
}

Result<std::vector<InodeNumber>> Planner::waits_for(Tree::Txn& txn, const NodeRecord& node) {
  std::vector<InodeNumber> out;
  if (node.deleted) {
    if (!node.remote) return out;
    if (node.kind == NodeKind::kFile) {
      if (const InodeNumber holder = txn.base_holder(node.remote->id, node.ino))
        out.push_back(holder);
      return out;
    }
    TRY_ASSIGN(const std::vector<NodePtr> inside, txn.remote_children(node.ino));
    for (const NodePtr& child : inside) {
      if (child->deleted || child->moved()) out.push_back(child->ino);
    }
    return out;
  }
  if (node.remote && !node.moved()) return out;
  // One whose name cannot be sent waits for its user, and for no place.
  if (const Result<std::string> name = core_.codec.to_remote(node.name)) {
    TRY_ASSIGN(const NodePtr standing, txn.displaced_at(node.parent, *name, node.ino));
    if (standing != nullptr) out.push_back(standing->ino);
  }
  InodeNumber above = node.parent;
  while (above && above != kRootInode) {
    TRY_ASSIGN(const NodePtr up, txn.find(above));
    if (up == nullptr) break;
    if (!up->remote || up->deleted || up->moved()) out.push_back(up->ino);
    above = up->parent;
  }
  return out;
}

Result<bool> Planner::waits_behind(Tree::Txn& txn, const NodePtr& node, InodeNumber target) {
  std::vector<InodeNumber> pending{node->ino};
  std::unordered_set<InodeNumber> seen{node->ino};
  while (!pending.empty()) {
    TRY_ASSIGN(const NodePtr at, txn.find(pending.back()));
    pending.pop_back();
    if (at == nullptr) continue;
    TRY_ASSIGN(const std::vector<InodeNumber> next, waits_for(txn, *at));
    for (const InodeNumber ino : next) {
      if (ino == target) return true;
      if (seen.insert(ino).second) pending.push_back(ino);
    }
  }
  return false;
}

Result<Plan> Planner::out_of_the_way(Tree::Txn& txn, const NodePtr& node, Plan blocked) {
  if (blocked.action != Plan::Action::kBlocked || !node->remote) return blocked;
  if (!core_.remote.capabilities().rename) return blocked;
  if (!VolumeCore::rights(*node).has(Right::kRename) || core_.is_in_flight(blocked.blocker))
    return blocked;
  const std::string shown = core_.codec.to_local(node->remote->name, node->remote->id);
  TRY_ASSIGN(const NodePtr wants, core_.same_named(txn, node->remote_parent, shown));
  if (wants == nullptr || wants->ino == node->ino || (wants->remote && !wants->moved()))
    return blocked;
  TRY_ASSIGN(const bool circle, waits_behind(txn, node, wants->ino));
  if (!circle) return blocked;
  Plan plan = act(Plan::Action::kRename, node);
  plan.name = temporary_name(*node);
  return plan;
}

Result<Plan> Planner::plan_place(Tree::Txn& txn, const NodePtr& node) {
  TRY_ASSIGN(const std::string name, core_.codec.to_remote(node->name));
  TRY_ASSIGN(const NodePtr parent, txn.find(node->parent));
  if (parent == nullptr) return fail(ErrorCode::kInternal, "the folder of a moved node has no row");
  if (!parent->remote || parent->deleted)
    return blocked_by(node, parent->ino, core_.clock.steady());
  const bool other_folder = node->parent != node->remote_parent;
  if (other_folder && node->kind == NodeKind::kFolder) {
    // From the top down: no folder is moved into one that is itself on its way, so that no circle
    // of folders can be asked for.
    for (NodePtr up = parent; up != nullptr && up->ino != kRootInode;) {
      if (up->moved()) return blocked_by(node, up->ino, core_.clock.steady());
      TRY_ASSIGN(up, txn.find(up->parent));
    }
  }

  Plan plan;
  plan.node = node;
  TRY_ASSIGN(const Plan target, place_free(txn, node, node->parent, name));
  if (target.action == Plan::Action::kBlocked) return target;
  if (!other_folder || !node->renamed) {
    plan.action = other_folder ? Plan::Action::kMove : Plan::Action::kRename;
    plan.name = name;
    plan.folder = parent->ino;
    plan.folder_id = parent->remote->id;
    return plan;
  }
  // Both: the new name first, since it can be undone; unless it is taken in the old folder.
  TRY_ASSIGN(const NodePtr shown_old, core_.same_named(txn, node->remote_parent, node->name));
  TRY_ASSIGN(const NodePtr displaced_old, txn.displaced_at(node->remote_parent, name, node->ino));
  if (shown_old == nullptr && displaced_old == nullptr) {
    plan.action = Plan::Action::kRename;
    plan.name = name;
    return plan;
  }
  const std::string old_shown = core_.codec.to_local(node->remote->name, node->remote->id);
  TRY_ASSIGN(const NodePtr shown_new, core_.same_named(txn, node->parent, old_shown));
  TRY_ASSIGN(const NodePtr displaced_new,
             txn.displaced_at(node->parent, node->remote->name, node->ino));
  if (shown_new == nullptr && displaced_new == nullptr) {
    plan.action = Plan::Action::kMove;
    plan.folder = parent->ino;
    plan.folder_id = parent->remote->id;
    return plan;
  }
  plan.action = Plan::Action::kRename;
  plan.name = temporary_name(*node);
  return plan;
}

Result<void> hand_on_identity(VolumeCore& core, Tree::Txn& txn, InodeNumber deleted) {
  TRY_ASSIGN(const NodePtr gone, txn.find(deleted));
  if (gone == nullptr || !gone->deleted || !gone->remote || gone->kind != NodeKind::kFile)
    return {};
  if (core.is_in_flight(gone->ino) || !VolumeCore::rights(*gone).has(Right::kWrite)) return {};
  const std::string shown = core.codec.to_local(gone->remote->name, gone->remote->id);
  TRY_ASSIGN(const NodePtr heir, core.same_named(txn, gone->remote_parent, shown));
  if (heir == nullptr || heir->kind != NodeKind::kFile || heir->ino == gone->ino ||
      core.is_in_flight(heir->ino))
    return {};
  if (heir->remote && !heir->moved()) return {};  // stands there on the server too (a twin)
  // Its own creation may have reached the server: that is found out first.
  if (!heir->remote && heir->intent.kind != Intent::Kind::kNone) return {};
  if (txn.base_holder(gone->remote->id, heir->ino)) return {};

  NodeRecord next = *heir;
  NodeRecord rest = *gone;
  log_debug("node {} goes on as id={} of node {}, instead of id={}", next.ino.value,
            rest.remote->id.value, rest.ino.value, next.remote ? next.remote->id.value : "");
  const std::optional<RemoteEntry> old_remote = next.remote;
  const InodeNumber old_parent = next.remote_parent;
  if (old_remote && !next.content_dirty) {
    // The content of a file that is at the server: sent again, as a version of the other, from the
    // object that is removed afterwards.
    next.base = VolumeCore::content_key(*old_remote);
    next.base_modified = old_remote->modified;
    next.base_version = old_remote->version_count;
    next.staged.clear();
    ++next.generation;
  }
  std::swap(next.sent_place, rest.sent_place);
  std::swap(next.first_place, rest.first_place);
  std::swap(next.lock_taken, rest.lock_taken);  // the server's object is locked, not ours
  next.remote = rest.remote;
  next.remote_parent = rest.remote_parent;
  const Validator heirs_base = next.content_dirty ? next.base_validator : Validator{};
  // The version that was replaced, which is not always the one that the server has by now.
  next.base_validator = rest.base_validator.empty() ? rest.remote->validator : rest.base_validator;
  next.content_dirty = true;
  if (next.generation == 0) next.generation = 1;
  // Moved there and back: what the object holds already is not sent to it once more.
  const bool unedited = next.staged.empty() && next.base;
  const bool same_version = unedited && next.base->file == rest.remote->id &&
                            next.base->validator == rest.remote->validator;
  const bool same_bytes = unedited && !next.base->hashes.md5.empty() &&
                          next.base->hashes.md5 == rest.remote->hashes.md5 &&
                          next.base->size == rest.remote->size;
  const bool same = same_version || same_bytes;
  next.uploaded_generation = same ? next.generation : 0;
  // A version of the other may have arrived without an answer: found out before it is taken for
  // somebody else's. It is none of this content's states, on either row.
  std::swap(next.intent, rest.intent);
  next.intent.generation = rest.intent.generation = 0;
  next.failure.reset();
  next.renamed = !core.shows_remote_name(next);
  txn.put(std::move(next));
  if (!old_remote) {
    txn.erase(rest.ino);
    return {};
  }
  rest.remote = old_remote;
  rest.remote_parent = old_parent;
  rest.base_validator = heirs_base.empty() ? old_remote->validator : heirs_base;
  txn.put(std::move(rest));
  return {};
}

}  // namespace cabinetfs
