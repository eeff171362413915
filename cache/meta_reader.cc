#include "cache/meta_reader.h"

#include <fmt/format.h>

#include "cache/meta_schema.h"

namespace cabinetfs {
namespace {

constexpr int kReaderCacheKib = 16 << 10;

// In the order of MetaReader::Statements. Each gives ino and body.
constexpr const char* kSql[] = {
    "SELECT ino, body FROM nodes WHERE ino = ?1",
    "SELECT ino, body FROM nodes WHERE parent = ?1 AND name_key = ?2 LIMIT 1",
    "SELECT ino, body FROM nodes WHERE parent = ?1 AND fold_key = ?2 LIMIT 1",
    "SELECT ino, body FROM nodes WHERE remote_key = ?2 LIMIT 1",
    "SELECT ino, body FROM nodes WHERE parent = ?1",
    "SELECT ino, body FROM nodes WHERE remote_parent = ?1",
    "SELECT ino, x'' FROM nodes WHERE parent = ?1 LIMIT 1",
    "SELECT ino, body FROM nodes WHERE state != 0 AND (state & 7) != 0 ORDER BY ino",
    "SELECT ino, x'' FROM nodes WHERE state != 0 AND (state & 8) != 0 ORDER BY ino",
    "SELECT 0, body FROM settings WHERE key = ?2",
};
static_assert((kRowDirty | kRowFailed | kRowConflict) == 7 && kRowPinned == 8);

}  // namespace

struct MetaReader::SealedRows {
  struct Row {
    InodeNumber ino;
    std::size_t offset = 0;
    std::size_t size = 0;
  };
  std::string bytes;
  std::vector<Row> rows;

  std::string_view body(const Row& row) const {
    return std::string_view(bytes).substr(row.offset, row.size);
  }
};

Result<std::unique_ptr<MetaReader>> MetaReader::open(const std::string& path,
                                                     const Sealer& sealer) {
  std::unique_ptr<MetaReader> reader(new MetaReader(sealer));
  TRY_ASSIGN(Database db, open_connection(path, kReaderCacheKib));
  {
    MutexLock lock(reader->mutex_);
    reader->db_ = std::move(db);
  }
  TRY(reader->prepare());
  return reader;
}

Result<void> MetaReader::prepare() {
  static_assert(std::size(kSql) == kStatements);
  MutexLock lock(mutex_);
  for (const char* sql : kSql) {
    TRY_ASSIGN(Statement statement, Statement::prepare(db_, sql));
    statements_.push_back(std::move(statement));
  }
  return {};
}

Result<MetaReader::SealedRows> MetaReader::select(Statements which, std::uint64_t number,
                                                  Bytes bytes) {
  SealedRows found;
  MutexLock lock(mutex_);
  Query query(statements_[which]);
  query.bind_or_null(number).bind_or_null(bytes);
  for (;;) {
    TRY_ASSIGN(const bool row, query.step());
    if (!row) return found;
    const std::string_view body = as_text(query.bytes(1));
    found.rows.push_back({InodeNumber{query.number(0)}, found.bytes.size(), body.size()});
    found.bytes += body;
  }
}

Result<std::optional<NodeRecord>> MetaReader::open_one(const SealedRows& rows) const {
  if (rows.rows.empty()) return std::optional<NodeRecord>();
  const auto& row = rows.rows.front();
  TRY_ASSIGN(NodeRecord node, open_node(sealer_, row.ino, rows.body(row)));
  return std::optional<NodeRecord>(std::move(node));
}

Result<std::vector<NodeRecord>> MetaReader::open_all(const SealedRows& rows) const {
  std::vector<NodeRecord> nodes;
  nodes.reserve(rows.rows.size());
  for (const auto& row : rows.rows) {
    TRY_ASSIGN(NodeRecord node, open_node(sealer_, row.ino, rows.body(row)));
    nodes.push_back(std::move(node));
  }
  return nodes;
}

Result<std::vector<NodePtr>> MetaReader::open_unknown(const SealedRows& rows,
                                                      const MetaStore::Known& known) const {
  std::vector<NodePtr> nodes;
  nodes.reserve(rows.rows.size());
  for (const auto& row : rows.rows) {
    if (NodePtr there = known ? known(row.ino) : nullptr) {
      nodes.push_back(std::move(there));
      continue;
    }
    TRY_ASSIGN(NodeRecord node, open_node(sealer_, row.ino, rows.body(row)));
    nodes.push_back(std::make_shared<const NodeRecord>(std::move(node)));
  }
  return nodes;
}

Result<std::optional<NodeRecord>> MetaReader::find(InodeNumber ino) {
  TRY_ASSIGN(const SealedRows rows, select(kFind, ino.value, {}));
  return open_one(rows);
}

Result<std::optional<NodeRecord>> MetaReader::find_child(InodeNumber parent,
                                                         const std::string& name) {
  const auto key = child_key(sealer_, parent, name);
  TRY_ASSIGN(const SealedRows rows, select(kFindChild, parent.value, key));
  return open_one(rows);
}

Result<std::optional<NodeRecord>> MetaReader::find_child_folded(InodeNumber parent,
                                                                const std::string& name) {
  const auto key = folded_key(sealer_, parent, name);
  TRY_ASSIGN(const SealedRows rows, select(kFindFolded, parent.value, key));
  return open_one(rows);
}

Result<std::optional<NodeRecord>> MetaReader::find_remote(const RemoteId& id) {
  const auto key = remote_key(sealer_, id);
  TRY_ASSIGN(const SealedRows rows, select(kFindRemote, 0, key));
  return open_one(rows);
}

Result<std::vector<NodePtr>> MetaReader::children(InodeNumber parent,
                                                  const MetaStore::Known& known) {
  TRY_ASSIGN(const SealedRows rows, select(kChildren, parent.value, {}));
  return open_unknown(rows, known);
}

Result<std::vector<NodePtr>> MetaReader::remote_children(InodeNumber parent,
                                                         const MetaStore::Known& known) {
  TRY_ASSIGN(const SealedRows rows, select(kRemoteChildren, parent.value, {}));
  return open_unknown(rows, known);
}

Result<bool> MetaReader::has_children(InodeNumber parent) {
  TRY_ASSIGN(const SealedRows rows, select(kHasChildren, parent.value, {}));
  return !rows.rows.empty();
}

Result<std::vector<NodeRecord>> MetaReader::dirty() {
  TRY_ASSIGN(const SealedRows rows, select(kDirty, 0, {}));
  return open_all(rows);
}

Result<std::vector<InodeNumber>> MetaReader::pinned() {
  TRY_ASSIGN(const SealedRows rows, select(kPinned, 0, {}));
  std::vector<InodeNumber> nodes;
  for (const auto& row : rows.rows) nodes.push_back(row.ino);
  return nodes;
}

Result<std::optional<std::string>> MetaReader::value(const std::string& key) {
  const auto hash = sealer_.name_key("value", key);
  TRY_ASSIGN(const SealedRows rows, select(kValue, 0, hash));
  if (rows.rows.empty()) return std::optional<std::string>();
  auto text = sealer_.open_text("value" + key, rows.bytes);
  if (!text)
    return fail(ErrorCode::kCorrupt, fmt::format("setting {}: {}", key, text.error().context));
  return std::optional<std::string>(*std::move(text));
}

}  // namespace cabinetfs
