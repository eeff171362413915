// The tree alone: transactions, names and what is unsent.
#include "cache/tree.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "cache/sealer.h"
#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

class TreeTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() / "cabinetfs-tree-XXXXXX";
    ASSERT_NE(mkdtemp(dir_.data()), nullptr);
    sealer_ = Sealer::plain();
    open(1000);
  }
  void TearDown() override {
    tree_.reset();
    meta_.reset();
    std::filesystem::remove_all(dir_);
  }
  void open(std::size_t loaded) {
    tree_.reset();
    meta_.reset();
    auto meta = MetaStore::open(dir_ + "/meta.db", *sealer_);
    ASSERT_OK(meta);
    meta_ = std::move(*meta);
    tree_ = std::make_unique<Tree>(*meta_, loaded);
    ASSERT_OK(tree_->load());
  }
  // A node that the server has at the same place.
  NodeRecord clean(std::uint64_t ino, std::uint64_t parent, const std::string& name,
                   NodeKind kind = NodeKind::kFile) const {
    NodeRecord node;
    node.ino = InodeNumber{ino};
    node.kind = kind;
    node.parent = node.remote_parent = InodeNumber{parent};
    node.name = name;
    node.remote = RemoteEntry{};
    node.remote->id = RemoteId{"id" + std::to_string(ino)};
    node.remote->name = name;
    node.remote->kind = kind;
    return node;
  }
  void put(const NodeRecord& node) {
    Tree::Txn txn(*tree_);
    txn.put(node);
    ASSERT_OK(txn.commit());
  }
  std::string name_of(std::uint64_t ino) {
    const auto node = tree_->find(InodeNumber{ino});
    return node && *node != nullptr ? (*node)->name : "(none)";
  }
  InodeNumber at(std::uint64_t parent, const std::string& name) {
    const auto node = tree_->child(InodeNumber{parent}, name);
    return node && *node != nullptr ? (*node)->ino : kNoInode;
  }

  std::string dir_;
  std::unique_ptr<Sealer> sealer_;
  std::unique_ptr<MetaStore> meta_;
  std::unique_ptr<Tree> tree_;
};

TEST_F(TreeTest, NothingHappensWithoutACommit) {
  {
    Tree::Txn txn(*tree_);
    txn.put(clean(10, 1, "a"));
    ASSERT_TRUE(txn.child(kRootInode, "a").has_value());
    EXPECT_NE(*txn.child(kRootInode, "a"), nullptr);  // seen inside
  }
  EXPECT_EQ(at(1, "a"), kNoInode);
}

TEST_F(TreeTest, ARenameMovesTheNameAtOnceAndForGood) {
  put(clean(10, 1, "a"));
  NodeRecord moved = clean(10, 1, "a");
  moved.name = "b";
  moved.renamed = true;
  put(moved);
  EXPECT_EQ(at(1, "a"), kNoInode);
  EXPECT_EQ(at(1, "b"), InodeNumber{10});
  open(1000);
  EXPECT_EQ(at(1, "a"), kNoInode);
  EXPECT_EQ(at(1, "b"), InodeNumber{10});
}

TEST_F(TreeTest, TwoNodesSwapNamesInOneTransaction) {
  put(clean(10, 1, "a"));
  put(clean(11, 1, "b"));
  {
    Tree::Txn txn(*tree_);
    NodeRecord a = clean(10, 1, "a");
    NodeRecord b = clean(11, 1, "b");
    std::swap(a.name, b.name);
    txn.put(a);
    txn.put(b);
    ASSERT_OK(txn.commit());
  }
  EXPECT_EQ(at(1, "a"), InodeNumber{11});
  EXPECT_EQ(at(1, "b"), InodeNumber{10});
}

TEST_F(TreeTest, ANameIsTakenOverByAnotherNodeInOneTransaction) {
  put(clean(10, 1, "a"));
  {
    Tree::Txn txn(*tree_);
    txn.erase(InodeNumber{10});
    txn.put(clean(11, 1, "a"));
    ASSERT_OK(txn.commit());
  }
  EXPECT_EQ(at(1, "a"), InodeNumber{11});
  EXPECT_EQ(name_of(10), "(none)");
}

