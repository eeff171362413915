#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "backend/base/mutex.h"
#include "cache/meta_store.h"
#include "cache/sqlite_db.h"

namespace cabinetfs {

// The writing side of the metadata store. Thread safe; rows are sealed before the lock is taken.
class MetaWriter {
 public:
  // Opens or makes the file's tables.
  static Result<std::unique_ptr<MetaWriter>> open(const std::string& path, const Sealer& sealer);

  Result<void> commit(const MetaStore::Batch& batch) EXCLUDES(mutex_);
  Result<InodeNumber> next_inode() EXCLUDES(mutex_);
  std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }

  // Counts what was written to the log. Starts at 1: an earlier process may have left commits in
  // the log that nobody has synced.
  std::uint64_t commits() const { return commits_.load(std::memory_order_acquire); }
  // Frames in the log after the last commit.
  int log_frames() const { return log_frames_.load(std::memory_order_relaxed); }

  // Copies what is left of the log into the database file, while no commit can come between, and
  // begins the log anew. False: somebody still reads from the log; the first commit after that will
  // begin it anew.
  Result<bool> restart_log() EXCLUDES(mutex_);

 private:
  struct SealedRow;
  enum Statements {
    kBegin,
    kCommit,
    kRollback,
    kSelectKeys,
    kInsert,
    kUpdate,
    kUpdateBody,
    kErase,
    kSetValue,
    kEraseValue,
    kSetCounter,
    kStatements
  };

  explicit MetaWriter(const Sealer& sealer) : sealer_(sealer) {}
  Result<void> prepare() REQUIRES(mutex_);
  // `count` follows the number of rows.
  Result<void> write_locked(const std::vector<SealedRow>& rows, const MetaStore::Batch& batch,
                            std::uint64_t& count) REQUIRES(mutex_);
  Result<bool> put_locked(const SealedRow& row) REQUIRES(mutex_);  // true: a new row
  Result<void> set_value_locked(const std::string& key, const std::string& value) REQUIRES(mutex_);
  Result<void> set_counter_locked(std::uint64_t id, std::uint64_t value) REQUIRES(mutex_);
  Result<void> begin_locked() REQUIRES(mutex_);
  // Commits when `done` is good, else rolls back and returns its error.
  Result<void> finish_locked(Result<void> done) REQUIRES(mutex_);

  const Sealer& sealer_;
  Mutex mutex_;
  Database db_ GUARDED_BY(mutex_);
  std::vector<Statement> statements_ GUARDED_BY(mutex_);
  std::uint64_t next_inode_ GUARDED_BY(mutex_) = 0;
  std::uint64_t inode_limit_ GUARDED_BY(mutex_) = 0;  // the first that is not reserved
  std::uint64_t log_rounds_ GUARDED_BY(mutex_) = 0;
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> commits_{1};
  std::atomic<int> log_frames_{0};
};

}  // namespace cabinetfs
