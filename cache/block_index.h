#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/mutex.h"
#include "backend/base/result.h"
#include "cache/sealer.h"
#include "cache/slot_file.h"

struct sqlite3;
struct sqlite3_stmt;

namespace cabinetfs {

// What is in the block cache: a small SQLite database beside the slot files. Nothing in it is
// precious: it is not synced, and a damaged one is replaced by an empty one (the slot files that it
// knew are then strangers, and are collected). Names are keyed hashes, maps are sealed by the
// caller.
//
// Thread safe. Calls are short, but they are disk calls.
class BlockIndex {
 public:
  using Name = Sealer::NameKey;
  struct Row {
    Name name{};
    ContentId id{};
    std::uint64_t bytes = 0;  // on the disk
    std::string map;          // sealed
  };

  static Result<std::unique_ptr<BlockIndex>> open(const std::string& dir);
  ~BlockIndex();

  std::optional<Row> find(const Name& name) EXCLUDES(mutex_);
  // Inserts or replaces; counts as a use.
  void put(const Row& row) EXCLUDES(mutex_);
  // The row and the pin of `from` become those of `to`, with another map; both or, where there is a
  // row of `to` already or the disk is full, neither.
  void rename(const Name& from, const Name& to, const std::string& map) EXCLUDES(mutex_);
  // False when the row may still be there (full disk).
  bool erase(const Name& name) EXCLUDES(mutex_);
  // The row of that slot file, if there is one; returns its bytes.
  std::uint64_t erase_id(const ContentId& id) EXCLUDES(mutex_);
  void touch(const Name& name) EXCLUDES(mutex_);
  // These, and no others.
  void set_pins(const std::vector<Name>& names) EXCLUDES(mutex_);

  // Rows without their maps, least recently used first. `unpinned`: only what may be evicted.
  std::vector<Row> oldest(std::size_t limit, bool unpinned) EXCLUDES(mutex_);
  bool knows(const ContentId& id) EXCLUDES(mutex_);
  std::uint64_t total_bytes() EXCLUDES(mutex_);
  std::uint64_t count() EXCLUDES(mutex_);

 private:
  explicit BlockIndex(std::string path) : path_(std::move(path)) {}
  class Statement;
  Result<void> connect_locked() REQUIRES(mutex_);
  void close_locked() REQUIRES(mutex_);
  // Something failed: starts again with an empty database.
  void recreate_locked(const char* what) REQUIRES(mutex_);
  std::uint64_t number_locked(const char* sql) REQUIRES(mutex_);

  const std::string path_;
  Mutex mutex_;
  sqlite3* db_ GUARDED_BY(mutex_) = nullptr;
  std::uint64_t last_use_ GUARDED_BY(mutex_) = 0;
};

}  // namespace cabinetfs
