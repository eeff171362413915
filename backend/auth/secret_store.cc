#include "backend/auth/secret_store.h"

#include "backend/base/log.h"

namespace cabinetfs {

#ifndef CABINETFS_HAVE_LIBSECRET
Result<std::unique_ptr<SecretStore>> make_libsecret_store(std::chrono::milliseconds,
                                                          std::chrono::milliseconds) {
  return fail(ErrorCode::kNotSupported, "built without libsecret");
}
#endif

Result<std::unique_ptr<SecretStore>> open_secret_store(const SecretStoreOptions& options) {
  if (options.kind != SecretStoreOptions::Kind::kFile) {
    Result<std::unique_ptr<SecretStore>> service = make_libsecret_store(options.probe_timeout);
    if (service || options.kind == SecretStoreOptions::Kind::kSecretService) return service;
    log_debug("no Secret Service ({}); credentials are in {}", service.error().context,
              options.file);
  }
  if (options.file.empty()) {
    return fail(ErrorCode::kInvalid, "no file was named for the credentials");
  }
  return make_file_secret_store(options.file);
}

}  // namespace cabinetfs
