#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "tools/sandbox/kiteworks/content.h"
#include "tools/sandbox/kiteworks/names.h"
#include "tools/sandbox/powerfolder/dav.h"
#include "tools/sandbox/powerfolder/ops.h"

// GET, HEAD, PUT.

namespace cabinetfs::sandbox::powerfolder {
namespace {

bool range_still_holds(const Call& call, const Node& file) {
  const std::string_view if_range = call.request.header("if-range");
  if (if_range.empty()) return true;
  const std::string etag = etag_of(call.settings, file);
  return if_range == http_date(file.modified) ||
         (!etag.empty() && etag[0] != 'W' && if_range == etag);
}

void add_validators(const Call& call, const Node& file, Response& response) {
  const std::string etag = etag_of(call.settings, file);
  if (!etag.empty()) response.headers.emplace_back("ETag", etag);
  response.headers.emplace_back("Last-Modified", http_date(file.modified));
}

Place put_place(const Call& call) {
  Place place = resolve(call);
  if (place.depth == 0) throw HttpError(405, "This is a directory");
  if (place.depth == 1) throw HttpError(403, "At the top there are folders only");
  if (place.parent == nullptr || !place.parent->dir) throw HttpError(409, "No such directory");
  need(call, *place.folder, Permission::kReadWrite);
  if (place.node != nullptr && place.node->dir) throw HttpError(405, "This is a directory");
  if (place.node == nullptr) check_name(call.settings, place.name, false);
  return place;
}

Place check_put_at(const Call& call, std::int64_t size) {
  Place place = put_place(call);
  check_conditions(call, place.node);
  check_unlocked(call, place.node, place.node == nullptr ? place.parent : nullptr);
  if (!call.request.header("content-range").empty() && call.settings.content_range == "refuse") {
    throw HttpError(400, "Content-Range is not for PUT");
  }
  const std::int64_t before = place.node == nullptr ? 0 : place.node->size();
  check_quota(call.state, *place.folder, size - before);
  return place;
}

}  // namespace

Response dav_get(Call& call) {
  const Place place = resolve(call);
  if (!place.exists()) throw HttpError(404, "Not found");
  if (place.node == nullptr || place.node->dir) {
    return Response::text(200, "text/html; charset=utf-8",
                          "<html><body><h1>Directory</h1></body></html>\n");
  }
  const Node& file = *place.node;
  const std::string etag = etag_of(call.settings, file);
  if (!etag.empty() && call.request.header("if-none-match") == etag) {
    Response same;
    same.status = 304;
    add_validators(call, file, same);
    return same;
  }
  check_conditions(call, &file);
  if (!call.settings.ranges || !range_still_holds(call, file)) call.request.headers.erase("range");
  Response response = kiteworks::send_blob(call.request, file.current().blob, file.name);
  auto& headers = response.headers;
  const auto unwanted = [&call](const auto& header) {
    return header.first == "Content-Disposition" || header.first == "Content-Type" ||
           (header.first == "Accept-Ranges" && !call.settings.ranges);
  };
  headers.erase(std::remove_if(headers.begin(), headers.end(), unwanted), headers.end());
  headers.emplace_back("Content-Type", kiteworks::mime_of(file.name));
  add_validators(call, file, response);
  return response;
}

void check_put(const Call& call, std::int64_t size) { check_put_at(call, size); }

Response dav_put(Call& call) {
  // Counted also where it is refused: a client must never send it.
  if (!call.request.header("content-range").empty()) ++call.state.content_range_puts;
  const Place place = check_put_at(call, call.request.raw->size());
  const bool created = place.node == nullptr;
  const std::string& name = created ? place.name : place.node->name;
  const Node& file =
      write_file(call.state, call.user, *place.parent, name, call.request.raw->finish());
  Response response;
  response.status = created ? 201 : static_cast<int>(call.settings.put_status);
  const std::string etag = etag_of(call.settings, file);
  if (!etag.empty()) response.headers.emplace_back("ETag", etag);
  return response;
}

void aborted_put(Call& call) {
  if (!call.settings.put_truncates || call.request.raw == nullptr) return;
  const Place place = check_put_at(call, call.request.raw->size());
  const std::string& name = place.node == nullptr ? place.name : place.node->name;
  write_file(call.state, call.user, *place.parent, name, call.request.raw->finish());
  ++call.state.truncated_puts;
}

}  // namespace cabinetfs::sandbox::powerfolder
