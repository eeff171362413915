#pragma once

#include <memory>
#include <string>

#include "backend/auth/oauth.h"
#include "backend/auth/secret_string.h"
#include "backend/base/call.h"
#include "backend/powerfolder/config.h"
#include "backend/remote_store.h"

namespace cabinetfs {

class HttpClient;
struct AuthorizedClientOptions;
struct HttpClientOptions;

// The store of one PowerFolder account. `http` outlives it and adds the authorization (an
// AuthorizedClient over make_basic_token_source() of backend/webdav/webdav.h, or over OAuth
// tokens). kInvalid: the configuration.
Result<std::unique_ptr<RemoteStore>> make_powerfolder_store(HttpClient& http,
                                                            const PowerFolderConfig& config);

// What the engine has to know of this vendor: a small pool, since no limits are published.
void apply_powerfolder_policy(HttpClientOptions& options);
// The same for the authorized client: where credentials go, and which answers mean that they are
// dead. A 401 of the folder service may also mean "not your folder", and must not end the session.
void apply_powerfolder_policy(AuthorizedClientOptions& options, const PowerFolderConfig& config);

// Trades the password for a token that takes its place in Basic authorization, so that the password
// need not be kept. `http` adds nothing. kUnauthenticated: refused; kNotSupported: this server
// gives no tokens (then the password itself is what there is).
Result<SecretString> powerfolder_login_token(HttpClient& http, const CallContext& call,
                                             const PowerFolderConfig& config,
                                             const std::string& user, const SecretString& password);

// An application that an administrator registered (the vendor's OAuth2, server 11.5 and newer), all
// but its secret: consent at /oauth/allow, code against tokens at /oauth/token, refresh by a GET of
// /oauth. Empty `redirect_uri`: chosen at the login. kInvalid: the server's address.
Result<OAuthClient> powerfolder_oauth_client(const PowerFolderConfig& config,
                                             const std::string& client_id,
                                             const std::string& redirect_uri);

}  // namespace cabinetfs
