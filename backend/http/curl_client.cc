#include "backend/http/curl_client.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <list>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "backend/base/log.h"
#include "backend/base/mutex.h"
#include "backend/http/curl_reactor.h"
#include "backend/http/curl_transfer.h"
#include "backend/http/exchange.h"
#include "backend/http/request_queue.h"
#include "backend/http/retry_policy.h"
#include "backend/http/token_bucket.h"

namespace cabinetfs {
namespace {

// A wake-up per second costs nothing and bounds the harm of a timer that we forgot.
constexpr std::chrono::milliseconds kLongestPoll{1000};
constexpr int kProxyLogin = 407;

// Not the account's login: another one would not help, and neither does asking again.
Error proxy_refusal(const Exchange& exchange) {
  return {ErrorCode::kUnavailable,
          fmt::format("{} ({}): the proxy on the way asks for a login of its own (407), which the "
                      "option proxy takes: http://USER:PASSWORD@HOST:PORT",
                      exchange.name(), exchange.url.origin())};
}

std::unique_ptr<CURLM, MultiDeleter> new_multi() {
  static std::once_flag flag;
  std::call_once(flag, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  std::unique_ptr<CURLM, MultiDeleter> multi(curl_multi_init());
  if (multi == nullptr) throw std::bad_alloc();
  return multi;
}

const std::string& label_of(const HttpRequest& request) {
  return request.label.empty() ? request.method : request.label;
}

bool is_clean(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

Error asked_for_silence(const Exchange& exchange, SteadyTime::duration left) {
  return {ErrorCode::kUnavailable,
          fmt::format("{}: the server asked for {:.0f} s without requests (too many of them)",
                      exchange.name(), std::chrono::duration<double>(left).count())};
}

}  // namespace

class CurlHttpClient::Engine {
 public:
  explicit Engine(HttpClientOptions options);
  ~Engine();

  Result<HttpResponse> perform(const CallContext& call, HttpRequest request) EXCLUDES(mutex_);
  HttpStats stats() const { return stats_.snapshot(); }

 private:
  void run();
  void take_inbox(SteadyTime now) EXCLUDES(mutex_);
  void enforce_limits(SteadyTime now);
  void start_ready(SteadyTime now);
  Result<void> start(const std::shared_ptr<Exchange>& exchange, const std::string& origin,
                     SteadyTime now);
  void resume_paused(SteadyTime now);
  void collect_finished();
  void finish_attempt(std::unique_ptr<Transfer> transfer, CURLcode result);
  void answer(const std::shared_ptr<Exchange>& exchange);
  void fail_or_retry(const std::shared_ptr<Exchange>& exchange, AttemptEnd end, Error error);
  bool retry(const std::shared_ptr<Exchange>& exchange, const Attempt& attempt);
  void enqueue(const Exchange& exchange, SteadyTime not_before);
  void finish(const std::shared_ptr<Exchange>& exchange, Result<HttpResponse> result);
  std::unique_ptr<Transfer> detach(std::list<std::unique_ptr<Transfer>>::iterator at);
  void abort_attempt(std::uint64_t id);
  void record(const Transfer& transfer, int status);
  std::chrono::milliseconds next_poll(SteadyTime now) const;
  std::chrono::milliseconds stall_timeout(const Exchange& exchange) const;

  const HttpClientOptions options_;
  const RetryTimes times_;
  HttpStatsCollector stats_;
  std::atomic<std::uint64_t> next_id_ = 1;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  CurlReactor reactor_;

  Mutex mutex_;
  std::vector<std::shared_ptr<Exchange>> inbox_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;

  // The engine thread's own.
  std::unique_ptr<CURLSH, ShareDeleter>
      share_;  // TLS sessions: a resumed handshake is one round trip less
  std::vector<EasyHandle> idle_handles_;
  std::map<std::uint64_t, std::shared_ptr<Exchange>> exchanges_;
  std::list<std::unique_ptr<Transfer>> running_;
  RequestQueue queue_;
  TransferSlots slots_;
  TokenBucket bucket_;
  // Until when an origin wants no requests that are not metered.
  std::map<std::string, SteadyTime> origin_pauses_;
  ByteBudget download_;
  ByteBudget upload_;
  std::minstd_rand random_{std::random_device{}()};

  std::thread thread_;  // last: everything else exists when it starts
};

CurlHttpClient::Engine::Engine(HttpClientOptions options)
    : options_(std::move(options)),
      times_{options_.backoff_first, options_.backoff_max, options_.throttle_first,
             options_.retry_after_max},
      multi_(new_multi()),
      reactor_(multi_.get()),
      share_(curl_share_init()),
      slots_(options_.first_connections, options_.max_connections),
      bucket_(options_.requests_per_second, options_.request_burst,
              std::chrono::steady_clock::now()),
      download_(static_cast<double>(options_.max_download_rate), std::chrono::steady_clock::now()),
      upload_(static_cast<double>(options_.max_upload_rate), std::chrono::steady_clock::now()) {
  if (share_ == nullptr) throw std::bad_alloc();
  curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  const auto connections = static_cast<long>(std::max<std::size_t>(options_.max_connections, 1));
  curl_multi_setopt(multi_.get(), CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
  curl_multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS, connections);
  curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, connections * 2);
  // The thread inherits a mask with everything blocked: signals are for the main thread, and a
  // SIGPIPE from a TLS write must not end the program.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), "http");
}

CurlHttpClient::Engine::~Engine() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  reactor_.wake();
  thread_.join();
  // A share must outlive the handles that use it.
  idle_handles_.clear();
}

Result<HttpResponse> CurlHttpClient::Engine::perform(const CallContext& call, HttpRequest request) {
  const std::string label = label_of(request);
  Result<HttpUrl> url = parse_http_url(request.url);
  if (!url) return fail(url.error().code, label + ": " + url.error().context);
  if (url->scheme == "http" && !options_.allow_http && !is_loopback_host(url->host)) {
    return fail(ErrorCode::kDenied,
                fmt::format("{}: {} is plain HTTP, which everybody on the way can read; use https, "
                            "or set allow_http = true for this remote",
                            label, url->origin()));
  }
  bool clean = is_clean(request.method) && is_clean(request.authorization);
  for (const auto& [name, value] : request.headers) {
    clean = clean && !name.empty() && is_clean(name) && is_clean(value);
  }
  if (!clean) return fail(ErrorCode::kInvalid, label + ": a header holds a line break");
  if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, label);
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, label);
  if (call.deadline <= Clock::system().steady()) {
    return fail(ErrorCode::kTimeout, label + ": no time left before it was sent");
  }
  if (request.stall_timeout.count() > 0) {
    // What is left of the time is for the look that tells what became of it.
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        call.deadline - Clock::system().steady());
    request.stall_timeout =
        std::max(options_.stall_timeout, std::min(request.stall_timeout, left / 2));
  }
  if (request.changes) {
    request.idempotent = false;
  } else if (request.method == "GET" || request.method == "HEAD") {
    request.idempotent = true;
  }

  auto exchange =
      std::make_shared<Exchange>(next_id_.fetch_add(1), call, std::move(request), *std::move(url));
  exchange->queued = Clock::system().steady();
  {
    MutexLock lock(mutex_);
    if (stopping_) return fail(ErrorCode::kCancelled, label + ": shutting down");
    inbox_.push_back(exchange);
  }
  reactor_.wake();
  const auto registration = call.cancel.on_cancel([this, exchange] {
    exchange->cancel();
    reactor_.wake();
  });
  return exchange->wait();
}

