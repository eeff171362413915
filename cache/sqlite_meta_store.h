#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/meta_store.h"

namespace cabinetfs {

class Checkpointer;
class MetaReader;
class MetaWriter;
class WalSync;

struct SqliteMetaStoreOptions {
  // 16 MiB of log: some thousand commits, and recovered in a few ten milliseconds after kill -9.
  int checkpoint_frames = 4096;
};

// What MetaStore::open() makes. Three connections: one writes, one reads, one copies the log into
// the database file; none waits for another beyond one commit.
class SqliteMetaStore final : public MetaStore {
 public:
  static Result<std::unique_ptr<SqliteMetaStore>> open(const std::string& path,
                                                       const Sealer& sealer,
                                                       const SqliteMetaStoreOptions& options);
  ~SqliteMetaStore() override;

  Result<std::optional<NodeRecord>> find(InodeNumber ino) override;
  Result<std::optional<NodeRecord>> find_child(InodeNumber parent,
                                               const std::string& name) override;
  Result<std::optional<NodeRecord>> find_child_folded(InodeNumber parent,
                                                      const std::string& name) override;
  Result<std::optional<NodeRecord>> find_remote(const RemoteId& id) override;
  using MetaStore::children;
  using MetaStore::remote_children;
  Result<std::vector<NodePtr>> children(InodeNumber parent, const Known& known) override;
  Result<std::vector<NodePtr>> remote_children(InodeNumber parent, const Known& known) override;
  Result<bool> has_children(InodeNumber parent) override;
  Result<std::vector<NodeRecord>> dirty() override;
  Result<std::vector<InodeNumber>> pinned() override;
  Result<std::uint64_t> count() override;
  Result<void> commit(const Batch& batch) override;
  Result<std::optional<std::string>> value(const std::string& key) override;
  Result<InodeNumber> next_inode() override;
  Result<void> sync() override;

  // Copies the log into the database file and begins it anew. Happens by itself as the log grows.
  Result<void> checkpoint();
  int log_frames() const;

 private:
  SqliteMetaStore();

  // The log's descriptor goes last, the thread that uses the others first.
  std::unique_ptr<WalSync> sync_;
  std::unique_ptr<MetaWriter> writer_;
  std::unique_ptr<MetaReader> reader_;
  std::unique_ptr<Checkpointer> checkpointer_;
};

}  // namespace cabinetfs
