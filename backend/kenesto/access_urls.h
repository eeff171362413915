#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/call.h"
#include "backend/base/clock.h"
#include "backend/base/mutex.h"
#include "backend/base/result.h"
#include "backend/remote_types.h"

namespace cabinetfs::kenesto {

// Addresses at the object store, one per version, until shortly before they expire. They are
// secrets: whoever has one can read the version. Thread safe.
class AccessUrls {
 public:
  struct Fetched {
    std::string url;
    std::chrono::nanoseconds life{0};  // from now, as life_of_url() tells
  };
  using Fetch = std::function<Result<Fetched>()>;

  explicit AccessUrls(const Clock& clock = Clock::system()) : clock_(clock) {}

  // A known address, or one from `fetch`, which runs without a lock and once at a time for each
  // version: ranges that are read in parallel share it, its failure included.
  Result<std::string> get(const CallContext& call, const VersionId& version, const Fetch& fetch)
      EXCLUDES(mutex_);
  // The store does not take it any more.
  void reject(const VersionId& version, const std::string& url) EXCLUDES(mutex_);

 private:
  struct Entry {
    std::string url;  // empty: none
    SteadyTime good_until{};
    bool fetching = false;
    std::uint64_t failures = 0;
    Error last_error;
  };
  void make_room_locked() REQUIRES(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  std::map<VersionId, Entry> entries_ GUARDED_BY(mutex_);
};

// How long a presigned address is good: `Expires` (seconds since 1970), or `X-Amz-Date` and
// `X-Amz-Expires`, against the server's clock; an hour where it does not say.
std::chrono::nanoseconds life_of_url(std::string_view url, WallTime server_now);

}  // namespace cabinetfs::kenesto
