#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backend/base/result.h"
#include "tools/cabinetfs/paths.h"

namespace cabinetfs {

// What a store belongs to; `store.json` in its state directory. Ids and unsent changes of one
// account must never meet another one.
struct StoreInfo {
  std::string remote, root, instance;
  std::string url;
  std::string account, email;  // empty until the server has told them once
  bool encrypted = true;
};

// nullopt: there is no store yet. kCorrupt: the file cannot be read.
Result<std::optional<StoreInfo>> read_store_info(const StorePaths& store);
Result<void> write_store_info(const StorePaths& store, const StoreInfo& info);

// The stores below the state directory, by name.
std::vector<StorePaths> all_stores(const Paths& paths);

}  // namespace cabinetfs
