#include "backend/kenesto/access_urls.h"

#include <algorithm>
#include <charconv>

#include "backend/base/times.h"

namespace cabinetfs::kenesto {
namespace {

constexpr std::chrono::hours kUsualLife{1};
// No clock is wrong by more than this much life.
constexpr std::chrono::hours kLongestLife{24 * 8};
constexpr std::chrono::minutes kMargin{5};
constexpr std::size_t kEntries = 1024;
constexpr std::chrono::milliseconds kPoll{20};

std::string_view query_value(std::string_view url, std::string_view name) {
  std::size_t at = url.find('?');
  while (at != std::string_view::npos && at + 1 < url.size()) {
    const std::size_t begin = at + 1;
    const std::size_t end = url.find('&', begin);
    const std::string_view pair = url.substr(begin, end - begin);
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
      return pair.substr(equals + 1);
    }
    at = end;
  }
  return {};
}

std::optional<std::int64_t> seconds_of(std::string_view text) {
  std::int64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || rest != text.data() + text.size() || value < 0 ||
      value > 32'503'680'000) {
    return std::nullopt;
  }
  return value;
}

// "20260101T120000Z"
std::optional<WallTime> parse_basic_date(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T') return std::nullopt;
  std::string iso(text.substr(0, 4));
  iso += '-';
  iso += text.substr(4, 2);
  iso += '-';
  iso += text.substr(6, 5);
  iso += ':';
  iso += text.substr(11, 2);
  iso += ':';
  iso += text.substr(13);
  return parse_rfc3339(iso);
}

}  // namespace

std::chrono::nanoseconds life_of_url(std::string_view url, WallTime server_now) {
  // In seconds: nanoseconds do not reach as far as a hostile date.
  const auto now = std::chrono::floor<std::chrono::seconds>(server_now).time_since_epoch().count();
  std::optional<std::int64_t> life;
  if (const auto expires = seconds_of(query_value(url, "Expires"))) {
    life = *expires - now;
  } else if (const auto span = seconds_of(query_value(url, "X-Amz-Expires"))) {
    const auto from = parse_basic_date(query_value(url, "X-Amz-Date"));
    life = *span;
    if (from) {
      life =
          *span + std::chrono::floor<std::chrono::seconds>(*from).time_since_epoch().count() - now;
    }
  }
  if (!life) return kUsualLife;
  return std::chrono::seconds(std::clamp<std::int64_t>(
      *life, 0, std::chrono::duration_cast<std::chrono::seconds>(kLongestLife).count()));
}

Result<std::string> AccessUrls::get(const CallContext& call, const VersionId& version,
                                    const Fetch& fetch) {
  MutexLock lock(mutex_);
  const std::uint64_t failures_before = entries_[version].failures;
  while (true) {
    Entry& entry = entries_[version];
    if (!entry.url.empty() && clock_.steady() < entry.good_until) return entry.url;
    if (entry.failures != failures_before) return fail(entry.last_error);
    if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "DownloadFile: cancelled");
    if (std::chrono::steady_clock::now() >= call.deadline) {
      return fail(ErrorCode::kTimeout, "DownloadFile: the deadline has passed");
    }
    if (!entry.fetching) {
      entry.fetching = true;
      break;
    }
    static_cast<void>(changed_.wait_for(mutex_, kPoll));
  }
  lock.unlock();
  Result<Fetched> fetched = fetch();
  lock.lock();
  Entry& entry = entries_[version];
  entry.fetching = false;
  changed_.notify_all();
  if (!fetched) {
    // A caller that gave up has learned nothing; the next one tries.
    const ErrorCode code = fetched.error().code;
    if (code != ErrorCode::kCancelled && code != ErrorCode::kTimeout) {
      ++entry.failures;
      entry.last_error = fetched.error();
    }
    return fail(std::move(fetched).error());
  }
  entry.url = fetched->url;
  // Some minutes before the end, but a short life is used for most of its time.
  const auto margin = std::min<std::chrono::nanoseconds>(kMargin, fetched->life / 4);
  entry.good_until = clock_.steady() + (fetched->life - margin);
  make_room_locked();
  return std::move(fetched->url);
}

void AccessUrls::make_room_locked() {
  if (entries_.size() <= kEntries) return;
  const SteadyTime now = clock_.steady();
  auto oldest = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end();) {
    if (at->second.fetching) {
      ++at;
    } else if (at->second.url.empty() || at->second.good_until <= now) {
      at = entries_.erase(at);
    } else {
      if (oldest == entries_.end() || at->second.good_until < oldest->second.good_until) {
        oldest = at;
      }
      ++at;
    }
  }
  if (entries_.size() > kEntries && oldest != entries_.end()) entries_.erase(oldest);
}

void AccessUrls::reject(const VersionId& version, const std::string& url) {
  MutexLock lock(mutex_);
  const auto found = entries_.find(version);
  if (found != entries_.end() && found->second.url == url) found->second.url.clear();
}

}  // namespace cabinetfs::kenesto
