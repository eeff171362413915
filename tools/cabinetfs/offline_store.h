#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/base/result.h"
#include "tools/cabinetfs/paths.h"

namespace cabinetfs {

class RemoteStore;

// A store without a server: every call is kUnavailable. For looking at caches that are not mounted.
std::unique_ptr<RemoteStore> make_offline_store();

// What a store that is not mounted still has to send.
struct IdleStore {
  std::string name;
  std::string remote;
  std::uint64_t unsent = 0;
  std::uint64_t bytes = 0;
};
// kBusy: it is mounted. Opens the store's database for a moment.
Result<IdleStore> look_into_store(const Paths& paths, const StorePaths& store);
// Those with something unsent; stores that are mounted or cannot be opened are left out.
std::vector<IdleStore> idle_stores_with_unsent(const Paths& paths);

}  // namespace cabinetfs
