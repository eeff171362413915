#include "cache/listing.h"

#include <algorithm>
#include <unordered_set>

#include "backend/base/log.h"
#include "cache/path_ids.h"

namespace cabinetfs {
namespace {

// Rows of one transaction while a listing is taken in: bounds how long the tree's mutex is held.
constexpr std::size_t kMergeChunk = 400;
// From here on a listing's price counts for how long it is used, up to the second.
constexpr std::chrono::milliseconds kCostly{100};
constexpr std::chrono::minutes kLongestKept{10};
// So many may go at once without a question.
constexpr std::size_t kFewGone = 10;
// How often a listing is asked for again because the folder has got another id meanwhile.
constexpr int kMovedOn = 5;

}  // namespace

ListingService::ListingService(VolumeCore& core)
    : core_(core), pool_("list-ahead", core.options.parallel_lists) {}

ListingService::~ListingService() { shutdown(); }

void ListingService::shutdown() {
  pool_.shutdown();
  MutexLock lock(mutex_);
  for (auto& [ino, flight] : flights_) flight->done = flight->failed = true;
  landed_.notify_all();
}

Result<void> ListingService::ensure(const CallContext& call, InodeNumber folder,
                                    std::chrono::nanoseconds max_age) {
  TRY_ASSIGN(const NodePtr node, core_.tree.find(folder));
  if (node == nullptr) return fail(ErrorCode::kNotFound, "folder is gone");
  if (node->kind != NodeKind::kFolder) return fail(ErrorCode::kNotDirectory, node->name);
  const bool local_only = !node->remote && folder != kRootInode;
  if (local_only) return {};
  const bool young =
      node->listed && core_.is_recent(node->listed_at, std::max(max_age, worth_keeping(folder)));
  if (young) return {};
  if (node->listed && !core_.net.may_try()) return {};
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "listing");
  Result<void> asked = refresh(call, folder);
  if (asked) return {};
  // Old but complete, and marked as offline, is better than nothing.
  if (node->listed && is_transient(asked.error().code) &&
      asked.error().code != ErrorCode::kCancelled)
    return {};
  return asked;
}

Result<void> ListingService::refresh(const CallContext& call, InodeNumber folder) {
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "listing");
  const CallContext bounded = core_.bounded(call);
  // Before the mutex is taken: the callback takes it too, so that a waiter is either before its
  // check or really waiting.
  const CancelToken::Registration wake = bounded.cancel.on_cancel([this] {
    MutexLock lock(mutex_);
    landed_.notify_all();
  });
  std::shared_ptr<Flight> flight;
  {
    MutexLock lock(mutex_);
    while (true) {
      const auto found = flights_.find(folder);
      if (found == flights_.end() || !found->second->running)
        break;  // nobody, or only queued: we do it
      flight = found->second;
      while (!flight->done) {
        if (bounded.cancel.cancelled()) return fail(ErrorCode::kCancelled, "listing");
        if (!landed_.wait_until(mutex_, bounded.deadline) && !flight->done) {
          return fail(ErrorCode::kTimeout, "listing: no answer in time");
        }
      }
      if (!flight->failed) return {};
      // The other's own cancellation or deadline is not ours.
      if (flight->error.code != ErrorCode::kCancelled &&
          flight->error.code != ErrorCode::kTimeout) {
        return fail(flight->error);
      }
      if (bounded.cancel.cancelled()) return fail(ErrorCode::kCancelled, "listing");
      if (core_.clock.steady() >= bounded.deadline)
        return fail(ErrorCode::kTimeout, "listing: no answer in time");
    }
    flight = std::make_shared<Flight>();
    flight->running = true;
    flights_[folder] = flight;
  }
  Result<void> result = fetch(bounded, folder);
  MutexLock lock(mutex_);
  flight->done = true;
  if (!result) {
    flight->failed = true;
    flight->error = result.error();
  }
  if (const auto found = flights_.find(folder); found != flights_.end() && found->second == flight)
    flights_.erase(found);
  landed_.notify_all();
  const bool again = flight->again;
  lock.unlock();
  if (again) refresh_ahead(folder, true);
  return result;
}

