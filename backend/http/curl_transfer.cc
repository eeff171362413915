#include "backend/http/curl_transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "backend/base/text.h"
#include "backend/http/curl_client.h"
#include "backend/http/redact.h"

namespace cabinetfs {
namespace {

// The largest receive buffer that libcurl takes, for content; small answers need little.
constexpr long kContentBuffer = 512 << 10;
constexpr long kSmallBuffer = 64 << 10;
constexpr long kUploadBuffer = 1 << 20;
// libcurl's own default: longer idle connections are mostly closed by the other side already.
constexpr long kMaxIdleSeconds = 118;
// Sending it takes no time that counts.
constexpr std::uint64_t kShortBody = 64u << 10;

bool add_header(HeaderList& list, const std::string& line) {
  curl_slist* grown = curl_slist_append(list.get(), line.c_str());
  if (grown == nullptr) return false;
  static_cast<void>(list.release());
  list.reset(grown);
  return true;
}

// libcurl is C: nothing may be thrown through it.
template <class F, class T>
T guarded(Exchange& exchange, T if_thrown, F body) {
  try {
    return body();
  } catch (...) {
    exchange.stop(Exchange::Stop::kThrew);
    return if_thrown;
  }
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  Exchange& exchange = *static_cast<Transfer*>(user)->exchange;
  exchange.last_activity = std::chrono::steady_clock::now();
  return guarded(exchange, std::size_t{0}, [&] {
    return exchange.take_header_line({data, size}) ? size : 0;
  });
}

std::size_t on_write(char* data, std::size_t, std::size_t size, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  Exchange& exchange = *transfer.exchange;
  const SteadyTime now = std::chrono::steady_clock::now();
  exchange.last_activity = now;
  if (!transfer.download->may_transfer(now)) {
    transfer.paused_down = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  transfer.download->spend(size, now);
  return guarded(exchange, std::size_t{0}, [&] {
    return exchange.take_body(as_bytes(std::string_view(data, size))) ? size : 0;
  });
}

std::size_t on_read(char* data, std::size_t, std::size_t size, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  Exchange& exchange = *transfer.exchange;
  const SteadyTime now = std::chrono::steady_clock::now();
  if (!transfer.upload->may_transfer(now)) {
    transfer.paused_up = true;
    return CURL_READFUNC_PAUSE;
  }
  return guarded(exchange, std::size_t{CURL_READFUNC_ABORT}, [&] {
    const auto got = exchange.give_body(MutableBytes(reinterpret_cast<std::byte*>(data), size));
    if (!got) return std::size_t{CURL_READFUNC_ABORT};
    transfer.upload->spend(*got, now);
    return *got;
  });
}

int on_seek(void* user, curl_off_t offset, int origin) {
  Exchange& exchange = *static_cast<Transfer*>(user)->exchange;
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_FAIL;
  return exchange.rewind_body(static_cast<std::uint64_t>(offset)) ? CURL_SEEKFUNC_OK
                                                                  : CURL_SEEKFUNC_FAIL;
}

// Also runs when libcurl repeats a request by itself because a reused connection turned out to be
// dead, which must not happen to a request that may have been carried out.
int on_ready_to_send(void* user, char*, char*, int, int) {
  return static_cast<Transfer*>(user)->exchange->may_send() ? CURL_PREREQFUNC_OK
                                                            : CURL_PREREQFUNC_ABORT;
}

int on_progress(void* user, curl_off_t, curl_off_t down, curl_off_t, curl_off_t up) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  if (down != transfer.seen_down || up != transfer.seen_up) {
    transfer.seen_down = down;
    transfer.seen_up = up;
    transfer.exchange->last_activity = std::chrono::steady_clock::now();
  }
  return 0;
}

// `end` is empty where no retry can help and `code` says why.
struct Failure {
  std::optional<AttemptEnd> end;
  ErrorCode code = ErrorCode::kUnavailable;
};

Failure classify(CURLcode result, const Exchange& exchange, std::string_view message) {
  switch (exchange.stopped()) {
    case Exchange::Stop::kNone:
    case Exchange::Stop::kErrorBodyCut:
      break;
    case Exchange::Stop::kRefused:
      return {std::nullopt, ErrorCode::kCancelled};
    case Exchange::Stop::kBodyTooLarge:
    case Exchange::Stop::kHeadersTooLarge:
      return {std::nullopt, ErrorCode::kTooLarge};
    case Exchange::Stop::kBodyUnreadable:
      return {std::nullopt, ErrorCode::kIo};
    case Exchange::Stop::kWouldRepeat:
      return {AttemptEnd::kConnectionLost, ErrorCode::kUnavailable};
    case Exchange::Stop::kThrew:
      return {std::nullopt, ErrorCode::kInternal};
  }
  switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return {std::nullopt, ErrorCode::kNoAccess};
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_NOT_BUILT_IN:
      return {std::nullopt, ErrorCode::kInternal};
    case CURLE_URL_MALFORMAT:
      return {std::nullopt, ErrorCode::kInvalid};
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
      return {std::nullopt, ErrorCode::kCorrupt};
    case CURLE_OPERATION_TIMEDOUT:  // only the connect timeout is libcurl's
      return {AttemptEnd::kConnectTimeout, ErrorCode::kUnavailable};
    default:
      break;
  }
  // libcurl 7.88 reports malformed chunks like a lost connection.
  if (message.find("chunk") != std::string_view::npos) return {std::nullopt, ErrorCode::kCorrupt};
  return {exchange.sent ? AttemptEnd::kConnectionLost : AttemptEnd::kNotSent,
          ErrorCode::kUnavailable};
}

std::string_view describe_stop(Exchange::Stop stop) {
  switch (stop) {
    case Exchange::Stop::kNone:
    case Exchange::Stop::kErrorBodyCut:
      return "";
    case Exchange::Stop::kRefused:
      return "the caller did not want the answer";
    case Exchange::Stop::kBodyTooLarge:
      return "the answer is longer than expected";
    case Exchange::Stop::kHeadersTooLarge:
      return "the answer's headers are too long";
    case Exchange::Stop::kBodyUnreadable:
      return "the data to send could not be read";
    case Exchange::Stop::kWouldRepeat:
      return "the connection was lost";
    case Exchange::Stop::kThrew:
      return "a callback threw";
  }
  return "";
}

}  // namespace

