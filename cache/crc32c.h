#pragma once

#include <cstdint>

#include "backend/base/text.h"

namespace cabinetfs {

// CRC-32C (Castagnoli), as in iSCSI and ext4. crc32c(b, crc32c(a)) is that of a followed by b.
std::uint32_t crc32c(Bytes bytes, std::uint32_t before = 0);

namespace internal {
std::uint32_t crc32c_portable(Bytes bytes, std::uint32_t before);  // for tests
}  // namespace internal

}  // namespace cabinetfs
