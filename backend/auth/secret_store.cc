#include "backend/auth/secret_store.h"

namespace cabinetfs {

#ifndef CABINETFS_HAVE_LIBSECRET
Result<std::unique_ptr<SecretStore>> make_libsecret_store(std::chrono::milliseconds,
                                                          std::chrono::milliseconds, CancelToken) {
  return fail(ErrorCode::kNotSupported, "built without libsecret");
}
#endif

Result<std::unique_ptr<SecretStore>> open_secret_store(const SecretStoreOptions& options) {
  const auto keyring = [probe = options.probe_timeout, unlock = options.unlock_timeout,
                        cancel = options.cancel](bool may_give_up) {
    auto made = make_libsecret_store(probe, unlock, cancel);
    if (made || may_give_up || made.error().code != ErrorCode::kCancelled) return made;
    return make_libsecret_store(probe, unlock);
  };
  if (options.kind == SecretStoreOptions::Kind::kSecretService) return keyring(true);
  if (options.file.empty()) {
    return fail(ErrorCode::kInvalid, "no file was named for the credentials");
  }
  auto file = make_file_secret_store(options.file);
  if (options.kind == SecretStoreOptions::Kind::kFile) return file;
  return make_automatic_secret_store(std::move(file), keyring, options.unattended);
}

}  // namespace cabinetfs