Result<void> set_up_transfer(Transfer& transfer, const HttpClientOptions& options, CURLSH* share) {
  CURL* const easy = transfer.easy.get();
  const Exchange& exchange = *transfer.exchange;
  const HttpRequest& request = exchange.request;
  CURLcode failed = CURLE_OK;
  const auto set = [&failed, easy](CURLoption option, auto value) {
    const CURLcode code = curl_easy_setopt(easy, option, value);
    if (failed == CURLE_OK) failed = code;
  };

  set(CURLOPT_URL, exchange.url.to_string().c_str());
  set(CURLOPT_PATH_AS_IS, 1L);  // some addresses are signed
  set(CURLOPT_ERRORBUFFER, transfer.message.data());
  set(CURLOPT_PRIVATE, static_cast<void*>(&transfer));
  set(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
  // Else the end of a transfer, on the engine's only thread, waits for the thread that looks up its
  // host's name: as long as a name server that does not answer is waited for.
  set(CURLOPT_QUICK_EXIT, 1L);
#endif
  set(CURLOPT_SHARE, share);
#if LIBCURL_VERSION_NUM >= 0x075500
  set(CURLOPT_PROTOCOLS_STR, "http,https");
#else
  set(CURLOPT_PROTOCOLS, long{CURLPROTO_HTTP | CURLPROTO_HTTPS});
#endif
  set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  set(CURLOPT_FOLLOWLOCATION, 0L);  // Exchange decides about redirects

  // Trust.
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  if (!options.ca_file.empty()) {
    set(CURLOPT_CAINFO, options.ca_file.c_str());
    // Else the system's directory would still be trusted beside the file.
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  if (options.proxy == "none" || (options.proxy.empty() && is_loopback_host(exchange.url.host))) {
    set(CURLOPT_PROXY, "");
  } else if (!options.proxy.empty()) {
    set(CURLOPT_PROXY, options.proxy.c_str());
  }
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);

  // Connections. Content gets HTTP/1.1: libcurl never puts such a request on a shared connection.
  const bool share_connection = !request.own_connection;
  set(CURLOPT_HTTP_VERSION,
      share_connection ? long{CURL_HTTP_VERSION_2TLS} : long{CURL_HTTP_VERSION_1_1});
  set(CURLOPT_PIPEWAIT, share_connection && exchange.url.scheme == "https" ? 1L : 0L);
  set(CURLOPT_FRESH_CONNECT, request.fresh_connection ? 1L : 0L);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, 30L);
  set(CURLOPT_TCP_KEEPINTVL, 15L);
  set(CURLOPT_MAXAGE_CONN, kMaxIdleSeconds);

  // The request.
  const bool has_body = request.body || request.method == "POST" || request.method == "PUT" ||
                        request.method == "PATCH";
  const std::uint64_t body_size = request.body ? request.body->size : 0;
  if (has_body) {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(body_size));
    if (body_size > static_cast<std::uint64_t>(kSmallBuffer)) {
      set(CURLOPT_UPLOAD_BUFFERSIZE, kUploadBuffer);
    }
  } else if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  }
  if (request.method != "GET" || has_body) set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  set(CURLOPT_BUFFERSIZE, request.sink ? kContentBuffer : kSmallBuffer);
  set(CURLOPT_USERAGENT, options.user_agent.c_str());
  bool has_encoding = false;
  bool added = add_header(transfer.headers, "Expect:");  // waiting for 100 costs a round trip
  for (const auto& [name, value] : request.headers) {
    has_encoding = has_encoding || fold_name(name) == "accept-encoding";
    if (!exchange.with_credentials && is_secret_name(name)) continue;
    // libcurl's spelling of a header without a value; "name:" would remove it.
    added = added && add_header(transfer.headers, value.empty() ? name + ";" : name + ": " + value);
  }
  if (exchange.with_credentials && !request.authorization.empty()) {
    added = added && add_header(transfer.headers, "Authorization: " + request.authorization);
  }
  set(CURLOPT_HTTPHEADER, transfer.headers.get());
  // Content must arrive as the bytes that were asked for.
  if (!request.sink && !has_encoding) set(CURLOPT_ACCEPT_ENCODING, "");

  const auto user = static_cast<void*>(&transfer);
  set(CURLOPT_HEADERFUNCTION, &on_header);
  set(CURLOPT_HEADERDATA, user);
  set(CURLOPT_WRITEFUNCTION, &on_write);
  set(CURLOPT_WRITEDATA, user);
  set(CURLOPT_READFUNCTION, &on_read);
  set(CURLOPT_READDATA, user);
  set(CURLOPT_SEEKFUNCTION, &on_seek);
  set(CURLOPT_SEEKDATA, user);
  set(CURLOPT_PREREQFUNCTION, &on_ready_to_send);
  set(CURLOPT_PREREQDATA, user);
  set(CURLOPT_XFERINFOFUNCTION, &on_progress);
  set(CURLOPT_XFERINFODATA, user);
  set(CURLOPT_NOPROGRESS, 0L);
  if (failed != CURLE_OK || !added) {
    return fail(ErrorCode::kInternal,
                exchange.name() + ": cannot set up the request: " + curl_easy_strerror(failed));
  }
  return {};
}

