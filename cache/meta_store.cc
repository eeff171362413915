#include "cache/meta_store.h"

#include <atomic>

#include "backend/base/mutex.h"
#include "cache/checkpointer.h"
#include "cache/meta_reader.h"
#include "cache/meta_writer.h"
#include "cache/posix_env.h"
#include "cache/sqlite_meta_store.h"
#include "cache/sync_point.h"
#include "cache/wal_sync.h"

namespace cabinetfs {
namespace {

// The flag keeps the hook's cost at one load where no test has set one.
std::atomic<bool> hook_set{false};
Mutex hook_mutex;
std::shared_ptr<const std::function<void(const char*)>> hook GUARDED_BY(hook_mutex);

// An empty file of mode 0600, which SQLite gives to its other files too. The names of the file and
// of new directories above it have to be durable before anything that sync() promises is.
Result<void> create_database_file(const std::string& path) {
  if (file_exists(path)) return {};
  auto file = File::create_exclusive(path);
  if (!file && file.error().code != ErrorCode::kExists) return fail(std::move(file).error());
  TRY(sync_dir(parent_dir(path)));
  for (std::string dir = parent_dir(path); dir != "/" && dir != ".";) {
    dir = parent_dir(dir);
    // Directories that are not ours may be closed to us; they are not new either.
    (void)sync_dir(dir);
  }
  return {};
}

}  // namespace

void internal::sync_point(const char* name) {
  if (!hook_set.load(std::memory_order_acquire)) return;
  std::shared_ptr<const std::function<void(const char*)>> call;
  {
    MutexLock lock(hook_mutex);
    call = hook;
  }
  if (call) (*call)(name);
}

void MetaStore::set_sync_point_hook(std::function<void(const char*)> new_hook) {
  MutexLock lock(hook_mutex);
  hook_set.store(static_cast<bool>(new_hook), std::memory_order_release);
  hook = new_hook ? std::make_shared<const std::function<void(const char*)>>(std::move(new_hook))
                  : nullptr;
}

Result<std::unique_ptr<MetaStore>> MetaStore::open(const std::string& path, const Sealer& sealer) {
  TRY_ASSIGN(std::unique_ptr<MetaStore> store, SqliteMetaStore::open(path, sealer, {}));
  return store;
}

SqliteMetaStore::SqliteMetaStore() = default;
SqliteMetaStore::~SqliteMetaStore() = default;

Result<std::unique_ptr<SqliteMetaStore>> SqliteMetaStore::open(
    const std::string& path, const Sealer& sealer, const SqliteMetaStoreOptions& options) {
  std::unique_ptr<SqliteMetaStore> store(new SqliteMetaStore);
  TRY(create_database_file(path));
  TRY_ASSIGN(store->writer_, MetaWriter::open(path, sealer));
  TRY_ASSIGN(store->reader_, MetaReader::open(path, sealer));
  TRY_ASSIGN(store->sync_, WalSync::open(path));
  TRY_ASSIGN(store->checkpointer_,
             Checkpointer::start(path, options.checkpoint_frames, *store->writer_, *store->sync_));
  return store;
}

Result<std::optional<NodeRecord>> SqliteMetaStore::find(InodeNumber ino) {
  return reader_->find(ino);
}
Result<std::optional<NodeRecord>> SqliteMetaStore::find_child(InodeNumber parent,
                                                              const std::string& name) {
  return reader_->find_child(parent, name);
}
Result<std::optional<NodeRecord>> SqliteMetaStore::find_child_folded(InodeNumber parent,
                                                                     const std::string& name) {
  return reader_->find_child_folded(parent, name);
}
Result<std::optional<NodeRecord>> SqliteMetaStore::find_remote(const RemoteId& id) {
  return reader_->find_remote(id);
}
Result<std::vector<NodePtr>> SqliteMetaStore::children(InodeNumber parent, const Known& known) {
  return reader_->children(parent, known);
}
Result<std::vector<NodePtr>> SqliteMetaStore::remote_children(InodeNumber parent,
                                                              const Known& known) {
  return reader_->remote_children(parent, known);
}
Result<bool> SqliteMetaStore::has_children(InodeNumber parent) {
  return reader_->has_children(parent);
}
Result<std::vector<NodeRecord>> SqliteMetaStore::dirty() { return reader_->dirty(); }
Result<std::vector<InodeNumber>> SqliteMetaStore::pinned() { return reader_->pinned(); }
Result<std::uint64_t> SqliteMetaStore::count() { return writer_->count(); }
Result<std::optional<std::string>> SqliteMetaStore::value(const std::string& key) {
  return reader_->value(key);
}
Result<InodeNumber> SqliteMetaStore::next_inode() { return writer_->next_inode(); }

Result<void> SqliteMetaStore::commit(const Batch& batch) {
  if (batch.empty()) return {};
  TRY(writer_->commit(batch));
  checkpointer_->notice();
  return {};
}

Result<void> SqliteMetaStore::sync() { return sync_->sync(*writer_); }
Result<void> SqliteMetaStore::checkpoint() { return checkpointer_->run_now(); }
int SqliteMetaStore::log_frames() const { return writer_->log_frames(); }

}  // namespace cabinetfs
