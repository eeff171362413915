#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/base/call.h"
#include "backend/base/result.h"
#include "backend/base/text.h"

namespace cabinetfs {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// Where a request's body comes from. Exactly `size` bytes; rewound by asking for offset 0 again (a
// retry on a fresh connection).
struct HttpBody {
  std::uint64_t size = 0;
  // Copies up to out.size() bytes from `offset`; returns how many, 0 = cannot be read any more (the
  // request fails). Runs on the engine thread and must not block for long.
  std::function<std::size_t(std::uint64_t offset, MutableBytes out)> read;

  static HttpBody from_string(std::string text);
  // The bytes must outlive the request.
  static HttpBody from_bytes(Bytes bytes);
  // Parts one after another: a multipart body whose file part is not copied.
  static HttpBody concat(std::vector<HttpBody> parts);
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // absolute, encoded
  HttpHeaders headers;
  std::optional<HttpBody> body;
  // "Bearer ..." or "Basic ...": sent only to the host of `url`, never along a redirect to another
  // host, never logged.
  std::string authorization;
  // May be sent again after an answer was lost: GET, or something that means the same when it
  // happens twice.
  bool idempotent = false;
  // A GET that changes something, as some vendors have them: never sent twice.
  bool changes = false;
  // At most this much is kept in HttpResponse::body; more is kTooLarge.
  std::size_t max_body = 16u << 20;
  // When set, the body of a 2xx answer goes here instead (other statuses go to HttpResponse::body).
  // `on_headers` comes before the first byte (again, when an attempt broke before it and was
  // repeated) and may refuse (false aborts with kCancelled). Both run on the engine thread.
  std::function<bool(int status, const HttpHeaders&)> on_headers;
  std::function<bool(Bytes)> sink;
  // An attempt that broke after some bytes went to `sink` is repeated only when this is set and
  // answers true: the caller has thrown the bytes away and expects the body from its first byte.
  std::function<bool()> on_restart;
  // Content transfers. Such a request gets an HTTP/1.1 connection that it shares with nobody, so
  // that parallel ranges add up where a server or a path limits each connection.
  bool own_connection = false;
  // Not on a connection that has been used before, which may be dead without anybody knowing: for
  // changes that must not be lost on the way. (Even without it, what is not idempotent is never
  // sent twice.)
  bool fresh_connection = false;
  // Counts against the remote's request limit. Not set for other hosts (storage behind access
  // URLs).
  bool metered = true;
  // Instead of the client's own stall timeout once the request has been sent, for answers that take
  // long to begin: at most half of the time that the call has left, and not less than the client's;
  // 0 = the client's.
  std::chrono::milliseconds stall_timeout{0};
  // Redirects of a GET are followed within scheme, host and port, at most 5 times; any other answer
  // 3xx is returned as it is. kAnyHost also follows a GET to another host, without `authorization`
  // and without headers that hold secrets.
  enum class Redirects { kNone, kSameHost, kAnyHost };
  Redirects redirects = Redirects::kSameHost;
  // Short label for logs and counters, such as "GET /rest/files/{id}/content".
  std::string label;
};

// How long an answer may take to begin that comes after work on so many bytes at the server, which
// puts them together, copies or scans them: two minutes and a second for every 4 MiB, at most ten
// minutes. Less than kWorthPatience is done at once, and silence then means a dead connection.
inline constexpr std::uint64_t kWorthPatience = 4u << 20;
std::chrono::milliseconds patience_for(std::uint64_t bytes);

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;  // names in lower case
  std::string body;
  std::string effective_url;
  // Seconds from Retry-After (number or date), where there was one.
  std::optional<double> retry_after;
  const std::string* find(std::string_view lower_case_name) const;
};

// One HTTP exchange with retries for what the transport may retry. A 4xx/5xx answer that the retry
// table gives up on is a value, not an error: the vendor's wire.cc reads its body. Errors:
// kUnavailable (could not connect, connection lost; for a request that is not idempotent the effect
// is unknown if it had been sent), kTimeout, kCancelled, kTooLarge, kCorrupt (broken framing),
// kDenied (certificate not trusted, plain HTTP not allowed). Thread safe, blocking.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  virtual Result<HttpResponse> perform(const CallContext& call, HttpRequest request) = 0;
};

}  // namespace cabinetfs
