#include "cache/meta_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <set>

#include "cache/posix_env.h"
#include "cache/sealer.h"
#include "cache/sqlite_db.h"
#include "cache/sqlite_meta_store.h"
#include "tests/unit/cache/meta/nodes.h"
#include "tests/unit/cache/meta/temp_dir.h"

namespace cabinetfs {
namespace {

class MetaStoreTest : public ::testing::Test {
 protected:
  MetaStoreTest() { reopen(); }

  void reopen() {
    store_.reset();
    auto opened = SqliteMetaStore::open(path_, *sealer_, {});
    ASSERT_TRUE(opened) << to_string(opened.error());
    store_ = *std::move(opened);
  }
  void put(std::vector<NodeRecord> nodes) {
    const auto done = store_->commit({.put = std::move(nodes), .erase = {}, .values = {}});
    ASSERT_TRUE(done) << to_string(done.error());
  }
  template <class Nodes>
  std::vector<std::uint64_t> inodes(const Result<Nodes>& nodes) {
    std::vector<std::uint64_t> out;
    if (!nodes) return {0};
    for (const auto& node : *nodes) {
      if constexpr (std::is_same_v<std::decay_t<decltype(node)>, NodeRecord>)
        out.push_back(node.ino.value);
      else
        out.push_back(node->ino.value);
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  using Inodes = std::vector<std::uint64_t>;

  TempDir dir_;
  const std::string path_ = dir_ / "meta.db";
  std::unique_ptr<Sealer> sealer_ = test_sealer();
  std::unique_ptr<SqliteMetaStore> store_;
};

TEST_F(MetaStoreTest, FindsWhatWasCommitted) {
  const NodeRecord node = clean_node(2, 1, "Report.docx");
  put({node});
  for (int round = 0; round < 2; ++round) {
    expect_same(store_->find(InodeNumber{2}).value().value(), node);
    expect_same(store_->find_child(kRootInode, "Report.docx").value().value(), node);
    EXPECT_FALSE(store_->find_child(kRootInode, "report.docx").value());
    EXPECT_FALSE(store_->find_child(InodeNumber{3}, "Report.docx").value());
    EXPECT_TRUE(store_->find_child_folded(kRootInode, "rEPORT.docx").value());
    EXPECT_FALSE(store_->find_child_folded(InodeNumber{3}, "rEPORT.docx").value());
    EXPECT_EQ(store_->find_remote(node.remote->id).value()->ino.value, 2u);
    EXPECT_FALSE(store_->find_remote(RemoteId{"none"}).value());
    EXPECT_FALSE(store_->find(InodeNumber{3}).value());
    EXPECT_EQ(store_->count().value(), 1u);
    reopen();
  }
}

TEST_F(MetaStoreTest, ListsChildrenWhereTheyAreShownAndWhereTheyAreConfirmed) {
  NodeRecord moved = clean_node(4, 3, "moved");
  moved.remote_parent = kRootInode;
  NodeRecord deleted = clean_node(5, 1, "deleted");
  deleted.deleted = true;
  NodeRecord gone = clean_node(6, 0, "gone");
  gone.remote_parent = kRootInode;
  put({clean_node(2, 1, "a"), clean_node(3, 1, "b"), moved, deleted, gone});
  EXPECT_EQ(inodes(store_->children(kRootInode)), (Inodes{2, 3}));
  EXPECT_EQ(inodes(store_->children(InodeNumber{3})), (Inodes{4}));
  EXPECT_EQ(inodes(store_->remote_children(kRootInode)), (Inodes{2, 3, 4, 5, 6}));
  EXPECT_TRUE(store_->has_children(InodeNumber{3}).value());
  EXPECT_FALSE(store_->has_children(InodeNumber{2}).value());
  EXPECT_FALSE(store_->find_child(kRootInode, "deleted").value());
  EXPECT_EQ(store_->find_remote(deleted.remote->id).value()->ino.value, 5u);
  EXPECT_TRUE(store_->children(kNoInode)->empty());
}

TEST_F(MetaStoreTest, ChangingANodeMovesItInEveryIndex) {
  NodeRecord node = clean_node(2, 1, "old");
  put({node});
  NodeRecord changed = node;
  changed.name = "New";
  changed.parent = InodeNumber{9};
  changed.remote->id = RemoteId{"other id"};
  changed.renamed = true;
  put({changed});
  expect_same(store_->find(InodeNumber{2}).value().value(), changed);
  EXPECT_FALSE(store_->find_child(kRootInode, "old").value());
  EXPECT_FALSE(store_->find_child_folded(kRootInode, "OLD").value());
  EXPECT_TRUE(store_->find_child(InodeNumber{9}, "New").value());
  EXPECT_TRUE(store_->find_child_folded(InodeNumber{9}, "NEW").value());
  EXPECT_FALSE(store_->find_remote(node.remote->id).value());
  EXPECT_TRUE(store_->find_remote(RemoteId{"other id"}).value());
  EXPECT_EQ(store_->count().value(), 1u);
  // A change that moves it in no index.
  changed.size = 777;
  put({changed});
  EXPECT_EQ(store_->find_child(InodeNumber{9}, "New").value()->size, 777u);
}

TEST_F(MetaStoreTest, RenameOverAnotherIsOneBatch) {
  put({clean_node(2, 1, "a"), clean_node(3, 1, "b")});
  NodeRecord renamed = clean_node(2, 1, "b");
  ASSERT_TRUE(store_->commit({.put = {renamed}, .erase = {InodeNumber{3}}, .values = {}}));
  EXPECT_EQ(store_->find_child(kRootInode, "b").value()->ino.value, 2u);
  EXPECT_EQ(store_->count().value(), 1u);
  // Two nodes swap their names: for a moment both have one.
  put({clean_node(3, 1, "a")});
  put({clean_node(2, 1, "a"), clean_node(3, 1, "b")});
  EXPECT_EQ(store_->find_child(kRootInode, "a").value()->ino.value, 2u);
  EXPECT_EQ(store_->find_child(kRootInode, "b").value()->ino.value, 3u);
}

TEST_F(MetaStoreTest, KnowsWhatNeedsAttention) {
  NodeRecord dirty = clean_node(7, 1, "dirty");
  dirty.content_dirty = true;
  NodeRecord failed = clean_node(5, 1, "failed");
  failed.failure = Failure{};
  NodeRecord conflict = clean_node(6, 1, "conflict");
  conflict.conflict = "theirs is version 3";
  NodeRecord pinned = clean_node(3, 1, "pinned");
  pinned.pin = PinState::kPinned;
  NodeRecord unpinned = clean_node(4, 1, "unpinned");
  unpinned.pin = PinState::kUnpinned;
  put({dirty, failed, conflict, pinned, unpinned, clean_node(2, 1, "clean")});
  Inodes order;
  const auto attention = store_->dirty().value();
  for (const auto& node : attention) order.push_back(node.ino.value);
  EXPECT_EQ(order, (Inodes{5, 6, 7})) << "by inode number";
  EXPECT_EQ(store_->pinned().value(), std::vector<InodeNumber>{InodeNumber{3}});
  dirty.content_dirty = false;
  failed.failure.reset();
  put({dirty, failed});
  EXPECT_EQ(inodes(store_->dirty()), (Inodes{6}));
}

TEST_F(MetaStoreTest, KeepsSettings) {
  EXPECT_FALSE(store_->value("cursor").value());
  ASSERT_TRUE(store_->commit({.put = {}, .erase = {}, .values = {{"cursor", "12"}, {"b", "x"}}}));
  EXPECT_EQ(store_->value("cursor").value(), "12");
  ASSERT_TRUE(store_->commit({.put = {}, .erase = {}, .values = {{"cursor", "13"}, {"b", ""}}}));
  reopen();
  EXPECT_EQ(store_->value("cursor").value(), "13");
  EXPECT_FALSE(store_->value("b").value());
  EXPECT_TRUE(store_->commit({}));
}

TEST_F(MetaStoreTest, NeverGivesAnInodeNumberTwice) {
  std::set<std::uint64_t> seen{kRootInode.value};
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 1500; ++i) {
      const auto ino = store_->next_inode();
      ASSERT_TRUE(ino);
      ASSERT_TRUE(seen.insert(ino->value).second) << ino->value;
    }
    reopen();
  }
}

TEST_F(MetaStoreTest, CountsRows) {
  put({clean_node(2, 1, "a"), clean_node(3, 1, "b"), clean_node(3, 1, "c")});
  EXPECT_EQ(store_->count().value(), 2u);
  ASSERT_TRUE(
      store_->commit({.put = {}, .erase = {InodeNumber{2}, InodeNumber{99}}, .values = {}}));
  EXPECT_EQ(store_->count().value(), 1u);
  reopen();
  EXPECT_EQ(store_->count().value(), 1u);
}

TEST_F(MetaStoreTest, CheckpointBeginsTheLogAnew) {
  for (unsigned i = 2; i < 200; ++i) put({clean_node(i, 1, "file" + std::to_string(i))});
  EXPECT_GT(store_->log_frames(), 100);
  ASSERT_TRUE(store_->checkpoint());
  EXPECT_LT(store_->log_frames(), 5);
  ASSERT_TRUE(store_->sync());
  put({clean_node(200, 1, "after")});
  ASSERT_TRUE(store_->sync());
  EXPECT_EQ(store_->children(kRootInode)->size(), 199u);
  reopen();
  EXPECT_EQ(store_->children(kRootInode)->size(), 199u);
}

TEST_F(MetaStoreTest, ShowsNothingInItsFiles) {
  NodeRecord node = clean_node(2, 1, "quarterly-figures.xlsx");
  node.remote->id = RemoteId{"remote-id-0123456789"};
  node.xattrs["user.secretive"] = "xattr-value";
  put({node});
  ASSERT_TRUE(store_->commit({.put = {}, .erase = {}, .values = {{"setting-name", "its-value"}}}));
  const auto look = [&] {
    int files = 0;
    const auto entries = list_dir(dir_.path());
    ASSERT_TRUE(entries);
    for (const auto& entry : *entries) {
      const std::string content = read_file(dir_ / entry.name).value();
      for (const char* word : {"quarterly", "figures", "xlsx", "remote-id", "secretive",
                               "xattr-value", "setting-name", "its-value"})
        EXPECT_EQ(content.find(word), std::string::npos) << word << " in " << entry.name;
      struct stat info {};
      ASSERT_EQ(::stat((dir_ / entry.name).c_str(), &info), 0);
      EXPECT_EQ(info.st_mode & 0777u, 0600u) << entry.name;
      ++files;
    }
    EXPECT_GE(files, 2);
  };
  look();
  ASSERT_TRUE(store_->checkpoint());
  look();
}

TEST_F(MetaStoreTest, RefusesAnotherKey) {
  put({clean_node(2, 1, "a")});
  store_.reset();
  Sealer::Key key{};
  key[0] = std::byte{99};
  for (const auto& other : {Sealer::aes_gcm(key), Sealer::plain()})
    EXPECT_EQ(MetaStore::open(path_, *other).error().code, ErrorCode::kDenied);
  reopen();
  EXPECT_TRUE(store_->find(InodeNumber{2}).value());
}

TEST_F(MetaStoreTest, RefusesOtherFormatsAndFiles) {
  store_.reset();
  {
    Database db = Database::open(path_).value();
    ASSERT_TRUE(db.execute("PRAGMA user_version = 2"));
  }
  EXPECT_EQ(MetaStore::open(path_, *sealer_).error().code, ErrorCode::kNotSupported);
  {
    Database db = Database::open(path_).value();
    ASSERT_TRUE(db.execute("PRAGMA application_id = 7"));
  }
  EXPECT_EQ(MetaStore::open(path_, *sealer_).error().code, ErrorCode::kCorrupt);
  ASSERT_TRUE(atomic_write_file(dir_ / "text", as_bytes(std::string(5000, 'x'))));
  const auto garbage = MetaStore::open(dir_ / "text", *sealer_);
  ASSERT_FALSE(garbage);
  EXPECT_EQ(garbage.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(garbage.error().context.find("cabinetfs cache verify"), std::string::npos);
  EXPECT_FALSE(MetaStore::open(dir_ / "none/meta.db", *sealer_));
}

TEST_F(MetaStoreTest, RowThatDoesNotOpenIsCorruptAndNamed) {
  put({clean_node(2, 1, "a"), clean_node(3, 1, "b")});
  store_.reset();
  {
    Database db = Database::open(path_).value();
    // Another node's genuine row is not this node's.
    ASSERT_TRUE(
        db.execute("UPDATE nodes SET body = (SELECT body FROM nodes WHERE ino = 3) WHERE ino = 2"));
  }
  reopen();
  const auto damaged = store_->find(InodeNumber{2});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(damaged.error().context.find("node 2"), std::string::npos) << damaged.error().context;
  EXPECT_TRUE(store_->find(InodeNumber{3}).value()) << "the others stay readable";
  put({clean_node(2, 1, "a")});
  EXPECT_TRUE(store_->find(InodeNumber{2}).value()) << "writing it again heals it";
}

// Torn pages, bit rot: any answer but a crash or wrong data.
TEST_F(MetaStoreTest, DamagedPagesAreErrors) {
  std::vector<NodeRecord> nodes;
  for (unsigned i = 2; i < 400; ++i) nodes.push_back(clean_node(i, 1, "f" + std::to_string(i)));
  put(nodes);
  store_.reset();
  const std::string whole = read_file(path_).value();
  std::mt19937 random(7);
  int refused = 0;
  for (int round = 0; round < 60; ++round) {
    std::string damaged = whole;
    if (round % 3 == 0) {
      damaged.resize(random() % whole.size());
    } else {
      const std::size_t at = random() % whole.size();
      const std::size_t length = std::min<std::size_t>(1 + random() % 4096, whole.size() - at);
      for (std::size_t i = 0; i < length; ++i) damaged[at + i] = static_cast<char>(random());
    }
    ASSERT_TRUE(remove_file(path_ + "-wal"));
    ASSERT_TRUE(remove_file(path_ + "-shm"));
    {
      std::ofstream out(path_, std::ios::binary | std::ios::trunc);
      out << damaged;
    }
    auto opened = SqliteMetaStore::open(path_, *sealer_, {});
    if (!opened) {
      ++refused;
      continue;
    }
    for (unsigned i = 2; i < 400; i += 7) {
      const auto node = (*opened)->find(InodeNumber{i});
      if (!node) {
        EXPECT_TRUE(node.error().code == ErrorCode::kCorrupt || node.error().code == ErrorCode::kIo)
            << to_string(node.error());
        ++refused;
      } else if (*node) {
        EXPECT_EQ((*node)->name, "f" + std::to_string(i));
      }
    }
    (void)(*opened)->children(kRootInode);
    (void)(*opened)->dirty();
    (void)(*opened)->commit({.put = {clean_node(500, 1, "new")}, .erase = {}, .values = {}});
    (void)(*opened)->sync();
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace cabinetfs
