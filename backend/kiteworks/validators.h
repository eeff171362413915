#pragma once

#include <atomic>
#include <optional>

#include "backend/kiteworks/wire.h"

namespace cabinetfs::kiteworks {

// The vendor has no ETag, so validators are made of what every answer about a file holds:
// `modified` (whole seconds), `size`, and `clientModified`. Hashes are left out on purpose: they
// appear some time after an upload, and a validator that changes then would make every fresh upload
// look like somebody's change. The id of the current version would be ideal, but only the version
// list tells it.
//
// Two writes of the same size within one second can only be told apart by `versionsCount`, which
// answers hold when the server grants it. It must not come and go, either. So the listings decide
// once: where they tell it, it is part of every validator, and an answer without it is completed
// (count(): nullopt means "fetch it"); where they don't, it is never looked at. Thread safe.
class ValidatorPolicy {
 public:
  // What stands for the count in the validator of a node of a listing.
  std::uint32_t count_in_listing(const WireNode& node);
  // The same for any other answer. `fresh`: a new file, which has one version. nullopt: the node
  // has to be looked up in a listing (or by a stat that tells the count).
  std::optional<std::uint32_t> count(const WireNode& node, bool fresh);

 private:
  enum class Told { kUnknown, kYes, kNo };
  std::atomic<Told> told_{Told::kUnknown};
};

Validator make_validator(const WireNode& node, std::uint32_t count);

}  // namespace cabinetfs::kiteworks
