#include "cache/meta_schema.h"

#include <fmt/format.h>

#include "cache/sealer.h"

namespace cabinetfs {
namespace {

// "cabi", at its place in the file's header, so that file(1) can tell. In SQL below as a number.
constexpr std::int64_t kApplicationId = 0x63616269;
constexpr std::int64_t kFormat = 1;

// NULL in a key column keeps the row out of that (partial) index.
constexpr char kSchema[] = R"sql(
CREATE TABLE nodes(
  ino INTEGER PRIMARY KEY,
  parent INTEGER, name_key BLOB, fold_key BLOB,
  remote_key BLOB, remote_parent INTEGER,
  state INTEGER NOT NULL,
  body BLOB NOT NULL) STRICT;
CREATE INDEX nodes_by_name ON nodes(parent, name_key) WHERE parent IS NOT NULL;
CREATE INDEX nodes_by_fold ON nodes(parent, fold_key) WHERE parent IS NOT NULL;
CREATE INDEX nodes_by_remote ON nodes(remote_key) WHERE remote_key IS NOT NULL;
CREATE INDEX nodes_by_remote_parent ON nodes(remote_parent) WHERE remote_parent IS NOT NULL;
CREATE INDEX nodes_by_state ON nodes(state) WHERE state != 0;
CREATE TABLE settings(key BLOB PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE counters(id INTEGER PRIMARY KEY, value INTEGER NOT NULL) STRICT;
INSERT INTO counters VALUES (1, 0), (2, 2), (3, 0);
CREATE TABLE probe(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
PRAGMA application_id = 1667326569;
PRAGMA user_version = 1;
)sql";
static_assert(kApplicationId == 1667326569);

constexpr char kProbeAad[] = "probe";
constexpr char kProbeText[] = "cabinetfs metadata";

Result<void> write_schema(Database& db, const Sealer& sealer) {
  TRY(db.execute("BEGIN IMMEDIATE"));
  const auto fill = [&]() -> Result<void> {
    TRY(db.execute(kSchema));
    const std::string probe = sealer.seal_text(kProbeAad, kProbeText);
    TRY_ASSIGN(Statement insert, Statement::prepare(db, "INSERT INTO probe VALUES (1, ?)"));
    {
      Query query(insert);
      TRY(query.bind(as_bytes(probe)).run());
    }
    return db.execute("COMMIT");
  };
  auto filled = fill();
  if (!filled) (void)db.execute("ROLLBACK");
  return filled;
}

}  // namespace

Result<Database> open_connection(const std::string& path, int cache_kib) {
  TRY_ASSIGN(Database db, Database::open(path));
  TRY_ASSIGN(const std::string mode, db.text("PRAGMA journal_mode = WAL"));
  if (mode != "wal")
    return fail(ErrorCode::kNotSupported,
                fmt::format("{}: this filesystem cannot hold the metadata database (no shared "
                            "memory for its log, journal mode {}); choose a local directory for "
                            "the state",
                            path, mode));
  // NORMAL: a commit is written to the log and not waited for; a checkpoint syncs the log before
  // it touches the database file, and that before the log may start anew. No memory map: a bad
  // sector under it would be SIGBUS instead of an error.
  TRY(db.execute(fmt::format("PRAGMA synchronous = NORMAL;"
                             "PRAGMA wal_autocheckpoint = 0;"
                             "PRAGMA journal_size_limit = 67108864;"
                             "PRAGMA mmap_size = 0;"
                             "PRAGMA temp_store = MEMORY;"
                             "PRAGMA secure_delete = OFF;"
                             "PRAGMA cell_size_check = ON;"
                             "PRAGMA cache_size = -{};",
                             cache_kib)
                     .c_str()));
  return db;
}

Result<void> prepare_schema(Database& db, const Sealer& sealer) {
  TRY_ASSIGN(const std::int64_t format, db.number("PRAGMA user_version"));
  TRY_ASSIGN(const std::int64_t application, db.number("PRAGMA application_id"));
  TRY_ASSIGN(const std::int64_t tables, db.number("SELECT count(*) FROM sqlite_schema"));
  if (format == 0 && application == 0 && tables == 0) return write_schema(db, sealer);
  if (application != kApplicationId)
    return fail(ErrorCode::kCorrupt, "this SQLite file is not a cabinetfs metadata database");
  if (format > kFormat)
    return fail(ErrorCode::kNotSupported,
                fmt::format("the metadata database has format {}, this program knows {}: use a "
                            "newer cabinetfs",
                            format, kFormat));
  TRY_ASSIGN(Statement select, Statement::prepare(db, "SELECT body FROM probe WHERE id = 1"));
  Query query(select);
  TRY_ASSIGN(const bool row, query.step());
  if (!row) return fail(ErrorCode::kCorrupt, "the metadata database has lost its probe row");
  const auto text = sealer.open_text(kProbeAad, as_text(query.bytes(0)));
  if (!text || *text != kProbeText)
    return fail(ErrorCode::kDenied, "the metadata database was sealed with another key");
  return {};
}

}  // namespace cabinetfs
