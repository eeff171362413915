#include "tools/cabinetfs/vendors/vendor.h"

#include <fmt/format.h>

#include "backend/auth/secret_store.h"
#include "backend/base/log.h"
#include "tools/cabinetfs/commands.h"

namespace cabinetfs {

const Vendor& vendor_of(const Options& options) {
  for (const Vendor* vendor :
       {&kiteworks_vendor(), &kenesto_vendor(), &powerfolder_vendor(), &webdav_vendor()}) {
    if (vendor->name() == options.remote.vendor) return *vendor;
  }
  return kiteworks_vendor();
}

std::string token_lock_file(const Paths& paths, const std::string& remote) {
  return paths.remote_state_dir(remote) + "/token.lock";
}

Error not_logged_in(const std::string& remote) {
  return {ErrorCode::kUnauthenticated,
          fmt::format("not logged in to {}; run: cabinetfs login {}", remote, remote)};
}

Result<std::optional<SecretString>> earlier_secret(const LoginContext& login, const char* key) {
  if (login.command.secret_stdin) return std::optional<SecretString>();
  auto secret = login.secrets.get(login.command.remote, key);
  if (secret || secret.error().code != ErrorCode::kIo) return secret;
  log_debug("{}", secret.error().context);
  return std::optional<SecretString>();
}

}  // namespace cabinetfs
