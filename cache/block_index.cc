#include "cache/block_index.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/base/log.h"
#include "cache/posix_env.h"

namespace cabinetfs {

namespace {

constexpr int kFormat = 1;
// WAL without syncs: kill -9 leaves it whole; after a power loss it may be damaged, which open()
// and every later call notice.
constexpr char kSetUp[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;"
    "CREATE TABLE IF NOT EXISTS contents(name BLOB PRIMARY KEY, id BLOB NOT NULL,"
    " bytes INTEGER NOT NULL, used INTEGER NOT NULL, map BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS contents_used ON contents(used, bytes, id);"
    "CREATE INDEX IF NOT EXISTS contents_id ON contents(id);"
    "CREATE TABLE IF NOT EXISTS pins(name BLOB PRIMARY KEY) WITHOUT ROWID;";

}  // namespace

class BlockIndex::Statement {
 public:
  Statement(sqlite3* db, const char* sql) {
    ok_ = db && sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr) == SQLITE_OK;
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& blob(int at, Bytes bytes) {
    ok_ = ok_ && sqlite3_bind_blob64(statement_, at, bytes.data(), bytes.size(), SQLITE_STATIC) ==
                     SQLITE_OK;
    return *this;
  }
  Statement& number(int at, std::uint64_t value) {
    ok_ = ok_ && sqlite3_bind_int64(statement_, at, static_cast<sqlite3_int64>(value)) == SQLITE_OK;
    return *this;
  }
  bool row() {
    if (!ok_) return false;
    const int status = sqlite3_step(statement_);
    ok_ = status == SQLITE_ROW || status == SQLITE_DONE;
    return status == SQLITE_ROW;
  }
  bool run() {
    while (row()) {
    }
    return ok_;
  }
  bool ok() const { return ok_; }
  Bytes get_blob(int at) {
    return {static_cast<const std::byte*>(sqlite3_column_blob(statement_, at)),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_, at))};
  }
  template <std::size_t N>
  void get_array(int at, std::array<std::byte, N>& out) {
    const Bytes bytes = get_blob(at);
    if (bytes.size() == N)
      std::copy(bytes.begin(), bytes.end(), out.begin());
    else
      ok_ = false;
  }
  std::uint64_t get_number(int at) {
    return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, at));
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
  bool ok_ = false;
};

Result<std::unique_ptr<BlockIndex>> BlockIndex::open(const std::string& dir) {
  auto index = std::unique_ptr<BlockIndex>(new BlockIndex(dir + "/cache.db"));
  MutexLock lock(index->mutex_);
  if (!index->connect_locked()) {
    log_warn("the cache index {} is damaged; starting with an empty cache", index->path_);
    for (const char* suffix : {"", "-wal", "-shm"}) TRY(remove_file(index->path_ + suffix));
    TRY(index->connect_locked());
  }
  return index;
}

BlockIndex::~BlockIndex() {
  MutexLock lock(mutex_);
  close_locked();
}

void BlockIndex::close_locked() {
  sqlite3_close(db_);
  db_ = nullptr;
}

Result<void> BlockIndex::connect_locked() {
  close_locked();
  bool ok = sqlite3_open_v2(path_.c_str(), &db_,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                            nullptr) == SQLITE_OK;
  ok = ok && sqlite3_exec(db_, kSetUp, nullptr, nullptr, nullptr) == SQLITE_OK;
  if (ok) {
    Statement version(db_, "PRAGMA user_version");
    const std::uint64_t found = version.row() ? version.get_number(0) : 0;
    ok = version.ok() && (found == 0 || found == kFormat);
  }
  ok = ok && sqlite3_exec(db_, fmt::format("PRAGMA user_version={}", kFormat).c_str(), nullptr,
                          nullptr, nullptr) == SQLITE_OK;
  if (!ok) {
    auto error = fail(ErrorCode::kIo, fmt::format("cache index {}: {}", path_,
                                                  db_ ? sqlite3_errmsg(db_) : "cannot be opened"));
    close_locked();
    return error;
  }
  last_use_ = number_locked("SELECT MAX(used) FROM contents");
  return {};
}

void BlockIndex::recreate_locked(const char* what) {
  log_warn("the cache index {} failed ({}: {}); starting with an empty cache", path_, what,
           db_ ? sqlite3_errmsg(db_) : "closed");
  close_locked();
  for (const char* suffix : {"", "-wal", "-shm"}) (void)remove_file(path_ + suffix);
  // Without a database every call finds nothing and stores nothing.
  if (auto result = connect_locked(); !result)
    log_error("{}; blocks are not kept over a restart", to_string(result.error()));
}

std::uint64_t BlockIndex::number_locked(const char* sql) {
  Statement statement(db_, sql);
  return statement.row() ? statement.get_number(0) : 0;
}

std::optional<BlockIndex::Row> BlockIndex::find(const Name& name) {
  MutexLock lock(mutex_);
  std::optional<Row> result;
  bool ok = true;
  {
    Statement statement(db_, "SELECT id, bytes, map FROM contents WHERE name=?");
    statement.blob(1, name);
    if (statement.row()) {
      Row row;
      row.name = name;
      statement.get_array(0, row.id);
      row.bytes = statement.get_number(1);
      row.map = as_text(statement.get_blob(2));
      if (statement.ok()) result = std::move(row);
    }
    ok = statement.ok();
  }
  if (!ok && db_) recreate_locked("find");
  return result;
}

