#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "backend/http/curl_client.h"

namespace cabinetfs {

using Stopwatch = std::chrono::steady_clock;

inline double ms_since(Stopwatch::time_point start) {
  return std::chrono::duration<double, std::milli>(Stopwatch::now() - start).count();
}

// Waits short enough for a test, long enough to be seen.
inline HttpClientOptions quick_options() {
  HttpClientOptions options;
  options.remote = "test";
  options.backoff_first = std::chrono::milliseconds(10);
  options.backoff_max = std::chrono::milliseconds(40);
  options.throttle_first = std::chrono::milliseconds(20);
  return options;
}

inline CallContext soon() { return CallContext::within(std::chrono::seconds(30)); }

inline HttpRequest get_request(std::string url) {
  HttpRequest request;
  request.url = std::move(url);
  return request;
}

inline HttpRequest post_request(std::string url, std::string body = "{}") {
  HttpRequest request;
  request.method = "POST";
  request.url = std::move(url);
  request.body = HttpBody::from_string(std::move(body));
  return request;
}

}  // namespace cabinetfs
