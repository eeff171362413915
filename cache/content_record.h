#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/base/result.h"
#include "cache/block_map.h"
#include "cache/slot_file.h"

namespace cabinetfs {

// What is stored of one content besides its blocks; see CONTENT_FORMAT.md. Staged contents keep it
// in their node's row, cached ones in the cache index.
struct ContentRecord {
  ContentId id{};
  std::uint64_t sequence = 0;    // staged: grows with each record of one content
  std::uint64_t size = 0;        // of the file
  std::uint64_t base_limit = 0;  // bytes of the base that are still visible
  std::uint64_t slots = 0;       // cached: slots in use in the file
  bool verified = false;         // cached: the whole agreed with the server's hash
  BlockMap map;
};

std::string encode_content_record(const ContentRecord& record);
// kCorrupt for anything that encode_content_record() cannot have written, or that names a slot from
// `max_slots` on. Memory goes with max_slots, whatever the bytes say.
Result<ContentRecord> decode_content_record(std::string_view bytes, std::uint64_t max_slots);
// Only what stands in front of the map.
struct ContentRecordHead {
  ContentId id{};
  std::uint64_t sequence = 0;
};
Result<ContentRecordHead> decode_content_record_head(std::string_view bytes);

}  // namespace cabinetfs
