#include "cache/wal_sync.h"

#include "cache/meta_writer.h"
#include "cache/sync_point.h"

namespace cabinetfs {

Result<std::unique_ptr<WalSync>> WalSync::open(const std::string& db_path) {
  TRY_ASSIGN(File log, File::open_write(db_path + "-wal"));
  return std::unique_ptr<WalSync>(new WalSync(std::move(log), parent_dir(db_path)));
}

Result<void> WalSync::sync_files(bool first) const {
  internal::sync_point("sync.before");
  TRY(log_.sync_data());
  // The name of a new log has to survive as well, or recovery would not look for it.
  if (first) TRY(sync_dir(directory_));
  internal::sync_point("sync.after");
  return {};
}

Result<void> WalSync::sync(const MetaWriter& writer) {
  const std::uint64_t wanted = writer.commits();
  MutexLock lock(mutex_);
  for (;;) {
    if (broken_) return fail(*broken_);
    if (synced_ >= wanted) return {};
    if (running_) {
      done_.wait(mutex_);
      continue;
    }
    running_ = true;
    const bool first = first_;
    lock.unlock();
    const std::uint64_t covered = writer.commits();  // perhaps more than `wanted`, never less
    auto result = sync_files(first);
    lock.lock();
    running_ = false;
    done_.notify_all();
    if (result) {
      first_ = false;
      synced_ = covered;
    } else {
      mark_broken_locked(std::move(result).error());
    }
  }
}

void WalSync::mark_broken_locked(Error error) {
  error.context += "; changes since the last sync may not survive a power cut, mount again";
  broken_ = std::move(error);
}

void WalSync::mark_broken(Error error) {
  MutexLock lock(mutex_);
  if (!broken_) mark_broken_locked(std::move(error));
}

bool WalSync::broken() const {
  MutexLock lock(mutex_);
  return broken_.has_value();
}

}  // namespace cabinetfs
