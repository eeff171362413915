#include "cache/tree.h"

#include <algorithm>

#include "backend/base/text.h"

namespace cabinetfs {
namespace {

// Names known in memory beyond which all are forgotten: they come back from the database.
constexpr std::size_t kMaxNames = 400'000;

bool is_unsent(const NodeRecord& node) {
  return node.dirty() || node.lock_taken || node.failure.has_value() || !node.conflict.empty();
}

// Where the node stands, or may stand, on the server without being shown there: folder and folded
// name. What was being created, renamed or moved when its answer got lost may stand where it was
// sent to.
std::vector<std::pair<InodeNumber, std::string>> displaced_places(const NodeRecord& node) {
  std::vector<std::pair<InodeNumber, std::string>> places;
  if (!node.remote) {
    if (node.intent.kind != Intent::Kind::kNone && !node.intent.name.empty())
      places.emplace_back(node.intent.folder, fold_name(node.intent.name));
    return places;
  }
  if (node.deleted || node.moved() || node.sent_place)
    places.emplace_back(node.remote_parent, fold_name(node.remote->name));
  if (node.sent_place)
    places.emplace_back(node.sent_place->folder, fold_name(node.sent_place->name));
  return places;
}

// Its unsent content is still to be completed from an object of the server.
bool stands_on_base(const NodeRecord& node) { return node.content_dirty && node.base.has_value(); }

bool is_shown_at(const NodeRecord& node, InodeNumber parent) {
  return !node.deleted && node.parent == parent;
}

Result<NodePtr> to_ptr(Result<std::optional<NodeRecord>> found) {
  if (!found) return fail(std::move(found).error());
  if (!found->has_value()) return NodePtr();
  return std::make_shared<const NodeRecord>(std::move(**found));
}

}  // namespace

Tree::Tree(MetaStore& meta, std::size_t loaded_nodes, std::function<bool()> make_room, Hold hold)
    : meta_(meta), make_room_(std::move(make_room)), hold_(std::move(hold)), nodes_(loaded_nodes) {}

Result<void> Tree::load() {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const std::vector<NodeRecord> unsent, meta_.dirty());
  for (const NodeRecord& node : unsent) index_locked(node);
  return {};
}

void Tree::index_locked(const NodeRecord& node) {
  if (is_unsent(node)) unsent_.insert(node.ino);
  for (auto& place : displaced_places(node)) displaced_.emplace(std::move(place), node.ino);
  if (stands_on_base(node)) {
    bases_.emplace(node.base->file.value, node.ino);
    if (hold_) hold_(*node.base, true);
  }
}

void Tree::unindex_locked(const NodeRecord& node) {
  unsent_.erase(node.ino);
  const auto drop = [&node](auto& map, const auto& key) {
    auto [from, to] = map.equal_range(key);
    for (auto it = from; it != to; ++it) {
      if (it->second == node.ino) {
        map.erase(it);
        return;
      }
    }
  };
  for (const auto& place : displaced_places(node)) drop(displaced_, place);
  if (stands_on_base(node)) {
    drop(bases_, node.base->file.value);
    if (hold_) hold_(*node.base, false);
  }
}

void Tree::remember_locked(const NodePtr& node) {
  // What leaves are snapshots that others may hold; destroying them here is cheap.
  const auto evicted = nodes_.put(node->ino, node, 1);
  if (!node->parent || node->deleted) return;
  if (names_count_ > kMaxNames) {
    names_.clear();
    names_count_ = 0;
  }
  if (names_[node->parent].insert_or_assign(node->name, node->ino).second) ++names_count_;
}

Result<NodePtr> Tree::find_locked(InodeNumber ino) {
  if (const NodePtr* hit = nodes_.get(ino)) return *hit;
  TRY_ASSIGN(NodePtr node, to_ptr(meta_.find(ino)));
  if (node != nullptr) remember_locked(node);
  return node;
}

