#include "backend/auth/authorized_client.h"

#include <utility>

#include "backend/http/http_url.h"

namespace cabinetfs {

AuthorizedClient::AuthorizedClient(HttpClient& client, TokenSource& tokens,
                                   AuthorizedClientOptions options)
    : client_(client), tokens_(tokens), options_(std::move(options)) {}

Result<HttpResponse> AuthorizedClient::perform(const CallContext& call, HttpRequest request) {
  TRY_ASSIGN(const HttpUrl home, parse_http_url(options_.origin));
  TRY_ASSIGN(const HttpUrl url, parse_http_url(request.url));
  if (url.origin() != home.origin()) {
    return fail(ErrorCode::kDenied, request.label + ": credentials for " + home.origin() +
                                        " are not sent to " + url.origin());
  }
  request.headers.insert(request.headers.end(), options_.headers.begin(), options_.headers.end());
  for (int attempt = 1;; ++attempt) {
    TRY_ASSIGN(std::string token, tokens_.token(call));
    request.authorization = options_.scheme + " " + token;
    Result<HttpResponse> response = client_.perform(call, request);
    SecretString::wipe(request.authorization);
    if (!response || response->status < 400) return response;
    const bool rejected =
        options_.token_rejected ? options_.token_rejected(*response) : response->status == 401;
    if (!rejected) return response;
    tokens_.invalidate(token);
    SecretString::wipe(token);
    if (attempt == 2) {
      return fail(ErrorCode::kUnauthenticated,
                  request.label + ": the server rejects a fresh token as well");
    }
  }
}

}  // namespace cabinetfs
