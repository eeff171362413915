#pragma once

#include <functional>
#include <optional>
#include <string>

#include "backend/base/result.h"
#include "cache/sealer.h"

namespace cabinetfs {

// Where the key of a store is kept besides its directory: a keyring, by its two calls.
struct SecretAccess {
  // nullopt: there is no such secret. An error: it could not be asked (locked, no service).
  std::function<Result<std::optional<std::string>>(const std::string& name)> get;
  std::function<Result<void>(const std::string& name, const std::string& value)> set;
};

// The key that a store's files are sealed under: 32 random bytes, made at the first mount.
//
// With `secrets` it is kept there under `name`. Without, in the file `store.key` (mode 0600) in
// `dir`, beside what it opens: that protects a cache that is copied or backed up without its key,
// and lets `cabinetfs cache clear` make the rest unreadable by removing one file; it does not
// protect from somebody who can read all of this user's files. A key in the file is used even when
// there are `secrets`: the store was made without.
//
// `store_exists`: there are files that a key has sealed, so that none is made: a missing one is
// kDenied. Errors of `secrets` are passed on, and never lead to a new key. Not to be called by two
// processes for one store at once (DirLock).
Result<Sealer::Key> load_store_key(const std::string& dir, const std::string& name,
                                   bool store_exists, const SecretAccess* secrets);

}  // namespace cabinetfs