Result<NodePtr> Tree::child_locked(InodeNumber parent, const std::string& name) {
  if (const auto folder = names_.find(parent); folder != names_.end()) {
    if (const auto found = folder->second.find(name); found != folder->second.end()) {
      TRY_ASSIGN(NodePtr node, find_locked(found->second));
      if (node != nullptr && is_shown_at(*node, parent) && node->name == name) return node;
      // The index may hold a name that has moved on; the database knows.
      if (const auto again = names_.find(parent); again != names_.end()) {
        names_count_ -= again->second.erase(name);
      }
    }
  }
  TRY_ASSIGN(NodePtr node, to_ptr(meta_.find_child(parent, name)));
  if (node == nullptr) return node;
  if (const NodePtr* hit = nodes_.get(node->ino)) return *hit;
  remember_locked(node);
  return node;
}

MetaStore::Known Tree::known_locked() {
  return [this](InodeNumber ino) NO_THREAD_SAFETY_ANALYSIS {
    const NodePtr* hit = nodes_.get(ino);
    return hit == nullptr ? NodePtr() : *hit;
  };
}

Result<NodePtr> Tree::find(InodeNumber ino) {
  MutexLock lock(mutex_);
  return find_locked(ino);
}

Result<NodePtr> Tree::child(InodeNumber parent, const std::string& name) {
  MutexLock lock(mutex_);
  return child_locked(parent, name);
}

Result<NodePtr> Tree::find_remote(const RemoteId& id) {
  MutexLock lock(mutex_);
  return to_ptr(meta_.find_remote(id));
}

Result<std::vector<NodePtr>> Tree::children(InodeNumber parent) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(std::vector<NodePtr> nodes, meta_.children(parent, known_locked()));
  for (const NodePtr& node : nodes) {
    if (nodes_.peek(node->ino) == nullptr) remember_locked(node);
  }
  return nodes;
}

Result<std::string> Tree::path_of(InodeNumber ino) {
  MutexLock lock(mutex_);
  std::string path;
  // Deeper than any real tree: a bound against a damaged database.
  for (int depth = 0; depth < 4096 && ino != kRootInode; ++depth) {
    TRY_ASSIGN(const NodePtr node, find_locked(ino));
    if (node == nullptr) return fail(ErrorCode::kNotFound, "no node " + std::to_string(ino.value));
    InodeNumber up = node->parent ? node->parent : node->remote_parent;
    if (!up) up = node->intent.folder;
    path = path.empty() ? node->name : node->name + "/" + path;
    if (!up) break;
    ino = up;
  }
  return path;
}

std::uint64_t Tree::folder_stamp(InodeNumber folder) const {
  MutexLock lock(mutex_);
  const auto found = stamps_.find(folder);
  return found == stamps_.end() ? 0 : found->second;
}

std::vector<InodeNumber> Tree::unsent() const {
  MutexLock lock(mutex_);
  return {unsent_.begin(), unsent_.end()};
}

std::size_t Tree::unsent_count() const {
  MutexLock lock(mutex_);
  return unsent_.size();
}

std::size_t Tree::loaded() const {
  MutexLock lock(mutex_);
  return nodes_.size();
}

// The analysis cannot follow a mutex through a member reference; the constructor's and destructor's
// annotations are what callers see.
Tree::Txn::Txn(Tree& tree) NO_THREAD_SAFETY_ANALYSIS : tree_(tree) { tree_.mutex_.lock(); }
Tree::Txn::~Txn() NO_THREAD_SAFETY_ANALYSIS { tree_.mutex_.unlock(); }

Result<NodePtr> Tree::Txn::find(InodeNumber ino) NO_THREAD_SAFETY_ANALYSIS {
  if (const auto found = changed_.find(ino); found != changed_.end()) return found->second;
  return tree_.find_locked(ino);
}

template <class Is>
NodePtr Tree::Txn::changed_at(const Places& index, const Place& place, const Is& is) const {
  const auto [from, to] = index.equal_range(place);
  for (auto it = from; it != to; ++it) {
    const NodePtr& node = changed_.at(it->second);
    if (node != nullptr && is(*node)) return node;
  }
  return nullptr;
}

Result<NodePtr> Tree::Txn::child(InodeNumber parent,
                                 const std::string& name) NO_THREAD_SAFETY_ANALYSIS {
  const NodePtr changed = changed_at(shown_, Place(parent, fold_name(name)), [&](const auto& node) {
    return is_shown_at(node, parent) && node.name == name;
  });
  if (changed != nullptr) return changed;
  TRY_ASSIGN(NodePtr node, tree_.child_locked(parent, name));
  if (node != nullptr && changed_.contains(node->ino)) return NodePtr();  // changed away
  return node;
}