void ListingService::refresh_ahead(InodeNumber folder, bool again, std::function<void()> then,
                                   std::function<void()> otherwise) {
  std::shared_ptr<Flight> flight;
  {
    MutexLock lock(mutex_);
    if (const auto found = flights_.find(folder); found != flights_.end()) {
      // What is queued only will be asked later than now; what runs was perhaps asked too early.
      if (again && found->second->running) found->second->again = true;
      return;
    }
    flight = std::make_shared<Flight>();
    flights_[folder] = flight;
  }
  pool_.submit(
      [this, folder, again, flight, then = std::move(then), otherwise = std::move(otherwise)] {
        {
          MutexLock lock(mutex_);
          const auto found = flights_.find(folder);
          if (found == flights_.end() || found->second != flight) return;  // taken over
          flights_.erase(found);
        }
        const Result<NodePtr> node = core_.tree.find(folder);
        if (!node || *node == nullptr || (*node)->deleted || !(*node)->remote) return;
        if ((*node)->listed && !again) return;
        const Result<void> asked = refresh(core_.background_call(Priority::kPrefetch), folder);
        if (!asked) {
          log_debug("listing ahead: {}", to_string(asked.error()));
          if (otherwise) otherwise();
          return;
        }
        ++core_.listings_ahead;
        if (then) then();
      });
}

Result<void> ListingService::ensure_root(const CallContext& call) {
  TRY_ASSIGN(const NodePtr node, core_.tree.find(kRootInode));
  if (node == nullptr) return fail(ErrorCode::kInternal, "the mount root has no row");
  if (node->remote) return {};
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "mount root");
  TRY_ASSIGN(RemoteEntry root, core_.seen(core_.remote.root(call)));
  for (const std::string& part : split(core_.options.root_path, '/')) {
    if (part.empty()) continue;
    TRY_ASSIGN(std::optional<RemoteEntry> next,
               core_.seen(core_.remote.find_child(call, root.id, part)));
    if (!next)
      return fail(ErrorCode::kNotFound, "no folder " + core_.options.root_path + " on the server");
    if (next->kind != NodeKind::kFolder)
      return fail(ErrorCode::kNotDirectory, core_.options.root_path);
    root = std::move(*next);
  }
  Tree::Txn txn(core_.tree);
  TRY_ASSIGN(const NodePtr now, txn.find(kRootInode));
  NodeRecord next = *now;
  next.remote = std::move(root);
  txn.put(std::move(next));
  return txn.commit();
}

Result<void> ListingService::fetch(const CallContext& call, InodeNumber folder) {
  if (folder == kRootInode) TRY(ensure_root(call));
  for (int round = 1; round <= kMovedOn; ++round) {
    TRY_ASSIGN(const NodePtr node, core_.tree.find(folder));
    if (node == nullptr) return fail(ErrorCode::kNotFound, "folder is gone");
    if (!node->remote) return {};
    const RemoteId id = node->remote->id;
    const SteadyTime asked = core_.clock.steady();
    Result<std::vector<RemoteEntry>> entries = core_.seen(core_.remote.list(call, id));
    ++core_.listings;
    if (entries) {
      TRY(check_vanished(call, folder, id, *entries, asked));
      TRY_ASSIGN(const bool taken, merge(folder, id, *entries, asked));
      if (taken) {
        note_cost(folder, core_.clock.steady() - asked);
        return {};
      }
    } else {
      // The folder's own folder knows whether it is really gone; asking it is somebody else's call.
      if (!is_gone(entries.error().code) || !core_.remote.capabilities().ids_follow_path)
        return fail(std::move(entries).error());
      TRY_ASSIGN(const bool moved, moved_on(call, folder, id));
      if (!moved) return fail(std::move(entries).error());
    }
  }
  return fail(ErrorCode::kTryAgain, "the folder is renamed over and over");
}

