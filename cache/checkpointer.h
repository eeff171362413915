#pragma once

#include <memory>
#include <string>
#include <thread>

#include "backend/base/mutex.h"
#include "backend/base/result.h"
#include "cache/sqlite_db.h"

namespace cabinetfs {

class MetaWriter;
class WalSync;

// A thread that copies SQLite's log into the database file when it has grown, over a connection of
// its own: commits and reads go on meanwhile. Only for the last few frames, and to begin the log
// anew, it keeps commits waiting. Thread safe.
class Checkpointer {
 public:
  // `log_frames`: how long (4 KiB pages) the log may grow before it is copied.
  static Result<std::unique_ptr<Checkpointer>> start(const std::string& path, int log_frames,
                                                     MetaWriter& writer, WalSync& sync);
  // Waits for a running checkpoint.
  ~Checkpointer();

  // After a commit.
  void notice() EXCLUDES(mutex_);
  // Does it now, whatever the log's length.
  Result<void> run_now() EXCLUDES(db_mutex_);

 private:
  Checkpointer(int log_frames, MetaWriter& writer, WalSync& sync)
      : log_frames_(log_frames), writer_(writer), sync_(sync) {}
  void run() EXCLUDES(mutex_, db_mutex_);
  Result<void> failed(Error error);

  const int log_frames_;
  MetaWriter& writer_;
  WalSync& sync_;
  Mutex db_mutex_;  // held during a checkpoint; the writer's mutex is taken inside it
  Database db_ GUARDED_BY(db_mutex_);
  Mutex mutex_;
  CondVar wake_;
  bool wanted_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cabinetfs
