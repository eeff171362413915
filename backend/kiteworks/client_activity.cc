// KiteworksStore: history and the change feed, both from the activity log.

#include <fmt/format.h>

#include <algorithm>

#include "backend/base/times.h"
#include "backend/kiteworks/client.h"
#include "backend/kiteworks/feed_cursor.h"
#include "backend/kiteworks/quirks.h"

namespace cabinetfs {

using namespace kiteworks;

namespace {

constexpr std::uint64_t kEventsShown = 500;
constexpr std::uint64_t kFeedPage = 200;
// What happened beyond is not worth following event by event.
constexpr int kFeedPages = 50;

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

// "2026-01-21", the day before that second: days are the server's, in its own time zone.
std::string day_before(std::int64_t seconds) {
  return format_rfc3339(WallTime(std::chrono::seconds(seconds) - std::chrono::hours(24)))
      .substr(0, 10);
}

class FeedReader {
 public:
  // `from_now`: nothing is known yet, and only the cursor is wanted.
  FeedReader(FeedCursor before, bool from_now) : before_(std::move(before)), from_now_(from_now) {}

  // One page, newest first. False: enough has been read.
  bool take(const std::vector<WireActivity>& page, const std::string& base) {
    for (std::size_t i = 0; i < page.size(); ++i) {
      const WireActivity& activity = page[i];
      const std::int64_t time = seconds_of(activity.created);
      // A server that ignores the order: nothing can be concluded from the first pages.
      if (last_ != 0 && time > last_ + kFeedOverlap) ordered_ = false;
      last_ = time;
      newest_ = std::max(newest_, time);
      times_.emplace_back(activity.id, time);
      // Only the events that the next look will meet again.
      if (from_now_ && time < newest_ - kFeedOverlap) return false;
      if (before_.newest != 0 && time < before_.newest - kFeedOverlap) {
        reached_ = true;
        return false;
      }
      if (before_.seen.count(activity.id) != 0) {
        reached_ = true;
        continue;
      }
      if (activity.successful && !is_harmless_event(activity.event)) nominate(activity, base);
    }
    return true;
  }

  // Nothing can be missing between the last look and this one.
  bool whole() const { return ordered_ && (reached_ || before_.newest == 0); }

  FeedCursor cursor() const {
    FeedCursor after;
    after.newest = std::max(newest_, before_.newest);
    for (const auto& [id, time] : times_) {
      if (time >= after.newest - kFeedOverlap) after.seen.insert(id);
    }
    if (after.newest == before_.newest) after.seen.insert(before_.seen.begin(), before_.seen.end());
    return after;
  }

  std::vector<RemoteChange> take_changes() { return std::move(changes_); }

 private:
  void nominate(const WireActivity& activity, const std::string& base) {
    if (activity.files.empty() && activity.folders.empty()) return;
    const bool top = activity.parent.empty() || activity.parent == base;
    const RemoteId parent{top ? std::string(kRootId) : activity.parent};
    for (const std::string& file : activity.files) changes_.push_back({RemoteId{file}, parent});
    for (const std::string& folder : activity.folders) {
      changes_.push_back({RemoteId(), RemoteId{folder == base ? std::string(kRootId) : folder}});
    }
    // A folder that came, went or was renamed shows in the listing around it.
    if (activity.files.empty()) changes_.push_back({RemoteId(), parent});
  }

  const FeedCursor before_;
  const bool from_now_;
  std::vector<RemoteChange> changes_;
  std::vector<std::pair<std::uint64_t, std::int64_t>> times_;
  std::int64_t newest_ = 0;
  std::int64_t last_ = 0;
  bool reached_ = false;
  bool ordered_ = true;
};

}  // namespace

Result<std::vector<RemoteEvent>> KiteworksStore::history(const CallContext& call, NodeKind kind,
                                                         const RemoteId& id) {
  ApiRequest request;
  request.path = is_root(id) ? "/rest/activities" : object_path(kind, id, "/activities");
  request.query = {{"orderBy", "created:desc"}, {"limit", std::to_string(kEventsShown)}};
  request.label = is_root(id)               ? "GET /rest/activities"
                  : kind == NodeKind::kFile ? "GET /rest/files/{id}/activities"
                                            : "GET /rest/folders/{id}/activities";
  request.about = "id=" + id.value;
  request.max_body = 64u << 20;
  const auto response = api_.send(call, request);
  if (!response) return fail(explain(call, id, response.error()));
  TRY_ASSIGN(WirePage<WireActivity> page, parse_activities(response->body));
  std::stable_sort(page.items.begin(), page.items.end(),
                   [](const WireActivity& a, const WireActivity& b) {
                     return a.created != b.created ? a.created > b.created : a.id > b.id;
                   });
  std::vector<RemoteEvent> events;
  events.reserve(page.items.size());
  for (WireActivity& activity : page.items) {
    events.push_back({activity.created, activity.user.label(), std::move(activity.event),
                      std::move(activity.message)});
  }
  return events;
}

Result<ChangeSet> KiteworksStore::changes(const CallContext& call, const std::string& cursor) {
  FeedCursor before;
  if (!cursor.empty()) {
    const auto parsed = FeedCursor::parse(cursor);
    if (!parsed) return fail(ErrorCode::kInvalid, "changes: not a cursor of this store");
    before = *parsed;
  }
  TRY_ASSIGN(const Account account, need_account(call));
  FeedReader reader(before, cursor.empty());
  ChangeSet set;
  bool ended = false;
  std::uint64_t offset = 0;
  for (int i = 0; i < kFeedPages && !ended; ++i) {
    ApiRequest request;
    request.path = "/rest/activities";
    request.query = {{"orderBy", "created:desc"},
                     {"limit", std::to_string(kFeedPage)},
                     {"offset", std::to_string(offset)}};
    if (before.newest != 0) {
      request.query.emplace_back("startDate", day_before(before.newest - kFeedOverlap));
    }
    request.label = "GET /rest/activities";
    request.max_body = 64u << 20;
    const auto response = api_.send(call, request);
    if (!response) {
      // No right to see the log: the caller looks at everything that it uses.
      if (response.error().code != ErrorCode::kDenied) {
        return fail(static_cast<const Error&>(response.error()));
      }
      set.cursor = before.to_text();
      set.complete = false;
      return set;
    }
    TRY_ASSIGN(const WirePage<WireActivity> page, parse_activities(response->body));
    offset += page.received;
    // A page that is shorter than asked may be the server's limit, so without a total only an empty
    // one is the end.
    ended = !reader.take(page.items, account->base) || page.received == 0 ||
            (page.total && offset >= *page.total);
  }
  set.cursor = reader.cursor().to_text();
  if (cursor.empty()) return set;
  set.complete = ended && reader.whole();
  set.changes = reader.take_changes();
  return set;
}

}  // namespace cabinetfs
