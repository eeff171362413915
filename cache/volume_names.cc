// Volume: names, attributes and listings.
#include <algorithm>

#include "cache/volume_impl.h"

namespace cabinetfs {
namespace {

constexpr std::size_t kMaxNameBytes = 255;
// A listing that a program opens may be this old; the change feed and the poller tell of changes
// before.
constexpr std::chrono::seconds kListingMaxAge{60};
constexpr std::size_t kMaxCachedEntries = 300'000;
constexpr std::chrono::seconds kQuotaFresh{30};
// Beyond this many children, one object's state is cheaper to ask for than its folder's listing.
constexpr std::size_t kListToRevalidate = 500;

}  // namespace

Result<NodePtr> VolumeImpl::existing(InodeNumber ino) {
  TRY_ASSIGN(NodePtr node, core_.tree.find(ino));
  if (node == nullptr || node->deleted) {
    if (const std::shared_ptr<FileState> file = core_.files.find(ino);
        file != nullptr && file->handles > 0) {
      MutexLock lock(file->mutex);
      if (file->orphan != nullptr) return file->orphan;
    }
    return fail(ErrorCode::kNotFound, "no such node");
  }
  return node;
}

Result<NodePtr> VolumeImpl::existing_folder(InodeNumber ino) {
  TRY_ASSIGN(NodePtr node, existing(ino));
  if (node->kind != NodeKind::kFolder) return fail(ErrorCode::kNotDirectory, node->name);
  return node;
}

Result<void> VolumeImpl::check_name(const std::string& name) const {
  if (name.size() > kMaxNameBytes)
    return fail(ErrorCode::kNameTooLong, "a name has at most 255 bytes");
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
    return fail(ErrorCode::kInvalid, "not a file name");
  }
  return {};
}

Result<NodePtr> VolumeImpl::existing_child(const CallContext& call, InodeNumber parent,
                                           const std::string& name) {
  if (name.size() > kMaxNameBytes)
    return fail(ErrorCode::kNameTooLong, "a name has at most 255 bytes");
  TRY_ASSIGN(const NodePtr folder, existing_folder(parent));
  TRY_ASSIGN(NodePtr child, core_.tree.child(parent, name));
  // refresh() has made the listing doubtful: what it holds may be gone from the server, or changed.
  const bool doubted = child != nullptr && folder->listed_at == WallTime{} && folder->remote &&
                       child->remote && !child->dirty();
  if (child != nullptr && !doubted) return child;
  // Not there as far as we know. What we know must be complete, and not older than a file's
  // revalidation.
  TRY(listings_.ensure(call, parent, core_.options.fresh));
  TRY_ASSIGN(child, core_.tree.child(parent, name));
  if (child == nullptr) return fail(ErrorCode::kNotFound, name);
  return child;
}

Result<Attributes> VolumeImpl::lookup(const CallContext& call, InodeNumber parent,
                                      const std::string& name) {
  TRY_ASSIGN(const NodePtr child, existing_child(call, parent, name));
  {
    // The kernel keeps what it is told now: somebody must notice when it is not so any more.
    MutexLock lock(mutex_);
    in_use_[parent] = core_.clock.steady();
  }
  Attributes out = core_.attributes(*child);
  core_.overlay_live(out);
  return out;
}

Result<Attributes> VolumeImpl::getattr(const CallContext&, InodeNumber ino) {
  TRY_ASSIGN(const NodePtr node, existing(ino));
  Attributes out = core_.attributes(*node);
  core_.overlay_live(out);
  return out;
}

Result<void> VolumeImpl::access(const CallContext&, InodeNumber ino, unsigned mask) {
  TRY_ASSIGN(const NodePtr node, existing(ino));
  const Rights rights = VolumeCore::rights(*node);
  const bool folder = node->kind == NodeKind::kFolder;
  if ((mask & 4u) != 0 && !rights.has(folder ? Right::kList : Right::kRead))
    return fail(ErrorCode::kDenied, node->name);
  if ((mask & 2u) != 0) {
    if (core_.options.read_only) return fail(ErrorCode::kReadOnly, "mounted read-only");
    if (!rights.has(folder ? Right::kCreate : Right::kWrite))
      return fail(ErrorCode::kDenied, node->name);
  }
  const std::uint32_t mode = core_.attributes(*node).mode;
  if ((mask & 1u) != 0 && (mode & 0111u) == 0) return fail(ErrorCode::kDenied, node->name);
  return {};
}

