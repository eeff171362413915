#pragma once

#include <memory>
#include <string_view>

#include "cache/context_pool.h"
#include "cache/sealer.h"

namespace cabinetfs {

// HMAC-SHA256 under one key, the keyed state kept. Thread safe.
class KeyedHash {
 public:
  explicit KeyedHash(const Sealer::Key& key);
  ~KeyedHash();

  // HMAC(length of domain, domain, value): no value of one domain meets one of another.
  Sealer::Key digest(std::string_view domain, std::string_view value) const;
  Sealer::NameKey name_key(std::string_view domain, std::string_view value) const;

 private:
  struct Context;
  Sealer::Key key_;
  mutable ContextPool<Context> contexts_;
};

// Overwrites the memory in a way that the compiler may not leave out.
void wipe(MutableBytes bytes);

}  // namespace cabinetfs
