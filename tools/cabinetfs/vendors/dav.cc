// PowerFolder and plain WebDAV servers: a user and a password, or a token in its place; PowerFolder
// also the login of a registered application.

#include <fmt/format.h>
#include <unistd.h>

#include <functional>
#include <iostream>
#include <memory>

#include "backend/auth/authorized_client.h"
#include "backend/auth/oauth_token_source.h"
#include "backend/auth/secret_store.h"
#include "backend/auth/token_source.h"
#include "backend/base/clock.h"
#include "backend/base/mutex.h"
#include "backend/http/curl_client.h"
#include "backend/powerfolder/powerfolder.h"
#include "backend/webdav/webdav.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/login_input.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/vendors/browser_login.h"
#include "tools/cabinetfs/vendors/vendor.h"

namespace cabinetfs {
namespace {

constexpr const char* kPasswordKey = "password";
// Another text after each login, so that one with the same password is noticed too.
constexpr const char* kLoginKey = "login";
bool by_bearer(const Options& options) {
  return options.remote.auth == RemoteOptions::Auth::kBearer;
}
bool by_code(const Options& options) { return options.remote.auth == RemoteOptions::Auth::kCode; }

WebDavConfig webdav_config(const Options& options) {
  WebDavConfig out;
  out.base_url = options.remote.url;
  out.user = options.remote.user;
  out.names.case_sensitive = options.remote.case_sensitive;
  out.locks = options.remote.dav_locks != RemoteOptions::Locks::kOff;
  return out;
}

PowerFolderConfig powerfolder_config(const Options& options) {
  PowerFolderConfig out;
  out.server_url = options.remote.url;
  out.user = options.remote.user;
  out.folder = options.remote.folder;
  out.bearer = by_bearer(options) || by_code(options);
  out.create_top_folders = options.remote.create_top_folders;
  out.rename_top_folders = options.remote.rename_top_folders;
  switch (options.remote.remove_top_folders) {
    case RemoteOptions::RemoveTop::kOff:
      break;
    case RemoteOptions::RemoveTop::kKeep:
      out.remove_top_folders = PowerFolderConfig::RemoveTop::kKeepData;
      break;
    case RemoteOptions::RemoveTop::kPurge:
      out.remove_top_folders = PowerFolderConfig::RemoveTop::kPurgeData;
      break;
  }
  out.case_sensitive = options.remote.case_sensitive;
  // Whether they meet the product's own is not known.
  out.locks = options.remote.dav_locks == RemoteOptions::Locks::kOn;
  return out;
}

// What rests in the secret store. Once the server takes it no longer, a new login (by another
// process) is noticed, so that a mount goes on with it. Thread safe; `secrets` outlives it.
class StoredTokenSource final : public TokenSource {
 public:
  using Make = std::function<Result<std::unique_ptr<TokenSource>>(const SecretString&)>;

  static Result<std::unique_ptr<TokenSource>> open(SecretStore& secrets, std::string remote,
                                                   Make make) {
    auto out = std::unique_ptr<StoredTokenSource>(
        new StoredTokenSource(secrets, std::move(remote), std::move(make)));
    TRY(out->look_again(nullptr));
    return std::unique_ptr<TokenSource>(std::move(out));
  }

  Result<std::string> token(const CallContext& call) override {
    const std::shared_ptr<TokenSource> before = now();
    auto known = before->token(call);
    if (known || known.error().code != ErrorCode::kUnauthenticated) return known;
    TRY(look_again(before.get()));
    return now()->token(call);
  }
  void invalidate(const std::string& rejected_token) override { now()->invalidate(rejected_token); }

 private:
  StoredTokenSource(SecretStore& secrets, std::string remote, Make make)
      : secrets_(secrets), remote_(std::move(remote)), make_(std::move(make)) {}

  std::shared_ptr<TokenSource> now() {
    MutexLock lock(mutex_);
    return source_;
  }
  // Unless another thread has replaced `refused` meanwhile, or nobody has logged in again.
  Result<void> look_again(const TokenSource* refused) {
    // In the order that is not the writer's: a stamp is never newer than the secret read after it.
    TRY_ASSIGN(const auto stamp, secrets_.get(remote_, kLoginKey));
    TRY_ASSIGN(const auto secret, secrets_.get(remote_, kPasswordKey));
    if (!secret) return fail(not_logged_in(remote_));
    const SecretString login = stamp.value_or(SecretString());
    MutexLock lock(mutex_);
    if (source_.get() != refused) return {};
    if (refused != nullptr && secret_ == *secret && login_ == login) return {};
    TRY_ASSIGN(source_, make_(*secret));
    secret_ = *secret;
    login_ = login;
    return {};
  }