TEST_F(TreeTest, UnsentNodesAreKnownAfterARestart) {
  put(clean(10, 1, "a"));
  NodeRecord dirty = clean(11, 1, "b");
  dirty.content_dirty = true;
  put(dirty);
  NodeRecord refused = clean(12, 1, "c");
  refused.failure = Failure{};
  put(refused);
  NodeRecord conflict = clean(13, 1, "d");
  conflict.conflict = "told";
  put(conflict);
  const std::vector<InodeNumber> expected{InodeNumber{11}, InodeNumber{12}, InodeNumber{13}};
  EXPECT_EQ(tree_->unsent(), expected);
  open(1000);
  EXPECT_EQ(tree_->unsent(), expected);
  put(clean(11, 1, "b"));
  EXPECT_EQ(tree_->unsent_count(), 2u);
}

TEST_F(TreeTest, WhoStandsAtAPlaceOfTheServerIsFoundByFoldedName) {
  NodeRecord moved = clean(10, 1, "Name");
  moved.parent = InodeNumber{5};
  put(moved);
  NodeRecord gone = clean(11, 1, "other");
  gone.deleted = true;
  gone.parent = kNoInode;
  put(gone);
  for (int restarted = 0; restarted < 2; ++restarted) {
    Tree::Txn txn(*tree_);
    auto standing = txn.displaced_at(kRootInode, "nAME", kNoInode);
    ASSERT_OK(standing);
    ASSERT_NE(*standing, nullptr);
    EXPECT_EQ((*standing)->ino, InodeNumber{10});
    EXPECT_EQ(*txn.displaced_at(kRootInode, "nAME", InodeNumber{10}), nullptr);
    EXPECT_NE(*txn.displaced_at(kRootInode, "other", kNoInode), nullptr);
    NodeRecord back = clean(10, 1, "Name");
    txn.put(back);
    EXPECT_EQ(*txn.displaced_at(kRootInode, "name", kNoInode), nullptr);  // seen inside
  }
}

TEST_F(TreeTest, WhatLeavesTheMemoryComesBackFromTheDisk) {
  open(10);
  for (std::uint64_t i = 10; i < 200; ++i) put(clean(i, 1, "n" + std::to_string(i)));
  EXPECT_LE(tree_->loaded(), 10u);
  for (std::uint64_t i = 10; i < 200; ++i) EXPECT_EQ(at(1, "n" + std::to_string(i)).value, i);
  const auto children = tree_->children(kRootInode);
  ASSERT_OK(children);
  EXPECT_EQ(children->size(), 190u);
}

TEST_F(TreeTest, AFoldersStampMovesWithItsChildrenOnly) {
  put(clean(5, 1, "d", NodeKind::kFolder));
  put(clean(10, 5, "a"));
  const std::uint64_t before = tree_->folder_stamp(InodeNumber{5});
  put(clean(11, 1, "elsewhere"));
  EXPECT_EQ(tree_->folder_stamp(InodeNumber{5}), before);
  {
    Tree::Txn txn(*tree_);
    txn.erase(InodeNumber{10});
    ASSERT_OK(txn.commit());
  }
  EXPECT_NE(tree_->folder_stamp(InodeNumber{5}), before);
}

TEST_F(TreeTest, PathsAreOfTheShownTree) {
  NodeRecord top = clean(5, 1, "d", NodeKind::kFolder);
  put(top);
  put(clean(10, 5, "a"));
  EXPECT_EQ(tree_->path_of(InodeNumber{10}).value_or("?"), "d/a");
  top.name = "e";
  top.renamed = true;
  put(top);
  EXPECT_EQ(tree_->path_of(InodeNumber{10}).value_or("?"), "e/a");
  EXPECT_EQ(tree_->path_of(kRootInode).value_or("?"), "");
  EXPECT_ERROR(ErrorCode::kNotFound, tree_->path_of(InodeNumber{99}));
}

