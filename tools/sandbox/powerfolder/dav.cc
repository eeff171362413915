#include "tools/sandbox/powerfolder/dav.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "tools/sandbox/powerfolder/ops.h"
#include "tools/sandbox/powerfolder/xml.h"

namespace cabinetfs::sandbox::powerfolder {
namespace {

constexpr const char* kMethods = "OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND, MKCOL, COPY, MOVE";

bool matches(std::string_view list, const std::string& etag) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    std::string_view one = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    // Strong comparison: a weak one never matches.
    if (one == etag && one.rfind("W/", 0) != 0) return true;
  }
  return false;
}

}  // namespace

std::vector<Folder*> visible_folders(const Call& call) {
  std::vector<Folder*> out;
  const Permission least =
      call.settings.root_shows == "owned" ? Permission::kOwner : Permission::kRead;
  const Millis now = now_ms();
  for (const auto& folder : call.state.folders) {
    if (folder->of(call.user.id) >= least && folder->dav_from <= now) out.push_back(folder.get());
  }
  return out;
}

void need(const Call& call, const Folder& folder, Permission permission) {
  const Permission has = folder.of(call.user.id);
  if (has < Permission::kRead) throw HttpError(404, "Not found");
  if (has < permission) throw HttpError(403, "Not allowed");
}

Place resolve(const Call& call, const std::vector<std::string>& segments, bool slash) {
  Place place;
  place.depth = segments.size();
  place.slash = slash;
  if (segments.empty()) return place;
  place.name = segments.back();
  const std::string& top = segments.front();
  for (Folder* folder : visible_folders(call)) {
    const bool same = folder->name() == top ||
                      (!call.settings.case_sensitive && fold(folder->name()) == fold(top));
    if (same && place.folder == nullptr) place.folder = folder;
  }
  if (place.folder == nullptr) return place;
  Node* at = place.folder->root.get();
  for (std::size_t i = 1; i < segments.size(); ++i) {
    place.parent = at;
    at = at != nullptr && at->dir ? child_of(call.settings, *at, segments[i]) : nullptr;
  }
  place.node = at;
  return place;
}

Place resolve(const Call& call) {
  const auto& all = call.request.segments;
  return resolve(call, {all.begin() + 1, all.end()},
                 !call.request.path.empty() && call.request.path.back() == '/');
}

std::string http_date(Millis time) {
  const std::time_t seconds = static_cast<std::time_t>(time / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64] = {};
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

std::string etag_of(const Settings& settings, const Node& node) {
  if (settings.etag == "none" || node.dir) return {};
  return fmt::format("{}\"{:x}-{:x}\"", settings.etag == "weak" ? "W/" : "", node.id,
                     node.revision);
}

void check_conditions(const Call& call, const Node* node) {
  if (!call.settings.conditions) return;
  const std::string_view if_match = call.request.header("if-match");
  const std::string_view if_none_match = call.request.header("if-none-match");
  const auto fail = [] { throw HttpError(412, "A condition of the request does not hold"); };
  if (if_match == "*" && node == nullptr) fail();
  if (if_none_match == "*" && node != nullptr) fail();
  // A server without entity tags has nothing to compare with.
  if (call.settings.etag == "none") return;
  const std::string etag = node == nullptr ? "" : etag_of(call.settings, *node);
  if (!if_match.empty() && if_match != "*" && (node == nullptr || !matches(if_match, etag))) fail();
  if (!if_none_match.empty() && if_none_match != "*" && node != nullptr &&
      matches(if_none_match, etag)) {
    fail();
  }
}

std::string origin_of(const Call& call) {
  const std::string& base = call.state.base_url;
  const std::string_view host = call.request.header("host");
  return host.empty() ? base : fmt::format("{}://{}", base.substr(0, base.find(':')), host);
}

std::string href_of(const Call& call, const std::string& path, bool dir) {
  // This vendor leaves more as it is than others do.
  const std::string_view keep = call.settings.href_escaping == "vendor" ? "-._~/()'$+!*," : "-._~/";
  std::string out = call.settings.href_style == "url" ? origin_of(call) : std::string();
  out += "/webdav/" + percent_encode(path, keep);
  if (dir && out.back() != '/') out += '/';
  return xml_escape(out);
}

Response error_response(const Settings& settings, const HttpError& error) {
  Response response;
  if (!error.precondition().empty()) {
    const Tags tags(settings.xml_prefix);
    response =
        Response::text(error.status(), "application/xml; charset=utf-8",
                       tags.root("error") + tags.empty(error.precondition()) + tags.close("error"));
  } else if (settings.error_body == "json") {
    response =
        Response::json_text(error.status(), fmt::format("{{\"message\":\"{}\"}}", error.message()));
  } else if (settings.error_body == "text") {
    response = Response::text(error.status(), "text/plain", error.message() + "\n");
  } else {
    response = Response::text(
        error.status(), "text/html; charset=utf-8",
        fmt::format("<html><head><title>Error {0}</title></head><body><h2>HTTP ERROR "
                    "{0}</h2><p>{1}</p></body></html>\n",
                    error.status(), error.message()));
  }
  for (const auto& header : error.headers()) response.headers.push_back(header);
  return response;
}

Response dav_options(Call& call) {
  Response response;
  response.headers.emplace_back("DAV", call.settings.locks ? "1, 2" : "1");
  response.headers.emplace_back(
      "Allow", std::string(kMethods) + (call.settings.locks ? ", LOCK, UNLOCK" : ""));
  response.headers.emplace_back("MS-Author-Via", "DAV");
  return response;
}

}  // namespace cabinetfs::sandbox::powerfolder
