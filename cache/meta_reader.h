#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backend/base/mutex.h"
#include "cache/meta_rows.h"
#include "cache/meta_store.h"
#include "cache/sqlite_db.h"

namespace cabinetfs {

// The reading side of the metadata store, with its own connection: in WAL mode readers and the
// writer do not wait for each other. Sees every commit that returned before the call. Thread safe;
// rows are opened after the lock is left.
class MetaReader {
 public:
  static Result<std::unique_ptr<MetaReader>> open(const std::string& path, const Sealer& sealer);

  Result<std::optional<NodeRecord>> find(InodeNumber ino);
  Result<std::optional<NodeRecord>> find_child(InodeNumber parent, const std::string& name);
  Result<std::optional<NodeRecord>> find_child_folded(InodeNumber parent, const std::string& name);
  Result<std::optional<NodeRecord>> find_remote(const RemoteId& id);
  Result<std::vector<NodePtr>> children(InodeNumber parent, const MetaStore::Known& known);
  Result<std::vector<NodePtr>> remote_children(InodeNumber parent, const MetaStore::Known& known);
  Result<bool> has_children(InodeNumber parent);
  Result<std::vector<NodeRecord>> dirty();
  Result<std::vector<InodeNumber>> pinned();
  Result<std::optional<std::string>> value(const std::string& key);

 private:
  // Rows as they stand in the file, one after the other.
  struct SealedRows;
  enum Statements {
    kFind,
    kFindChild,
    kFindFolded,
    kFindRemote,
    kChildren,
    kRemoteChildren,
    kHasChildren,
    kDirty,
    kPinned,
    kValue,
    kStatements
  };

  explicit MetaReader(const Sealer& sealer) : sealer_(sealer) {}
  Result<void> prepare() EXCLUDES(mutex_);
  Result<SealedRows> select(Statements which, std::uint64_t number, Bytes bytes) EXCLUDES(mutex_);
  Result<std::optional<NodeRecord>> open_one(const SealedRows& rows) const;
  Result<std::vector<NodeRecord>> open_all(const SealedRows& rows) const;
  Result<std::vector<NodePtr>> open_unknown(const SealedRows& rows,
                                            const MetaStore::Known& known) const;

  const Sealer& sealer_;
  Mutex mutex_;
  Database db_ GUARDED_BY(mutex_);
  std::vector<Statement> statements_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
