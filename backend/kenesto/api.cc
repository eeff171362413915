#include "backend/kenesto/api.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/base/log.h"
#include "backend/base/text.h"
#include "backend/http/http_status.h"
#include "backend/http/http_url.h"
#include "backend/http/redact.h"
#include "backend/http/retry_policy.h"
#include "backend/kenesto/quirks.h"

namespace cabinetfs::kenesto {
namespace {

constexpr std::size_t kMaxWords = 200;
// A page of 200 entries with their viewer addresses is some 300 KB; one answer may hold them all.
constexpr std::size_t kMaxBody = 64u << 20;

// Sessions that one request finds dead before it says so. The third that ends at once in a row
// makes the next login wait (session.cc), so the last one has been asked for after a pause.
constexpr int kSessionsTried = 4;

// A page in an answer's place ends a session no more often than this.
constexpr std::chrono::minutes kBetweenPages{1};

// No server in use closes a connection sooner.
constexpr std::chrono::seconds kIdle{3};

ApiFailure failure(ErrorCode code, const ApiRequest& request, std::string_view what) {
  ApiFailure failed;
  failed.code = code;
  failed.context = request.call + (request.about.empty() ? "" : " " + request.about) + ": ";
  failed.context += what;
  return failed;
}

// No answer of the service at all: something in between, or a page for logging in.
bool is_web_page(std::string_view body) {
  const std::size_t start = body.find_first_not_of("\xef\xbb\xbf \t\r\n");
  return start != std::string_view::npos && body[start] == '<';
}

// After a change was sent, anything but a clear answer leaves open whether it has happened.
ErrorCode unclear(ErrorCode code) {
  switch (code) {
    case ErrorCode::kCorrupt:
    case ErrorCode::kTooLarge:
      return ErrorCode::kUnavailable;
    default:
      return code;
  }
}

// As servers that write escapes in small letters would have it.
std::string lower_escapes(std::string text) {
  for (std::size_t at = 0; at + 2 < text.size(); ++at) {
    if (text[at] != '%') continue;
    for (const std::size_t digit : {at + 1, at + 2}) {
      char& c = text[digit];
      if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return text;
}

// Whole addresses that stand percent-encoded in the words, once or more often: what opens a
// document to whoever has it. No name stands before the secret in them.
std::string without_encoded_addresses(std::string_view text) {
  const std::string lowered = ascii_lower(text);
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t start = lowered.find("http", at);
    std::size_t end = start;
    while (start != std::string::npos) {
      end = start + 4;
      if (end < lowered.size() && lowered[end] == 's') ++end;
      if (lowered.compare(end, 1, "%") == 0) break;
      start = lowered.find("http", end);
    }
    if (start == std::string::npos) break;
    while (end < text.size() &&
           std::string_view(" \t\r\n\"'<>,;&").find(text[end]) == std::string_view::npos) {
      ++end;
    }
    out += text.substr(at, start - at);
    out += "***";
    at = end;
  }
  return out += text.substr(at);
}

}  // namespace

Result<std::string> service_base(const std::string& text) {
  TRY_ASSIGN(const HttpUrl url, parse_http_url(text));
  if (url.target.find('?') != std::string::npos) {
    return fail(ErrorCode::kInvalid, "the address of a Kenesto server has no query");
  }
  std::string base = url.to_string();
  if (url.target == "/") base += "Kenesto.Web.API";
  while (!base.empty() && base.back() == '/') base.pop_back();
  return base;
}

std::string printable(const std::string& words, const std::vector<std::string>& secrets) {
  std::string text = words;
  for (const std::string& secret : secrets) {
    if (secret.empty()) continue;
    for (const std::string& encoded :
         {percent_encode(secret), lower_escapes(percent_encode(secret))}) {
      const std::string twice = percent_encode(encoded);
      // Viewer addresses carry the token encoded and in base64 once more.
      for (const std::string& form :
           {encoded, to_base64(as_bytes(encoded)), twice, lower_escapes(twice)}) {
        text = replace_all(std::move(text), form, "***");
      }
    }
    text = replace_all(std::move(text), secret, "***");
  }
  text = redact_text(without_encoded_addresses(text));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  if (text.size() > kMaxWords) {
    std::size_t end = kMaxWords;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text.resize(end);
  }
  return text;
}

bool gives_up(ErrorCode code) {
  return code == ErrorCode::kCancelled || code == ErrorCode::kTimeout ||
         code == ErrorCode::kUnauthenticated;
}

std::string json_text(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out += '"';
}

Api::Api(HttpClient& http, KenestoSession& session, std::string base)
    : http_(http), session_(session), base_(std::move(base)) {}

ApiResult<WireEnvelope> Api::attempt(const CallContext& call, const ApiRequest& request,
                                     const std::string& token) {
  HttpRequest http;
  http.url = fmt::format("{}/KDocuments.svc/{}?t={}", base_, request.call, percent_encode(token));
  for (const auto& [name, value] : request.query) {
    http.url += fmt::format("&{}={}", name, percent_encode(value));
  }
  http.label = request.call;
  http.idempotent = !request.mutates;
  http.changes = request.mutates;
  // A connection that has been idle may be dead, and a change that is lost on it costs a look.
  http.fresh_connection =
      request.mutates && std::chrono::steady_clock::now() - kIdle > last_answer_.load();
  http.max_body = kMaxBody;
  http.stall_timeout = request.stall_timeout;
  // A redirect would take the token along.
  http.redirects = HttpRequest::Redirects::kNone;
  http.headers.emplace_back("Accept", "application/json");
  if (!request.json.empty()) {
    http.method = "POST";
    http.headers.emplace_back("Content-Type", "application/json");
    http.body = HttpBody::from_string(request.json);
  }
  Result<HttpResponse> response = http_.perform(call, std::move(http));
  if (!response) {
    const ErrorCode code = response.error().code;
    return tl::unexpected<ApiFailure>(
        failure(request.mutates ? unclear(code) : code, request, response.error().context));
  }
  last_answer_ = std::chrono::steady_clock::now();
  if (const std::string* const date = response->find("date")) {
    if (const auto told = parse_http_date(*date)) {
      clock_skew_ = (*told - Clock::system().wall()).count();
    }
  }
  Result<WireEnvelope> envelope = parse_envelope(response->body);
  if (envelope && envelope->ok && response->status >= 200 && response->status < 300) {
    return *std::move(envelope);
  }
  if (!envelope && response->status >= 200 && response->status < 300) {
    // A page says nothing of what was asked for, so it may be asked for again.
    const ErrorCode code =
        is_web_page(response->body) ? ErrorCode::kUnavailable : envelope.error().code;
    ApiFailure failed =
        failure(request.mutates ? unclear(code) : code, request, envelope.error().context);
    failed.page = true;
    return tl::unexpected<ApiFailure>(std::move(failed));
  }
  ApiFailure failed;
  if (!envelope) {
    // A page of the web server. 404 is the address, not the object.
    ErrorCode code =
        response->status < 400 ? ErrorCode::kUnavailable : error_from_status(response->status);
    if (code == ErrorCode::kNotFound) code = ErrorCode::kUnavailable;
    failed = failure(code, request, fmt::format("{}", response->status));
    failed.page = response->status < 400;
    failed.no_call = response->status == 404 || response->status == 405;
  } else {
    // Unknown words are no verdict on anybody's rights. A change was not made and is shown as
    // failed; what cannot be read now may be readable later.
    const ErrorCode unknown = request.mutates ? ErrorCode::kTryAgain : ErrorCode::kUnavailable;
    ErrorCode code = error_code(envelope->message, response->status, unknown);
    // 400 is what a server may give all its failures.
    if (code == ErrorCode::kInvalid) code = unknown;
    failed = failure(code, request,
                     fmt::format("{} {}", envelope->status, printable(envelope->message, {token})));
    failed.message = envelope->message;
  }
  failed.told = true;
  failed.status = response->status;
  return tl::unexpected<ApiFailure>(std::move(failed));
}

bool Api::session_is_dead(const CallContext& call, const std::string& token,
                          const ApiFailure& failed) {
  if (failed.status == 401) return true;
  if (failed.page && !may_end_for_pages(token)) return false;
  ApiRequest probe;
  probe.call = "RetrieveNumberOfDocuments";
  probe.about = "(is the session alive?)";
  const auto answer = attempt(call, probe, token);
  if (answer) return false;
  if (failed.page) {
    if (answer.error().page) ended_for_pages(token);
    return answer.error().page;
  }
  // A failure of the network says nothing.
  return answer.error().told && answer.error().status < 500;
}

bool Api::may_end_for_pages(const std::string& token) {
  const std::size_t hash = std::hash<std::string>()(token);
  MutexLock lock(mutex_);
  return hash == ended_ || ended_at_ == SteadyTime::min() ||
         std::chrono::steady_clock::now() - ended_at_ >= kBetweenPages;
}

void Api::ended_for_pages(const std::string& token) {
  MutexLock lock(mutex_);
  ended_ = std::hash<std::string>()(token);
  ended_at_ = std::chrono::steady_clock::now();
}

ApiResult<WireEnvelope> Api::send(const CallContext& call, const ApiRequest& request) {
  for (int number = 1;; ++number) {
    std::string token = request.external_token;
    if (token.empty()) {
      Result<std::string> got = session_.token(call);
      if (!got) {
        return tl::unexpected<ApiFailure>(failure(got.error().code, request, got.error().context));
      }
      token = *std::move(got);
    }
    ApiResult<WireEnvelope> answer = attempt(call, request, token);
    const auto suspicious = [](const ApiFailure& failed) {
      return failed.page || (failed.told && may_mean_dead_session(failed.message, failed.status));
    };
    if (answer || !request.external_token.empty() || !suspicious(answer.error()) ||
        !session_is_dead(call, token, answer.error())) {
      SecretString::wipe(token);
      return answer;
    }
    session_.invalidate(token);
    SecretString::wipe(token);
    ApiFailure ended = answer.error();
    if (request.mutates) {
      // Refused, most likely; only looking can tell.
      ended.code = ErrorCode::kUnavailable;
      ended.context += "; the session has ended";
      return tl::unexpected<ApiFailure>(std::move(ended));
    }
    if (number == kSessionsTried) {
      ended.code = ErrorCode::kUnauthenticated;
      ended.context += "; fresh sessions are refused as well";
      return tl::unexpected<ApiFailure>(std::move(ended));
    }
  }
}

}  // namespace cabinetfs::kenesto
