#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "backend/base/mutex.h"
#include "backend/base/result.h"
#include "cache/inode.h"
#include "cache/lru_cache.h"
#include "cache/meta_store.h"
#include "cache/node_record.h"

namespace cabinetfs {

// The nodes of one mount: MetaStore is the truth, this is its hot path and the rules that hold
// between rows (one shown name for each place, who stands where on the server). Thread safe: one
// mutex; what is done under it is memory and SQLite without waiting for stable storage, never the
// network.
class Tree {
 public:
  // Both are called with the tree's mutex held. `make_room` is asked when the disk is too full for
  // a commit: true when it may fit now. `hold` is told of each cached content that an unsent change
  // stands on, and when it does no more.
  using Hold = std::function<void(const ContentKey& base, bool held)>;
  Tree(MetaStore& meta, std::size_t loaded_nodes, std::function<bool()> make_room = {},
       Hold hold = {});

  // Reads what is unsent. Call once, first.
  Result<void> load() EXCLUDES(mutex_);

  // Snapshots. nullptr: no such node (or name).
  Result<NodePtr> find(InodeNumber ino) EXCLUDES(mutex_);
  Result<NodePtr> child(InodeNumber parent, const std::string& name) EXCLUDES(mutex_);
  Result<NodePtr> find_remote(const RemoteId& id) EXCLUDES(mutex_);
  Result<std::vector<NodePtr>> children(InodeNumber parent) EXCLUDES(mutex_);
  Result<std::string> path_of(InodeNumber ino) EXCLUDES(mutex_);

  // Changes whenever a child of the folder does, for caches of listings.
  std::uint64_t folder_stamp(InodeNumber folder) const EXCLUDES(mutex_);
  // Nodes that are unsent, refused or in conflict.
  std::vector<InodeNumber> unsent() const EXCLUDES(mutex_);
  std::size_t unsent_count() const EXCLUDES(mutex_);
  std::size_t loaded() const EXCLUDES(mutex_);

  class Txn;

 private:
  // Where an object stands on the server: folder and folded name.
  using Place = std::pair<InodeNumber, std::string>;

  Result<NodePtr> find_locked(InodeNumber ino) REQUIRES(mutex_);
  Result<NodePtr> child_locked(InodeNumber parent, const std::string& name) REQUIRES(mutex_);
  MetaStore::Known known_locked() REQUIRES(mutex_);
  void remember_locked(const NodePtr& node) REQUIRES(mutex_);
  void index_locked(const NodeRecord& node) REQUIRES(mutex_);
  void unindex_locked(const NodeRecord& node) REQUIRES(mutex_);

  MetaStore& meta_;
  const std::function<bool()> make_room_;
  const Hold hold_;
  mutable Mutex mutex_;
  LruCache<InodeNumber, NodePtr> nodes_ GUARDED_BY(mutex_);
  std::unordered_map<InodeNumber, std::uint64_t> stamps_ GUARDED_BY(mutex_);
  std::uint64_t next_stamp_ GUARDED_BY(mutex_) = 1;
  std::unordered_map<InodeNumber, std::unordered_map<std::string, InodeNumber>> names_
      GUARDED_BY(mutex_);
  std::size_t names_count_ GUARDED_BY(mutex_) = 0;
  // Of unsent nodes only:
  std::set<InodeNumber> unsent_ GUARDED_BY(mutex_);
  std::multimap<Place, InodeNumber> displaced_
      GUARDED_BY(mutex_);  // shown elsewhere, or nowhere, but still there on the server
  std::multimap<std::string, InodeNumber> bases_
      GUARDED_BY(mutex_);  // remote id -> node whose staged content stands on it
};

// One atomic change: holds the tree's mutex from construction to commit() or destruction. Reads
// inside see the changes made so far. Never wait for anything inside one.
class SCOPED_CAPABILITY Tree::Txn {
 public:
  explicit Txn(Tree& tree) ACQUIRE(tree.mutex_);
  ~Txn() RELEASE();
  Txn(const Txn&) = delete;
  Txn& operator=(const Txn&) = delete;

  Result<NodePtr> find(InodeNumber ino);
  Result<NodePtr> child(InodeNumber parent, const std::string& name);
  // A shown child whose folded name is the same; the exact one if there is one.
  Result<NodePtr> child_folded(InodeNumber parent, const std::string& name);
  Result<NodePtr> find_remote(const RemoteId& id);
  Result<std::vector<NodePtr>> children(InodeNumber parent);
  Result<std::vector<NodePtr>> remote_children(InodeNumber parent);
  Result<bool> has_children(InodeNumber parent);
  // The unsent node that stands (or may stand, after a lost answer) at this place on the server
  // without being shown there; not `except`.
  Result<NodePtr> displaced_at(InodeNumber folder, const std::string& remote_name,
                               InodeNumber except);
  // One that stands, or may stand, anywhere in this folder without being shown there.
  InodeNumber displaced_in(InodeNumber folder, InodeNumber except) const;
  // An unsent node whose staged content is based on this object.
  InodeNumber base_holder(const RemoteId& id, InodeNumber except) const;
  // All of them, of any object.
  std::vector<InodeNumber> base_holders() const;

  Result<InodeNumber> new_inode();
  void put(NodeRecord node);
  void erase(InodeNumber ino);
  void set_value(const std::string& key, const std::string& value);
  // Stores everything or nothing. The transaction is over afterwards.
  Result<void> commit();

 private:
  using Places = std::multimap<Place, InodeNumber>;

  // The changed node that stands at this place in the index and is still as `is` wants it.
  template <class Is>
  NodePtr changed_at(const Places& index, const Place& place, const Is& is) const;

  Tree& tree_;
  std::map<InodeNumber, NodePtr> changed_;  // nullptr = erased
  std::unordered_set<InodeNumber> new_;     // numbers given here: no row of theirs is stored yet
  // What changed_ can be found by. A node that was changed again leaves its old entries behind.
  Places shown_;
  Places displaced_;
  std::unordered_multimap<std::string, InodeNumber> remote_;
  std::vector<std::pair<std::string, std::string>> values_;
};

}  // namespace cabinetfs
