#include "cache/sqlite_db.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <utility>

namespace cabinetfs {
namespace {

ErrorCode code_of(int code, int system_error) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ErrorCode::kNoSpace;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::kBusy;
    case SQLITE_IOERR:
      // What was lost here stays lost, even if it was for want of space.
      if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) return ErrorCode::kIo;
      [[fallthrough]];
    case SQLITE_CANTOPEN:
      if (system_error == ENOSPC || system_error == EDQUOT) return ErrorCode::kNoSpace;
      return ErrorCode::kIo;
    default:
      return ErrorCode::kIo;
  }
}

}  // namespace

Database::~Database() {
  if (db_ != nullptr) sqlite3_close_v2(db_);
}

Database::Database(Database&& other) noexcept
    : db_(std::exchange(other.db_, nullptr)), path_(std::move(other.path_)) {}

Database& Database::operator=(Database&& other) noexcept {
  if (this != &other) {
    if (db_ != nullptr) sqlite3_close_v2(db_);
    db_ = std::exchange(other.db_, nullptr);
    path_ = std::move(other.path_);
  }
  return *this;
}

Error Database::error(int code, std::string_view what) const {
  const ErrorCode kind = code_of(code, db_ == nullptr ? 0 : sqlite3_system_errno(db_));
  const char* words = db_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db_);
  std::string context = fmt::format("{}: {}: {}", path_, what, words);
  if (kind == ErrorCode::kCorrupt)
    context +=
        "; the metadata database is damaged: unmount, look at it with `cabinetfs cache verify`, "
        "save unsent changes with `cabinetfs export`, then move the file away";
  return {kind, std::move(context)};
}

Result<Database> Database::open(const std::string& path) {
  Database db;
  db.path_ = path;
  // NOMUTEX: every connection has its own mutex here already.
  const int code = sqlite3_open_v2(path.c_str(), &db.db_,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                       SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                                   nullptr);
  if (code != SQLITE_OK) return fail(db.error(code, "open"));
  // A damaged or hostile file shall not make SQLite do anything but fail.
  sqlite3_db_config(db.db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db.db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // Locks are held for microseconds, except while the last connection of a killed process's log is
  // being recovered.
  sqlite3_busy_timeout(db.db_, 2000);
  return db;
}

Result<void> Database::execute(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error(code, sql));
  return {};
}

Result<std::int64_t> Database::number(const char* sql) {
  TRY_ASSIGN(Statement statement, Statement::prepare(*this, sql));
  Query query(statement);
  TRY_ASSIGN(const bool row, query.step());
  return row ? static_cast<std::int64_t>(query.number(0)) : 0;
}

Result<std::string> Database::text(const char* sql) {
  TRY_ASSIGN(Statement statement, Statement::prepare(*this, sql));
  Query query(statement);
  TRY_ASSIGN(const bool row, query.step());
  return row ? std::string(as_text(query.bytes(0))) : std::string();
}

std::int64_t Database::changes() const { return sqlite3_changes64(db_); }

Result<Database::Checkpoint> Database::checkpoint(CheckpointMode mode) {
  Checkpoint done;
  const int code = sqlite3_wal_checkpoint_v2(
      db_, nullptr,
      mode == CheckpointMode::kPassive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE,
      &done.log_frames, &done.copied_frames);
  if (code != SQLITE_OK) return fail(error(code, "checkpoint"));
  return done;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement::Statement(Statement&& other) noexcept
    : db_(other.db_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    sqlite3_finalize(statement_);
    db_ = other.db_;
    statement_ = std::exchange(other.statement_, nullptr);
  }
  return *this;
}

Result<Statement> Statement::prepare(Database& db, const char* sql) {
  Statement statement;
  statement.db_ = &db;
  const int code = sqlite3_prepare_v3(db.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT,
                                      &statement.statement_, nullptr);
  if (code != SQLITE_OK) return fail(db.error(code, sql));
  return statement;
}

Query::~Query() {
  sqlite3_reset(statement_.statement_);
  sqlite3_clear_bindings(statement_.statement_);
}

Query& Query::bind(std::uint64_t value) {
  const int code =
      sqlite3_bind_int64(statement_.statement_, ++parameter_, static_cast<sqlite3_int64>(value));
  if (code != SQLITE_OK) bind_error_ = code;
  return *this;
}

Query& Query::bind(Bytes bytes) {
  const int code = sqlite3_bind_blob64(statement_.statement_, ++parameter_, bytes.data(),
                                       bytes.size(), SQLITE_STATIC);
  if (code != SQLITE_OK) bind_error_ = code;
  return *this;
}

Query& Query::bind_or_null(std::uint64_t value) {
  if (value != 0) return bind(value);
  ++parameter_;  // parameters are NULL until they are bound
  return *this;
}

Query& Query::bind_or_null(Bytes bytes) {
  if (!bytes.empty()) return bind(bytes);
  ++parameter_;
  return *this;
}

Result<bool> Query::step() {
  if (bind_error_ != 0) return fail(statement_.db_->error(bind_error_, "bind"));
  const int code = sqlite3_step(statement_.statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail(statement_.db_->error(code, sqlite3_sql(statement_.statement_)));
}

Result<void> Query::run() {
  for (;;) {
    TRY_ASSIGN(const bool row, step());
    if (!row) return {};
  }
}

std::uint64_t Query::number(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_.statement_, column));
}

bool Query::is_null(int column) const {
  return sqlite3_column_type(statement_.statement_, column) == SQLITE_NULL;
}

Bytes Query::bytes(int column) const {
  const auto* data =
      static_cast<const std::byte*>(sqlite3_column_blob(statement_.statement_, column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.statement_, column))};
}

}  // namespace cabinetfs