void CurlHttpClient::Engine::run() {
  while (true) {
    const SteadyTime now = std::chrono::steady_clock::now();
    take_inbox(now);
    {
      MutexLock lock(mutex_);
      if (stopping_ && inbox_.empty()) break;
    }
    enforce_limits(now);
    resume_paused(now);
    start_ready(now);
    stats_.set_load(running_.size(), queue_.size());
    reactor_.turn(next_poll(now));
    collect_finished();
  }
  while (!running_.empty()) detach(running_.begin());
  while (!exchanges_.empty()) {
    const auto exchange = exchanges_.begin()->second;
    finish(exchange, fail(ErrorCode::kCancelled, exchange->name() + ": shutting down"));
  }
}

void CurlHttpClient::Engine::take_inbox(SteadyTime now) {
  std::vector<std::shared_ptr<Exchange>> arrived;
  {
    MutexLock lock(mutex_);
    arrived.swap(inbox_);
  }
  for (const auto& exchange : arrived) {
    exchanges_.emplace(exchange->id, exchange);
    enqueue(*exchange, now);
  }
}

void CurlHttpClient::Engine::enqueue(const Exchange& exchange, SteadyTime not_before) {
  queue_.push({.id = exchange.id,
               .priority = exchange.call.priority,
               .origin = exchange.url.origin(),
               .metered = exchange.request.metered,
               .queued = exchange.queued,
               .not_before = not_before});
}

