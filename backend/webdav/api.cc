#include "backend/webdav/api.h"

#include <fmt/format.h>

#include <algorithm>

#include <utility>

#include "backend/base/log.h"
#include "backend/http/http_status.h"
#include "backend/http/http_url.h"
#include "backend/webdav/quirks.h"

namespace cabinetfs::webdav {
namespace {

constexpr const char* kLoginHint =
    "the server answers with a web page; log in once by browser (terms of use, a changed "
    "password), then try again";

// allprop may leave live properties out, so each is named.
std::string propfind_body(const Wanted& wanted) {
  std::string xml =
      "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
      "<D:propfind xmlns:D=\"DAV:\" xmlns:O=\"http://owncloud.org/ns\"><D:prop>"
      "<D:resourcetype/><D:getcontentlength/><D:getetag/><D:getlastmodified/><D:creationdate/>"
      "<D:getcontenttype/>";
  if (wanted.locks) xml += "<D:lockdiscovery/>";
  if (wanted.quota) xml += "<D:quota-available-bytes/><D:quota-used-bytes/>";
  if (wanted.own_cloud) xml += "<O:permissions/><O:id/>";
  return xml + "</D:prop></D:propfind>";
}

bool is_redirect(int status) { return status >= 300 && status < 400 && status != 304; }

bool changes_nothing(std::string_view method) {
  return method == "PROPFIND" || method == "OPTIONS" || method == "HEAD";
}

Result<HttpUrl> target_of(const HttpResponse& response, const DavPaths& paths, const RemoteId& id) {
  const std::string* const location = response.find("location");
  if (location == nullptr) return fail(ErrorCode::kInvalid, "a redirect without a target");
  TRY_ASSIGN(const HttpUrl base, parse_http_url(paths.url(id, NodeKind::kFile)));
  return resolve_location(base, *location);
}

// To the same place with a slash at the end.
bool is_to_folder(const HttpResponse& response, const DavPaths& paths, const RemoteId& id) {
  const auto target = target_of(response, paths, id);
  return target && target->origin() == paths.origin() && target->target.back() == '/' &&
         paths.id_of(target->target) == id;
}

}  // namespace

std::string about(std::string_view method, const RemoteId& id) {
  return fmt::format("{} id={}", method, id.empty() ? "/" : id.value);
}

DavApi::DavApi(HttpClient& http, DavPaths paths, std::size_t max_listing)
    : http_(http), paths_(std::move(paths)), max_listing_(max_listing) {}

Result<HttpResponse> DavApi::perform(const CallContext& call, HttpRequest request,
                                     const RemoteId& id, NodeKind kind) const {
  request.url = paths_.url(id, kind);
  // Paths are names of users' files: counters and logs have the method only.
  request.label = request.method + " /dav/{path}";
  request.redirects = HttpRequest::Redirects::kNone;
  return http_.perform(call, std::move(request));
}

Result<HttpResponse> DavApi::send(const CallContext& call, const DavRequest& request) const {
  NodeKind kind = request.kind;
  for (int hop = 0;; ++hop) {
    HttpRequest http;
    http.method = request.method;
    http.headers = request.headers;
    http.idempotent = request.idempotent;
    http.max_body = request.max_body;
    http.stall_timeout = request.stall_timeout;
    if (!request.xml.empty()) {
      http.headers.emplace_back("Content-Type", "application/xml; charset=utf-8");
      http.body = HttpBody::from_string(request.xml);
    }
    Result<HttpResponse> response = perform(call, std::move(http), request.id, kind);
    if (!response) {
      return fail(response.error().code, fmt::format("{}: {}", about(request.method, request.id),
                                                     response.error().context));
    }
    if (response->status == 400 && hop == 0 && kind == NodeKind::kFolder &&
        changes_nothing(request.method)) {
      kind = NodeKind::kFile;  // a file by now: Apache knows none with a slash behind its name
      continue;
    }
    if (response->status == 400 && !request.plain) TRY(check_kinds(call, request));
    if (!is_redirect(response->status)) return response;
    if (hop == 0 && kind == NodeKind::kFile && changes_nothing(request.method) &&
        is_to_folder(*response, paths_, request.id)) {
      kind = NodeKind::kFolder;
      continue;
    }
    return fail(failure(*response, request.method, request.id));
  }
}

bool DavApi::is_file(const CallContext& call, const RemoteId& id) const {
  // Else each folder above would be looked into again for each one below it.
  DavRequest request;
  request.plain = true;
  const auto there = propfind(call, id, std::move(request), Depth::kSelf, Wanted());
  if (!there) return false;
  const auto itself = std::ranges::find(*there, id, &Found::id);
  return itself != there->end() && itself->resource.status < 400 && !itself->resource.collection;
}

bool DavApi::is_below_file(const CallContext& call, const RemoteId& id) const {
  for (RemoteId folder = parent_of(id); !folder.empty(); folder = parent_of(folder)) {
    if (is_file(call, folder)) return true;
  }
  return false;
}

Result<void> DavApi::check_kinds(const CallContext& call, const DavRequest& request) const {
  const std::string what = about(request.method, request.id);
  if (request.kind == NodeKind::kFolder && is_file(call, request.id))
    return fail(request.method == "MKCOL" ? ErrorCode::kExists : ErrorCode::kNotFound,
                what + ": a file stands there");
  if (is_below_file(call, request.id))
    return fail(ErrorCode::kNotFound, what + ": its folder is a file by now");
  return {};
}

Error DavApi::failure(const HttpResponse& response, std::string_view method,
                      const RemoteId& id) const {
  const std::string what = about(method, id);
  if (is_redirect(response.status)) {
    const auto target = target_of(response, paths_, id);
    if (target && target->origin() != paths_.origin()) {
      return {ErrorCode::kUnavailable,
              fmt::format("{}: redirected to {}, which is another server; credentials do not go "
                          "there. If it is the right one, put it into the configuration",
                          what, target->origin())};
    }
    if (is_to_folder(response, paths_, id)) {
      return {ErrorCode::kConflict, what + ": it is a folder now"};
    }
    return {ErrorCode::kUnauthenticated,
            fmt::format("{}: HTTP {}: {}", what, response.status, kLoginHint)};
  }
  Error error = error_from_response(response, what);
  error.code = error_code(method, response.status);
  if (const std::string said = parse_error_text(response.body); !said.empty()) {
    error.context = fmt::format("{}: HTTP {}: {}", what, response.status, said);
  }
  return error;
}

Result<std::vector<DavApi::Found>> DavApi::propfind(const CallContext& call, const RemoteId& id,
                                                    NodeKind kind, Depth depth,
                                                    const Wanted& wanted) const {
  DavRequest request;
  request.kind = kind;
  return propfind(call, id, std::move(request), depth, wanted);
}

Result<std::vector<DavApi::Found>> DavApi::propfind(const CallContext& call, const RemoteId& id,
                                                    DavRequest request, Depth depth,
                                                    const Wanted& wanted) const {
  request.method = "PROPFIND";
  request.id = id;
  request.headers = {{"Depth", depth == Depth::kSelf ? "0" : "1"}};
  request.xml = propfind_body(wanted);
  request.max_body = max_listing_;
  TRY_ASSIGN(const HttpResponse response, send(call, request));
  // 200 instead of 207: PowerFolder does that at times; what counts is the document.
  if (response.status != 207 && response.status != 200) {
    Error error = failure(response, "PROPFIND", id);
    if (error.code == ErrorCode::kInternal) error.code = ErrorCode::kCorrupt;
    return fail(std::move(error));
  }
  auto resources = parse_multistatus(response.body);
  if (!resources) {
    if (is_html(response)) {
      return fail(ErrorCode::kUnauthenticated, about("PROPFIND", id) + ": " + kLoginHint);
    }
    return fail(resources.error().code, about("PROPFIND", id) + ": " + resources.error().context);
  }
  std::vector<Found> found;
  found.reserve(resources->size());
  std::size_t outside = 0;
  for (WireResource& resource : *resources) {
    auto place = paths_.id_of(resource.href);
    if (!place && resources->size() == 1 && depth == Depth::kSelf) place = id;
    const bool below = place && is_within(*place, depth == Depth::kSelf ? parent_of(id) : id);
    if (!below) {
      if (outside++ == 0) {
        log_warn("{}: the answer names {}, which is not below it; ignored", about("PROPFIND", id),
                 resource.href.substr(0, 200));
      }
      continue;
    }
    found.push_back({*std::move(place), std::move(resource)});
  }
  if (found.empty() && outside > 0) {
    return fail(ErrorCode::kCorrupt, about("PROPFIND", id) + ": the answer is about another place");
  }
  return found;
}

}  // namespace cabinetfs::webdav
