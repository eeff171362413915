#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/mutex.h"
#include "backend/http/http_client.h"
#include "backend/http/http_url.h"

namespace cabinetfs {

// One perform() call from its arrival to its answer: what the engine knows about it apart from
// libcurl. Shared by the waiting caller and the engine thread; everything but wait(), cancel(),
// cancelled() and finish() belongs to the engine thread.
class Exchange {
 public:
  Exchange(std::uint64_t id, const CallContext& call, HttpRequest request, HttpUrl url);

  // The caller's side.
  Result<HttpResponse> wait() EXCLUDES(mutex_);
  void cancel() { cancelled_.store(true, std::memory_order_release); }

  // The engine's side.
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  void finish(Result<HttpResponse> result) EXCLUDES(mutex_);

  // Why a callback stopped the attempt.
  enum class Stop {
    kNone,
    kRefused,       // on_headers or sink answered false
    kBodyTooLarge,  // more than max_body
    kHeadersTooLarge,
    kErrorBodyCut,    // the body of an error answer is longer than max_body: enough is known
    kBodyUnreadable,  // the request's body source failed
    kWouldRepeat,     // libcurl wanted to send again what must not be sent twice
    kThrew,           // a callback threw
  };

  void begin_attempt(SteadyTime now);
  // One header line with or without its line end. False: stopped.
  bool take_header_line(std::string_view line);
  // A piece of the answer's body. False: stopped.
  bool take_body(Bytes bytes);
  // The next bytes of the request's body; nullopt: stopped.
  std::optional<std::size_t> give_body(MutableBytes out);
  // libcurl is about to send the request (again, when a connection turned out to be dead).
  bool may_send();
  bool rewind_body(std::uint64_t offset);
  void stop(Stop reason) { stop_ = reason; }

  // After an answer: whether it redirects to a place that this request may follow; if so, the next
  // attempt goes there. kUnavailable: too many hops.
  Result<bool> follow_redirect(bool plain_http_allowed);
  // Whether another attempt can begin from a clean state after this one broke.
  bool can_restart();

  // "GET /rest/files" or what else names the request in logs; no secrets.
  std::string name() const;

  const std::uint64_t id;
  const CallContext call;
  const HttpRequest request;
  HttpUrl url;  // of the current hop
  bool with_credentials = true;
  int attempt = 0;
  SteadyTime queued{};
  SteadyTime started{};        // of the attempt
  SteadyTime last_activity{};  // of the attempt
  HttpResponse response;
  bool sent = false;  // a byte of the request may have left
  std::uint64_t request_offset = 0;
  std::uint64_t delivered = 0;  // bytes given to the sink in this attempt
  Stop stopped() const { return stop_; }

 private:
  bool end_headers();
  bool to_sink() const;

  std::atomic<bool> cancelled_ = false;
  Stop stop_ = Stop::kNone;
  std::size_t header_bytes_ = 0;
  bool headers_done_ = false;
  int redirects_ = 0;

  Mutex mutex_;
  CondVar done_;
  std::optional<Result<HttpResponse>> result_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