// Cancellation, deadlines and stalls.
void CurlHttpClient::Engine::enforce_limits(SteadyTime now) {
  std::vector<std::pair<std::shared_ptr<Exchange>, Error>> ended;
  for (const auto& [id, exchange] : exchanges_) {
    if (exchange->cancelled()) {
      ended.emplace_back(exchange, Error{ErrorCode::kCancelled, exchange->name()});
    } else if (exchange->call.deadline <= now) {
      ended.emplace_back(exchange,
                         Error{ErrorCode::kTimeout, exchange->name() + ": the deadline passed"});
    }
  }
  for (auto& [exchange, error] : ended) {
    abort_attempt(exchange->id);
    queue_.erase(exchange->id);
    finish(exchange, fail(std::move(error)));
  }
  for (auto at = running_.begin(); at != running_.end();) {
    const auto current = at++;
    Exchange& exchange = *(*current)->exchange;
    if ((*current)->paused_down || (*current)->paused_up) exchange.last_activity = now;
    // Before the connection stands, the connect timeout is in charge.
    if (!exchange.sent || now - exchange.last_activity < stall_timeout(exchange)) continue;
    const std::unique_ptr<Transfer> stalled = detach(current);
    fail_or_retry(stalled->exchange, AttemptEnd::kStalled,
                  {ErrorCode::kTimeout, fmt::format("{}: no byte for {} ms", exchange.name(),
                                                    stall_timeout(exchange).count())});
  }
}

std::chrono::milliseconds CurlHttpClient::Engine::stall_timeout(const Exchange& exchange) const {
  const HttpRequest& request = exchange.request;
  const bool sent = !request.body || exchange.request_offset >= request.body->size;
  return sent && request.stall_timeout.count() > 0 ? request.stall_timeout : options_.stall_timeout;
}

void CurlHttpClient::Engine::start_ready(SteadyTime now) {
  // Who cannot outlast a pause that the remote asked for should know at once.
  const SteadyTime paused_until = bucket_.paused_until();
  if (paused_until > now) {
    std::vector<std::shared_ptr<Exchange>> hopeless;
    for (const auto& [id, exchange] : exchanges_) {
      if (exchange->request.metered && exchange->call.deadline < paused_until && queue_.erase(id)) {
        hopeless.push_back(exchange);
      }
    }
    for (const auto& exchange : hopeless) {
      finish(exchange, fail(asked_for_silence(*exchange, paused_until - now)));
    }
  }
  std::erase_if(origin_pauses_, [now](const auto& pause) { return pause.second <= now; });
  while (auto next = queue_.pop_ready(now, bucket_, slots_)) {
    const auto found = exchanges_.find(next->id);
    if (found == exchanges_.end()) continue;
    const std::shared_ptr<Exchange> exchange = found->second;
    const auto pause = origin_pauses_.find(next->origin);
    if (!next->metered && pause != origin_pauses_.end()) {
      if (exchange->call.deadline < pause->second) {
        finish(exchange, fail(asked_for_silence(*exchange, pause->second - now)));
      } else {
        next->not_before = pause->second;
        queue_.push(*std::move(next));
      }
      continue;
    }
    if (auto started = start(exchange, next->origin, now); !started) {
      finish(exchange, fail(std::move(started).error()));
    }
  }
}

Result<void> CurlHttpClient::Engine::start(const std::shared_ptr<Exchange>& exchange,
                                           const std::string& origin, SteadyTime now) {
  auto transfer = std::make_unique<Transfer>();
  transfer->exchange = exchange;
  transfer->origin = origin;
  transfer->download = &download_;
  transfer->upload = &upload_;
  if (idle_handles_.empty()) {
    transfer->easy.reset(curl_easy_init());
  } else {
    transfer->easy = std::move(idle_handles_.back());
    idle_handles_.pop_back();
  }
  if (transfer->easy == nullptr) return fail(ErrorCode::kInternal, "curl_easy_init failed");
  exchange->begin_attempt(now);
  TRY(set_up_transfer(*transfer, options_, share_.get()));
  if (const CURLMcode code = curl_multi_add_handle(multi_.get(), transfer->easy.get());
      code != CURLM_OK) {
    return fail(ErrorCode::kInternal, exchange->name() + ": " + curl_multi_strerror(code));
  }
  slots_.start(origin);
  running_.push_back(std::move(transfer));
  return {};
}

