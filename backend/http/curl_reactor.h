#pragma once

#include <curl/curl.h>

#include <chrono>

#include "backend/base/clock.h"
#include "backend/base/descriptor.h"

// libcurl's event interface on epoll. Each turn costs what is ready, not what is open: asking
// libcurl to look at everything (curl_multi_perform) takes most of a request's time when some
// thirty are under way.

namespace cabinetfs {

class CurlReactor {
 public:
  // `multi` belongs to the caller and is used by nobody else; it outlives this. Throws
  // std::system_error.
  explicit CurlReactor(CURLM* multi);
  ~CurlReactor();
  CurlReactor(const CurlReactor&) = delete;
  CurlReactor& operator=(const CurlReactor&) = delete;

  // Waits until a socket is ready, libcurl's time has come, wake() is called, or `longest` has
  // passed, and lets libcurl go on. One thread.
  void turn(std::chrono::milliseconds longest);
  // Ends the turn that is under way, or the next one at once. Any thread.
  void wake();

 private:
  static int on_socket(CURL* easy, curl_socket_t socket, int what, void* user, void* known);
  static int on_timer(CURLM* multi, long milliseconds, void* user);
  void watch(curl_socket_t socket, int what);

  CURLM* const multi_;
  Descriptor epoll_;
  Descriptor wakeup_;
  SteadyTime due_ = SteadyTime::max();  // when libcurl wants to be called, whatever happens
};

}  // namespace cabinetfs
