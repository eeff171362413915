#include "backend/kenesto/kenesto.h"

#include <fmt/format.h>

#include <iostream>

#include "backend/auth/secret_store.h"
#include "backend/http/curl_client.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/login_input.h"
#include "tools/cabinetfs/vendors/vendor.h"

namespace cabinetfs {
namespace {

KenestoConfig kenesto_config(const Options& options) {
  KenestoConfig out;
  out.base_url = options.remote.url;
  out.user = options.remote.user;
  out.tenant = options.remote.tenant;
  switch (options.remote.undocumented_calls) {
    case RemoteOptions::Undocumented::kProbe:
      out.undocumented_calls = KenestoConfig::Undocumented::kProbe;
      break;
    case RemoteOptions::Undocumented::kOn:
      out.undocumented_calls = KenestoConfig::Undocumented::kOn;
      break;
    case RemoteOptions::Undocumented::kOff:
      out.undocumented_calls = KenestoConfig::Undocumented::kOff;
      break;
  }
  return out;
}

KenestoLogin login_of(const std::string& remote, const Options& options) {
  return {remote, options.remote.url, options.remote.organization};
}

// Written last: what it says of the credentials is true by then.
Result<void> write_stamp(SecretStore& secrets, const std::string& remote) {
  return secrets.set(
      remote, kKenestoLoginStamp,
      SecretString(fmt::format("{}", Clock::system().wall().time_since_epoch().count())));
}

Result<std::string> read_stamp(SecretStore& secrets, const std::string& remote) {
  TRY_ASSIGN(const auto stamp, secrets.get(remote, kKenestoLoginStamp));
  return stamp ? stamp->reveal() : std::string();  // none: by an older version
}

class KenestoAccount final : public VendorAccount {
 public:
  explicit KenestoAccount(std::unique_ptr<KenestoSession> session) : session_(std::move(session)) {}
  Result<void> make_store(HttpClient& http, const Options& options) {
    TRY_ASSIGN(store_, make_kenesto_store(http, *session_, kenesto_config(options)));
    return {};
  }
  RemoteStore& store() override { return *store_; }

 private:
  const std::unique_ptr<KenestoSession> session_;
  std::unique_ptr<RemoteStore> store_;
};

class Kenesto final : public Vendor {
 public:
  std::string_view name() const override { return "kenesto"; }
  void apply_policy(HttpClientOptions& http) const override { apply_kenesto_policy(http); }

  Result<void> check_options(const std::string& remote, const Options& options) const override {
    const RemoteOptions::Auth auth = options.remote.auth;
    if (auth != RemoteOptions::Auth::kAutomatic && auth != RemoteOptions::Auth::kPassword &&
        auth != RemoteOptions::Auth::kToken)
      return fail(
          ErrorCode::kInvalid,
          fmt::format("[remote.{}]: Kenesto takes auth = \"password\" or \"token\"", remote));
    if (options.remote.user.empty() && auth != RemoteOptions::Auth::kToken)
      return fail(ErrorCode::kInvalid, fmt::format("[remote.{}] has no user", remote));
    return {};
  }

  Result<void> check_credentials(SecretStore& secrets, const std::string& remote,
                                 const Options&) const override {
    TRY_ASSIGN(const auto token, secrets.get(remote, kKenestoSessionToken));
    if (token) return {};
    TRY_ASSIGN(const auto password, secrets.get(remote, kKenestoPassword));
    if (!password) return fail(not_logged_in(remote));
    return {};
  }

  Result<void> log_in(const LoginContext& login) const override {
    const std::string& remote = login.command.remote;
    const bool token =
        login.command.token || login.options.remote.auth == RemoteOptions::Auth::kToken;
    std::vector<SecretString> lines;
    if (login.command.secret_stdin) {
      TRY_ASSIGN(lines, read_secret_lines(std::cin, token ? 1 : 2));
      if (lines.size() != (token ? 1u : 2u))
        return fail(ErrorCode::kInvalid,
                    token ? "one line is expected on standard input: the session token"
                          : "two lines are expected on standard input: the access key, then the "
                            "password");
    } else if (token) {
      TRY_ASSIGN(SecretString pasted, ask_secret("Session token: "));
      lines.push_back(std::move(pasted));
    } else {
      TRY_ASSIGN(SecretString key, ask_secret("Access key (from Kenesto): "));
      TRY_ASSIGN(SecretString password,
                 ask_secret(fmt::format("Password of {}: ", login.options.remote.user)));
      lines.push_back(std::move(key));
      lines.push_back(std::move(password));
    }
    if (token) {
      for (const char* old : {kKenestoAccessKey, kKenestoPassword}) {
        // In a keyring that is out of reach they may stay: a token is asked for first.
        const auto erased = login.secrets.erase(remote, old);
        if (!erased && erased.error().code != ErrorCode::kIo) return erased;
      }
      TRY(login.secrets.set(remote, kKenestoSessionToken, lines[0]));
      return write_stamp(login.secrets, remote);
    }
    // Only what the server has accepted is kept.
    TRY(kenesto_login(login.http, CallContext::within(kServerPatience),
                      login_of(remote, login.options),
                      {lines[0], login.options.remote.user, lines[1]}));
    TRY(login.secrets.erase(remote, kKenestoSessionToken));
    TRY(login.secrets.set(remote, kKenestoAccessKey, lines[0]));
    TRY(login.secrets.set(remote, kKenestoPassword, lines[1]));
    return write_stamp(login.secrets, remote);
  }

  std::vector<const char*> secret_keys() const override {
    return {kKenestoAccessKey, kKenestoPassword, kKenestoSessionToken, kKenestoLoginStamp};
  }

  Result<std::unique_ptr<VendorAccount>> open(const Paths&, const std::string& remote,
                                              const Options& options, HttpClient& http,
                                              SecretStore& secrets) const override {
    TRY_ASSIGN(auto token, secrets.get(remote, kKenestoSessionToken));
    std::unique_ptr<KenestoSession> session;
    if (token) {
      TRY_ASSIGN(const std::string stamp, read_stamp(secrets, remote));
      session = make_pasted_kenesto_session(
          remote, KenestoPasted{std::move(*token), stamp},
          [&secrets, remote](const CallContext&) -> Result<KenestoPasted> {
            TRY_ASSIGN(const std::string at, read_stamp(secrets, remote));
            TRY_ASSIGN(auto again, secrets.get(remote, kKenestoSessionToken));
            if (!again) return fail(not_logged_in(remote));
            return KenestoPasted{std::move(*again), at};
          });
    } else {
      session = std::make_unique<KenestoLoginSession>(
          http, login_of(remote, options),
          [&secrets, remote,
           user = options.remote.user](const CallContext&) -> Result<KenestoCredentials> {
            TRY_ASSIGN(const std::string stamp, read_stamp(secrets, remote));
            TRY_ASSIGN(auto key, secrets.get(remote, kKenestoAccessKey));
            TRY_ASSIGN(auto password, secrets.get(remote, kKenestoPassword));
            if (!key || !password) return fail(not_logged_in(remote));
            return KenestoCredentials{std::move(*key), user, std::move(*password), stamp};
          });
    }
    auto out = std::make_unique<KenestoAccount>(std::move(session));
    TRY(out->make_store(http, options));
    return std::unique_ptr<VendorAccount>(std::move(out));
  }
};

}  // namespace

const Vendor& kenesto_vendor() {
  static const Kenesto vendor;
  return vendor;
}

}  // namespace cabinetfs
