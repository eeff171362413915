// The bytes of a node's record, as they come out of a sealed row.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cache/node_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto node =
      cabinetfs::decode_node(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!node) return 0;
  // What was read is written in one way only, and reads as the same.
  const std::string once = cabinetfs::encode_node(*node);
  const auto again = cabinetfs::decode_node(once);
  if (!again || cabinetfs::encode_node(*again) != once) std::abort();
  return 0;
}
