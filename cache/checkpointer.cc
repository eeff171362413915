#include "cache/checkpointer.h"

#include <pthread.h>

#include "backend/base/log.h"
#include "cache/meta_schema.h"
#include "cache/meta_writer.h"
#include "cache/sync_point.h"
#include "cache/wal_sync.h"

namespace cabinetfs {
namespace {
constexpr int kCheckpointCacheKib = 256;  // copies pages from file to file; needs next to nothing
}  // namespace

Result<std::unique_ptr<Checkpointer>> Checkpointer::start(const std::string& path, int log_frames,
                                                          MetaWriter& writer, WalSync& sync) {
  std::unique_ptr<Checkpointer> made(new Checkpointer(log_frames, writer, sync));
  TRY_ASSIGN(Database db, open_connection(path, kCheckpointCacheKib));
  {
    MutexLock lock(made->db_mutex_);
    made->db_ = std::move(db);
  }
  Checkpointer* self = made.get();
  made->thread_ = std::thread([self] {
    ::pthread_setname_np(::pthread_self(), "cab-checkpoint");
    self->run();
  });
  return made;
}

Checkpointer::~Checkpointer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Checkpointer::notice() {
  if (writer_.log_frames() < log_frames_) return;
  MutexLock lock(mutex_);
  if (wanted_) return;
  wanted_ = true;
  wake_.notify_one();
}

Result<void> Checkpointer::run_now() {
  MutexLock lock(db_mutex_);
  // What the log lost on its way to the disk would be read back from there.
  if (sync_.broken()) return fail(ErrorCode::kIo, "checkpoint: an earlier sync of the log failed");
  internal::sync_point("checkpoint.before");
  if (auto copied = db_.checkpoint(Database::CheckpointMode::kPassive); !copied)
    return failed(std::move(copied).error());
  internal::sync_point("checkpoint.middle");
  if (auto restarted = writer_.restart_log(); !restarted)
    return failed(std::move(restarted).error());
  internal::sync_point("checkpoint.after");
  return {};
}

Result<void> Checkpointer::failed(Error error) {
  // It may have been a sync, and a second one would not tell. A full disk is no such case.
  if (error.code == ErrorCode::kIo) sync_.mark_broken(error);
  return fail(std::move(error));
}

void Checkpointer::run() {
  bool failed_before = false;
  for (;;) {
    {
      MutexLock lock(mutex_);
      while (!wanted_ && !stopping_) wake_.wait(mutex_);
      if (stopping_) return;
    }
    auto done = run_now();
    // The log goes on growing after a failure, and every commit asks again; say it once.
    if (!done && !failed_before) log_warn("metadata checkpoint: {}", to_string(done.error()));
    failed_before = !done;
    MutexLock lock(mutex_);
    wanted_ = false;
  }
}

}  // namespace cabinetfs
