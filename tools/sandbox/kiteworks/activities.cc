#include <algorithm>
#include <charconv>
#include <ctime>
#include <limits>
#include <nlohmann/json.hpp>

#include "tools/sandbox/kiteworks/call.h"

// The log of what happened: by folder (with or without what is below), by file, for a user.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

std::optional<std::int64_t> number(const Call& call, const char* name) {
  const auto text = call.request.arg(name);
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  const char* end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    throw ApiError(422, "ERR_INVALID_PARAMETER", std::string(name) + " is not valid", name);
  }
  return value;
}

// A day, or a complete time.
std::optional<Millis> date(const Call& call, const char* name, bool end_of_day) {
  const auto text = call.request.arg(name);
  if (!text) return std::nullopt;
  if (const auto time = parse_time(*text)) return time;
  std::tm parts{};
  const char* rest = strptime(text->c_str(), "%Y-%m-%d", &parts);
  if (rest == nullptr || *rest != '\0') {
    throw ApiError(422, "ERR_INVALID_PARAMETER", std::string(name) + " is not a date", name);
  }
  return Millis{timegm(&parts)} * 1000 + (end_of_day ? 86'399'999 : 0);
}

bool is_reading(const std::string& event) { return event == "download" || event == "view_file"; }

class Filter {
 public:
  explicit Filter(const Call& call)
      : user_id_(call.user.id), only_mine_(call.request.arg_or("filter", "all") == "my") {
    // Unix seconds; both ends belong to the window.
    if (const auto seconds = number(call, "startTime")) from_ = *seconds * 1000;
    if (const auto seconds = number(call, "endTime")) to_ = *seconds * 1000 + 999;
    if (const auto day = date(call, "startDate", false)) from_ = *day;
    if (const auto day = date(call, "endDate", true)) to_ = *day;
    type_ = call.request.arg_or("type", "all");
    file_id_ = call.request.arg_or("fileId", "");
  }

  bool takes(const Activity& activity) const {
    if (activity.created < from_ || activity.created > to_) return false;
    if (only_mine_ && activity.user_id != user_id_) return false;
    if (!file_id_.empty() && activity.node_id != file_id_) return false;
    if (type_ == "content_changes") return !is_reading(activity.event);
    if (type_ == "file_changes") return !activity.folder && !is_reading(activity.event);
    if (type_ == "folder_changes" || type_ == "folder_activities") return activity.folder;
    return true;
  }

 private:
  const std::string user_id_;
  const bool only_mine_;
  Millis from_ = 0, to_ = std::numeric_limits<Millis>::max();
  std::string type_, file_id_;
};

void order(const Call& call, std::vector<const Activity*>& found) {
  const std::string by = call.request.arg_or("orderBy", "created:desc");
  const auto colon = by.find(':');
  const std::string field = by.substr(0, colon);
  const bool descending = colon != std::string::npos && by.substr(colon + 1) == "desc";
  if (field != "id" && field != "created" && field != "event_name" && field != "name") {
    throw ApiError(422, "ERR_INVALID_PARAMETER", "orderBy is not valid", "orderBy");
  }
  // They are stored by id, which is by time as well.
  if (field == "event_name" || field == "name") {
    std::stable_sort(found.begin(), found.end(), [&field](const Activity* a, const Activity* b) {
      return field == "name" ? a->node_name < b->node_name : a->event < b->event;
    });
  }
  if (descending) std::reverse(found.begin(), found.end());
}

template <class Wanted>
Response answer(Call& call, bool may_be_bare, Wanted wanted) {
  const Filter filter(call);
  const Call::Page page = call.page();
  std::vector<const Activity*> found;
  for (const Activity& activity : call.state.activities) {
    if (filter.takes(activity) && wanted(activity)) found.push_back(&activity);
  }
  order(call, found);
  Wire wire = call.wire();
  json items = json::array();
  for (std::size_t i = page.offset; i < found.size() && items.size() < page.limit; ++i) {
    items.push_back(wire.activity(*found[i]));
  }
  const std::string& shape = call.settings.list_shape;
  // There is no metadata in this answer.
  if (shape == "bare" || (shape == "spec" && may_be_bare)) return call.reply(200, items);
  return call.reply(200, {{"data", items}});
}

void check_allowed(const Call& call, const Node& node) {
  if (call.settings.activities_denied) {
    throw ApiError(401, "ERR_ACCESS_USER", "Insufficient access permissions");
  }
  call.need_for_list(node, "user_view");
}

Response of_folder(Call& call) {
  const Node& folder = call.folder(call.param(0));
  check_allowed(call, folder);
  const bool nested = call.request.flag("nested");
  const std::string id = folder.id;
  return answer(call, false, [&](const Activity& activity) {
    if (activity.node_id == id) return true;
    if (activity.ancestors.empty()) return false;
    if (!nested) return activity.ancestors.front() == id;
    return std::find(activity.ancestors.begin(), activity.ancestors.end(), id) !=
           activity.ancestors.end();
  });
}

Response of_file(Call& call) {
  const Node& file = call.file(call.param(0), true);
  check_allowed(call, file);
  return answer(call, false,
                [&file](const Activity& activity) { return activity.node_id == file.id; });
}

Response of_user(Call& call) {
  if (call.settings.activities_denied) {
    throw ApiError(401, "ERR_ACCESS_USER", "Insufficient access permissions");
  }
  return answer(call, true, [&call](const Activity& activity) {
    // What is seen is decided by the nearest place that is still there.
    const Node* node = call.state.tree.find(activity.node_id);
    for (std::size_t i = 0; node == nullptr && i < activity.ancestors.size(); ++i) {
      node = call.state.tree.find(activity.ancestors[i]);
    }
    return node != nullptr && call.allowed(*node, "user_view");
  });
}

}  // namespace

void add_activity_routes(Api& api) {
  api.route("GET", "/rest/folders/{id}/activities", of_folder);
  api.route("GET", "/rest/files/{id}/activities", of_file);
  api.route("GET", "/rest/activities", of_user);
}

}  // namespace cabinetfs::sandbox::kiteworks
