#pragma once

#include <string>
#include <vector>

#include "backend/remote_store.h"

namespace cabinetfs::kenesto {

class Api;

// The tenant's document numbers. Every call that changes something is sent once; its lost answer is
// kUnavailable, and a number may have been used up. Thread safe.
class KenestoSequences final : public NumberSequences {
 public:
  // `api` outlives this.
  explicit KenestoSequences(Api& api) : api_(api) {}

  Result<std::vector<Sequence>> list(const CallContext& call) override;
  Result<void> create(const CallContext& call, const std::string& name, const std::string& prefix,
                      std::uint64_t first) override;
  Result<std::string> next(const CallContext& call, const Next& request) override;
  Result<std::string> current(const CallContext& call, const std::string& name) override;
  Result<void> release(const CallContext& call, const Next& request) override;
  Result<void> remove(const CallContext& call, const std::string& name) override;

 private:
  Api& api_;
};

}  // namespace cabinetfs::kenesto
