#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/mutex.h"
#include "backend/kenesto/api.h"
#include "backend/kenesto/wire.h"

namespace cabinetfs::kenesto {

// A folder's complete listing, as the server told it.
struct Listing {
  SteadyTime begun{};  // when it was asked for, by the clock of Listings
  std::vector<WireItem> items;
};
using ListingPtr = std::shared_ptr<const Listing>;

// Listings of folders, which everything that must look first asks for, shared between callers. One
// that is under way serves those who asked before it began; who asks later waits for the next one,
// since what he wants to know may have happened after the first had passed it. Thread safe.
class Listings {
 public:
  explicit Listings(const Clock& clock) : clock_(clock) {}

  // Begun after this call was made, or after `since`, where nothing of ours has changed anything in
  // the folder in between: also one that is under way or was there already. `fetch` asks the
  // server, for one of the callers in the name of all who wait with him; it must not ask for
  // listings itself. An answer, also a failure, goes to all of them; a caller who gives up does so
  // for himself.
  using Fetch = std::function<ApiResult<std::vector<WireItem>>(const CallContext& call)>;
  ApiResult<ListingPtr> get(const CallContext& call, const RemoteId& folder, const Fetch& fetch,
                            SteadyTime since = SteadyTime::max()) EXCLUDES(mutex_);

  // The last one, where it began within `age` and after the last change() of this name; else
  // nullptr. An empty name: of anything in the folder. For looks whose answer may be that old,
  // because what they guard against can happen just after them as well.
  ListingPtr recent(const RemoteId& folder, const std::string& name, std::chrono::nanoseconds age)
      EXCLUDES(mutex_);
  // A change of ours to an object of that name has ended, whatever came of it: a listing that began
  // before proves nothing about it. An empty name: to anything in the folder.
  void changed(const RemoteId& folder, const std::string& name) EXCLUDES(mutex_);

  // Somebody asks about one object of the folder, as long as this lives.
  class Look {
   public:
    Look(Listings& listings, const RemoteId& folder);
    ~Look();
    Look(const Look&) = delete;
    Look& operator=(const Look&) = delete;
    // So many ask at this time that a listing for all of them costs less than a question for each.
    bool shared() const;

   private:
    Listings& listings_;
    const RemoteId folder_;
  };

  // Callers of get() for this folder, for tests.
  int waiting(const RemoteId& folder) const EXCLUDES(mutex_);

 private:
  struct Folder {
    std::uint64_t begun = 0;     // listings so far
    SteadyTime begun_at{};       // the last one of these
    std::uint64_t answered = 0;  // number of the one that `answer` is of
    std::optional<ApiResult<ListingPtr>> answer;
    bool running = false;
    int callers = 0;                          // in get()
    Priority priority = Priority::kPrefetch;  // the most urgent of those who wait for the next one
  };
  struct Kept {
    ListingPtr listing;                         // may be nullptr
    SteadyTime changed = SteadyTime::min();     // anything
    std::map<std::string, SteadyTime> changes;  // by folded name
  };
  // The last one, where it began after all changes of ours to objects of that name.
  ListingPtr last_locked(const RemoteId& folder, const std::string& name) const REQUIRES(mutex_);
  bool changed_since_locked(const RemoteId& folder, const std::string& name, SteadyTime begun) const
      REQUIRES(mutex_);
  ApiResult<ListingPtr> leave_locked(const RemoteId& folder, ApiResult<ListingPtr> answer)
      REQUIRES(mutex_);
  void forget_old_locked(SteadyTime now) REQUIRES(mutex_);

  const Clock& clock_;
  mutable Mutex mutex_;
  CondVar woken_;
  std::map<RemoteId, Folder> folders_ GUARDED_BY(mutex_);  // with callers
  std::map<RemoteId, Kept> kept_ GUARDED_BY(mutex_);
  std::map<RemoteId, int> looks_ GUARDED_BY(mutex_);
  std::map<RemoteId, std::size_t> entries_ GUARDED_BY(mutex_);  // of the last listing of each
};

}  // namespace cabinetfs::kenesto