  SecretStore& secrets_;
  const std::string remote_;
  const Make make_;
  Mutex mutex_;
  SecretString secret_ GUARDED_BY(mutex_);
  SecretString login_ GUARDED_BY(mutex_);
  std::shared_ptr<TokenSource> source_ GUARDED_BY(mutex_);
};

class DavAccount final : public VendorAccount {
 public:
  DavAccount(HttpClient& http, std::unique_ptr<TokenSource> tokens, AuthorizedClientOptions options)
      : tokens_(std::move(tokens)), authorized_(http, *tokens_, std::move(options)) {}
  RemoteStore& store() override { return *store_; }
  HttpClient& authorized() { return authorized_; }
  void set_store(std::unique_ptr<RemoteStore> store) { store_ = std::move(store); }

 private:
  const std::unique_ptr<TokenSource> tokens_;
  AuthorizedClient authorized_;
  std::unique_ptr<RemoteStore> store_;
};

Result<SecretString> read_password(const LoginContext& login, const std::string& what) {
  if (!login.command.secret_stdin) return ask_secret(what + ": ");
  TRY_ASSIGN(const auto lines, read_secret_lines(std::cin, 1));
  if (lines.empty())
    return fail(ErrorCode::kInvalid,
                "one line is expected on standard input: the password or token");
  return lines[0];
}

class DavVendor : public Vendor {
 public:
  Result<void> check_options(const std::string& remote, const Options& options) const override {
    const RemoteOptions::Auth auth = options.remote.auth;
    if (auth == RemoteOptions::Auth::kCode || auth == RemoteOptions::Auth::kJwt)
      return fail(ErrorCode::kInvalid,
                  fmt::format("[remote.{}]: {} takes auth = {}", remote, name(), ways_in()));
    if (options.remote.user.empty() && auth != RemoteOptions::Auth::kBearer)
      return fail(ErrorCode::kInvalid, fmt::format("[remote.{}] has no user", remote));
    return {};
  }

  Result<void> check_credentials(SecretStore& secrets, const std::string& remote,
                                 const Options&) const override {
    TRY_ASSIGN(const auto password, secrets.get(remote, kPasswordKey));
    if (!password) return fail(not_logged_in(remote));
    return {};
  }

  Result<void> log_in(const LoginContext& login) const override {
    const bool token =
        login.command.token || login.options.remote.auth == RemoteOptions::Auth::kToken;
    TRY_ASSIGN(SecretString secret,
               read_password(login, by_bearer(login.options) ? std::string("Access token")
                                    : token ? "Token of " + login.options.remote.user
                                            : "Password of " + login.options.remote.user));
    if (!token && !by_bearer(login.options)) {
      TRY_ASSIGN(secret, worth_keeping(login, std::move(secret)));
    }
    TRY(login.secrets.set(login.command.remote, kPasswordKey, secret));
    const auto now = Clock::system().wall().time_since_epoch();
    return login.secrets.set(login.command.remote, kLoginKey,
                             SecretString(fmt::format("{} {}", now.count(), getpid())));
  }

  std::vector<const char*> secret_keys() const override { return {kPasswordKey, kLoginKey}; }

 protected:
  // For a message.
  virtual std::string_view ways_in() const { return R"("password", "token" or "bearer")"; }
  // What is stored in the password's place.
  virtual Result<SecretString> worth_keeping(const LoginContext&, SecretString password) const {
    return password;
  }

  static Result<std::unique_ptr<TokenSource>> token_source(SecretStore& secrets,
                                                           const std::string& remote,
                                                           const Options& options) {
    return StoredTokenSource::open(
        secrets, remote,
        [remote, user = options.remote.user, bearer = by_bearer(options)](
            const SecretString& secret) -> Result<std::unique_ptr<TokenSource>> {
          if (bearer) return make_fixed_token_source(remote, secret);
          return make_basic_token_source(remote, user, secret);
        });
  }
};

class PlainWebDav final : public DavVendor {
 public:
  std::string_view name() const override { return "webdav"; }
  void apply_policy(HttpClientOptions& http) const override { apply_webdav_policy(http); }