Result<NodePtr> Tree::Txn::child_folded(InodeNumber parent,
                                        const std::string& name) NO_THREAD_SAFETY_ANALYSIS {
  TRY_ASSIGN(NodePtr exact, child(parent, name));
  if (exact != nullptr) return exact;
  const Place place(parent, fold_name(name));
  const NodePtr changed = changed_at(shown_, place, [&](const auto& node) {
    return is_shown_at(node, parent) && fold_name(node.name) == place.second;
  });
  if (changed != nullptr) return changed;
  TRY_ASSIGN(NodePtr node, to_ptr(tree_.meta_.find_child_folded(parent, name)));
  if (node != nullptr && changed_.contains(node->ino)) return NodePtr();
  return node;
}

Result<NodePtr> Tree::Txn::find_remote(const RemoteId& id) NO_THREAD_SAFETY_ANALYSIS {
  const auto [from, to] = remote_.equal_range(id.value);
  for (auto it = from; it != to; ++it) {
    const NodePtr& node = changed_.at(it->second);
    if (node != nullptr && node->remote && node->remote->id == id) return node;
  }
  TRY_ASSIGN(NodePtr node, to_ptr(tree_.meta_.find_remote(id)));
  if (node != nullptr && changed_.contains(node->ino)) return NodePtr();
  return node;
}

Result<std::vector<NodePtr>> Tree::Txn::children(InodeNumber parent) NO_THREAD_SAFETY_ANALYSIS {
  TRY_ASSIGN(std::vector<NodePtr> nodes, tree_.meta_.children(parent, tree_.known_locked()));
  std::erase_if(nodes, [this](const NodePtr& node) { return changed_.contains(node->ino); });
  for (const auto& [ino, node] : changed_) {
    if (node != nullptr && is_shown_at(*node, parent)) nodes.push_back(node);
  }
  return nodes;
}

Result<std::vector<NodePtr>> Tree::Txn::remote_children(InodeNumber parent)
    NO_THREAD_SAFETY_ANALYSIS {
  TRY_ASSIGN(std::vector<NodePtr> nodes, tree_.meta_.remote_children(parent, tree_.known_locked()));
  std::erase_if(nodes, [this](const NodePtr& node) { return changed_.contains(node->ino); });
  for (const auto& [ino, node] : changed_) {
    if (node != nullptr && node->remote && node->remote_parent == parent) nodes.push_back(node);
  }
  return nodes;
}

Result<bool> Tree::Txn::has_children(InodeNumber parent) NO_THREAD_SAFETY_ANALYSIS {
  if (!changed_.empty()) {
    TRY_ASSIGN(const std::vector<NodePtr> nodes, children(parent));
    return !nodes.empty();
  }
  return tree_.meta_.has_children(parent);
}

Result<NodePtr> Tree::Txn::displaced_at(InodeNumber folder, const std::string& remote_name,
                                        InodeNumber except) NO_THREAD_SAFETY_ANALYSIS {
  const Place place(folder, fold_name(remote_name));
  const NodePtr changed = changed_at(displaced_, place, [&](const auto& node) {
    return node.ino != except && std::ranges::count(displaced_places(node), place) > 0;
  });
  if (changed != nullptr) return changed;
  const auto [from, to] = tree_.displaced_.equal_range(place);
  for (auto it = from; it != to; ++it) {
    if (it->second != except && !changed_.contains(it->second))
      return tree_.find_locked(it->second);
  }
  return NodePtr();
}

InodeNumber Tree::Txn::displaced_in(InodeNumber folder,
                                    InodeNumber except) const NO_THREAD_SAFETY_ANALYSIS {
  for (const auto& [ino, node] : changed_) {
    if (node == nullptr || ino == except) continue;
    for (const Place& place : displaced_places(*node))
      if (place.first == folder) return ino;
  }
  for (auto it = tree_.displaced_.lower_bound(Place(folder, std::string()));
       it != tree_.displaced_.end() && it->first.first == folder; ++it) {
    if (it->second != except && !changed_.contains(it->second)) return it->second;
  }
  return kNoInode;
}

