#include "tests/unit/kiteworks/scripted_http.h"

#include <gtest/gtest.h>

namespace cabinetfs {

void ScriptedHttp::answer(const std::string& request, int status, const std::string& body,
                          const HttpHeaders& headers) {
  HttpResponse response;
  response.status = status;
  response.body = body;
  response.headers = headers;
  response.headers.emplace_back("content-type", "application/json");
  MutexLock lock(mutex_);
  steps_.push_back({request, std::move(response)});
}

void ScriptedHttp::lose(const std::string& request, ErrorCode code) {
  MutexLock lock(mutex_);
  steps_.push_back({request, fail(code, "scripted")});
}

std::vector<ScriptedHttp::Seen> ScriptedHttp::take_seen() {
  MutexLock lock(mutex_);
  return std::exchange(seen_, {});
}

std::size_t ScriptedHttp::left() const {
  MutexLock lock(mutex_);
  return steps_.size();
}

Result<HttpResponse> ScriptedHttp::perform(const CallContext&, HttpRequest request) {
  Seen seen;
  seen.method = request.method;
  const std::string& url = request.url;
  seen.target = url.substr(url.find('/', url.find("//") + 2));
  seen.headers = request.headers;
  seen.idempotent = request.idempotent;
  seen.stall_timeout = request.stall_timeout;
  if (request.body) {
    seen.body.resize(request.body->size);
    std::size_t filled = 0;
    while (filled < seen.body.size()) {
      const std::size_t got =
          request.body->read(filled, std::as_writable_bytes(std::span(seen.body)).subspan(filled));
      if (got == 0) return fail(ErrorCode::kIo, "the body ended early");
      filled += got;
    }
  }
  const std::string line = seen.method + " " + seen.target;
  MutexLock lock(mutex_);
  seen_.push_back(std::move(seen));
  if (steps_.empty()) {
    ADD_FAILURE() << "unexpected request: " << line;
    return fail(ErrorCode::kInternal, "no answer for " + line);
  }
  Step step = std::move(steps_.front());
  steps_.pop_front();
  EXPECT_EQ(line.substr(0, step.request.size()), step.request);
  if (step.result && request.sink && step.result->status < 300) {
    if (request.on_headers && !request.on_headers(step.result->status, step.result->headers)) {
      return fail(ErrorCode::kCancelled, "refused by the caller");
    }
    const std::string body = std::exchange(step.result->body, {});
    if (!request.sink(as_bytes(body))) return fail(ErrorCode::kCancelled, "refused by the caller");
  }
  return std::move(step.result);
}

}  // namespace cabinetfs