// Some servers answer with a short listing, or an empty one, while they are not ready. Where much
// is missing at once, one that is missing is asked for by itself.
Result<void> ListingService::check_vanished(const CallContext& call, InodeNumber folder,
                                            const RemoteId& id,
                                            const std::vector<RemoteEntry>& entries,
                                            SteadyTime asked) {
  std::unordered_set<std::string> present;
  present.reserve(entries.size());
  for (const RemoteEntry& entry : entries) present.insert(entry.id.value);
  NodePtr missing;
  std::size_t known = 0, gone = 0;
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const std::vector<NodePtr> children, txn.remote_children(folder));
    for (const NodePtr& child : children) {
      if (child->dirty() || core_.is_in_flight(child->ino) ||
          core_.recent.confirmed_since(child->ino, asked))
        continue;
      ++known;
      if (present.contains(child->remote->id.value)) continue;
      ++gone;
      missing = child;
    }
  }
  const bool all = gone == known && entries.empty();
  const bool most = gone > kFewGone && gone > known / 2;
  if (missing == nullptr || !(all || most)) return {};
  const Result<RemoteEntry> there =
      core_.seen(core_.remote.stat(call, missing->kind, missing->remote->id));
  if (!there) {
    // What is not ours to see any more is gone for us.
    if (!is_transient(there.error().code)) return {};
    return fail(there.error());
  }
  if (!there->parent.empty() && there->parent != id) return {};  // moved elsewhere
  return fail(ErrorCode::kUnavailable,
              "the server's listing leaves out what it still has: not believed");
}

// The id that was asked for is not this folder's any more, because it or one above it has been
// renamed here. Waits for a change that is on its way.
Result<bool> ListingService::moved_on(const CallContext& call, InodeNumber folder,
                                      const RemoteId& id) {
  const auto look = [&](InodeNumber& moving) -> Result<bool> {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr node, txn.find(folder));
    if (node == nullptr || !node->remote) return false;
    if (node->remote->id != id) return true;
    TRY_ASSIGN(moving, moving_at(core_, txn, folder));
    return false;
  };
  InodeNumber moving;
  TRY_ASSIGN(bool moved, look(moving));
  if (moved || !moving) return moved;
  TRY(core_.in_flight->wait_landed(call, moving));
  TRY_ASSIGN(moved, look(moving));
  if (moved || !moving) return moved;
  return fail(ErrorCode::kTryAgain, "renamed just now; the server has not confirmed it yet");
}

void ListingService::note_cost(InodeNumber folder, std::chrono::nanoseconds cost) {
  MutexLock lock(mutex_);
  if (cost < kCostly)
    costs_.erase(folder);
  else
    costs_[folder] = cost;
}

std::chrono::nanoseconds ListingService::worth_keeping(InodeNumber folder) {
  MutexLock lock(mutex_);
  const auto found = costs_.find(folder);
  if (found == costs_.end()) return {};
  return std::min<std::chrono::nanoseconds>(10 * found->second, kLongestKept);
}

Result<bool> ListingService::merge(InodeNumber folder, const RemoteId& id,
                                   const std::vector<RemoteEntry>& entries, SteadyTime asked) {
  Notices notices;
  const Result<bool> taken = merge_rows(folder, id, entries, asked, notices);
  // Also when it broke off: what was committed by then is shown, and the next listing finds nothing
  // new in it.
  notices.send(core_.notifier);
  return taken;
}

