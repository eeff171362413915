#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/result.h"
#include "tools/cabinetfs/paths.h"

namespace cabinetfs {

class MetaStore;
class RemoteStore;

// A store without a server: every call is kUnavailable. For looking at caches that are not mounted.
std::unique_ptr<RemoteStore> make_offline_store();

struct UnsentCount {
  std::uint64_t items = 0, bytes = 0;
};
// What a store still has to send.
Result<UnsentCount> count_unsent(MetaStore& meta);

// A store that is not mounted, and what it still has to send.
struct IdleStore {
  std::string name;
  std::string remote;
  std::uint64_t unsent = 0;
  std::uint64_t bytes = 0;
  std::optional<Error> error = {};  // it cannot be told: the store cannot be read
};
// kBusy: it is mounted. kNotFound: there is nothing in it. Opens the store's database for a moment;
// nobody is asked to unlock a keyring.
Result<IdleStore> look_into_store(const Paths& paths, const StorePaths& store);
// Those with something unsent, and those of which nobody can tell: `error`. Stores that are mounted
// are left out.
std::vector<IdleStore> idle_stores_with_unsent(const Paths& paths);

}  // namespace cabinetfs
