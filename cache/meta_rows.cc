#include "cache/meta_rows.h"

#include <fmt/format.h>

#include "cache/node_codec.h"

namespace cabinetfs {
namespace {

std::string eight_bytes(std::uint64_t value) {
  std::string out;
  for (int i = 0; i < 8; ++i, value >>= 8) out += static_cast<char>(value & 0xff);
  return out;
}

std::string body_aad(InodeNumber ino) { return "node" + eight_bytes(ino.value); }

}  // namespace

Sealer::NameKey child_key(const Sealer& sealer, InodeNumber parent, const std::string& name) {
  return sealer.name_key("name", eight_bytes(parent.value) + name);
}

Sealer::NameKey folded_key(const Sealer& sealer, InodeNumber parent, const std::string& name) {
  return sealer.name_key("fold", eight_bytes(parent.value) + fold_name(name));
}

Sealer::NameKey remote_key(const Sealer& sealer, const RemoteId& id) {
  return sealer.name_key("remote", id.value);
}

RowKeys row_keys(const Sealer& sealer, const NodeRecord& node) {
  RowKeys keys;
  if (node.parent && !node.deleted) {
    keys.parent = node.parent.value;
    keys.name = child_key(sealer, node.parent, node.name);
    keys.fold = folded_key(sealer, node.parent, node.name);
  }
  if (node.remote) keys.remote = remote_key(sealer, node.remote->id);
  keys.remote_parent = node.remote_parent.value;
  if (node.dirty() || node.lock_taken) keys.state |= kRowDirty;
  if (node.failure) keys.state |= kRowFailed;
  if (!node.conflict.empty()) keys.state |= kRowConflict;
  if (node.pin == PinState::kPinned) keys.state |= kRowPinned;
  return keys;
}

std::string seal_node(const Sealer& sealer, const NodeRecord& node) {
  return sealer.seal_text(body_aad(node.ino), encode_node(node));
}

Result<NodeRecord> open_node(const Sealer& sealer, InodeNumber ino, std::string_view sealed) {
  auto bytes = sealer.open_text(body_aad(ino), sealed);
  auto node = bytes ? decode_node(*bytes) : Result<NodeRecord>(fail(std::move(bytes).error()));
  if (node && node->ino != ino) node = fail(ErrorCode::kCorrupt, "another node's record");
  if (!node)
    return fail(ErrorCode::kCorrupt,
                fmt::format("metadata of node {}: {}", ino.value, node.error().context));
  return node;
}

}  // namespace cabinetfs