  Result<std::unique_ptr<VendorAccount>> open(const Paths&, const std::string& remote,
                                              const Options& options, HttpClient& http,
                                              SecretStore& secrets) const override {
    TRY_ASSIGN(auto tokens, token_source(secrets, remote, options));
    AuthorizedClientOptions authorized;
    apply_webdav_policy(authorized, webdav_config(options));
    if (by_bearer(options)) authorized.scheme = "Bearer";
    auto out = std::make_unique<DavAccount>(http, std::move(tokens), std::move(authorized));
    TRY_ASSIGN(auto store, make_webdav_store(out->authorized(), webdav_config(options)));
    out->set_store(std::move(store));
    return std::unique_ptr<VendorAccount>(std::move(out));
  }
};

class PowerFolder final : public DavVendor {
 public:
  std::string_view name() const override { return "powerfolder"; }
  void apply_policy(HttpClientOptions& http) const override { apply_powerfolder_policy(http); }

  Result<void> check_options(const std::string& remote, const Options& options) const override {
    if (!by_code(options)) return DavVendor::check_options(remote, options);
    if (options.remote.client_id.empty())
      return fail(ErrorCode::kInvalid,
                  fmt::format("[remote.{}] has auth = \"code\" and no client_id: the id of the "
                              "application that an administrator registered",
                              remote));
    return {};
  }

  Result<void> check_credentials(SecretStore& secrets, const std::string& remote,
                                 const Options& options) const override {
    if (!by_code(options)) return DavVendor::check_credentials(secrets, remote, options);
    TRY_ASSIGN(const auto tokens, secrets.get(remote, kTokensKey));
    if (!tokens || !decode_tokens(*tokens)) return fail(not_logged_in(remote));
    return {};
  }

  Result<void> log_in(const LoginContext& login) const override {
    if (!by_code(login.options)) return DavVendor::log_in(login);
    TRY_ASSIGN(auto secret, earlier_secret(login, kClientSecretKey));
    TRY_ASSIGN(OAuthClient client, oauth_client(login.options, std::move(secret)));
    return log_in_with_oauth(login, std::move(client));
  }

  std::vector<const char*> secret_keys() const override {
    return {kPasswordKey, kLoginKey, kTokensKey, kClientSecretKey};
  }

  Result<std::unique_ptr<VendorAccount>> open(const Paths& paths, const std::string& remote,
                                              const Options& options, HttpClient& http,
                                              SecretStore& secrets) const override {
    std::unique_ptr<TokenSource> tokens;
    if (by_code(options)) {
      OAuthTokenSourceOptions source;
      source.remote = remote;
      source.lock_file = token_lock_file(paths, remote);
      TRY_ASSIGN(auto secret, secrets.get(remote, kClientSecretKey));
      TRY_ASSIGN(source.client, oauth_client(options, std::move(secret)));
      tokens = std::make_unique<OAuthTokenSource>(http, secrets, std::move(source));
    } else {
      TRY_ASSIGN(tokens, token_source(secrets, remote, options));
    }
    AuthorizedClientOptions authorized;
    apply_powerfolder_policy(authorized, powerfolder_config(options));
    auto out = std::make_unique<DavAccount>(http, std::move(tokens), std::move(authorized));
    TRY_ASSIGN(auto store, make_powerfolder_store(out->authorized(), powerfolder_config(options)));
    out->set_store(std::move(store));
    return std::unique_ptr<VendorAccount>(std::move(out));
  }

 private:
  std::string_view ways_in() const override { return R"("password", "token", "bearer" or "code")"; }

  static Result<OAuthClient> oauth_client(const Options& options,
                                          std::optional<SecretString> secret) {
    TRY_ASSIGN(OAuthClient out,
               powerfolder_oauth_client(powerfolder_config(options), options.remote.client_id,
                                        options.remote.redirect_uri));
    if (secret) out.client_secret = std::move(*secret);
    return out;
  }

  // A token that the server can take back is kept instead of the password, where it gives one.
  Result<SecretString> worth_keeping(const LoginContext& login,
                                     SecretString password) const override {
    auto token = powerfolder_login_token(login.http, CallContext::within(kServerPatience),
                                         powerfolder_config(login.options),
                                         login.options.remote.user, password);
    if (token) return token;
    if (token.error().code != ErrorCode::kNotSupported) return fail(token.error());
    say("This server gives no tokens: the password itself is kept.");
    return password;
  }
};

}  // namespace

const Vendor& powerfolder_vendor() {
  static const PowerFolder vendor;
  return vendor;
}

const Vendor& webdav_vendor() {
  static const PlainWebDav vendor;
  return vendor;
}

}  // namespace cabinetfs
