#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/auth/secret_string.h"
#include "backend/base/result.h"

namespace cabinetfs {

// Where credentials rest: one value per remote and key ("client_secret", "oauth", "password", ...).
// Thread safe, and safe against other processes of the same user. Values are never part of an
// Error.
class SecretStore {
 public:
  virtual ~SecretStore() = default;
  // nullopt when there is none. kIo, kDenied (a file that others can read), kTimeout.
  virtual Result<std::optional<SecretString>> get(std::string_view remote,
                                                  std::string_view key) = 0;
  // Durable when it returns.
  virtual Result<void> set(std::string_view remote, std::string_view key,
                           const SecretString& value) = 0;
  // Succeeds when there is none.
  virtual Result<void> erase(std::string_view remote, std::string_view key) = 0;
  // For messages: "Secret Service" or the file's path.
  virtual std::string description() const = 0;
};

struct SecretStoreOptions {
  // The file to use where there is no Secret Service; its directory is made 0700.
  std::string file;
  enum class Kind { kAutomatic, kFile, kSecretService };
  Kind kind = Kind::kAutomatic;
  // How long to wait for the Secret Service to answer at all, before the file is used.
  std::chrono::milliseconds probe_timeout = std::chrono::milliseconds(700);
};

// The Secret Service where the session has one, else the file. kNotSupported when the Secret
// Service was asked for and is not there.
Result<std::unique_ptr<SecretStore>> open_secret_store(const SecretStoreOptions& options);

// A JSON file, mode 0600, replaced atomically and synced.
std::unique_ptr<SecretStore> make_file_secret_store(std::string path);

// kNotSupported when built without libsecret, or no Secret Service answers within `probe_timeout`.
// `unlock_timeout`: how long a change waits for the user to unlock the keyring (kTimeout).
Result<std::unique_ptr<SecretStore>> make_libsecret_store(
    std::chrono::milliseconds probe_timeout,
    std::chrono::milliseconds unlock_timeout = std::chrono::seconds(60));

}  // namespace cabinetfs
