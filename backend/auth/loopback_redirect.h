#pragma once

#include <cstdint>
#include <string>

#include "backend/auth/secret_string.h"
#include "backend/base/call.h"
#include "backend/base/result.h"

namespace cabinetfs {

// Receives the answer of a browser login: a small HTTP listener on 127.0.0.1. One thread at a time.
class LoopbackRedirect {
 public:
  // Listens at once, so that the port is ours before the browser opens. Port 0: any free one.
  // kBusy: the port is taken.
  static Result<LoopbackRedirect> listen(std::uint16_t port, std::string path = "/callback");

  LoopbackRedirect(LoopbackRedirect&& other) noexcept;
  LoopbackRedirect& operator=(LoopbackRedirect&&) = delete;
  ~LoopbackRedirect();

  std::uint16_t port() const { return port_; }
  // "http://localhost:9999/callback": what the application is registered with.
  std::string redirect_uri() const;

  // Waits for a request to the path with this state and returns its code. Other paths and wrong
  // states are answered with an error page and waited past, so that a stray or forged request does
  // not end the login. kDenied: the server says so (`error=`); kTimeout, kCancelled.
  Result<SecretString> wait(const CallContext& call, const std::string& state);

 private:
  LoopbackRedirect(int listener, std::uint16_t port, std::string path);
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::string path_;
};

}  // namespace cabinetfs