// A disk without room for so many commits.
class FullMetaStore final : public MetaStore {
 public:
  FullMetaStore(MetaStore& wrapped, int full_for) : wrapped_(wrapped), full_for_(full_for) {}
  Result<std::optional<NodeRecord>> find(InodeNumber ino) override { return wrapped_.find(ino); }
  Result<std::optional<NodeRecord>> find_child(InodeNumber parent,
                                               const std::string& name) override {
    return wrapped_.find_child(parent, name);
  }
  Result<std::optional<NodeRecord>> find_child_folded(InodeNumber parent,
                                                      const std::string& name) override {
    return wrapped_.find_child_folded(parent, name);
  }
  Result<std::optional<NodeRecord>> find_remote(const RemoteId& id) override {
    return wrapped_.find_remote(id);
  }
  Result<std::vector<NodePtr>> children(InodeNumber parent, const Known& known) override {
    return wrapped_.children(parent, known);
  }
  Result<std::vector<NodePtr>> remote_children(InodeNumber parent, const Known& known) override {
    return wrapped_.remote_children(parent, known);
  }
  Result<bool> has_children(InodeNumber parent) override { return wrapped_.has_children(parent); }
  Result<std::vector<NodeRecord>> dirty() override { return wrapped_.dirty(); }
  Result<std::vector<InodeNumber>> pinned() override { return wrapped_.pinned(); }
  Result<std::uint64_t> count() override { return wrapped_.count(); }
  Result<void> commit(const Batch& batch) override {
    if (full_for_-- > 0) return fail(ErrorCode::kNoSpace, "full");
    return wrapped_.commit(batch);
  }
  Result<std::optional<std::string>> value(const std::string& key) override {
    return wrapped_.value(key);
  }
  Result<InodeNumber> next_inode() override { return wrapped_.next_inode(); }
  Result<void> sync() override { return wrapped_.sync(); }

 private:
  MetaStore& wrapped_;
  int full_for_;
};

TEST_F(TreeTest, ACommitWithoutRoomAsksForSomeAndIsTriedOnceMore) {
  for (const bool made : {true, false}) {
    FullMetaStore full(*meta_, 1);
    int asked = 0;
    Tree tree(full, 1000, [&] {
      ++asked;
      return made;
    });
    ASSERT_OK(tree.load());
    Tree::Txn txn(tree);
    txn.put(clean(made ? 20 : 21, 1, made ? "fits" : "does not"));
    const Result<void> done = txn.commit();
    EXPECT_EQ(asked, 1);
    if (made)
      EXPECT_OK(done);
    else
      EXPECT_ERROR(ErrorCode::kNoSpace, done);
  }
  EXPECT_TRUE(meta_->find(InodeNumber{20}).value().has_value());
  EXPECT_FALSE(meta_->find(InodeNumber{21}).value().has_value());
}

// Many changes of one transaction find each other as if they were stored.
TEST_F(TreeTest, ATransactionFindsItsOwnChanges) {
  put(clean(2, 1, "stored"));
  Tree::Txn txn(*tree_);
  NodeRecord node = clean(30, 1, "First");
  txn.put(node);
  EXPECT_EQ((*txn.child(kRootInode, "First"))->ino.value, 30u);
  EXPECT_EQ((*txn.child_folded(kRootInode, "FIRST"))->ino.value, 30u);
  EXPECT_EQ((*txn.find_remote(RemoteId{"id30"}))->ino.value, 30u);
  node.name = "second";
  node.remote->id = RemoteId{"other"};
  node.renamed = true;
  txn.put(node);
  EXPECT_EQ(*txn.child(kRootInode, "First"), nullptr);
  EXPECT_EQ(*txn.child_folded(kRootInode, "first"), nullptr);
  EXPECT_EQ(*txn.find_remote(RemoteId{"id30"}), nullptr);
  EXPECT_EQ((*txn.child(kRootInode, "second"))->ino.value, 30u);
  EXPECT_EQ((*txn.find_remote(RemoteId{"other"}))->ino.value, 30u);
  EXPECT_EQ((*txn.displaced_at(kRootInode, "FIRST", kNoInode))->ino.value, 30u);
  EXPECT_EQ(*txn.displaced_at(kRootInode, "first", InodeNumber{30}), nullptr);
  txn.erase(InodeNumber{2});
  EXPECT_EQ(*txn.child(kRootInode, "stored"), nullptr);
  EXPECT_EQ(*txn.find_remote(RemoteId{"id2"}), nullptr);
  txn.erase(InodeNumber{30});
  EXPECT_EQ(*txn.child(kRootInode, "second"), nullptr);
  EXPECT_EQ(txn.children(kRootInode)->size(), 0u);
}

}  // namespace
}  // namespace cabinetfs
