#include "tools/cabinetfs/store_sealer.h"

#include <fmt/format.h>
#include <string.h>

#include <filesystem>

#include "backend/auth/secret_store.h"
#include "cache/posix_env.h"
#include "cache/sealer.h"
#include "cache/store_key.h"

namespace cabinetfs {

Result<std::unique_ptr<Sealer>> open_store_sealer(SecretStore& secrets, const StorePaths& store,
                                                  bool encrypted) {
  if (!encrypted) return Sealer::plain();
  SecretAccess access;
  access.get = [&](const std::string& name) -> Result<std::optional<std::string>> {
    TRY_ASSIGN(const auto value, secrets.get(store.name, name));
    if (!value) return std::optional<std::string>();
    return std::optional<std::string>(value->reveal());
  };
  access.set = [&](const std::string& name, const std::string& value) {
    return secrets.set(store.name, name, SecretString(value));
  };
  const bool exists = file_exists(store.meta_file());
  TRY_ASSIGN(Sealer::Key key, load_store_key(store.state, "store_key", exists, &access));
  auto sealer = Sealer::aes_gcm(key);
  ::explicit_bzero(key.data(), key.size());
  return sealer;
}

Result<void> remove_store_files(const StorePaths& store) {
  std::error_code error;
  for (const char* name : {"/meta.db", "/meta.db-wal", "/meta.db-shm", "/staged", "/store.json"}) {
    std::filesystem::remove_all(store.state + name, error);
    if (error)
      return fail(ErrorCode::kIo, fmt::format("{}{}: {}", store.state, name, error.message()));
  }
  std::filesystem::remove_all(store.cache, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("{}: {}", store.cache, error.message()));
  return {};
}

}  // namespace cabinetfs