void CurlHttpClient::Engine::resume_paused(SteadyTime now) {
  for (const auto& transfer : running_) {
    const bool down = transfer->paused_down && download_.may_transfer(now);
    const bool up = transfer->paused_up && upload_.may_transfer(now);
    if (!down && !up) continue;
    if (down) transfer->paused_down = false;
    if (up) transfer->paused_up = false;
    const int mask = (transfer->paused_down ? CURLPAUSE_RECV : CURLPAUSE_RECV_CONT) |
                     (transfer->paused_up ? CURLPAUSE_SEND : CURLPAUSE_SEND_CONT);
    curl_easy_pause(transfer->easy.get(), mask);  // may call back, and pause again
  }
}

std::unique_ptr<Transfer> CurlHttpClient::Engine::detach(
    std::list<std::unique_ptr<Transfer>>::iterator at) {
  std::unique_ptr<Transfer> transfer = std::move(*at);
  running_.erase(at);
  curl_multi_remove_handle(multi_.get(), transfer->easy.get());
  if (const auto wait = first_byte_wait(*transfer)) {
    slots_.answered(transfer->origin, label_of(transfer->exchange->request), *wait);
  }
  slots_.finish(transfer->origin);
  record(*transfer, transfer->exchange->response.status);
  curl_easy_getinfo(transfer->easy.get(), CURLINFO_HTTP_CONNECTCODE, &transfer->proxy_status);
  // libcurl 7.88 leaves a buffer at a handle whose connection others still use, and takes no other
  // size for it then.
  curl_easy_reset(transfer->easy.get());
  const bool usable = curl_easy_setopt(transfer->easy.get(), CURLOPT_BUFFERSIZE,
                                       long{CURL_MAX_WRITE_SIZE}) == CURLE_OK;
  if (usable && idle_handles_.size() < options_.max_connections) {
    idle_handles_.push_back(std::move(transfer->easy));
  }
  return transfer;
}

void CurlHttpClient::Engine::abort_attempt(std::uint64_t id) {
  const auto at = std::find_if(running_.begin(), running_.end(),
                               [id](const auto& transfer) { return transfer->exchange->id == id; });
  if (at != running_.end()) detach(at);
}

void CurlHttpClient::Engine::record(const Transfer& transfer, int status) {
  const Exchange& exchange = *transfer.exchange;
  curl_off_t down = 0;
  curl_off_t up = 0;
  long connections = 0;
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_SIZE_DOWNLOAD_T, &down);
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_SIZE_UPLOAD_T, &up);
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_NUM_CONNECTS, &connections);
  const auto spent =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - exchange.started).count();
  stats_.count_attempt(label_of(exchange.request), status, spent, static_cast<std::uint64_t>(down),
                       static_cast<std::uint64_t>(up), static_cast<std::uint64_t>(connections));
  log_debug("http {}: {} -> {} attempt {} in {} out {} {:.1f} ms", options_.remote, exchange.name(),
            status, exchange.attempt, down, up, spent * 1000);
}

void CurlHttpClient::Engine::collect_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode result = message->data.result;
    CURL* const easy = message->easy_handle;
    const auto at = std::find_if(running_.begin(), running_.end(), [easy](const auto& transfer) {
      return transfer->easy.get() == easy;
    });
    if (at != running_.end()) finish_attempt(detach(at), result);
  }
}

void CurlHttpClient::Engine::finish_attempt(std::unique_ptr<Transfer> transfer, CURLcode result) {
  const std::shared_ptr<Exchange> exchange = transfer->exchange;
  const bool complete = exchange->stopped() == Exchange::Stop::kErrorBodyCut ||
                        (result == CURLE_OK && exchange->stopped() == Exchange::Stop::kNone);
  if (complete && exchange->response.status > 0) return answer(exchange);

  if (transfer->proxy_status == kProxyLogin)
    return finish(exchange, fail(proxy_refusal(*exchange)));
  TransferFailure failure = describe_failure(*transfer, result);
  if (failure.end) return fail_or_retry(exchange, *failure.end, std::move(failure.error));
  finish(exchange, fail(std::move(failure.error)));
}

