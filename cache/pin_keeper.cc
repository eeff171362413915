#include "cache/pin_keeper.h"

#include <vector>

#include "backend/base/log.h"

namespace cabinetfs {
namespace {

// How old the listing of a pinned folder may be where nobody tells of changes.
constexpr std::chrono::minutes kListedAgain{5};
// Files, and bytes, between two looks at whether something else is wanted by now.
constexpr std::size_t kTogether = 64;
constexpr std::uint64_t kBytesTogether = 64u << 20;

}  // namespace

PinKeeper::PinKeeper(VolumeCore& core, ListingService& listings, WalkAhead& walk)
    : core_(core), listings_(listings), walk_(walk) {}

void PinKeeper::wake() {
  if (!queued_.exchange(true)) pool_.submit([this] { pass(); });
}

void PinKeeper::shutdown() { pool_.shutdown(); }

void PinKeeper::pass() {
  queued_ = false;
  const Result<Contents> found = find();
  // Not all of it, perhaps: pins that are not known at the end would be lost.
  if (core_.stopping.token().cancelled()) return;
  if (!found) {
    log_warn("pinned contents: {}", to_string(found.error()));
    return;
  }
  std::unordered_map<InodeNumber, ContentKey> now;
  for (const auto& [ino, content] : *found) now.emplace(ino, content.key);
  if (!known_ || now != pinned_) {
    std::vector<ContentKey> keys;
    keys.reserve(found->size());
    for (const auto& [ino, content] : *found) keys.push_back(content.key);
    core_.contents.set_pins(keys);
    pinned_ = std::move(now);
    known_ = true;
  }
  fetch(*found);
}

Result<PinKeeper::Contents> PinKeeper::find() {
  Contents out;
  TRY_ASSIGN(const std::vector<InodeNumber> roots, core_.meta.pinned());
  for (const InodeNumber root : roots) {
    std::vector<InodeNumber> pending{root};
    while (!pending.empty() && !core_.stopping.token().cancelled()) {
      const InodeNumber at = pending.back();
      pending.pop_back();
      TRY_ASSIGN(const NodePtr node, core_.tree.find(at));
      if (node == nullptr || node->deleted) continue;
      if (at != root && node->pin != PinState::kInherit) continue;  // decided for itself
      if (node->kind == NodeKind::kFolder) {
        const Result<void> listed =
            listings_.ensure(core_.background_call(Priority::kPrefetch), at, kListedAgain);
        if (!listed) log_debug("pinning: {}", to_string(listed.error()));
        TRY_ASSIGN(const std::vector<NodePtr> children, core_.tree.children(at));
        for (const NodePtr& child : children) pending.push_back(child->ino);
      } else if (node->remote && VolumeCore::rights(*node).has(Right::kRead)) {
        out.emplace(at, Pinned{VolumeCore::content_key(*node->remote), !node->content_dirty});
      }
    }
  }
  return out;
}

void PinKeeper::fetch(const Contents& contents) {
  std::vector<InodeNumber> some;
  for (auto next = contents.begin(); next != contents.end();) {
    some.clear();
    std::uint64_t bytes = 0;
    for (; next != contents.end() && some.size() < kTogether && bytes < kBytesTogether; ++next) {
      if (!next->second.wanted) continue;
      some.push_back(next->first);
      bytes += next->second.key.size;
    }
    // Something else is pinned by now: found by the next pass, which goes on with the rest too.
    if (queued_ || core_.stopping.token().cancelled() || !core_.net.may_try()) return;
    CallContext call = core_.background_call(Priority::kPrefetch);
    call.deadline = SteadyTime::max();  // each file has its own
    const Result<void> got = walk_.fetch_all(call, some);
    if (!got) log_info("pinning: {}", to_string(got.error()));
  }
}

}  // namespace cabinetfs
