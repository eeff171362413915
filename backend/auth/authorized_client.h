#pragma once

#include <functional>
#include <string>

#include "backend/auth/token_source.h"
#include "backend/http/http_client.h"

namespace cabinetfs {

struct AuthorizedClientOptions {
  // "https://content.example.com": tokens go to this scheme, host and port only. A request to
  // another place is refused with kDenied.
  std::string origin;
  std::string scheme = "Bearer";
  // Sent with every request (API version headers).
  HttpHeaders headers;
  // Whether an answer says that the token is dead, as opposed to "this account may not". Unset:
  // every 401. A predicate is asked about every answer with status 400 and above.
  std::function<bool(const HttpResponse&)> token_rejected;
};

// Adds the authorization to requests. When the server rejects the token, it is refreshed (once for
// all callers) and the request sent once more: it had no effect, whatever its method. A second
// rejection is returned as kUnauthenticated. `client` and `tokens` outlive this. Thread safe.
class AuthorizedClient final : public HttpClient {
 public:
  AuthorizedClient(HttpClient& client, TokenSource& tokens, AuthorizedClientOptions options);
  Result<HttpResponse> perform(const CallContext& call, HttpRequest request) override;

 private:
  HttpClient& client_;
  TokenSource& tokens_;
  const AuthorizedClientOptions options_;
};

}  // namespace cabinetfs
