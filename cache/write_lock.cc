#include "cache/write_lock.h"

#include "cache/listing.h"

namespace cabinetfs {
namespace {

// The lock is the server's object's: while the answer is on its way, another node may take over its
// identity.
Result<void> store_lock(VolumeCore& core, InodeNumber ino, const RemoteId& id, bool taken,
                        const RemoteEntry* told) {
  Tree::Txn txn(core.tree);
  TRY_ASSIGN(NodePtr node, txn.find_remote(id));
  if (node == nullptr && core.remote.capabilities().ids_follow_path) {
    TRY_ASSIGN(node, txn.find(ino));
  }
  if (node == nullptr && !taken) return {};
  if (node == nullptr) return fail(ErrorCode::kNotFound, "the file is gone");
  NodeRecord next = *node;
  next.lock_taken = taken;
  // Nobody gives it back before the change that it is for has begun.
  if (taken) next.changed_at = core.now();
  if (told != nullptr && next.remote && next.remote->id == told->id) {
    next.remote->lock = told->lock;
    next.remote->lock_holder = told->lock_holder;
  }
  txn.put(std::move(next));
  return txn.commit();
}

}  // namespace

Result<RemoteEntry> take_write_lock(VolumeCore& core, const CallContext& call, InodeNumber ino,
                                    const RemoteId& id) {
  TRY(store_lock(core, ino, id, true, nullptr));
  Result<RemoteEntry> locked = core.seen(core.remote.lock(call, id));
  if (locked) {
    TRY(store_lock(core, ino, id, true, &*locked));
  } else if (!may_have_happened(locked.error().code)) {
    TRY(store_lock(core, ino, id, false, nullptr));
  }
  return locked;
}

Result<RemoteEntry> give_up_write_lock(VolumeCore& core, const CallContext& call,
                                       const RemoteId& id) {
  TRY_ASSIGN(RemoteEntry now, core.seen(core.remote.stat(call, NodeKind::kFile, id)));
  if (now.lock == LockState::kHeldByOther) return now;
  return core.seen(core.remote.discard_lock(call, id));
}

}  // namespace cabinetfs