TransferFailure describe_failure(const Transfer& transfer, CURLcode result) {
  const Exchange& exchange = *transfer.exchange;
  const std::string_view message(transfer.message.data());
  Failure failure = classify(result, exchange, message);
  // An answer that cannot be read is no answer: the change may have been made all the same.
  const bool unread = failure.code == ErrorCode::kCorrupt || failure.code == ErrorCode::kTooLarge;
  const bool lost_change = unread && exchange.sent && !exchange.request.idempotent;
  if (lost_change) failure.code = ErrorCode::kUnavailable;
  std::string_view said = describe_stop(exchange.stopped());
  if (said.empty()) said = message.empty() ? curl_easy_strerror(result) : message;
  std::string context =
      fmt::format("{} ({}): {}", exchange.name(), exchange.url.origin(), redact_text(said));
  if (lost_change || (failure.end == AttemptEnd::kConnectionLost && !exchange.request.idempotent)) {
    context += "; it may have been carried out";
  }
  return {failure.end, {failure.code, std::move(context)}};
}

std::optional<std::chrono::microseconds> first_byte_wait(const Transfer& transfer) {
  const Exchange& exchange = *transfer.exchange;
  const int status = exchange.response.status;
  const auto& body = exchange.request.body;
  if (status == 0 || status >= 500 || (body && body->size > kShortBody)) return std::nullopt;
  curl_off_t sent = 0;
  curl_off_t first = 0;
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_PRETRANSFER_TIME_T, &sent);
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_STARTTRANSFER_TIME_T, &first);
  if (first <= sent) return std::nullopt;
  return std::chrono::microseconds(first - sent);
}

}  // namespace cabinetfs
