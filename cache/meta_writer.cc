#include "cache/meta_writer.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "cache/meta_rows.h"
#include "cache/meta_schema.h"
#include "cache/sync_point.h"

namespace cabinetfs {
namespace {

constexpr int kWriterCacheKib = 8 << 10;
constexpr std::uint64_t kInodeBlock = 1024;

// In the order of MetaWriter::Statements.
constexpr const char* kSql[] = {
    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",
    "SELECT parent, name_key, fold_key, remote_key, remote_parent, state FROM nodes WHERE ino = ?",
    "INSERT INTO nodes(parent, name_key, fold_key, remote_key, remote_parent, state, body, ino) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "UPDATE nodes SET parent = ?, name_key = ?, fold_key = ?, remote_key = ?, remote_parent = ?, "
    "state = ?, body = ? WHERE ino = ?",
    "UPDATE nodes SET body = ? WHERE ino = ?",
    "DELETE FROM nodes WHERE ino = ?",
    "INSERT OR REPLACE INTO settings VALUES (?, ?)",
    "DELETE FROM settings WHERE key = ?",
    "UPDATE counters SET value = ?2 WHERE id = ?1",
};

Bytes key_bytes(const std::optional<Sealer::NameKey>& key) { return key ? Bytes(*key) : Bytes(); }

std::optional<Sealer::NameKey> key_of(const Query& query, int column) {
  const Bytes bytes = query.bytes(column);
  Sealer::NameKey key;
  if (bytes.size() != key.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

}  // namespace

struct MetaWriter::SealedRow {
  InodeNumber ino;
  RowKeys keys;
  std::string body;
};

Result<std::unique_ptr<MetaWriter>> MetaWriter::open(const std::string& path,
                                                     const Sealer& sealer) {
  std::unique_ptr<MetaWriter> writer(new MetaWriter(sealer));
  TRY_ASSIGN(Database db, open_connection(path, kWriterCacheKib));
  MutexLock lock(writer->mutex_);
  writer->db_ = std::move(db);
  TRY(writer->prepare());
  lock.unlock();
  return writer;
}

Result<void> MetaWriter::prepare() {
  static_assert(std::size(kSql) == kStatements);
  TRY(prepare_schema(db_, sealer_));
  for (const char* sql : kSql) {
    TRY_ASSIGN(Statement statement, Statement::prepare(db_, sql));
    statements_.push_back(std::move(statement));
  }
  // A counter that is not there is 0, which no store has for the inode numbers.
  TRY_ASSIGN(const std::int64_t nodes, db_.number("SELECT value FROM counters WHERE id = 1"));
  TRY_ASSIGN(const std::int64_t inodes, db_.number("SELECT value FROM counters WHERE id = 2"));
  TRY_ASSIGN(const std::int64_t rounds, db_.number("SELECT value FROM counters WHERE id = 3"));
  log_rounds_ = static_cast<std::uint64_t>(rounds);
  if (nodes < 0 || inodes < 2)
    return fail(db_.error(SQLITE_CORRUPT, "the counters do not make sense"));
  count_ = static_cast<std::uint64_t>(nodes);
  next_inode_ = inode_limit_ = static_cast<std::uint64_t>(inodes);
  sqlite3_wal_hook(
      db_.handle(),
      [](void* self, sqlite3*, const char*, int frames) {
        static_cast<MetaWriter*>(self)->log_frames_.store(frames, std::memory_order_relaxed);
        return SQLITE_OK;
      },
      this);
  return {};
}

Result<void> MetaWriter::begin_locked() { return Query(statements_[kBegin]).run(); }

Result<void> MetaWriter::finish_locked(Result<void> done) {
  if (done) {
    internal::sync_point("commit.middle");
    done = Query(statements_[kCommit]).run();
  }
  if (done) {
    commits_.fetch_add(1, std::memory_order_release);
    return done;
  }
  // After some errors SQLite has rolled back by itself.
  if (sqlite3_get_autocommit(db_.handle()) == 0) (void)Query(statements_[kRollback]).run();
  return done;
}

Result<void> MetaWriter::commit(const MetaStore::Batch& batch) {
  std::vector<SealedRow> rows;
  rows.reserve(batch.put.size());
  for (const NodeRecord& node : batch.put)
    rows.push_back({node.ino, row_keys(sealer_, node), seal_node(sealer_, node)});
  internal::sync_point("commit.before");
  {
    MutexLock lock(mutex_);
    std::uint64_t nodes = count();
    TRY(begin_locked());
    TRY(finish_locked(write_locked(rows, batch, nodes)));
    count_.store(nodes, std::memory_order_relaxed);
  }
  internal::sync_point("commit.after");
  return {};
}

Result<void> MetaWriter::write_locked(const std::vector<SealedRow>& rows,
                                      const MetaStore::Batch& batch, std::uint64_t& count) {
  const std::uint64_t before = count;
  for (const SealedRow& row : rows) {
    TRY_ASSIGN(const bool added, put_locked(row));
    if (added) ++count;
  }
  for (const InodeNumber ino : batch.erase) {
    TRY(Query(statements_[kErase]).bind(ino.value).run());
    count -= static_cast<std::uint64_t>(db_.changes());
  }
  for (const auto& [key, value] : batch.values) TRY(set_value_locked(key, value));
  if (count != before) TRY(set_counter_locked(kCounterNodes, count));
  return {};
}

Result<bool> MetaWriter::put_locked(const SealedRow& row) {
  // Most commits change a size or a time and nothing that a node is found by: then only the row
  // itself is written, and none of the five indexes.
  RowKeys before;
  bool known = false;
  {
    Query query(statements_[kSelectKeys]);
    TRY_ASSIGN(known, query.bind(row.ino.value).step());
    if (known)
      before = {query.number(0),  key_of(query, 1), key_of(query, 2),
                key_of(query, 3), query.number(4),  query.number(5)};
  }
  if (known && before == row.keys) {
    TRY(Query(statements_[kUpdateBody]).bind(as_bytes(row.body)).bind(row.ino.value).run());
    return false;
  }
  TRY(Query(statements_[known ? kUpdate : kInsert])
          .bind_or_null(row.keys.parent)
          .bind_or_null(key_bytes(row.keys.name))
          .bind_or_null(key_bytes(row.keys.fold))
          .bind_or_null(key_bytes(row.keys.remote))
          .bind_or_null(row.keys.remote_parent)
          .bind(row.keys.state)
          .bind(as_bytes(row.body))
          .bind(row.ino.value)
          .run());
  return !known;
}

Result<void> MetaWriter::set_value_locked(const std::string& key, const std::string& value) {
  const auto hash = sealer_.name_key("value", key);
  if (value.empty()) return Query(statements_[kEraseValue]).bind(hash).run();
  const std::string sealed = sealer_.seal_text("value" + key, value);
  return Query(statements_[kSetValue]).bind(hash).bind(as_bytes(sealed)).run();
}

Result<void> MetaWriter::set_counter_locked(std::uint64_t id, std::uint64_t value) {
  return Query(statements_[kSetCounter]).bind(id).bind(value).run();
}

Result<InodeNumber> MetaWriter::next_inode() {
  MutexLock lock(mutex_);
  if (next_inode_ == inode_limit_) {
    // Not synced, and need not be: the log is durable from its beginning up to some commit, so a
    // power cut that takes this block back takes back every node that got a number from it.
    const std::uint64_t limit = inode_limit_ + kInodeBlock;
    TRY(begin_locked());
    TRY(finish_locked(set_counter_locked(kCounterNextInode, limit)));
    inode_limit_ = limit;
  }
  return InodeNumber{next_inode_++};
}

Result<bool> MetaWriter::restart_log() {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const auto done, db_.checkpoint(Database::CheckpointMode::kPassive));
  if (done.copied_frames < done.log_frames) return false;
  // The first commit after a complete checkpoint writes the log from its beginning, and has to wait
  // for the new header to be durable. Better here, in the background, than in somebody's close().
  TRY(begin_locked());
  // A value that changes: SQLite writes nothing for a page that stays the same.
  TRY(finish_locked(set_counter_locked(kCounterLogRounds, ++log_rounds_)));
  return log_frames() < done.log_frames;
}

}  // namespace cabinetfs
