#include "backend/http/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backend/http/redact.h"

namespace cabinetfs {
namespace {

// libcurl bounds a line, not their sum.
constexpr std::size_t kMaxHeaderBytes = 256u << 10;
constexpr int kMaxRedirects = 5;

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// "HTTP/1.1 200 OK", "HTTP/2 200".
int parse_status_line(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || line.size() < space + 4) return 0;
  int status = 0;
  for (std::size_t i = space + 1; i < space + 4; ++i) {
    if (line[i] < '0' || line[i] > '9') return 0;
    status = status * 10 + (line[i] - '0');
  }
  return status;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

Exchange::Exchange(std::uint64_t id_in, const CallContext& call_in, HttpRequest request_in,
                   HttpUrl url_in)
    : id(id_in), call(call_in), request(std::move(request_in)), url(std::move(url_in)) {}

Result<HttpResponse> Exchange::wait() {
  MutexLock lock(mutex_);
  while (!result_) done_.wait(mutex_);
  return std::move(*result_);
}

void Exchange::finish(Result<HttpResponse> result) {
  MutexLock lock(mutex_);
  result_ = std::move(result);
  done_.notify_all();
}

void Exchange::begin_attempt(SteadyTime now) {
  ++attempt;
  started = now;
  last_activity = now;
  response = HttpResponse{};
  sent = false;
  request_offset = 0;
  delivered = 0;
  stop_ = Stop::kNone;
  header_bytes_ = 0;
  headers_done_ = false;
}

bool Exchange::take_header_line(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    stop_ = Stop::kHeadersTooLarge;
    return false;
  }
  line = trim(line);
  if (line.substr(0, 5) == "HTTP/") {  // also after an interim answer such as 100
    response.status = parse_status_line(line);
    response.headers.clear();
    headers_done_ = false;
    return true;
  }
  if (headers_done_) return true;  // trailers say nothing that we use
  if (line.empty()) return end_headers();
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  std::string name(trim(line.substr(0, colon)));
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  response.headers.emplace_back(std::move(name), std::string(trim(line.substr(colon + 1))));
  return true;
}

bool Exchange::end_headers() {
  if (response.status < 200) return true;
  headers_done_ = true;
  if (response.status >= 300 || !request.on_headers) return true;
  if (request.on_headers(response.status, response.headers)) return true;
  stop_ = Stop::kRefused;
  return false;
}

bool Exchange::to_sink() const {
  return request.sink && response.status >= 200 && response.status < 300;
}

bool Exchange::take_body(Bytes bytes) {
  if (to_sink()) {
    delivered += bytes.size();
    if (request.sink(bytes)) return true;
    stop_ = Stop::kRefused;
    return false;
  }
  const std::size_t room = request.max_body - std::min(request.max_body, response.body.size());
  response.body += as_text(bytes.first(std::min(room, bytes.size())));
  if (bytes.size() <= room) return true;
  stop_ = response.status >= 300 ? Stop::kErrorBodyCut : Stop::kBodyTooLarge;
  return false;
}

std::optional<std::size_t> Exchange::give_body(MutableBytes out) {
  if (!request.body) return 0;
  const std::uint64_t left = request.body->size - std::min(request.body->size, request_offset);
  if (left == 0 || out.empty()) return 0;
  const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(left, out.size()));
  const std::size_t got = request.body->read(request_offset, out.first(room));
  if (got == 0 || got > room) {
    stop_ = Stop::kBodyUnreadable;
    return std::nullopt;
  }
  request_offset += got;
  return got;
}

bool Exchange::may_send() {
  if (sent && !request.idempotent) {
    stop_ = Stop::kWouldRepeat;
    return false;
  }
  sent = true;
  return true;
}

bool Exchange::rewind_body(std::uint64_t offset) {
  if (request_offset > 0 && !request.idempotent) {
    stop_ = Stop::kWouldRepeat;
    return false;
  }
  request_offset = offset;
  return true;
}

Result<bool> Exchange::follow_redirect(bool plain_http_allowed) {
  if (!is_redirect(response.status) || (request.method != "GET" && request.method != "HEAD") ||
      request.redirects == HttpRequest::Redirects::kNone) {
    return false;
  }
  const std::string* location = response.find("location");
  if (location == nullptr) return false;
  Result<HttpUrl> target = resolve_location(url, *location);
  if (!target) return false;
  const bool same_place = target->origin() == url.origin();
  if (!same_place) {
    if (request.redirects != HttpRequest::Redirects::kAnyHost) return false;
    // Never from a protected connection to a readable one.
    const bool plain = target->scheme == "http";
    if (plain &&
        (url.scheme == "https" || !(plain_http_allowed || is_loopback_host(target->host)))) {
      return false;
    }
  }
  if (++redirects_ > kMaxRedirects) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("{}: more than {} redirects", name(), kMaxRedirects));
  }
  if (!same_place) with_credentials = false;
  url = *std::move(target);
  return true;
}

bool Exchange::can_restart() {
  return delivered == 0 || (request.on_restart && request.on_restart());
}

std::string Exchange::name() const {
  return request.label.empty() ? request.method + " " + redact_url(url.to_string()) : request.label;
}

}  // namespace cabinetfs
