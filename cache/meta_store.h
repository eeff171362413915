#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/result.h"
#include "cache/inode.h"
#include "cache/node_record.h"

namespace cabinetfs {

class Sealer;

// The truth on disk about the tree: one SQLite database (WAL). Names, ids and attributes are
// sealed; what is looked up by value stands there as a keyed hash. Errors are kIo (kCorrupt for a
// row that does not open, kNoSpace for a full disk).
//
// Threads: calls are serialised inside. A commit is in the database file's WAL when it returns
// (kill -9 safe) and on stable storage after sync(). Nothing here waits for stable storage except
// sync().
class MetaStore {
 public:
  // Opens or creates `path`. The format version and a sealed probe are checked: a wrong key is
  // kDenied, a newer format kNotSupported.
  static Result<std::unique_ptr<MetaStore>> open(const std::string& path, const Sealer& sealer);
  virtual ~MetaStore() = default;

  // Reads. A missing row is nullopt.
  virtual Result<std::optional<NodeRecord>> find(InodeNumber ino) = 0;
  virtual Result<std::optional<NodeRecord>> find_child(InodeNumber parent,
                                                       const std::string& name) = 0;
  // The first child whose folded name (backend/base/text.h fold_name) is the same.
  virtual Result<std::optional<NodeRecord>> find_child_folded(InodeNumber parent,
                                                              const std::string& name) = 0;
  virtual Result<std::optional<NodeRecord>> find_remote(const RemoteId& id) = 0;
  // What the caller has in memory already: such rows are not opened, which is most of their price.
  using Known = std::function<NodePtr(InodeNumber)>;
  virtual Result<std::vector<NodePtr>> children(InodeNumber parent, const Known& known) = 0;
  // Nodes whose confirmed parent (remote_parent) is this one, wherever they are shown.
  virtual Result<std::vector<NodePtr>> remote_children(InodeNumber parent, const Known& known) = 0;
  Result<std::vector<NodePtr>> children(InodeNumber parent) { return children(parent, {}); }
  Result<std::vector<NodePtr>> remote_children(InodeNumber parent) {
    return remote_children(parent, {});
  }
  virtual Result<bool> has_children(InodeNumber parent) = 0;
  // All nodes with dirty() or a failure or a conflict, by ino.
  virtual Result<std::vector<NodeRecord>> dirty() = 0;
  virtual Result<std::vector<InodeNumber>> pinned() = 0;
  virtual Result<std::uint64_t> count() = 0;

  // One atomic change. Nothing is visible or stored before commit().
  struct Batch {
    std::vector<NodeRecord> put;
    std::vector<InodeNumber> erase;
    std::vector<std::pair<std::string, std::string>>
        values;  // small settings, sealed; empty value = erase
    bool empty() const { return put.empty() && erase.empty() && values.empty(); }
  };
  virtual Result<void> commit(const Batch& batch) = 0;

  virtual Result<std::optional<std::string>> value(const std::string& key) = 0;
  // Reserves inode numbers durably, in blocks, so that one is never given twice, not even after
  // kill -9.
  virtual Result<InodeNumber> next_inode() = 0;

  // All commits that returned before this call are on stable storage when it returns. May run
  // beside other calls.
  virtual Result<void> sync() = 0;

  // Called at named points of commit and sync ("commit.before", "commit.after", "sync.after", ...):
  // crash tests kill the process there.
  static void set_sync_point_hook(std::function<void(const char*)> hook);
};

}  // namespace cabinetfs