Result<bool> ListingService::merge_rows(InodeNumber folder, const RemoteId& id,
                                        const std::vector<RemoteEntry>& entries, SteadyTime asked,
                                        Notices& notices) {
  // Where ids are places, an answer about the old place says nothing about the new one.
  const bool follows = core_.remote.capabilities().ids_follow_path;
  const auto elsewhere = [&](const NodeRecord& node) {
    return follows && (!node.remote || node.remote->id != id);
  };
  bool moved = false;
  std::unordered_set<std::string> present;
  present.reserve(entries.size());
  for (const RemoteEntry& entry : entries) present.insert(entry.id.value);
  {
    // What is gone first: somebody else may have its name now.
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr node, txn.find(folder));
    if (node == nullptr) return fail(ErrorCode::kNotFound, "folder went away while it was listed");
    if (elsewhere(*node)) return false;
    TRY_ASSIGN(const std::vector<NodePtr> known, txn.remote_children(folder));
    for (const NodePtr& child : known) {
      if (!present.contains(child->remote->id.value))
        TRY(apply_gone(core_, txn, *child, asked, notices));
    }
    TRY(txn.commit());
  }
  for (std::size_t from = 0; from < entries.size(); from += kMergeChunk) {
    const std::size_t to = std::min(entries.size(), from + kMergeChunk);
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr node, txn.find(folder));
    if (node == nullptr) return fail(ErrorCode::kNotFound, "folder went away while it was listed");
    if (elsewhere(*node)) {
      moved = true;
      break;
    }
    for (std::size_t i = from; i < to; ++i)
      TRY(apply_entry(core_, txn, folder, entries[i], asked, notices));
    TRY(txn.commit());
  }
  if (!moved) {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr node, txn.find(folder));
    if (node == nullptr) return fail(ErrorCode::kNotFound, "folder went away while it was listed");
    moved = elsewhere(*node);
    if (!moved) {
      TRY(free_twin_names(txn, folder, notices));
      TRY_ASSIGN(const NodePtr now, txn.find(folder));
      NodeRecord next = *now;
      next.listed = true;
      next.listed_at = core_.now() - (core_.clock.steady() - asked);
      txn.put(std::move(next));
      TRY(txn.commit());
    }
  }
  return !moved;
}

// Who got a twin's name because his own was taken just then (others swapped names, ours gave way)
// gets his own when it is free.
Result<void> ListingService::free_twin_names(Tree::Txn& txn, InodeNumber folder, Notices& notices) {
  TRY_ASSIGN(const std::vector<NodePtr> shown, txn.children(folder));
  for (const NodePtr& child : shown) {
    if (!child->remote || child->moved()) continue;
    const std::string own = core_.codec.to_local(child->remote->name, child->remote->id);
    if (child->name == own) continue;
    TRY_ASSIGN(const NodePtr taken, core_.same_named(txn, folder, own));
    if (taken != nullptr && taken->ino != child->ino) continue;
    notices.entry(folder, child->name);
    notices.inode(folder, true);
    NodeRecord next = *child;
    next.name = own;
    txn.put(std::move(next));
  }
  return {};
}

Result<void> ListingService::revalidate(const CallContext& call, InodeNumber file) {
  TRY_ASSIGN(const NodePtr node, core_.tree.find(file));
  if (node == nullptr || !node->remote) return {};
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "revalidation");
  const SteadyTime asked = core_.clock.steady();
  Result<RemoteEntry> entry =
      core_.seen(core_.remote.stat(core_.bounded(call), node->kind, node->remote->id));
  if (!entry && !is_gone(entry.error().code)) return fail(std::move(entry).error());
  Notices notices;
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr now, txn.find(file));
    if (now == nullptr || !now->remote) return {};
    if (core_.remote.capabilities().ids_follow_path) {
      // An answer about a place where it does not stand any more.
      TRY_ASSIGN(const InodeNumber moving, moving_at(core_, txn, file));
      if (now->remote->id != node->remote->id || (moving && moving != file)) return {};
    }
    InodeNumber folder = now->remote_parent;
    if (entry) {
      if (!entry->parent.empty()) {
        TRY_ASSIGN(const NodePtr parent, txn.find_remote(entry->parent));
        if (parent != nullptr) folder = parent->ino;
      }
      TRY(apply_entry(core_, txn, folder, *entry, asked, notices));
    } else {
      TRY(apply_gone(core_, txn, *now, asked, notices));
    }
    TRY(txn.commit());
  }
  core_.recent.confirmed(file, asked);
  notices.send(core_.notifier);
  return {};
}

}  // namespace cabinetfs
