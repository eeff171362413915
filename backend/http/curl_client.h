#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "backend/http/http_client.h"
#include "backend/http/http_stats.h"

namespace cabinetfs {

struct HttpClientOptions {
  // The remote's name in the configuration, for messages.
  std::string remote;
  std::string user_agent = "cabinetfs";
  // PEM file with the authorities to trust instead of the system's. Verification is never off.
  std::string ca_file;
  // Plain HTTP to hosts other than loopback.
  bool allow_http = false;
  // "http://proxy:3128"; empty: the environment (https_proxy, no_proxy, ...); "none": no proxy.
  std::string proxy;

  // Transfers running at one time against one host. Uploads leave the last eighth of them, and
  // prefetching the last quarter, to others.
  std::size_t max_connections = 48;
  // So many to begin with, and more as long as the server answers all of them promptly
  // (transfer_slots.h); 0 = `max_connections` at once.
  std::size_t first_connections = 0;
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  // No byte in either direction for this long ends an attempt with kTimeout.
  std::chrono::milliseconds stall_timeout = std::chrono::seconds(30);

  // The remote's request limit; 0 = none. `request_burst` 0 means one second's worth.
  double requests_per_second = 0;
  double request_burst = 0;
  // Bytes per second for all transfers together; 0 = no limit.
  std::uint64_t max_download_rate = 0;
  std::uint64_t max_upload_rate = 0;

  // Whether a 403 means "too many requests" to this vendor. Such an answer is tried at most 3 times
  // and then returned. Runs on the engine thread. Unset: never.
  std::function<bool(const HttpResponse&)> is_throttled;

  // First wait before a retry, doubled each time up to the second value, with jitter. A test may
  // shorten them.
  std::chrono::milliseconds backoff_first = std::chrono::milliseconds(250);
  std::chrono::milliseconds backoff_max = std::chrono::seconds(15);
  // First wait after "too many requests" without Retry-After.
  std::chrono::milliseconds throttle_first = std::chrono::seconds(1);
  // A longer Retry-After is cut to this: a wrong header must not silence a mount for a day. Calls
  // whose deadline is sooner fail at once.
  std::chrono::milliseconds retry_after_max = std::chrono::minutes(30);
};

// The HTTP engine of one remote: one thread around libcurl's multi interface, connections reused
// and shared by all callers. perform() may be called from any number of threads; it returns within
// about 50 ms of its cancellation or deadline. Starts its thread in the constructor, so construct
// it after daemonizing: neither the thread nor the connections survive fork().
//
// The destructor ends what is still running with kCancelled and joins the thread; no thread may be
// inside perform() when it returns.
class CurlHttpClient final : public HttpClient {
 public:
  explicit CurlHttpClient(HttpClientOptions options);
  ~CurlHttpClient() override;
  CurlHttpClient(const CurlHttpClient&) = delete;
  CurlHttpClient& operator=(const CurlHttpClient&) = delete;

  Result<HttpResponse> perform(const CallContext& call, HttpRequest request) override;

  HttpStats stats() const;

 private:
  class Engine;
  const std::unique_ptr<Engine> engine_;
};

}  // namespace cabinetfs
