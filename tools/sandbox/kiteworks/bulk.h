#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/sandbox/kiteworks/call.h"

namespace cabinetfs::sandbox::kiteworks {

// What a call on many objects came to. With `partialSuccess` the failures are listed, without it
// the first one is the answer; then nothing was changed, since every object is checked before the
// first one is touched.
struct BulkResult {
  nlohmann::json errors = nlohmann::json::array();
  std::vector<Node*> done;
  nlohmann::json success_ids = nlohmann::json::array();

  bool partial() const { return !errors.empty(); }
  nlohmann::json json_of(Call& call) const;
};

// `check` finds the node and throws if it cannot be done; `apply` does it. In two passes unless
// `partialSuccess`.
BulkResult run_bulk(Call& call, const std::vector<std::string>& ids,
                    const std::function<Node&(const std::string&)>& check,
                    const std::function<void(Node&)>& apply);

// 204, or 207 with the failures of a partial success.
Response bulk_removed(Call& call, const BulkResult& result);

}  // namespace cabinetfs::sandbox::kiteworks