void BlockIndex::put(const Row& row) {
  MutexLock lock(mutex_);
  bool ok = true;
  {
    Statement statement(db_, "INSERT OR REPLACE INTO contents VALUES(?,?,?,?,?)");
    ok = statement.blob(1, row.name)
             .blob(2, row.id)
             .number(3, row.bytes)
             .number(4, ++last_use_)
             .blob(5, as_bytes(row.map))
             .run();
  }
  // A full disk is no damage: the row is lost, the database is not.
  if (!ok && db_ && sqlite3_errcode(db_) != SQLITE_FULL) recreate_locked("put");
}

void BlockIndex::rename(const Name& from, const Name& to, const std::string& map) {
  MutexLock lock(mutex_);
  if (db_ == nullptr) return;
  bool ok = Statement(db_, "BEGIN").run();
  ok = ok && Statement(db_, "UPDATE contents SET name=?, map=? WHERE name=?")
                 .blob(1, to)
                 .blob(2, as_bytes(map))
                 .blob(3, from)
                 .run();
  ok = ok && Statement(db_, "UPDATE OR REPLACE pins SET name=? WHERE name=?")
                 .blob(1, to)
                 .blob(2, from)
                 .run();
  ok = ok && Statement(db_, "COMMIT").run();
  if (ok) return;
  const int error = sqlite3_errcode(db_);
  // SQLite has ended some failed transactions by itself.
  const bool back = sqlite3_get_autocommit(db_) != 0 || Statement(db_, "ROLLBACK").run();
  const bool harmless = error == SQLITE_FULL || (error & 0xff) == SQLITE_CONSTRAINT;
  if (!back || !harmless) recreate_locked("rename");
}

bool BlockIndex::erase(const Name& name) {
  MutexLock lock(mutex_);
  const bool ok = Statement(db_, "DELETE FROM contents WHERE name=?").blob(1, name).run();
  if (!ok && db_ && sqlite3_errcode(db_) != SQLITE_FULL) recreate_locked("erase");
  return ok;
}

std::uint64_t BlockIndex::erase_id(const ContentId& id) {
  MutexLock lock(mutex_);
  std::uint64_t bytes = 0;
  bool ok = true;
  {
    Statement statement(db_, "DELETE FROM contents WHERE id=? RETURNING bytes");
    statement.blob(1, id);
    while (statement.row()) bytes += statement.get_number(0);
    ok = statement.ok();
  }
  if (!ok && db_ && sqlite3_errcode(db_) != SQLITE_FULL) recreate_locked("erase");
  return bytes;
}

void BlockIndex::touch(const Name& name) {
  MutexLock lock(mutex_);
  const bool ok = Statement(db_, "UPDATE contents SET used=? WHERE name=?")
                      .number(1, ++last_use_)
                      .blob(2, name)
                      .run();
  if (!ok && db_ && sqlite3_errcode(db_) != SQLITE_FULL) recreate_locked("touch");
}

void BlockIndex::set_pins(const std::vector<Name>& names) {
  MutexLock lock(mutex_);
  bool ok = Statement(db_, "BEGIN IMMEDIATE").run() && Statement(db_, "DELETE FROM pins").run();
  for (const Name& name : names)
    ok = ok && Statement(db_, "INSERT OR IGNORE INTO pins VALUES(?)").blob(1, name).run();
  ok = ok && Statement(db_, "COMMIT").run();
  if (ok || !db_) return;
  const bool full = sqlite3_errcode(db_) == SQLITE_FULL;
  (void)Statement(db_, "ROLLBACK").run();
  if (!full) recreate_locked("pin");
}

std::vector<BlockIndex::Row> BlockIndex::oldest(std::size_t limit, bool unpinned) {
  MutexLock lock(mutex_);
  std::vector<Row> rows;
  bool ok = true;
  {
    Statement statement(db_, unpinned
                                 ? "SELECT name, id, bytes FROM contents WHERE name NOT IN"
                                   " (SELECT name FROM pins) ORDER BY used LIMIT ?"
                                 : "SELECT name, id, bytes FROM contents ORDER BY used LIMIT ?");
    statement.number(1, std::min<std::uint64_t>(limit, INT64_MAX));
    while (statement.row()) {
      Row& row = rows.emplace_back();
      statement.get_array(0, row.name);
      statement.get_array(1, row.id);
      row.bytes = statement.get_number(2);
    }
    ok = statement.ok();
  }
  if (!ok && db_) {
    recreate_locked("list");
    rows.clear();
  }
  return rows;
}

bool BlockIndex::knows(const ContentId& id) {
  MutexLock lock(mutex_);
  return Statement(db_, "SELECT 1 FROM contents WHERE id=?").blob(1, id).row();
}

std::uint64_t BlockIndex::total_bytes() {
  MutexLock lock(mutex_);
  return number_locked("SELECT SUM(bytes) FROM contents");
}

std::uint64_t BlockIndex::count() {
  MutexLock lock(mutex_);
  return number_locked("SELECT COUNT(*) FROM contents");
}

}  // namespace cabinetfs
