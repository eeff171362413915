#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tools/sandbox/http/counters.h"
#include "tools/sandbox/http/faults.h"
#include "tools/sandbox/http/message.h"
#include "tools/sandbox/http/pacing.h"
#include "tools/sandbox/http/router.h"
#include "tools/sandbox/http/stop_signal.h"
#include "tools/sandbox/http/tls.h"

namespace cabinetfs::sandbox {

// How the line to the server behaves at this moment.
struct LineTuning {
  std::chrono::milliseconds latency{0};
  std::int64_t bandwidth = 0, bandwidth_total = 0;  // bytes per second; 0 = unlimited
  RateLimiter::Limits rate;
};

// What a vendor puts behind the server. The callbacks are called from the threads of the
// connections.
struct Application {
  Router api;
  Router admin;  // paths under /_admin: not counted, delayed, limited or hit by faults
  // Before the route is looked for: a vendor that takes several spellings of a path makes them one
  // in `segments`. May be null.
  std::function<void(Request&)> prepare;
  // True: the body goes to Request::raw, whatever its type and size. Asked when the route is known.
  // May be null.
  std::function<bool(const Request&)> takes_raw_body;
  // Name of the account that the credentials of the request belong to, empty if none.
  std::function<std::string(const Request&)> identify;
  std::function<LineTuning()> tuning;
  std::function<Response(Router::Found)> not_routed;
  std::function<Response()> throttled;
  // Asked before the body of a request with "Expect: 100-continue": an answer saves the body. May
  // be null.
  std::function<std::optional<Response>(Request&)> before_body;
  // The connection ended while the body was on its way; `raw` has what came. May be null.
  std::function<void(Request&)> aborted;
  // What an exception out of a handler looks like to the client.
  std::function<Response(const std::string& what)> failed;
};

// An HTTP/1.1 server on 127.0.0.1, with or without TLS, a thread per connection. Runs from
// construction to destruction.
class HttpServer {
 public:
  struct Options {
    std::uint16_t port = 0;
    const Certificates* tls = nullptr;  // null: plain HTTP
    std::filesystem::path spool_dir;    // for request bodies that are too long for memory
  };
  // Throws std::runtime_error if it cannot listen. `application` outlives the server and is not
  // changed any more.
  HttpServer(const Options& options, const Application& application, FaultTable& faults,
             Counters& counters, StopSignal& stop);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cabinetfs::sandbox
