#include "cache/walk_ahead.h"

#include <algorithm>
#include <map>

#include "backend/base/log.h"

namespace cabinetfs {
namespace {

constexpr std::chrono::seconds kWalkPause{10};  // a walk that pauses longer is over
constexpr std::size_t kMaxFolders = 512;        // remembered listings
constexpr std::uint64_t kSmallFile = 1u << 20;  // fetched whole, ahead
constexpr unsigned kInOrder = 2;                // files read in order before we believe in a walk
constexpr std::size_t kFilesAhead = 256;
constexpr std::uint64_t kBytesAhead = 32u << 20;
constexpr std::uint64_t kUnusedFolders = 256;  // listed ahead for nothing before we stop
constexpr int kMaxDepth = 64;
constexpr unsigned kFetchThreads = 8;

}  // namespace

WalkAhead::WalkAhead(VolumeCore& core, ListingService& listings)
    : core_(core), listings_(listings), pool_("walk-ahead", kFetchThreads) {}

WalkAhead::~WalkAhead() { shutdown(); }

void WalkAhead::shutdown() { pool_.shutdown(); }

void WalkAhead::listed(InodeNumber folder, InodeNumber parent, const DirListing& children) {
  if (!core_.options.walk_ahead || !core_.net.online()) return;
  const SteadyTime now = core_.clock.steady();
  std::vector<InodeNumber> files;
  std::map<InodeNumber, DirListing> below;  // folders whose folders are to be listed ahead
  {
    MutexLock lock(mutex_);
    if (ahead_.erase(folder) > 0) ++used_;
    const auto up = folders_.find(parent);
    const bool walking =
        up != folders_.end() && parent != folder && now - up->second.listed < kWalkPause;
    if (walking && !up->second.below) below.emplace(parent, up->second.children);
    Folder& entry = folders_[folder];
    const bool again = entry.children == children;
    entry.listed = now;
    if (!again) {
      entry = Folder{};
      entry.listed = now;
      entry.children = children;
      order_.push_back(folder);
      while (order_.size() > kMaxFolders) {
        if (order_.front() != folder) folders_.erase(order_.front());
        order_.pop_front();
      }
    }
    if (walking && !folders_[folder].below) below.emplace(folder, children);
    if (now - reading_walk_ < kWalkPause) {
      // Files were read in order in the folder before: this one's are next.
      Folder& here = folders_[folder];
      std::uint64_t bytes = 0;
      for (const DirEntry& child : *children) {
        if (files.size() >= kFilesAhead || bytes >= kBytesAhead) break;
        if (child.attributes.kind != NodeKind::kFile) {
          ++here.ahead_to;
          continue;
        }
        ++here.ahead_to;
        if (child.attributes.size == 0 || child.attributes.size > kSmallFile) continue;
        bytes += child.attributes.size;
        files.push_back(child.attributes.ino);
      }
    }
  }
  for (const auto& [ino, children_of] : below) {
    if (!list_in(children_of)) continue;
    MutexLock lock(mutex_);
    if (const auto found = folders_.find(ino);
        found != folders_.end() && found->second.children == children_of)
      found->second.below = true;
  }
  if (!files.empty()) fetch(std::move(files));
}

bool WalkAhead::list_in(const DirListing& children) {
  for (const DirEntry& child : *children) {
    if (child.attributes.kind != NodeKind::kFolder) continue;
    const Result<NodePtr> node = core_.tree.find(child.attributes.ino);
    if (node && *node != nullptr && !list_ahead(**node, 0)) return false;
  }
  return true;
}

void WalkAhead::list_below(InodeNumber folder, int depth) {
  if (depth > kMaxDepth) return;
  const Result<std::vector<NodePtr>> children = core_.tree.children(folder);
  if (!children) return;
  for (const NodePtr& child : *children) {
    if (child->kind == NodeKind::kFolder && !list_ahead(*child, depth)) return;
  }
}

bool WalkAhead::list_ahead(const NodeRecord& folder, int depth) {
  if (folder.listed || !folder.remote) return true;
  {
    MutexLock lock(mutex_);
    if (asked_ahead_ > used_ + kUnusedFolders) {
      // Half forgotten as time goes by, so that the next walk gets its chance.
      const SteadyTime now = core_.clock.steady();
      std::erase_if(ahead_, [now](const auto& entry) { return now - entry.second > kWalkPause; });
      if (ahead_.size() > kUnusedFolders) return false;
      asked_ahead_ = used_ + ahead_.size();
    }
    if (!ahead_.emplace(folder.ino, core_.clock.steady()).second) return true;
    ++asked_ahead_;
  }
  listings_.refresh_ahead(folder.ino, false,
                          [this, ino = folder.ino, depth] { list_below(ino, depth + 1); });
  return true;
}

void WalkAhead::opened(const NodeRecord& file) {
  if (!core_.options.walk_ahead || file.size > kSmallFile || !core_.net.online()) return;
  std::vector<InodeNumber> files;
  {
    MutexLock lock(mutex_);
    const auto found = folders_.find(file.parent);
    if (found == folders_.end()) return;
    Folder& folder = found->second;
    if (folder.position.empty()) {
      for (std::size_t i = 0; i < folder.children->size(); ++i)
        folder.position.emplace((*folder.children)[i].attributes.ino, i);
    }
    const auto position = folder.position.find(file.ino);
    if (position == folder.position.end()) return;
    // A few may be left out: directories in between, files that a filter skipped.
    const bool in_order = position->second >= folder.next && position->second < folder.next + 8;
    folder.in_a_row = in_order ? folder.in_a_row + 1 : 0;
    folder.next = position->second + 1;
    if (folder.in_a_row < kInOrder) return;
    reading_walk_ = core_.clock.steady();
    // Half of what is ahead has been used up: go on.
    const std::size_t window =
        std::min<std::size_t>(kFilesAhead, 16u << std::min(folder.in_a_row / 4, 8u));
    if (folder.ahead_to > folder.next + window / 2) return;
    std::uint64_t bytes = 0;
    std::size_t at = std::max(folder.ahead_to, folder.next);
    for (; at < folder.children->size() && files.size() < window && bytes < kBytesAhead; ++at) {
      const Attributes& child = (*folder.children)[at].attributes;
      if (child.kind != NodeKind::kFile || child.size == 0 || child.size > kSmallFile) continue;
      bytes += child.size;
      files.push_back(child.ino);
    }
    folder.ahead_to = at;
  }
  if (!files.empty()) fetch(std::move(files));
}

void WalkAhead::fetch(std::vector<InodeNumber> files) {
  pool_.submit([this, files = std::move(files)] {
    std::vector<RemoteEntry> wanted;
    std::unordered_map<std::string, std::shared_ptr<CachedContent>> contents;
    for (const InodeNumber ino : files) {
      const Result<NodePtr> node = core_.tree.find(ino);
      if (!node || *node == nullptr || (*node)->content_dirty || !(*node)->remote) continue;
      const RemoteEntry& entry = *(*node)->remote;
      if (entry.scan == ScanState::kScanning || entry.scan == ScanState::kRefused ||
          !VolumeCore::rights(**node).has(Right::kRead))
        continue;
      Result<std::shared_ptr<CachedContent>> content =
          core_.contents.open_cached(VolumeCore::content_key(entry));
      if (!content || (*content)->complete()) continue;
      contents.emplace(entry.id.value, std::move(*content));
      wanted.push_back(entry);
    }
    const std::size_t bulk = core_.remote.capabilities().bulk_read_max;
    if (bulk <= 1 || wanted.size() < 4) {
      for (const auto& [id, content] : contents) content->prefetch(0, content->size());
      return;
    }
    // Several archives at a time: each comes on a connection of its own.
    const std::size_t share = std::min(bulk, std::max<std::size_t>(8, (wanted.size() + 3) / 4));
    for (std::size_t from = 0; from < wanted.size(); from += share) {
      std::vector<RemoteEntry> part(
          wanted.begin() + static_cast<std::ptrdiff_t>(from),
          wanted.begin() + static_cast<std::ptrdiff_t>(std::min(wanted.size(), from + share)));
      std::unordered_map<std::string, std::shared_ptr<CachedContent>> into;
      for (const RemoteEntry& entry : part)
        into.emplace(entry.id.value, contents.at(entry.id.value));
      pool_.submit([this, part = std::move(part), into = std::move(into)] {
        const Result<void> got = core_.remote.read_many(
            core_.background_call(Priority::kPrefetch), part,
            [&into](const RemoteId& id, const std::string& content) {
              if (const auto found = into.find(id.value); found != into.end())
                found->second->fill(content);
            });
        if (!got) log_debug("bulk download: {}", to_string(got.error()));
        for (const auto& [id, content] : into) {
          if (!content->complete()) content->prefetch(0, content->size());
        }
      });
    }
  });
}

}  // namespace cabinetfs
