#pragma once

#include <memory>

#include "backend/base/result.h"
#include "tools/cabinetfs/paths.h"

namespace cabinetfs {

class Sealer;
class SecretStore;

// What seals a store: under its own key, made at the first use and kept in the secret store, or
// plain.
Result<std::unique_ptr<Sealer>> open_store_sealer(SecretStore& secrets, const StorePaths& store,
                                                  bool encrypted);

// Database, staged contents and cache of a store. Only when nothing in it is unsent, and locked.
Result<void> remove_store_files(const StorePaths& store);

}  // namespace cabinetfs
