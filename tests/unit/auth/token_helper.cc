// Asks for a token as another process of the same remote would, and says how it went:
//   token_helper TOKEN_URL SECRETS_FILE LOCK_FILE

#include <cstdio>

#include "backend/auth/oauth_token_source.h"
#include "backend/auth/secret_store.h"
#include "backend/http/curl_client.h"

int main(int argc, char** argv) {
  using namespace cabinetfs;
  if (argc != 4) return 2;
  CurlHttpClient http{HttpClientOptions()};
  const auto store = make_file_secret_store(argv[2]);
  OAuthTokenSourceOptions options;
  options.remote = "work";
  options.lock_file = argv[3];
  options.client.token_url = argv[1];
  options.client.client_id = "id";
  OAuthTokenSource tokens(http, *store, options);
  const auto token = tokens.token(CallContext::within(std::chrono::seconds(30)));
  if (!token) {
    std::fprintf(stderr, "%s\n", to_string(token.error()).c_str());
    return 1;
  }
  std::puts(token->c_str());
  return 0;
}
