#include "tools/cabinetfs/connection.h"

#include <fmt/format.h>

#include <utility>

#include "backend/auth/authorized_client.h"
#include "backend/auth/oauth_token_source.h"
#include "backend/auth/secret_store.h"
#include "backend/http/curl_client.h"
#include "backend/kiteworks/kiteworks.h"
#include "backend/remote_store.h"
#include "tools/cabinetfs/rooted_store.h"

namespace cabinetfs {
namespace {

HttpClientOptions http_options(const std::string& remote, const Options& options) {
  HttpClientOptions out;
  out.remote = remote;
  out.user_agent = "cabinetfs/" CABINETFS_VERSION;
  out.ca_file = options.remote.ca_file;
  out.allow_http = options.remote.allow_http;
  out.proxy = options.remote.proxy;
  out.max_connections = options.remote.connections;
  out.connect_timeout = options.remote.connect_timeout;
  out.stall_timeout = options.remote.stall_timeout;
  out.max_download_rate = options.remote.download_limit;
  out.max_upload_rate = options.remote.upload_limit;
  apply_kiteworks_policy(out);
  // What the user says wins; 0 is "no limit" and must not be taken for "not set".
  out.requests_per_second = options.remote.rate_limit;
  out.request_burst = options.remote.rate_burst;
  return out;
}

KiteworksConfig kiteworks_config(const Options& options) {
  KiteworksConfig out;
  out.base_url = options.remote.url;
  out.api_version = std::to_string(options.remote.api_version);
  return out;
}

AuthorizedClientOptions authorized_options(const Options& options) {
  AuthorizedClientOptions out;
  apply_kiteworks_policy(out, kiteworks_config(options));
  return out;
}

class KiteworksConnection final : public Connection {
 public:
  KiteworksConnection(const std::string& remote, const Options& options,
                      std::unique_ptr<SecretStore> secrets, OAuthTokenSourceOptions tokens)
      : secrets_(std::move(secrets)),
        http_(http_options(remote, options)),
        tokens_(http_, *secrets_, std::move(tokens)),
        authorized_(http_, tokens_, authorized_options(options)) {}

  Result<void> make_store(const Options& options) {
    TRY_ASSIGN(account_, make_kiteworks_store(authorized_, kiteworks_config(options)));
    if (options.mount.root.find_first_not_of('/') != std::string::npos)
      rooted_ = make_rooted_store(*account_, options.mount.root);
    return {};
  }
  RemoteStore& store() override { return rooted_ ? *rooted_ : *account_; }
  SecretStore& secrets() override { return *secrets_; }
  HttpStats http_stats() const override { return http_.stats(); }

 private:
  // In the order in which they need each other.
  const std::unique_ptr<SecretStore> secrets_;
  CurlHttpClient http_;
  OAuthTokenSource tokens_;
  AuthorizedClient authorized_;
  std::unique_ptr<RemoteStore> account_, rooted_;
};

Error not_logged_in(const std::string& remote) {
  return {ErrorCode::kUnauthenticated,
          fmt::format("not logged in to {}; run: cabinetfs login {}", remote, remote)};
}

}  // namespace

Result<std::unique_ptr<SecretStore>> open_secrets(const Paths& paths, const Options& options) {
  SecretStoreOptions out;
  out.file = paths.secrets_file();
  switch (options.remote.secret_store) {
    case RemoteOptions::Secrets::kAutomatic:
      out.kind = SecretStoreOptions::Kind::kAutomatic;
      break;
    case RemoteOptions::Secrets::kFile:
      out.kind = SecretStoreOptions::Kind::kFile;
      break;
    case RemoteOptions::Secrets::kKeyring:
      out.kind = SecretStoreOptions::Kind::kSecretService;
      break;
  }
  return open_secret_store(out);
}

std::string token_lock_file(const Paths& paths, const std::string& remote) {
  return paths.remote_state_dir(remote) + "/token.lock";
}

Result<void> check_credentials(SecretStore& secrets, const std::string& remote,
                               const Options& options) {
  if (options.remote.client_id.empty())
    return fail(
        ErrorCode::kInvalid,
        fmt::format("[remote.{}] has no client_id: the id of the custom application that an "
                    "administrator registered",
                    remote));
  if (options.remote.auth == RemoteOptions::Auth::kJwt) {
    if (options.remote.jwt_key_file.empty())
      return fail(ErrorCode::kInvalid,
                  fmt::format("[remote.{}] has auth = \"jwt\" and no jwt_key_file", remote));
    if (options.remote.jwt_subject.empty() && options.remote.user.empty())
      return fail(ErrorCode::kInvalid,
                  fmt::format("[remote.{}] has auth = \"jwt\" and no jwt_subject", remote));
    TRY(read_private_key(options.remote.jwt_key_file));
    return {};
  }
  TRY_ASSIGN(const auto tokens, secrets.get(remote, kTokensKey));
  if (!tokens || !decode_tokens(*tokens)) return fail(not_logged_in(remote));
  return {};
}

Result<OAuthClient> oauth_client(SecretStore& secrets, const std::string& remote,
                                 const Options& options) {
  OAuthClient out;
  out.authorize_url = options.remote.url + "/oauth/authorize";
  out.token_url = options.remote.url + "/oauth/token";
  out.client_id = options.remote.client_id;
  out.scope = options.remote.scope;
  out.redirect_uri = options.remote.redirect_uri;
  TRY_ASSIGN(auto secret, secrets.get(remote, kClientSecretKey));
  if (secret) out.client_secret = std::move(*secret);
  return out;
}

Result<std::unique_ptr<Connection>> Connection::open(const Paths& paths, const std::string& remote,
                                                     const Options& options) {
  if (options.remote.url.empty())
    return fail(ErrorCode::kInvalid, fmt::format("[remote.{}] has no url", remote));
  TRY_ASSIGN(auto secrets, open_secrets(paths, options));
  TRY(check_credentials(*secrets, remote, options));
  OAuthTokenSourceOptions tokens;
  tokens.remote = remote;
  tokens.lock_file = token_lock_file(paths, remote);
  TRY_ASSIGN(tokens.client, oauth_client(*secrets, remote, options));
  if (options.remote.auth == RemoteOptions::Auth::kJwt) {
    const RemoteOptions& from = options.remote;
    OAuthTokenSourceOptions::Jwt jwt;
    jwt.claims.issuer = from.jwt_issuer.empty() ? from.client_id : from.jwt_issuer;
    jwt.claims.audience = from.jwt_audience.empty() ? from.url : from.jwt_audience;
    jwt.claims.subject = from.jwt_subject.empty() ? from.user : from.jwt_subject;
    jwt.private_key_file = from.jwt_key_file;
    tokens.jwt = std::move(jwt);
  }
  auto out =
      std::make_unique<KiteworksConnection>(remote, options, std::move(secrets), std::move(tokens));
  TRY(out->make_store(options));
  return std::unique_ptr<Connection>(std::move(out));
}

Result<std::unique_ptr<HttpClient>> open_http(const std::string& remote, const Options& options) {
  if (options.remote.url.empty())
    return fail(ErrorCode::kInvalid, fmt::format("[remote.{}] has no url", remote));
  return std::unique_ptr<HttpClient>(
      std::make_unique<CurlHttpClient>(http_options(remote, options)));
}

}  // namespace cabinetfs
