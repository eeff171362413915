#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "backend/base/cancel.h"
#include "backend/base/result.h"
#include "backend/http/http_stats.h"
#include "tools/cabinetfs/options.h"
#include "tools/cabinetfs/paths.h"

namespace cabinetfs {

class HttpClient;
class RemoteStore;
class SecretStore;
struct HttpClientOptions;

// For a keyring to be unlocked.
struct SecretPatience {
  std::chrono::milliseconds unlock = std::chrono::seconds(60);
  CancelToken cancel = {};
};
// Where the answer is only shown, nobody is asked.
inline constexpr std::chrono::milliseconds kNoUnlock{0};
// Once a mount is up, its calls do not wait long for a person.
inline constexpr std::chrono::seconds kUnlockInPassing{5};

// The secret store that a remote's options choose.
Result<std::unique_ptr<SecretStore>> open_secrets(const Paths& paths, const Options& options,
                                                  SecretPatience patience = {});

// Whether the options suffice (kInvalid) and somebody has logged in (kUnauthenticated says what to
// do); without a network.
Result<void> check_credentials(SecretStore& secrets, const std::string& remote,
                               const Options& options);

// Forgets what logins have saved. A token refresh that is under way, in a mount or another command,
// is waited for: its result would put the login back. kBusy when that takes too long.
Result<void> forget_credentials(const Paths& paths, SecretStore& secrets, const std::string& remote,
                                const Options& options);

// Everything between a remote's name and a RemoteStore: secret store, HTTP engine, tokens, vendor.
// Starts a thread, so make it after fork(). Destroyed in the right order, and after what a token
// refresh has been answered is saved: a refresh token may work once. A command makes it below an
// InterruptScope, so that Ctrl-C gives up the call and not the process.
class Connection {
 public:
  // kUnauthenticated before any network use when nobody has logged in; kInvalid for options that do
  // not fit together.
  static Result<std::unique_ptr<Connection>> open(const Paths& paths, const std::string& remote,
                                                  const Options& options,
                                                  const CancelToken& cancel = {});
  virtual ~Connection() = default;
  // Below Options::mount.root.
  virtual RemoteStore& store() = 0;
  virtual SecretStore& secrets() = 0;
  virtual HttpStats http_stats() const = 0;
};

// What the engine of a remote is made with.
HttpClientOptions http_options(const std::string& remote, const Options& options);
// The engine alone, for what needs no login.
Result<std::unique_ptr<HttpClient>> open_http(const std::string& remote, const Options& options);

}  // namespace cabinetfs
