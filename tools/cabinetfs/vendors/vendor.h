#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/auth/secret_string.h"
#include "backend/base/result.h"
#include "tools/cabinetfs/options.h"
#include "tools/cabinetfs/paths.h"

namespace cabinetfs {

class HttpClient;
class RemoteStore;
class SecretStore;
struct HttpClientOptions;
struct LoginCommand;

// One account, connected: what its store needs lives as long as this does.
class VendorAccount {
 public:
  virtual ~VendorAccount() = default;
  virtual RemoteStore& store() = 0;
};

// What a login has at hand; all of it outlives the call.
struct LoginContext {
  const Paths& paths;
  const LoginCommand& command;
  const Options& options;
  SecretStore& secrets;
  HttpClient& http;
};

// What the command has to know of one vendor: which options it needs, how its accounts are logged
// in to, and how its store is made. The only place above backend/ that tells vendors apart.
class Vendor {
 public:
  virtual ~Vendor() = default;
  virtual std::string_view name() const = 0;
  // What the engine should know; options that the user set are put over it.
  virtual void apply_policy(HttpClientOptions& http) const = 0;
  // kInvalid: an option is missing or wrong, for the user to read.
  virtual Result<void> check_options(const std::string& remote, const Options& options) const = 0;
  // kUnauthenticated when nobody has logged in. No network.
  virtual Result<void> check_credentials(SecretStore& secrets, const std::string& remote,
                                         const Options& options) const = 0;
  // Asks for what is needed and stores it. kCancelled: the user gave up.
  virtual Result<void> log_in(const LoginContext& login) const = 0;
  // What a logout forgets.
  virtual std::vector<const char*> secret_keys() const = 0;
  // `http` and `secrets` outlive the account.
  virtual Result<std::unique_ptr<VendorAccount>> open(const Paths& paths, const std::string& remote,
                                                      const Options& options, HttpClient& http,
                                                      SecretStore& secrets) const = 0;
};

const Vendor& kiteworks_vendor();
const Vendor& kenesto_vendor();
const Vendor& powerfolder_vendor();
const Vendor& webdav_vendor();

// The one that the options name; set_option() has let no other name in.
const Vendor& vendor_of(const Options& options);

// How long a login waits for the server.
inline constexpr std::chrono::seconds kServerPatience{30};

// The lock that all processes of a remote take to renew its tokens.
std::string token_lock_file(const Paths& paths, const std::string& remote);

Error not_logged_in(const std::string& remote);

// For a new login, what an earlier one has left: none where that cannot be read from here, or is
// given anew on standard input.
Result<std::optional<SecretString>> earlier_secret(const LoginContext& login, const char* key);

}  // namespace cabinetfs
