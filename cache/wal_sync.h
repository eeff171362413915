#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "backend/base/mutex.h"
#include "backend/base/result.h"
#include "cache/posix_env.h"

namespace cabinetfs {

class MetaWriter;

// Makes the commits in SQLite's log durable, without its help and beside it: SQLite would hold the
// connection, and every commit and read with it, for as long as the disk takes.
//
// Why an fdatasync of the -wal file is enough, whatever the checkpointer does meanwhile:
//  - A commit that returned has written its frames to that file. If the file still holds them, they
//    are durable afterwards, and so is what stands before them: recovery reads from the beginning.
//  - If the log has begun anew since, a checkpoint had copied all frames to the database file
//    and synced that (synchronous = NORMAL) before the first frame could be overwritten.
//  - The header of a new round is synced by SQLite before the frames that follow it, so that old
//    frames never come back to life in front of new ones.
//  - The file stays the same file: SQLite removes it only when the last connection closes, at the
//    end of the store. Shortening it keeps the file.
// The descriptor is on the log and never on the database file: closing any descriptor of a file
// drops all POSIX locks that the process has on it, and SQLite's are on the database file and on
// the -shm file.
//
// Thread safe. Callers that come while a sync runs share the next one.
class WalSync {
 public:
  // The log must exist.
  static Result<std::unique_ptr<WalSync>> open(const std::string& db_path);

  // Everything that `writer` had committed when this was called is durable when it returns. After a
  // failure all further calls fail: the kernel may have dropped what it could not write, and
  // the next fdatasync would not tell.
  Result<void> sync(const MetaWriter& writer) EXCLUDES(mutex_);
  // The same for a sync that a checkpoint has done.
  void mark_broken(Error error) EXCLUDES(mutex_);
  bool broken() const EXCLUDES(mutex_);

 private:
  WalSync(File log, std::string directory)
      : log_(std::move(log)), directory_(std::move(directory)) {}
  Result<void> sync_files(bool first) const;
  void mark_broken_locked(Error error) REQUIRES(mutex_);

  const File log_;
  const std::string directory_;
  mutable Mutex mutex_;
  CondVar done_;
  bool running_ GUARDED_BY(mutex_) = false;
  bool first_ GUARDED_BY(mutex_) = true;
  std::uint64_t synced_ GUARDED_BY(mutex_) = 0;  // as MetaWriter::commits()
  std::optional<Error> broken_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