Result<DirListing> VolumeImpl::list(const CallContext& call, InodeNumber folder) {
  TRY_ASSIGN(NodePtr node, existing_folder(folder));
  if (!VolumeCore::rights(*node).has(Right::kList)) return fail(ErrorCode::kDenied, node->name);
  TRY(listings_.ensure(call, folder,
                       std::max<std::chrono::nanoseconds>(core_.options.fresh, kListingMaxAge)));
  const std::uint64_t stamp = core_.tree.folder_stamp(folder);
  DirListing listing;
  {
    MutexLock lock(mutex_);
    in_use_[folder] = core_.clock.steady();
    if (const auto found = listing_cache_.find(folder);
        found != listing_cache_.end() && found->second.stamp == stamp && stamp != 0) {
      listing = found->second.listing;
    }
  }
  if (listing == nullptr) {
    TRY_ASSIGN(const std::vector<NodePtr> children, core_.tree.children(folder));
    auto entries = std::make_shared<std::vector<DirEntry>>();
    entries->reserve(children.size());
    for (const NodePtr& child : children)
      entries->push_back({child->name, core_.attributes(*child)});
    std::ranges::sort(*entries, {}, &DirEntry::name);
    listing = std::move(entries);
    MutexLock lock(mutex_);
    if (listing_cache_entries_ > kMaxCachedEntries) {
      listing_cache_.clear();
      listing_cache_entries_ = 0;
    }
    listing_cache_entries_ += listing->size();
    listing_cache_[folder] = {stamp, listing};
  }
  walk_.listed(folder, node->parent, listing);
  // What is being written has its size in the handle, not in the row.
  std::shared_ptr<std::vector<DirEntry>> patched;
  for (const std::shared_ptr<FileState>& file : core_.files.open_files()) {
    if (!file->live) continue;
    const auto found = std::ranges::find(
        *listing, file->ino, [](const DirEntry& entry) { return entry.attributes.ino; });
    if (found == listing->end()) continue;
    if (patched == nullptr) patched = std::make_shared<std::vector<DirEntry>>(*listing);
    core_.overlay_live((*patched)[static_cast<std::size_t>(found - listing->begin())].attributes);
  }
  if (patched != nullptr) return DirListing(std::move(patched));
  return listing;
}

Result<Quota> VolumeImpl::quota(const CallContext& call) {
  const SteadyTime now = core_.clock.steady();
  {
    MutexLock lock(mutex_);
    if (quota_ && (now - quota_->first < kQuotaFresh || !core_.net.online())) return quota_->second;
  }
  if (!core_.remote.capabilities().quota) return Quota{};
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "quota");
  Result<Quota> asked = core_.seen(core_.remote.quota(core_.bounded(call)));
  MutexLock lock(mutex_);
  if (!asked && quota_) return quota_->second;  // the last that was told
  if (!asked) return fail(asked.error());
  quota_.emplace(now, *asked);
  return *asked;
}

// Rows are found by number whether the kernel knows them or not, so there is nothing to count.
void VolumeImpl::remember(InodeNumber) {}
void VolumeImpl::forget(InodeNumber, std::uint64_t) {}

Result<void> VolumeImpl::update(InodeNumber ino,
                                const std::function<Result<void>(NodeRecord&)>& change) {
  Tree::Txn txn(core_.tree);
  TRY_ASSIGN(const NodePtr node, txn.find(ino));
  if (node == nullptr || node->deleted) return fail(ErrorCode::kNotFound, "no such node");
  NodeRecord next = *node;
  TRY(change(next));
  txn.put(std::move(next));
  return txn.commit();
}

Result<void> VolumeImpl::set_times_and_mode(InodeNumber ino, const SetAttributes& set,
                                            FileState* file) {
  if (file != nullptr && file->live && set.mtime) {
    // The commit writes the row's time from here.
    file->live_mtime = set.mtime->time_since_epoch().count();
  }
  const auto change = [this, &set](NodeRecord& node) -> Result<void> {
    if (set.mode) node.mode = *set.mode & 07777u;
    if (set.mtime) {
      node.mtime = *set.mtime;
      node.times_local = true;
    }
    if (set.atime) node.atime = *set.atime;
    node.ctime = core_.now();
    return {};
  };
  Result<void> changed = update(ino, change);
  if (!changed && changed.error().code == ErrorCode::kNotFound && file != nullptr) {
    // Unlinked while open.
    MutexLock lock(file->mutex);
    if (file->orphan == nullptr) return changed;
    NodeRecord next = *file->orphan;
    TRY(change(next));
    file->orphan = std::make_shared<const NodeRecord>(std::move(next));
    return {};
  }
  return changed;
}