void CurlHttpClient::Engine::answer(const std::shared_ptr<Exchange>& exchange) {
  const SteadyTime now = std::chrono::steady_clock::now();
  HttpResponse& response = exchange->response;
  if (response.status == kProxyLogin) return finish(exchange, fail(proxy_refusal(*exchange)));
  response.effective_url = exchange->url.to_string();
  if (const std::string* value = response.find("retry-after")) {
    const std::string* date = response.find("date");
    response.retry_after =
        parse_retry_after(*value, date == nullptr ? "" : *date, Clock::system().wall());
  }
  const Result<bool> redirected = exchange->follow_redirect(options_.allow_http);
  if (!redirected) return finish(exchange, fail(redirected.error()));
  if (*redirected) {
    --exchange->attempt;  // a hop, not a retry
    return enqueue(*exchange, now);
  }
  Attempt attempt{.end = AttemptEnd::kAnswer,
                  .status = response.status,
                  .throttled = false,
                  .idempotent = exchange->request.idempotent,
                  .number = exchange->attempt,
                  .retry_after = response.retry_after};
  if (response.status == 403 && options_.is_throttled) {
    try {
      attempt.throttled = options_.is_throttled(response);
    } catch (const std::exception& e) {
      log_error("http {}: {}: {}", options_.remote, exchange->name(), e.what());
    }
  }
  if (!retry(exchange, attempt)) finish(exchange, std::move(exchange->response));
}

void CurlHttpClient::Engine::fail_or_retry(const std::shared_ptr<Exchange>& exchange,
                                           AttemptEnd end, Error error) {
  const Attempt attempt{.end = end,
                        .status = 0,
                        .throttled = false,
                        .idempotent = exchange->request.idempotent,
                        .number = exchange->attempt,
                        .retry_after = std::nullopt};
  if (!retry(exchange, attempt)) finish(exchange, fail(std::move(error)));
}

bool CurlHttpClient::Engine::retry(const std::shared_ptr<Exchange>& exchange,
                                   const Attempt& attempt) {
  const double jitter = std::uniform_real_distribution<double>(0, 1)(random_);
  const RetryDecision decision = decide_retry(attempt, times_, jitter);
  const SteadyTime again = std::chrono::steady_clock::now() +
                           std::chrono::duration_cast<SteadyTime::duration>(decision.wait);
  // What a store behind access addresses refuses is not the remote's limit.
  const bool metered = exchange->request.metered;
  if (decision.over_limit) {
    stats_.count_throttled();
    if (metered) bucket_.drain(std::chrono::steady_clock::now());
  }
  if (decision.over_limit || (attempt.end == AttemptEnd::kAnswer && attempt.status == 503)) {
    slots_.too_busy(exchange->url.origin(), exchange->started, std::chrono::steady_clock::now());
  }
  if (decision.pause_remote) {
    if (metered) {
      bucket_.pause_until(again);
    } else {
      SteadyTime& until = origin_pauses_[exchange->url.origin()];
      until = std::max(until, again);
    }
    log_info("http {}: {} asks for {:.1f} s without requests (status {})", options_.remote,
             exchange->url.origin(), std::chrono::duration<double>(decision.wait).count(),
             attempt.status);
  }
  if (!decision.retry || again >= exchange->call.deadline || exchange->cancelled()) return false;
  if (!exchange->can_restart()) return false;
  stats_.count_retry();
  log_debug("http {}: {} again in {:.0f} ms: {}", options_.remote, exchange->name(),
            std::chrono::duration<double, std::milli>(decision.wait).count(), decision.reason);
  enqueue(*exchange, again);
  return true;
}

void CurlHttpClient::Engine::finish(const std::shared_ptr<Exchange>& exchange,
                                    Result<HttpResponse> result) {
  exchanges_.erase(exchange->id);
  exchange->finish(std::move(result));
}

std::chrono::milliseconds CurlHttpClient::Engine::next_poll(SteadyTime now) const {
  SteadyTime next = now + kLongestPoll;
  for (const auto& [id, exchange] : exchanges_) next = std::min(next, exchange->call.deadline);
  for (const auto& transfer : running_) {
    if (transfer->paused_down) next = std::min(next, download_.ready_at(now));
    if (transfer->paused_up) next = std::min(next, upload_.ready_at(now));
    const Exchange& exchange = *transfer->exchange;
    if (exchange.sent) next = std::min(next, exchange.last_activity + stall_timeout(exchange));
  }
  next = std::min(next, queue_.next_ready_at(now, bucket_, slots_));
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(next - now),
                  std::chrono::milliseconds(0));
}

CurlHttpClient::CurlHttpClient(HttpClientOptions options)
    : engine_(std::make_unique<Engine>(std::move(options))) {}

CurlHttpClient::~CurlHttpClient() = default;

Result<HttpResponse> CurlHttpClient::perform(const CallContext& call, HttpRequest request) {
  return engine_->perform(call, std::move(request));
}

HttpStats CurlHttpClient::stats() const { return engine_->stats(); }

}  // namespace cabinetfs
