#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "backend/base/mutex.h"
#include "backend/http/http_client.h"

namespace cabinetfs {

// Answers requests from a script, in order, and remembers them. An answer may say which request it
// is for; another one then ends the test with a message.
class ScriptedHttp final : public HttpClient {
 public:
  struct Seen {
    std::string method;
    std::string target;  // path and query
    HttpHeaders headers;
    std::string body;
    bool idempotent = false;
    std::chrono::milliseconds stall_timeout{0};
  };

  // `request`: "GET /rest/users/me", a prefix of method and target.
  void answer(const std::string& request, int status, const std::string& body,
              const HttpHeaders& headers = {});
  // No answer at all.
  void lose(const std::string& request, ErrorCode code);
  std::vector<Seen> take_seen() EXCLUDES(mutex_);
  std::size_t left() const EXCLUDES(mutex_);

  Result<HttpResponse> perform(const CallContext& call, HttpRequest request) override
      EXCLUDES(mutex_);

 private:
  struct Step {
    std::string request;
    Result<HttpResponse> result;
  };
  mutable Mutex mutex_;
  std::deque<Step> steps_ GUARDED_BY(mutex_);
  std::vector<Seen> seen_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