Result<Attributes> VolumeImpl::setattr(const CallContext& call, InodeNumber ino,
                                       const SetAttributes& set, OpenFile* file) {
  TRY_ASSIGN(const NodePtr node, existing(ino));
  if (core_.options.read_only) return fail(ErrorCode::kReadOnly, "mounted read-only");
  if ((set.uid && *set.uid != core_.options.uid) || (set.gid && *set.gid != core_.options.gid)) {
    return fail(ErrorCode::kNotPermitted,
                "the remote has no owners: everything belongs to who mounted it");
  }
  if (set.size && file == nullptr && !call.may_block && waits_for_server(ino))
    return fail(ErrorCode::kWouldBlock, "sync = remote");
  const std::shared_ptr<FileState> state =
      node->kind == NodeKind::kFile ? core_.files.acquire(ino) : nullptr;
  if (set.size) {
    if (node->kind != NodeKind::kFile) return fail(ErrorCode::kIsDirectory, node->name);
    if (!VolumeCore::rights(*node).has(Right::kWrite)) return fail(ErrorCode::kDenied, node->name);
    if (*set.size > static_cast<std::uint64_t>(INT64_MAX))
      return fail(ErrorCode::kTooLarge, node->name);
    if (!state->live) TRY(lock_for_change(call, ino));
    MutexLock lock(state->mutex);
    auto* const through = dynamic_cast<OpenFileImpl*>(file);
    TRY_ASSIGN(const std::shared_ptr<StagedContent> staged, stage(*state, through));
    TRY(staged->truncate(*set.size));
    if (through != nullptr) through->wrote = true;
    mark_written(*state, *staged);
    // Through a handle it is a write like any other; by path it is complete in itself, also while
    // others write: the last of them may have made his commit already.
    if (file == nullptr) {
      TRY(core_.commit(*state));
      TRY_ASSIGN(const NodePtr stored, core_.tree.find(ino));
      if (stored != nullptr) state->closed_generation = stored->generation;
    }
  }
  if (set.mode || set.mtime || set.atime || set.uid || set.gid)
    TRY(set_times_and_mode(ino, set, state.get()));
  if (set.size) {
    core_.wake(ino);
    if (file == nullptr) TRY(wait_if_remote(call, ino));
  }
  TRY_ASSIGN(const NodePtr now, existing(ino));
  Attributes out = core_.attributes(*now);
  core_.overlay_live(out);
  return out;
}

Result<NodePtr> VolumeImpl::fresh_file(const CallContext& call, NodePtr node) {
  if (node->content_dirty || !node->remote) return node;
  if (const std::shared_ptr<FileState> state = core_.files.find(node->ino);
      state != nullptr && state->live)
    return node;
  const SteadyTime oldest = core_.clock.steady() - core_.options.fresh;
  if (core_.recent.confirmed_since(node->ino, oldest)) return node;
  TRY_ASSIGN(const NodePtr parent, core_.tree.find(node->remote_parent));
  if (parent != nullptr && parent->listed &&
      core_.is_recent(parent->listed_at, core_.options.fresh))
    return node;
  if (!core_.net.may_try()) return node;
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "revalidation");
  std::size_t siblings = kListToRevalidate + 1;
  if (parent != nullptr && parent->remote && parent->listed) {
    MutexLock lock(mutex_);
    if (const auto found = listing_cache_.find(parent->ino); found != listing_cache_.end())
      siblings = found->second.listing->size();
  }
  const Result<void> asked = siblings <= kListToRevalidate ? listings_.refresh(call, parent->ino)
                                                           : listings_.revalidate(call, node->ino);
  if (!asked) {
    const ErrorCode code = asked.error().code;
    // Nobody answers: what is on this disk is served, marked as offline in its state.
    if (is_unreachable(code) || code == ErrorCode::kTryAgain) return node;
    return fail(asked.error());
  }
  return existing(node->ino);
}

}  // namespace cabinetfs
