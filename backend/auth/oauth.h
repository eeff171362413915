#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/auth/secret_string.h"
#include "backend/base/call.h"
#include "backend/base/result.h"

namespace cabinetfs {

class HttpClient;

// An application registered with a remote, and where its OAuth endpoints are.
struct OAuthClient {
  std::string authorize_url;
  std::string token_url;
  std::string client_id;
  SecretString client_secret;  // empty: a public client, which sends none
  std::string redirect_uri;
  std::string scope;       // empty: what the registration allows
  std::string login_hint;  // empty: whoever the browser is logged in as
  // RFC 7636, where the server is known to take it.
  bool pkce = true;
  // A refresh as a GET with its parameters in the address, at this endpoint and without the client
  // secret, where a vendor has it so; empty: a form for `token_url`.
  std::string refresh_address;
  // Refusals are a status and prose: 400 and 401 without JSON say that code or refresh token are
  // dead (else they are taken for a proxy's words, and the server is asked again later).
  bool plain_refusals = false;
  // Sent along with the code exchange (device identification).
  std::vector<std::pair<std::string, std::string>> exchange_parameters;
};

// RFC 7636.
struct Pkce {
  SecretString verifier;
  std::string challenge;  // S256
};
Result<Pkce> make_pkce();
std::string pkce_challenge(std::string_view verifier);

// 32 random bytes, base64url: a `state`, a `jti`.
Result<std::string> random_token();

// What the browser opens. An empty challenge is left out.
std::string authorize_url(const OAuthClient& client, const std::string& state,
                          const std::string& code_challenge);

struct OAuthTokens {
  SecretString access_token;
  SecretString refresh_token;                      // empty: none was issued
  std::optional<std::chrono::seconds> expires_in;  // unset: the server did not say
  std::string scope;
};

// Reads a token endpoint's answer. Tolerant: `expires_in` a number or a numeric string, unknown
// fields. Errors: kUnauthenticated (invalid_grant, access_denied: log in again), kDenied
// (invalid_client, unauthorized_client, invalid_scope, ...: the registration is wrong),
// kUnavailable (5xx, temporarily_unavailable, 429, no JSON from something on the way). The server's
// words are redacted.
Result<OAuthTokens> parse_token_answer(int status, std::string_view body,
                                       bool plain_refusals = false);

// Ask the token endpoint. Never repeated, also where it is a GET: a refresh token and a code may be
// used once. No error tells a secret, whatever the server answers. `pkce_verifier` empty: none.
Result<OAuthTokens> exchange_code(HttpClient& http, const CallContext& call,
                                  const OAuthClient& client, const SecretString& code,
                                  const SecretString& pkce_verifier);
Result<OAuthTokens> refresh_tokens(HttpClient& http, const CallContext& call,
                                   const OAuthClient& client, const SecretString& refresh_token);
Result<OAuthTokens> exchange_assertion(HttpClient& http, const CallContext& call,
                                       const OAuthClient& client, const SecretString& assertion);

// The query of a URL, or a form body, decoded. The first of equal names wins.
std::map<std::string, std::string> parse_query(std::string_view target);

}  // namespace cabinetfs
