// The record of a staged or cached content: anything may be in a database that was damaged.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cache/content_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cabinetfs;
  constexpr std::uint64_t kSlots = 4096;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)decode_content_record_head(bytes);
  const auto record = decode_content_record(bytes, kSlots);
  if (!record) return 0;
  record->map.for_each([&](std::uint64_t block, const BlockEntry& entry) {
    if (block * kBlockBytes >= record->size) std::abort();
    if (entry.has_slot() && entry.slot >= kSlots) std::abort();
  });
  // What was understood can be said again, and means the same.
  const auto again = decode_content_record(encode_content_record(*record), kSlots);
  if (!again || again->size != record->size || again->map.count() != record->map.count())
    std::abort();
  return 0;
}