InodeNumber Tree::Txn::base_holder(const RemoteId& id,
                                   InodeNumber except) const NO_THREAD_SAFETY_ANALYSIS {
  for (const auto& [ino, node] : changed_) {
    if (node != nullptr && ino != except && stands_on_base(*node) && node->base->file == id)
      return ino;
  }
  const auto [from, to] = tree_.bases_.equal_range(id.value);
  for (auto it = from; it != to; ++it) {
    if (it->second != except && !changed_.contains(it->second)) return it->second;
  }
  return kNoInode;
}

std::vector<InodeNumber> Tree::Txn::base_holders() const NO_THREAD_SAFETY_ANALYSIS {
  std::vector<InodeNumber> holders;
  for (const auto& [ino, node] : changed_) {
    if (node != nullptr && stands_on_base(*node)) holders.push_back(ino);
  }
  for (const auto& [id, ino] : tree_.bases_) {
    if (!changed_.contains(ino)) holders.push_back(ino);
  }
  return holders;
}

Result<InodeNumber> Tree::Txn::new_inode() NO_THREAD_SAFETY_ANALYSIS {
  TRY_ASSIGN(const InodeNumber ino, tree_.meta_.next_inode());
  new_.insert(ino);
  return ino;
}

void Tree::Txn::put(NodeRecord node) {
  const InodeNumber ino = node.ino;
  if (!node.deleted && node.parent) shown_.emplace(Place(node.parent, fold_name(node.name)), ino);
  for (Place& place : displaced_places(node)) displaced_.emplace(std::move(place), ino);
  if (node.remote) remote_.emplace(node.remote->id.value, ino);
  changed_[ino] = std::make_shared<const NodeRecord>(std::move(node));
}

void Tree::Txn::erase(InodeNumber ino) { changed_[ino] = nullptr; }

void Tree::Txn::set_value(const std::string& key, const std::string& value) {
  values_.emplace_back(key, value);
}

Result<void> Tree::Txn::commit() NO_THREAD_SAFETY_ANALYSIS {
  if (changed_.empty() && values_.empty()) return {};
  MetaStore::Batch batch;
  batch.values = values_;
  std::vector<std::pair<NodePtr, NodePtr>> changes;  // old, new
  for (const auto& [ino, node] : changed_) {
    NodePtr old;
    if (!new_.contains(ino)) {
      TRY_ASSIGN(old, tree_.find_locked(ino));
    }
    if (node != nullptr) {
      batch.put.push_back(*node);
    } else {
      if (old == nullptr) continue;
      batch.erase.push_back(ino);
    }
    changes.emplace_back(std::move(old), node);
  }
  Result<void> stored = tree_.meta_.commit(batch);
  if (!stored && stored.error().code == ErrorCode::kNoSpace && tree_.make_room_ &&
      tree_.make_room_())
    stored = tree_.meta_.commit(batch);
  TRY(std::move(stored));

  const auto touch = [this](InodeNumber folder) NO_THREAD_SAFETY_ANALYSIS {
    if (folder) tree_.stamps_[folder] = tree_.next_stamp_++;
  };
  // Held in between too: evictions do not wait for this.
  const auto hold_new = [&](bool held) {
    for (const auto& [old, node] : changes) {
      if (tree_.hold_ && node != nullptr && stands_on_base(*node)) tree_.hold_(*node->base, held);
    }
  };
  hold_new(true);
  for (const auto& [old, node] : changes) {
    if (old == nullptr) continue;
    tree_.unindex_locked(*old);
    touch(old->parent);
    if (const auto folder = tree_.names_.find(old->parent); folder != tree_.names_.end()) {
      const auto name = folder->second.find(old->name);
      if (name != folder->second.end() && name->second == old->ino) {
        folder->second.erase(name);
        --tree_.names_count_;
        if (folder->second.empty()) tree_.names_.erase(folder);
      }
    }
    if (node == nullptr) {
      const auto dropped = tree_.nodes_.erase(old->ino);
      tree_.stamps_.erase(old->ino);
    }
  }
  for (const auto& [old, node] : changes) {
    if (node == nullptr) continue;
    tree_.index_locked(*node);
    tree_.remember_locked(node);
    touch(node->parent);
  }
  hold_new(false);
  changed_.clear();
  new_.clear();
  shown_.clear();
  displaced_.clear();
  remote_.clear();
  values_.clear();
  return {};
}

}  // namespace cabinetfs
