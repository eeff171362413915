#pragma once

#include <memory>
#include <string>

#include "backend/auth/secret_string.h"
#include "backend/remote_store.h"
#include "backend/webdav/config.h"

namespace cabinetfs {

class HttpClient;
class TokenSource;
struct AuthorizedClientOptions;
struct HttpClientOptions;

// The store of one WebDAV collection. `http` outlives it and adds the authorization (an
// AuthorizedClient). kInvalid: the base URL.
Result<std::unique_ptr<RemoteStore>> make_webdav_store(HttpClient& http,
                                                       const WebDavConfig& config);

// What the engine should know: no limits are published, so a small pool.
void apply_webdav_policy(HttpClientOptions& options);
// Credentials as HTTP Basic (give it make_basic_token_source) to this server only.
void apply_webdav_policy(AuthorizedClientOptions& options, const WebDavConfig& config);

// User and password (or a token in its place) for an AuthorizedClient with the scheme "Basic".
// Refused once, they stay refused: servers lock accounts that are tried too often. kInvalid: a
// colon in the user name.
Result<std::unique_ptr<TokenSource>> make_basic_token_source(const std::string& remote,
                                                             const std::string& user,
                                                             const SecretString& password);

}  // namespace cabinetfs
