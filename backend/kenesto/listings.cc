#include "backend/kenesto/listings.h"

#include <algorithm>
#include <utility>

#include "backend/base/text.h"

namespace cabinetfs::kenesto {
namespace {

// A caller that waits looks this often whether it was cancelled.
constexpr std::chrono::milliseconds kListingPoll{20};
// Nobody wants an older one (see recent()).
constexpr std::chrono::seconds kListingKept{2};
// Some 500 bytes an entry.
constexpr std::size_t kKeptEntries = 2000;
constexpr std::size_t kKeptFolders = 16;
// Some 100 bytes each.
constexpr std::size_t kSizedFolders = 4096;
// A folder's listings come one after the other, questions for its objects all at one time: a
// listing is for at least so many, where most of what it tells was asked for.
constexpr int kTogether = 8;
constexpr std::size_t kEntriesPerLook = 2;

ApiFailure given_up(ErrorCode code, const char* why) {
  ApiFailure failed;
  failed.code = code;
  failed.context = std::string("RetrieveDocuments: ") + why;
  return failed;
}

}  // namespace

ApiResult<ListingPtr> Listings::get(const CallContext& call, const RemoteId& id, const Fetch& fetch,
                                    SteadyTime since) {
  MutexLock lock(mutex_);
  if (const ListingPtr last = last_locked(id, {}); last != nullptr && last->begun > since) {
    return last;
  }
  Folder& folder = folders_[id];  // stays in its place while somebody is in here
  ++folder.callers;
  folder.priority = std::min(folder.priority, call.priority);
  const bool serves =
      folder.running && folder.begun_at > since && !changed_since_locked(id, {}, folder.begun_at);
  const std::uint64_t wanted = folder.begun + (serves ? 0 : 1);
  while (true) {
    if (folder.answered >= wanted) return leave_locked(id, *folder.answer);
    if (call.cancel.cancelled()) {
      return leave_locked(id,
                          tl::unexpected<ApiFailure>(given_up(ErrorCode::kCancelled, "cancelled")));
    }
    if (std::chrono::steady_clock::now() >= call.deadline) {
      return leave_locked(
          id, tl::unexpected<ApiFailure>(given_up(ErrorCode::kTimeout, "the deadline has passed")));
    }
    if (!folder.running) break;
    static_cast<void>(woken_.wait_for(mutex_, kListingPoll));
  }
  folder.running = true;
  const std::uint64_t number = ++folder.begun;
  CallContext for_all = call;
  for_all.priority = std::exchange(folder.priority, Priority::kPrefetch);
  const SteadyTime begun = clock_.steady();
  folder.begun_at = begun;
  lock.unlock();
  ApiResult<std::vector<WireItem>> items = fetch(for_all);
  lock.lock();
  folder.running = false;
  woken_.notify_all();
  if (!items) {
    ApiResult<ListingPtr> failed = tl::unexpected<ApiFailure>(items.error());
    // A caller that gave up has learned nothing; one of the others goes on.
    const ErrorCode code = items.error().code;
    if (code != ErrorCode::kCancelled && code != ErrorCode::kTimeout) {
      folder.answered = number;
      folder.answer = failed;
    }
    return leave_locked(id, std::move(failed));
  }
  const auto listing = std::make_shared<const Listing>(Listing{begun, *std::move(items)});
  folder.answered = number;
  folder.answer = ApiResult<ListingPtr>(listing);
  if (entries_.size() >= kSizedFolders && entries_.count(id) == 0) entries_.erase(entries_.begin());
  entries_[id] = listing->items.size();
  // Before what is old is forgotten: the changes that this listing may have missed stay with it.
  kept_[id].listing = listing->items.size() <= kKeptEntries ? listing : nullptr;
  forget_old_locked(clock_.steady());
  return leave_locked(id, listing);
}

ApiResult<ListingPtr> Listings::leave_locked(const RemoteId& id, ApiResult<ListingPtr> answer) {
  const auto found = folders_.find(id);
  if (--found->second.callers == 0) folders_.erase(found);
  return answer;
}

ListingPtr Listings::recent(const RemoteId& folder, const std::string& name,
                            std::chrono::nanoseconds age) {
  MutexLock lock(mutex_);
  ListingPtr last = last_locked(folder, name);
  return last != nullptr && clock_.steady() - last->begun <= age ? last : nullptr;
}

ListingPtr Listings::last_locked(const RemoteId& folder, const std::string& name) const {
  const auto found = kept_.find(folder);
  if (found == kept_.end() || found->second.listing == nullptr) return nullptr;
  const ListingPtr& last = found->second.listing;
  return changed_since_locked(folder, name, last->begun) ? nullptr : last;
}

bool Listings::changed_since_locked(const RemoteId& folder, const std::string& name,
                                    SteadyTime begun) const {
  const auto found = kept_.find(folder);
  if (found == kept_.end()) return false;
  const Kept& kept = found->second;
  if (begun <= kept.changed) return true;
  const std::string folded = fold_name(name);
  return std::any_of(kept.changes.begin(), kept.changes.end(), [&](const auto& change) {
    return begun <= change.second && (name.empty() || change.first == folded);
  });
}

void Listings::changed(const RemoteId& folder, const std::string& name) {
  MutexLock lock(mutex_);
  const SteadyTime now = clock_.steady();
  forget_old_locked(now);
  Kept& kept = kept_[folder];
  if (name.empty()) {
    kept.changed = now;
    kept.listing.reset();
  } else {
    kept.changes[fold_name(name)] = now;
  }
}

Listings::Look::Look(Listings& listings, const RemoteId& folder)
    : listings_(listings), folder_(folder) {
  MutexLock lock(listings_.mutex_);
  ++listings_.looks_[folder_];
}

Listings::Look::~Look() {
  MutexLock lock(listings_.mutex_);
  const auto found = listings_.looks_.find(folder_);
  if (--found->second == 0) listings_.looks_.erase(found);
}

bool Listings::Look::shared() const {
  MutexLock lock(listings_.mutex_);
  const int looks = listings_.looks_.at(folder_);
  const auto entries = listings_.entries_.find(folder_);
  return looks >= kTogether && entries != listings_.entries_.end() &&
         entries->second <= kEntriesPerLook * static_cast<std::size_t>(looks);
}

int Listings::waiting(const RemoteId& folder) const {
  MutexLock lock(mutex_);
  const auto found = folders_.find(folder);
  return found == folders_.end() ? 0 : found->second.callers;
}

void Listings::forget_old_locked(SteadyTime now) {
  // A change matters as long as a listing that began before it may still come or is kept.
  for (auto at = kept_.begin(); at != kept_.end();) {
    Kept& kept = at->second;
    const auto running = folders_.find(at->first);
    const bool busy = running != folders_.end() && running->second.running;
    if (kept.listing != nullptr && now - kept.listing->begun > kListingKept) kept.listing.reset();
    if (kept.listing == nullptr && !busy) {
      at = kept_.erase(at);
      continue;
    }
    ++at;
  }
  while (kept_.size() > kKeptFolders) {
    auto idle = kept_.begin();
    for (; idle != kept_.end(); ++idle) {
      const auto running = folders_.find(idle->first);
      if (running == folders_.end() || !running->second.running) break;
    }
    if (idle == kept_.end()) break;
    kept_.erase(idle);
  }
}

}  // namespace cabinetfs::kenesto
