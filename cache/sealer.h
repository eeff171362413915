#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backend/base/result.h"
#include "backend/base/text.h"

namespace cabinetfs {

// Seals what is written to the disk: AES-256-GCM under one key for each store, or, with encryption
// turned off, plain text with a CRC-32C, in the same shape. Thread safe; threads at work at the
// same time have each their own cipher context. Keys are wiped with the object.
class Sealer {
 public:
  static constexpr std::size_t kOverhead = 28;  // 12 bytes nonce, 16 bytes tag
  static constexpr std::size_t kKeyBytes = 32;
  using Key = std::array<std::byte, kKeyBytes>;
  using NameKey = std::array<std::byte, 16>;

  virtual ~Sealer() = default;

  // `out` has in.size() + kOverhead bytes. `aad` says what this is and where it belongs: the same
  // must be given to open().
  virtual void seal(Bytes aad, Bytes in, MutableBytes out) const = 0;
  // `out` has in.size() - kOverhead bytes. kCorrupt when the bytes are not what was sealed, or not
  // for this `aad`.
  virtual Result<void> open(Bytes aad, Bytes in, MutableBytes out) const = 0;
  // A keyed hash for columns that are looked up by value (names, remote ids). `domain` keeps their
  // kinds apart.
  virtual NameKey name_key(std::string_view domain, std::string_view value) const = 0;

  std::string seal_text(std::string_view aad, std::string_view in) const;
  Result<std::string> open_text(std::string_view aad, std::string_view in) const;

  static std::unique_ptr<Sealer> aes_gcm(const Key& key);
  static std::unique_ptr<Sealer> plain();
};

}  // namespace cabinetfs
