// Volume: is what was fetched of a file its version? Asked in the background, for contents that
// nothing but this question vouches for.
#include <map>
#include <set>

#include "backend/base/log.h"
#include "cache/path_ids.h"
#include "cache/volume_impl.h"

namespace cabinetfs {
namespace {

// So many files of one folder are asked for by its listing, if that is not so long that single
// questions would cost less: an entry takes about a hundredth of what a request does.
constexpr std::size_t kTogether = 4;
constexpr std::size_t kEntriesPerFile = 50;

}  // namespace

struct VolumeImpl::Unchecked {
  InodeNumber ino;
  ContentKey key;
  std::shared_ptr<CachedContent> content;
  std::uint64_t mark =
      0;  // what comes while the server is being asked is not covered by its answer
};

void VolumeImpl::check_version(InodeNumber ino) {
  const Result<NodePtr> node = core_.tree.find(ino);
  if (!node || *node == nullptr) return;
  const InodeNumber folder = (*node)->parent;
  {
    MutexLock lock(mutex_);
    const auto [waiting, first] = unchecked_.try_emplace(folder);
    waiting->second.insert(ino);
    // Whoever looks at that folder next takes this file along.
    if (!first) return;
  }
  if (checks_.try_submit([this, folder] { check_versions(folder); })) return;
  MutexLock lock(mutex_);
  unchecked_.erase(folder);
}

void VolumeImpl::check_versions(InodeNumber folder) {
  std::set<InodeNumber> files;
  {
    MutexLock lock(mutex_);
    if (auto waiting = unchecked_.extract(folder)) files = std::move(waiting.mapped());
  }
  std::vector<Unchecked> checks;
  for (const InodeNumber ino : files) {
    const Result<NodePtr> node = core_.tree.find(ino);
    if (!node || *node == nullptr || !(*node)->remote || (*node)->kind != NodeKind::kFile) continue;
    ContentKey key = VolumeCore::content_key(*(*node)->remote);
    Result<std::shared_ptr<CachedContent>> content = core_.contents.open_cached(key);
    if (!content) continue;
    const std::uint64_t mark = (*content)->validation_mark();
    checks.push_back({ino, std::move(key), *std::move(content), mark});
  }
  std::map<RemoteId, Validator> listed;
  if (checks.size() >= kTogether) {
    const Result<NodePtr> node = core_.tree.find(folder);
    const Result<std::vector<NodePtr>> children = core_.tree.children(folder);
    if (node && *node != nullptr && (*node)->remote && children &&
        children->size() <= kEntriesPerFile * checks.size()) {
      const auto entries = core_.seen(
          core_.remote.list(core_.background_call(Priority::kMetadata), (*node)->remote->id));
      // Else one by one: the folder may have gone elsewhere.
      for (const RemoteEntry& entry : entries ? *entries : std::vector<RemoteEntry>()) {
        if (entry.kind == NodeKind::kFile) listed.emplace(entry.id, entry.validator);
      }
    }
  }
  for (Unchecked& one : checks) {
    if (const auto found = listed.find(one.key.file); found != listed.end()) {
      conclude_check(one, found->second == one.key.validator);
    } else {
      check_alone(one);
    }
  }
}

void VolumeImpl::check_alone(Unchecked& one) {
  const Result<RemoteEntry> there = core_.seen(
      core_.remote.stat(core_.background_call(Priority::kMetadata), NodeKind::kFile, one.key.file));
  if (!there && there.error().code != ErrorCode::kNotFound) return;
  if (!there && core_.remote.capabilities().ids_follow_path) {
    // Renamed here meanwhile?
    Tree::Txn txn(core_.tree);
    const Result<NodePtr> now = txn.find(one.ino);
    if (!now || *now == nullptr || !(*now)->remote || (*now)->remote->id != one.key.file) return;
    const Result<InodeNumber> moving = moving_at(core_, txn, one.ino);
    if (!moving || *moving) return;
  }
  conclude_check(one, there && there->validator == one.key.validator);
}

void VolumeImpl::conclude_check(Unchecked& one, bool still) {
  one.content->validated(still, one.mark);
  if (still) return;
  if (const Result<void> told =
          listings_.revalidate(core_.background_call(Priority::kMetadata), one.ino);
      !told) {
    log_debug("revalidating node {}: {}", one.ino.value, to_string(told.error()));
  }
}

}  // namespace cabinetfs
