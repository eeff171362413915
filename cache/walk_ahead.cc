#include "cache/walk_ahead.h"

#include <algorithm>
#include <map>
#include <optional>

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
constexpr std::size_t kWorthBulk = 4;  // files, from which on one request for all is better
constexpr std::size_t kArchives = 4;   // of them at one time

}  // namespace

WalkAhead::WalkAhead(VolumeCore& core, ListingService& listings)
    : core_(core),
      listings_(listings),
      pool_("walk-ahead", kFetchThreads),
      waited_for_("fetch-all", kFetchThreads) {}

WalkAhead::~WalkAhead() { shutdown(); }

void WalkAhead::shutdown() {
  pool_.shutdown();
  waited_for_.shutdown();
}

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

// Those of them that are not on this disk, may be read, and are no larger.
WalkAhead::Wanted WalkAhead::missing_of(const std::vector<InodeNumber>& files,
                                        std::uint64_t max_size) {
  Wanted wanted;
  for (const InodeNumber ino : files) {
    const Result<NodePtr> node = core_.tree.find(ino);
    if (!node || *node == nullptr || (*node)->content_dirty || !(*node)->remote) continue;
    const RemoteEntry& entry = *(*node)->remote;
    if (entry.size > max_size || entry.scan == ScanState::kScanning ||
        entry.scan == ScanState::kRefused || !VolumeCore::rights(**node).has(Right::kRead))
      continue;
    Result<std::shared_ptr<CachedContent>> content =
        core_.contents.open_cached(VolumeCore::content_key(entry));
    if (!content || (*content)->complete()) continue;
    wanted.contents.emplace(entry.id.value, std::move(*content));
    wanted.entries.push_back(entry);
  }
  return wanted;
}

// About as many parts, each no larger than one request may be.
std::vector<WalkAhead::Wanted> WalkAhead::in_parts(Wanted all, std::size_t parts) const {
  const std::size_t most = std::max<std::size_t>(core_.remote.capabilities().bulk_read_max, 1);
  const std::size_t share =
      std::min(most, std::max<std::size_t>(8, (all.entries.size() + parts - 1) / parts));
  std::vector<Wanted> out;
  for (RemoteEntry& entry : all.entries) {
    if (out.empty() || out.back().entries.size() >= share) out.emplace_back();
    const auto content = all.contents.find(entry.id.value);
    out.back().contents.emplace(content->first, content->second);
    out.back().entries.push_back(std::move(entry));
  }
  return out;
}

void WalkAhead::fetch_bulk(const CallContext& call, const Wanted& part) {
  const Result<void> got = core_.remote.read_many(
      call, part.entries, [&part](const RemoteId& id, const std::string& content) {
        if (const auto found = part.contents.find(id.value); found != part.contents.end())
          found->second->fill(content);
      });
  if (!got) log_debug("bulk download: {}", to_string(got.error()));
}

void WalkAhead::fetch(std::vector<InodeNumber> files) {
  pool_.submit([this, files = std::move(files)] {
    Wanted wanted = missing_of(files, kSmallFile);
    if (core_.remote.capabilities().bulk_read_max <= 1 || wanted.entries.size() < kWorthBulk) {
      for (const auto& [id, content] : wanted.contents) content->prefetch(0, content->size());
      return;
    }
    // Several archives at a time: each comes on a connection of its own.
    for (Wanted& part : in_parts(std::move(wanted), kArchives)) {
      pool_.submit([this, part = std::move(part)] {
        fetch_bulk(core_.background_call(Priority::kPrefetch), part);
        for (const auto& [id, content] : part.contents) {
          if (!content->complete()) content->prefetch(0, content->size());
        }
      });
    }
  });
}

// Tasks that the caller waits for; one that is dropped at the end of the mount counts as done.
struct WalkAhead::Waiting {
  Mutex mutex;
  CondVar done;
  std::size_t running GUARDED_BY(mutex) = 0;
  std::optional<Error> first GUARDED_BY(mutex);

  class Task {
   public:
    explicit Task(std::shared_ptr<Waiting> waiting) : waiting_(std::move(waiting)) {
      MutexLock lock(waiting_->mutex);
      ++waiting_->running;
    }
    ~Task() {
      MutexLock lock(waiting_->mutex);
      --waiting_->running;
      waiting_->done.notify_all();
    }
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;

   private:
    const std::shared_ptr<Waiting> waiting_;
  };
};

Result<void> WalkAhead::fetch_all(const CallContext& call, const std::vector<InodeNumber>& files) {
  const auto waiting = std::make_shared<Waiting>();
  const auto fetch_part = [this, call, waiting](Wanted part, bool bulk) {
    auto task = std::make_shared<Waiting::Task>(waiting);
    waited_for_.submit([this, call, waiting, task = std::move(task), part = std::move(part), bulk] {
      if (bulk) fetch_bulk(call, part);
      for (const auto& [id, content] : part.contents) {
        if (call.cancel.cancelled()) return;
        const Result<void> got = content->fetch_all(call);
        if (got) continue;
        MutexLock lock(waiting->mutex);
        if (!waiting->first) waiting->first = got.error();
      }
    });
  };
  const bool bulk = core_.remote.capabilities().bulk_read_max > 1;
  for (std::size_t from = 0; from < files.size(); from += kFilesAhead) {
    const auto begin = files.begin() + static_cast<std::ptrdiff_t>(from);
    const auto end =
        files.begin() + static_cast<std::ptrdiff_t>(std::min(files.size(), from + kFilesAhead));
    const std::vector<InodeNumber> some(begin, end);
    Wanted small = bulk ? missing_of(some, kSmallFile) : Wanted{};
    const bool together = small.entries.size() >= kWorthBulk;
    if (together) {
      for (Wanted& part : in_parts(std::move(small), kArchives)) fetch_part(std::move(part), true);
    }
    // By themselves: what is larger, or not worth a request for all.
    Wanted single = missing_of(some, UINT64_MAX);
    for (RemoteEntry& entry : single.entries) {
      if (together && entry.size <= kSmallFile) continue;
      Wanted one;
      one.contents.emplace(entry.id.value, single.contents.at(entry.id.value));
      fetch_part(std::move(one), false);
    }
    // A bound on what is queued, and on what is held open.
    const CancelToken::Registration wake = call.cancel.on_cancel([&waiting] {
      MutexLock lock(waiting->mutex);
      waiting->done.notify_all();
    });
    MutexLock lock(waiting->mutex);
    while (waiting->running > 0) {
      if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "fetching");
      if (core_.clock.steady() >= call.deadline)
        return fail(ErrorCode::kTimeout, "not all of it could be fetched in time");
      // Bounded, so that a clock that tests move is noticed.
      waiting->done.wait_for(waiting->mutex, std::chrono::milliseconds(200));
    }
  }
  MutexLock lock(waiting->mutex);
  if (waiting->first) return fail(*waiting->first);
  return {};
}

}  // namespace cabinetfs
