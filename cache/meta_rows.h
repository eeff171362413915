#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "backend/base/result.h"
#include "cache/node_record.h"
#include "cache/sealer.h"

namespace cabinetfs {

// Bits of the column `state`: what a query asks for without opening the rows.
enum RowState : std::uint64_t {
  kRowDirty = 1,
  kRowFailed = 2,
  kRowConflict = 4,
  kRowPinned = 8,
};

// The columns of a node besides its sealed body: what it is found by. Names and ids are keyed
// hashes; a node that is not shown has no parent here.
struct RowKeys {
  std::uint64_t parent = 0;
  std::optional<Sealer::NameKey> name, fold, remote;
  std::uint64_t remote_parent = 0;
  std::uint64_t state = 0;
  friend bool operator==(const RowKeys&, const RowKeys&) = default;
};

RowKeys row_keys(const Sealer& sealer, const NodeRecord& node);

// Equal names in two directories have different keys, so that the file does not even show which
// names are common.
Sealer::NameKey child_key(const Sealer& sealer, InodeNumber parent, const std::string& name);
Sealer::NameKey folded_key(const Sealer& sealer, InodeNumber parent, const std::string& name);
Sealer::NameKey remote_key(const Sealer& sealer, const RemoteId& id);

// The body, bound to its inode number.
std::string seal_node(const Sealer& sealer, const NodeRecord& node);
Result<NodeRecord> open_node(const Sealer& sealer, InodeNumber ino, std::string_view sealed);

}  // namespace cabinetfs
