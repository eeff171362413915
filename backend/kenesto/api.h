#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "backend/base/call.h"
#include "backend/base/mutex.h"
#include "backend/base/result.h"
#include "backend/http/http_client.h"
#include "backend/kenesto/session.h"
#include "backend/kenesto/wire.h"

namespace cabinetfs::kenesto {

// Names and values as they are; encoded when the URL is made.
using Query = std::vector<std::pair<std::string, std::string>>;

// An Error together with what the server said, for those who decide by the vendor's words. Slices
// into a plain Error in TRY.
struct ApiFailure : Error {
  bool told = false;  // the server answered, and the answer is a failure
  int status = 0;     // HTTP
  // A page or a redirect in the place of an answer, though no refusal (2xx, 3xx).
  bool page = false;
  bool no_call = false;  // the web server knows no such call, or its address is wrong
  std::string message;   // the vendor's words, hostile and not redacted
};
template <class T>
class [[nodiscard]] ApiResult : public tl::expected<T, ApiFailure> {
 public:
  using tl::expected<T, ApiFailure>::expected;
};

struct ApiRequest {
  // "RetrieveDocuments": the call of KDocuments.svc, also its label in logs.
  std::string call;
  Query query;
  std::string json;   // a body; makes it a POST
  std::string about;  // what it is about, for messages: "id=..."
  // Changes something, which most GETs here do. Such a request is sent once. When its answer does
  // not arrive or cannot be understood, the failure is kUnavailable or kTimeout.
  bool mutates = false;
  std::chrono::milliseconds stall_timeout{0};  // as in HttpRequest
  // Instead of the session's, for things shared from outside: in RetrieveObjectInfo and
  // DownloadFile, which have a parameter for it (`ie`), and nowhere else.
  std::string external_token;
};

// The calls of KDocuments.svc: the token in the query, encoded once; three shapes of failure; a new
// session where the old one has ended (reading calls are repeated then). Thread safe.
class Api {
 public:
  // `base` as service_base() makes it.
  Api(HttpClient& http, KenestoSession& session, std::string base);

  // The frame of a success, or why not.
  ApiResult<WireEnvelope> send(const CallContext& call, const ApiRequest& request);

  // A server's time when the last answer came, else the wall clock's; for addresses that expire.
  WallTime server_time() const {
    return WallTime(std::chrono::nanoseconds(clock_skew_.load())) +
           Clock::system().wall().time_since_epoch();
  }

  HttpClient& http() { return http_; }

 private:
  ApiResult<WireEnvelope> attempt(const CallContext& call, const ApiRequest& request,
                                  const std::string& token);
  bool session_is_dead(const CallContext& call, const std::string& token,
                       const ApiFailure& failure);
  // Whether a session may be ended because of pages instead of answers: each one once, and not the
  // next one soon after, which would show that the session is not to blame.
  bool may_end_for_pages(const std::string& token) EXCLUDES(mutex_);
  void ended_for_pages(const std::string& token) EXCLUDES(mutex_);

  HttpClient& http_;
  KenestoSession& session_;
  const std::string base_;
  std::atomic<SteadyTime> last_answer_ = SteadyTime::min();
  std::atomic<std::int64_t> clock_skew_ = 0;  // nanoseconds, the server's clock minus ours
  Mutex mutex_;
  // The last token that was given up for pages, by its hash, and when.
  std::size_t ended_ GUARDED_BY(mutex_) = 0;
  SteadyTime ended_at_ GUARDED_BY(mutex_) = SteadyTime::min();
};

// "https://host/Kenesto.Web.API" of a configured address. kInvalid.
Result<std::string> service_base(const std::string& url);

// One line of the vendor's words for a message: without secrets, at most 200 bytes.
std::string printable(const std::string& words, const std::vector<std::string>& secrets);

// The caller has given up, or the account cannot be asked: nothing else will go better.
bool gives_up(ErrorCode code);

// The text of a JSON value.
std::string json_text(std::string_view text);

}  // namespace cabinetfs::kenesto
