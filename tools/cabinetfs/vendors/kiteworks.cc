#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>

#include <fstream>

#include "backend/auth/authorized_client.h"
#include "backend/auth/jwt.h"
#include "backend/auth/oauth.h"
#include "backend/auth/oauth_token_source.h"
#include "backend/auth/secret_store.h"
#include "backend/http/curl_client.h"
#include "backend/kiteworks/kiteworks.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/vendors/browser_login.h"
#include "tools/cabinetfs/vendors/vendor.h"

namespace cabinetfs {
namespace {

KiteworksConfig kiteworks_config(const Options& options) {
  KiteworksConfig out;
  out.base_url = options.remote.url;
  out.api_version = std::to_string(options.remote.api_version);
  out.both_version_headers = options.remote.version_headers == RemoteOptions::VersionHeaders::kBoth;
  // Each upload holds two chunks: one on the line, the next being read.
  const std::uint64_t share =
      options.content.memory_bytes / (2ull * std::max(1u, options.volume.uploads));
  out.chunk_size =
      std::min<std::uint64_t>(options.remote.chunk_size, std::max<std::uint64_t>(share, 1u << 20));
  out.shared_files_in_root = options.remote.shared_files;
  out.secure_top_folders = options.remote.secure_top_folders;
  out.syncable_top_folders = options.remote.syncable_top_folders;
  return out;
}

AuthorizedClientOptions authorized_options(const Options& options) {
  AuthorizedClientOptions out;
  apply_kiteworks_policy(out, kiteworks_config(options));
  return out;
}

// What the account's list of devices shows of this login.
std::vector<std::pair<std::string, std::string>> this_device(const std::string& remote) {
  std::string host(256, '\0');
  if (gethostname(host.data(), host.size() - 1) != 0) host.clear();
  host.resize(host.find('\0') == std::string::npos ? 0 : host.find('\0'));
  std::string machine;
  std::ifstream("/etc/machine-id") >> machine;  // hosts may share a name; empty where there is none
  return kiteworks_device(host.empty() ? "this machine" : host,
                          fmt::format("{} {} {} {}", machine, host, getuid(), remote));
}

// The registered application, with the client secret that the last login saved.
OAuthClient oauth_client(const std::string& remote, const Options& options,
                         std::optional<SecretString> secret) {
  OAuthClient out;
  out.authorize_url = options.remote.url + "/oauth/authorize";
  out.token_url = options.remote.url + "/oauth/token";
  out.client_id = options.remote.client_id;
  out.scope = options.remote.scope;
  out.redirect_uri = options.remote.redirect_uri;
  out.login_hint = options.remote.user;
  if (secret) out.client_secret = std::move(*secret);
  out.exchange_parameters = this_device(remote);
  return out;
}

bool by_jwt(const Options& options) { return options.remote.auth == RemoteOptions::Auth::kJwt; }

class KiteworksAccount final : public VendorAccount {
 public:
  KiteworksAccount(HttpClient& http, SecretStore& secrets, const Options& options,
                   OAuthTokenSourceOptions tokens)
      : tokens_(http, secrets, std::move(tokens)),
        authorized_(http, tokens_, authorized_options(options)) {}

  Result<void> make_store(const Options& options) {
    TRY_ASSIGN(store_, make_kiteworks_store(authorized_, kiteworks_config(options)));
    return {};
  }
  RemoteStore& store() override { return *store_; }

 private:
  // In the order in which they need each other.
  OAuthTokenSource tokens_;
  AuthorizedClient authorized_;
  std::unique_ptr<RemoteStore> store_;
};

class Kiteworks final : public Vendor {
 public:
  std::string_view name() const override { return "kiteworks"; }
  void apply_policy(HttpClientOptions& http) const override { apply_kiteworks_policy(http); }

  Result<void> check_options(const std::string& remote, const Options& options) const override {
    const RemoteOptions::Auth auth = options.remote.auth;
    if (auth != RemoteOptions::Auth::kAutomatic && auth != RemoteOptions::Auth::kCode &&
        auth != RemoteOptions::Auth::kJwt)
      return fail(ErrorCode::kInvalid,
                  fmt::format("[remote.{}]: Kiteworks takes auth = \"code\" or \"jwt\"", remote));
    if (options.remote.client_id.empty())
      return fail(
          ErrorCode::kInvalid,
          fmt::format("[remote.{}] has no client_id: the id of the custom application that an "
                      "administrator registered",
                      remote));
    if (!by_jwt(options)) return {};
    if (options.remote.jwt_key_file.empty())
      return fail(ErrorCode::kInvalid,
                  fmt::format("[remote.{}] has auth = \"jwt\" and no jwt_key_file", remote));
    if (options.remote.jwt_subject.empty() && options.remote.user.empty())
      return fail(ErrorCode::kInvalid,
                  fmt::format("[remote.{}] has auth = \"jwt\" and no jwt_subject", remote));
    return {};
  }

  Result<void> check_credentials(SecretStore& secrets, const std::string& remote,
                                 const Options& options) const override {
    if (by_jwt(options)) {
      TRY(read_private_key(options.remote.jwt_key_file));
      return {};
    }
    TRY_ASSIGN(const auto tokens, secrets.get(remote, kTokensKey));
    if (!tokens || !decode_tokens(*tokens)) return fail(not_logged_in(remote));
    return {};
  }

  Result<void> log_in(const LoginContext& login) const override {
    TRY_ASSIGN(auto secret, earlier_secret(login, kClientSecretKey));
    return log_in_with_oauth(login,
                             oauth_client(login.command.remote, login.options, std::move(secret)));
  }

  std::vector<const char*> secret_keys() const override { return {kTokensKey, kClientSecretKey}; }

  Result<std::unique_ptr<VendorAccount>> open(const Paths& paths, const std::string& remote,
                                              const Options& options, HttpClient& http,
                                              SecretStore& secrets) const override {
    OAuthTokenSourceOptions tokens;
    tokens.remote = remote;
    tokens.lock_file = token_lock_file(paths, remote);
    TRY_ASSIGN(auto secret, secrets.get(remote, kClientSecretKey));
    tokens.client = oauth_client(remote, options, std::move(secret));
    if (by_jwt(options)) {
      const RemoteOptions& from = options.remote;
      OAuthTokenSourceOptions::Jwt jwt;
      jwt.claims.issuer = from.jwt_issuer.empty() ? from.client_id : from.jwt_issuer;
      jwt.claims.audience = from.jwt_audience.empty() ? from.url : from.jwt_audience;
      jwt.claims.subject = from.jwt_subject.empty() ? from.user : from.jwt_subject;
      jwt.private_key_file = from.jwt_key_file;
      tokens.jwt = std::move(jwt);
    }
    auto out = std::make_unique<KiteworksAccount>(http, secrets, options, std::move(tokens));
    TRY(out->make_store(options));
    return std::unique_ptr<VendorAccount>(std::move(out));
  }
};

}  // namespace

const Vendor& kiteworks_vendor() {
  static const Kiteworks vendor;
  return vendor;
}

}  // namespace cabinetfs
