#pragma once

#include <string>
#include <string_view>

#include "backend/base/result.h"
#include "cache/node_record.h"

namespace cabinetfs {

// A node's record as bytes (STORE_FORMAT.md). Every field comes back as it was; what is the same as
// the server's (name, size, times) is not written twice.
std::string encode_node(const NodeRecord& node);

// Takes any bytes: what is not a record is kCorrupt. Fields of later versions are skipped.
Result<NodeRecord> decode_node(std::string_view bytes);

}  // namespace cabinetfs
