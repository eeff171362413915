// Locks, shares and counters: what goes for several objects in one request, and what only some
// vendors have.

#include <functional>

#include "backend/base/log.h"
#include "backend/remote_store.h"
#include "cache/volume_impl.h"

namespace cabinetfs {

std::vector<Result<void>> Volume::lock_many(const CallContext& call,
                                            const std::vector<InodeNumber>& files) {
  std::vector<Result<void>> out;
  for (const InodeNumber ino : files) out.push_back(lock(call, ino));
  return out;
}

std::vector<Result<void>> Volume::unlock_many(const CallContext& call,
                                              const std::vector<InodeNumber>& files,
                                              const std::string& comment) {
  std::vector<Result<void>> out;
  for (const InodeNumber ino : files) out.push_back(unlock(call, ino, comment));
  return out;
}

std::vector<Result<void>> Volume::share_many(const CallContext& call,
                                             const std::vector<InodeNumber>& inos,
                                             const std::vector<std::string>& who,
                                             AccessLevel level) {
  std::vector<Result<void>> out;
  for (const InodeNumber ino : inos) {
    Result<void> done;
    for (const std::string& person : who) {
      done = share(call, ino, person, level);
      if (!done) break;
    }
    out.push_back(std::move(done));
  }
  return out;
}

Result<void> Volume::discard_lock(const CallContext& call, InodeNumber ino) {
  TRY(discard(call, ino));
  return unlock(call, ino, "");
}

Result<RemotePermission> Volume::permission_of(const CallContext& call, InodeNumber ino,
                                               const std::string& who) {
  TRY_ASSIGN(auto known, permissions(call, ino));
  for (RemotePermission& one : known)
    if (one.who == who) return std::move(one);
  return fail(ErrorCode::kNoData, who + " has no permission of their own");
}

Result<void> Volume::unshare_all(const CallContext&, InodeNumber) {
  return fail(ErrorCode::kNotSupported, "this server does not take all permissions away at once");
}

std::vector<Result<void>> VolumeImpl::lock_together(
    const CallContext& call, const std::vector<InodeNumber>& files,
    const std::function<std::vector<Result<RemoteEntry>>(const std::vector<RemoteId>&)>& ask) {
  std::vector<Result<void>> out(files.size());
  std::vector<RemoteId> ids;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Result<NodePtr> node = remote_file(call, files[i]);
    if (!node) {
      out[i] = fail(node.error());
    } else if ((*node)->kind != NodeKind::kFile) {
      out[i] = fail(ErrorCode::kNotSupported, "only files are locked");
    } else {
      ids.push_back((*node)->remote->id);
      places.push_back(i);
    }
  }
  if (ids.empty()) return out;
  const std::vector<Result<RemoteEntry>> answers = ask(ids);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Result<RemoteEntry>& answer = answers.at(i);
    if (answer) {
      core_.net.succeeded();
      out[places[i]] = own_lock(files[places[i]]);
      if (out[places[i]]) out[places[i]] = take_answer(files[places[i]], *answer);
    } else {
      core_.net.failed(answer.error());
      out[places[i]] = fail(answer.error());
    }
  }
  return out;
}

std::vector<Result<void>> VolumeImpl::lock_many(const CallContext& call,
                                                const std::vector<InodeNumber>& files) {
  for (const InodeNumber ino : files) {
    if (const Result<void> landed = wait_unlocked(call, ino); !landed)
      return std::vector<Result<void>>(files.size(), landed);
  }
  return lock_together(call, files, [&](const std::vector<RemoteId>& ids) {
    return core_.remote.lock_files(core_.bounded(call), ids);
  });
}

std::vector<Result<void>> VolumeImpl::unlock_many(const CallContext& call,
                                                  const std::vector<InodeNumber>& files,
                                                  const std::string& comment) {
  return lock_together(call, files, [&](const std::vector<RemoteId>& ids) {
    return core_.remote.unlock_files(core_.bounded(call), ids, comment);
  });
}

std::vector<Result<void>> VolumeImpl::share_many(const CallContext& call,
                                                 const std::vector<InodeNumber>& inos,
                                                 const std::vector<std::string>& who,
                                                 AccessLevel level) {
  std::vector<Result<void>> out(inos.size());
  std::vector<RemoteObject> objects;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < inos.size(); ++i) {
    const Result<NodePtr> node = remote_file(call, inos[i]);
    if (!node) {
      out[i] = fail(node.error());
      continue;
    }
    objects.push_back({(*node)->kind, (*node)->remote->id});
    places.push_back(i);
  }
  if (objects.empty()) return out;
  const std::vector<Result<void>> answers =
      core_.remote.share_many(core_.bounded(call), objects, who, level);
  for (std::size_t i = 0; i < places.size(); ++i) out[places[i]] = answers.at(i);
  return out;
}

Result<void> VolumeImpl::discard_lock(const CallContext& call, InodeNumber ino) {
  if (!core_.remote.capabilities().locks)
    return fail(ErrorCode::kNotSupported, "this server has no locks");
  TRY(discard(call, ino));
  TRY_ASSIGN(const NodePtr node, remote_file(call, ino));
  if (node->remote->lock == LockState::kFree) return {};
  TRY_ASSIGN(const RemoteEntry now,
             core_.seen(core_.remote.discard_lock(core_.bounded(call), node->remote->id)));
  return take_answer(ino, now);
}

Result<RemotePermission> VolumeImpl::permission_of(const CallContext& call, InodeNumber ino,
                                                   const std::string& who) {
  if (!core_.remote.capabilities().permissions)
    return fail(ErrorCode::kNotSupported, "this server does not tell or change permissions");
  TRY_ASSIGN(const NodePtr node, remote_file(call, ino));
  return core_.seen(
      core_.remote.permission_of(core_.bounded(call), node->kind, node->remote->id, who));
}

Result<void> VolumeImpl::unshare_all(const CallContext& call, InodeNumber ino) {
  TRY_ASSIGN(const NodePtr node, remote_file(call, ino));
  TRY(core_.seen(core_.remote.unshare_all(core_.bounded(call), node->kind, node->remote->id)));
  // We may have been among them: what nobody may see goes at once.
  if (const auto seen = listings_.refresh(core_.bounded(call), node->parent); !seen)
    log_info("listing after unshare_all: {}", to_string(seen.error()));
  return {};
}

NumberSequences* VolumeImpl::sequences() { return core_.remote.sequences(); }

}  // namespace cabinetfs
