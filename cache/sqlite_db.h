#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/base/result.h"
#include "backend/base/text.h"

struct sqlite3;
struct sqlite3_stmt;

namespace cabinetfs {

// One SQLite connection. Not thread safe: its owner's mutex guards it and its statements. Errors
// become kNoSpace, kCorrupt (a damaged file), kBusy or kIo.
class Database {
 public:
  Database() = default;
  ~Database();
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;

  // The file must exist.
  static Result<Database> open(const std::string& path);
  Result<void> execute(const char* sql);
  // The first column of the first row, 0 without a row.
  Result<std::int64_t> number(const char* sql);
  Result<std::string> text(const char* sql);
  std::int64_t changes() const;  // rows that the last statement changed

  enum class CheckpointMode { kPassive, kTruncate };
  struct Checkpoint {
    int log_frames = 0;     // in the log
    int copied_frames = 0;  // of them, in the database file as well
  };
  Result<Checkpoint> checkpoint(CheckpointMode mode);

  sqlite3* handle() const { return db_; }
  Error error(int code, std::string_view what) const;

 private:
  sqlite3* db_ = nullptr;
  std::string path_;
};

// A prepared statement that is kept. Used through Query.
class Statement {
 public:
  Statement() = default;
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  static Result<Statement> prepare(Database& db, const char* sql);

 private:
  friend class Query;
  Database* db_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

// One run of a statement: binds, steps, and resets it at the end, which also ends its read
// transaction. Bound bytes must live as long as the Query.
class Query {
 public:
  explicit Query(Statement& statement) : statement_(statement) {}
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  // Bind the parameters in their order. 0 and empty bytes are bound as NULL by the *_or_null forms.
  Query& bind(std::uint64_t value);
  Query& bind(Bytes bytes);
  Query& bind_or_null(std::uint64_t value);
  Query& bind_or_null(Bytes bytes);

  Result<bool> step();  // true: there is a row
  Result<void> run();   // to the end, rows ignored
  std::uint64_t number(int column) const;
  bool is_null(int column) const;
  Bytes bytes(int column) const;  // until the next step

 private:
  Statement& statement_;
  int parameter_ = 0;
  int bind_error_ = 0;
};

}  // namespace cabinetfs
