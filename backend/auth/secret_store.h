#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/auth/secret_string.h"
#include "backend/base/cancel.h"
#include "backend/base/result.h"

namespace cabinetfs {

// Where credentials rest: one value per remote and key ("client_secret", "oauth", "password", ...).
// Thread safe, and safe against other processes of the same user. Values are never part of an
// Error.
class SecretStore {
 public:
  virtual ~SecretStore() = default;
  // nullopt when there is none. kIo (also a keyring that is locked or out of reach), kDenied (a
  // file that others can read), kBusy (another process has the file), kCancelled.
  virtual Result<std::optional<SecretString>> get(std::string_view remote,
                                                  std::string_view key) = 0;
  // Durable when it returns.
  virtual Result<void> set(std::string_view remote, std::string_view key,
                           const SecretString& value) = 0;
  // Succeeds when there is none.
  virtual Result<void> erase(std::string_view remote, std::string_view key) = 0;
  // The same, but nobody is asked to unlock the keyring: kIo.
  virtual Result<void> erase_unasked(std::string_view remote, std::string_view key) {
    return erase(remote, key);
  }
  // From here on no longer wait for the keyring to be unlocked when something is read.
  virtual void limit_reads(std::chrono::milliseconds /*unlock_timeout*/) {}
  // For messages: "Secret Service" or the file's path; of two places the one that was used last, or
  // else would be.
  virtual std::string description() const = 0;
};

struct SecretStoreOptions {
  // The file to use where there is no Secret Service; its directory is made 0700.
  std::string file;
  enum class Kind { kAutomatic, kFile, kSecretService };
  Kind kind = Kind::kAutomatic;
  // How long to wait for the Secret Service to answer at all, before the file is used.
  std::chrono::milliseconds probe_timeout = std::chrono::milliseconds(700);
  // How long the user may take to unlock the keyring; 0: nobody is asked.
  std::chrono::milliseconds unlock_timeout = std::chrono::seconds(60);
  CancelToken cancel = {};  // gives up reading; what is saved or erased is waited for
  // With kAutomatic: logins are had anew without a person.
  bool unattended = false;
};

// One of both, or with kAutomatic what make_automatic_secret_store() says. kNotSupported when the
// Secret Service was asked for and is not there, kCancelled.
Result<std::unique_ptr<SecretStore>> open_secret_store(const SecretStoreOptions& options);

// A JSON file, mode 0600, replaced atomically and synced.
std::unique_ptr<SecretStore> make_file_secret_store(std::string path);

// kNotSupported when built without libsecret, or no Secret Service answers within `probe_timeout`.
// `unlock_timeout`: how long a call waits for the user to unlock the keyring (kIo); 0: nobody is
// asked when something is read or erased. `cancel` gives up this call and reading (kCancelled).
Result<std::unique_ptr<SecretStore>> make_libsecret_store(
    std::chrono::milliseconds probe_timeout,
    std::chrono::milliseconds unlock_timeout = std::chrono::seconds(60), CancelToken cancel = {});

// Both: a desktop session has a keyring, cron and ssh have none, and the same login serves them. A
// secret stays in the place where it is; a new one goes into the keyring that `keyring` opens, or
// into the file where that fails. The file remembers which place counts: where the keyring does and
// is out of reach, reading is kIo and not "there is none". Of an older version's two values the
// keyring's counts, and the file's serves where there is no keyring. `unattended`: what is out of
// reach counts as absent, and a new one goes into the file; but never the key of a store.
// `keyring` is told whether it may give up (kCancelled): not for what is saved or erased.
std::unique_ptr<SecretStore> make_automatic_secret_store(
    std::unique_ptr<SecretStore> file,
    std::function<Result<std::unique_ptr<SecretStore>>(bool may_give_up)> keyring,
    bool unattended = false);

}  // namespace cabinetfs
