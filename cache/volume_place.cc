// Volume: which names and folders a node may go to.
#include "cache/volume_impl.h"

namespace cabinetfs {
namespace {

// Sent, and not known yet whether it has arrived.
bool may_be_there(const VolumeCore& core, const NodeRecord& node) {
  return node.intent.kind != Intent::Kind::kNone || core.is_in_flight(node.ino);
}

// The top-level folder that a folder is, or is in; the root is its own. What stands elsewhere here
// than on the server has crossed no top level on its way, so it does not matter which of the two is
// followed.
Result<InodeNumber> top_above(Tree::Txn& txn, InodeNumber folder) {
  InodeNumber top = folder;
  while (top && top != kRootInode) {
    TRY_ASSIGN(const NodePtr node, txn.find(top));
    if (node == nullptr) return InodeNumber{};
    const InodeNumber above = node->parent ? node->parent : node->remote_parent;
    if (above == kRootInode) break;
    top = above;
  }
  return top;
}

// Of a folder that only exists here: whether something in it is at the server, or may be.
Result<bool> holds_what_is_there(const VolumeCore& core, Tree::Txn& txn, InodeNumber folder) {
  TRY_ASSIGN(const std::vector<NodePtr> children, txn.children(folder));
  for (const NodePtr& child : children) {
    if (child->remote || may_be_there(core, *child)) return true;
    if (child->kind != NodeKind::kFolder) continue;
    TRY_ASSIGN(const bool inside, holds_what_is_there(core, txn, child->ino));
    if (inside) return true;
  }
  return false;
}

}  // namespace

Result<std::string_view> VolumeImpl::impossible_change(Tree::Txn& txn, const NodeRecord& from,
                                                       const NodeRecord& to) {
  constexpr std::string_view kPossible;
  const Capabilities& able = core_.remote.capabilities();
  // Below another folder than the account's own root, everything is in one top-level folder.
  const bool may_cross = able.move_across_top || !core_.options.root_path.empty();
  if (able.rename && able.move && !able.rename_keeps_extension && may_cross) return kPossible;
  const bool there = from.remote || may_be_there(core_, from);
  if (!there) {
    // What the server has never heard of goes anywhere; but it takes along what is in it.
    if (may_cross || from.kind == NodeKind::kFile) return kPossible;
    TRY_ASSIGN(const bool carries, holds_what_is_there(core_, txn, from.ino));
    if (!carries) return kPossible;
  }
  const InodeNumber old_folder = from.remote ? from.remote_parent : from.parent;
  const bool other_name = from.remote ? to.renamed : to.name != from.name;
  const bool other_folder = to.parent != old_folder;
  if (there && other_folder && !able.move) return "move this";
  if (there && other_name && !able.rename) return "rename this";
  if (there && other_name && able.rename_keeps_extension && from.kind == NodeKind::kFile) {
    TRY_ASSIGN(const std::string new_name, core_.codec.to_remote(to.name));
    std::string old_name;
    if (from.remote) {
      old_name = from.remote->name;
    } else {
      TRY_ASSIGN(old_name, core_.codec.to_remote(from.name));
    }
    if (extension_of(new_name) != extension_of(old_name)) return "change the extension of this";
  }
  if (other_folder && !may_cross) {
    TRY_ASSIGN(const InodeNumber old_top, top_above(txn, old_folder));
    TRY_ASSIGN(const InodeNumber new_top, top_above(txn, to.parent));
    if (old_top != new_top) return "move this to or from another top-level folder";
  }
  return kPossible;
}

Result<void> VolumeImpl::may_change_place(Tree::Txn& txn, const NodeRecord& from,
                                          const NodeRecord& to, const NodeRecord* target) {
  TRY_ASSIGN(const std::string_view impossible, impossible_change(txn, from, to));
  if (impossible.empty()) return {};
  // In the place of a file that is at the server, it becomes that file's next version instead.
  if (from.kind == NodeKind::kFile) {
    const NodeRecord* heir_of = target;
    NodePtr displaced;
    if (heir_of == nullptr) {
      TRY_ASSIGN(const std::string remote_name, core_.codec.to_remote(to.name));
      TRY_ASSIGN(displaced, txn.displaced_at(to.parent, remote_name, from.ino));
      // Not when it is being removed just now: there is no next version of that any more.
      if (displaced != nullptr && displaced->deleted && !core_.is_in_flight(displaced->ino))
        heir_of = displaced.get();
    }
    if (heir_of != nullptr && heir_of->ino != from.ino && heir_of->remote &&
        heir_of->kind == NodeKind::kFile && VolumeCore::rights(*heir_of).has(Right::kWrite))
      return {};
  }
  return fail(ErrorCode::kCrossDevice, from.name + ": the server cannot " +
                                           std::string(impossible) +
                                           "; it can be copied and deleted");
}

}  // namespace cabinetfs
