#include "tools/cabinetfs/connection.h"

#include <fmt/format.h>

#include <utility>

#include "backend/auth/file_lock.h"
#include "backend/auth/secret_store.h"
#include "backend/http/curl_client.h"
#include "backend/remote_store.h"
#include "tools/cabinetfs/rooted_store.h"
#include "tools/cabinetfs/vendors/vendor.h"

namespace cabinetfs {
namespace {

// Longer than OAuthTokenSource lets a refresh take.
constexpr std::chrono::seconds kRefreshPatience{40};

class VendorConnection final : public Connection {
 public:
  VendorConnection(const std::string& remote, const Options& options,
                   std::unique_ptr<SecretStore> secrets)
      : secrets_(std::move(secrets)), http_(http_options(remote, options)) {}

  Result<void> connect(const Paths& paths, const std::string& remote, const Options& options) {
    TRY_ASSIGN(account_, vendor_of(options).open(paths, remote, options, http_, *secrets_));
    if (options.mount.root.find_first_not_of('/') != std::string::npos)
      rooted_ = make_rooted_store(account_->store(), options.mount.root);
    return {};
  }
  RemoteStore& store() override { return rooted_ ? *rooted_ : account_->store(); }
  SecretStore& secrets() override { return *secrets_; }
  HttpStats http_stats() const override { return http_.stats(); }

 private:
  // In the order in which they need each other.
  const std::unique_ptr<SecretStore> secrets_;
  CurlHttpClient http_;
  std::unique_ptr<VendorAccount> account_;
  std::unique_ptr<RemoteStore> rooted_;
};

Result<void> check_url(const std::string& remote, const Options& options) {
  if (!options.remote.url.empty()) return {};
  return fail(ErrorCode::kInvalid, fmt::format("[remote.{}] has no url", remote));
}

}  // namespace

HttpClientOptions http_options(const std::string& remote, const Options& options) {
  HttpClientOptions out;
  out.remote = remote;
  out.user_agent = "cabinetfs/" CABINETFS_VERSION;
  out.ca_file = options.remote.ca_file;
  out.allow_http = options.remote.allow_http;
  out.proxy = options.remote.proxy;
  out.connect_timeout = options.remote.connect_timeout;
  out.stall_timeout = options.remote.stall_timeout;
  out.max_download_rate = options.remote.download_limit;
  out.max_upload_rate = options.remote.upload_limit;
  vendor_of(options).apply_policy(out);
  // What the user says wins.
  if (options.remote.connections > 0) out.max_connections = options.remote.connections;
  // A vendor's burst belongs to its own limit.
  if (options.remote.rate_limit >= 0) {
    out.requests_per_second = options.remote.rate_limit;
    out.request_burst = 0;
  }
  if (options.remote.rate_burst > 0) out.request_burst = options.remote.rate_burst;
  return out;
}

Result<std::unique_ptr<SecretStore>> open_secrets(const Paths& paths, const Options& options,
                                                  SecretPatience patience) {
  SecretStoreOptions out;
  out.file = paths.secrets_file();
  out.unlock_timeout = patience.unlock;
  out.cancel = std::move(patience.cancel);
  out.unattended = options.remote.auth == RemoteOptions::Auth::kJwt;
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

Result<void> check_credentials(SecretStore& secrets, const std::string& remote,
                               const Options& options) {
  TRY(vendor_of(options).check_options(remote, options));
  return vendor_of(options).check_credentials(secrets, remote, options);
}

Result<void> forget_credentials(const Paths& paths, SecretStore& secrets, const std::string& remote,
                                const Options& options) {
  const auto lock =
      FileLock::acquire(token_lock_file(paths, remote), CallContext::within(kRefreshPatience));
  if (!lock) {
    // Another process of this machine; kTimeout would be the server.
    const bool late = lock.error().code == ErrorCode::kTimeout;
    return fail(late ? ErrorCode::kBusy : lock.error().code, lock.error().context);
  }
  for (const char* key : vendor_of(options).secret_keys()) TRY(secrets.erase(remote, key));
  return {};
}

Result<std::unique_ptr<Connection>> Connection::open(const Paths& paths, const std::string& remote,
                                                     const Options& options,
                                                     const CancelToken& cancel) {
  TRY(check_url(remote, options));
  SecretPatience patience;
  patience.cancel = cancel;
  TRY_ASSIGN(auto secrets, open_secrets(paths, options, std::move(patience)));
  TRY(check_credentials(*secrets, remote, options));
  auto out = std::make_unique<VendorConnection>(remote, options, std::move(secrets));
  TRY(out->connect(paths, remote, options));
  return std::unique_ptr<Connection>(std::move(out));
}

Result<std::unique_ptr<HttpClient>> open_http(const std::string& remote, const Options& options) {
  TRY(check_url(remote, options));
  return std::unique_ptr<HttpClient>(
      std::make_unique<CurlHttpClient>(http_options(remote, options)));
}

}  // namespace cabinetfs
