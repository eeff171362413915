// Many threads on one store, and what goes wrong on the disk meanwhile. Also run under TSan.

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "cache/posix_env.h"
#include "cache/sealer.h"
#include "cache/sqlite_meta_store.h"
#include "tests/unit/cache/meta/nodes.h"
#include "tests/unit/cache/meta/temp_dir.h"

namespace cabinetfs {
namespace {

class MetaStoreThreads : public ::testing::Test {
 protected:
  ~MetaStoreThreads() override {
    set_file_fault_hook(nullptr);
    MetaStore::set_sync_point_hook(nullptr);
  }
  std::unique_ptr<SqliteMetaStore> open(int frames = 4096) {
    return SqliteMetaStore::open(dir_ / "meta.db", *sealer_, {.checkpoint_frames = frames}).value();
  }
  static MetaStore::Batch batch(std::vector<NodeRecord> nodes) {
    return {.put = std::move(nodes), .erase = {}, .values = {}};
  }

  TempDir dir_;
  std::unique_ptr<Sealer> sealer_ = test_sealer();
};

TEST_F(MetaStoreThreads, ReadersSeeWholeBatchesWhileOthersWriteAndSync) {
  const auto store = open(48);  // the log is copied many times meanwhile
  constexpr int kWriters = 2, kRounds = 150, kNodes = 5;
  std::atomic<int> writing{kWriters};
  std::atomic<int> errors{0};
  std::atomic<int> torn{0};
  std::vector<std::thread> threads;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      const std::uint64_t folder = 10 + static_cast<std::uint64_t>(w);
      for (int round = 1; round <= kRounds; ++round) {
        std::vector<NodeRecord> nodes;
        for (std::uint64_t n = 0; n < kNodes; ++n) {
          nodes.push_back(clean_node(folder * 100 + n, folder, "f" + std::to_string(n)));
          nodes.back().size = static_cast<std::uint64_t>(round);
        }
        if (!store->commit(batch(std::move(nodes)))) ++errors;
        // A commit is seen by the reads after it.
        const auto mine = store->find_child(InodeNumber{folder}, "f0");
        if (!mine || !*mine || (*mine)->size != static_cast<std::uint64_t>(round)) ++torn;
      }
      --writing;
    });
  }
  for (int r = 0; r < 2; ++r) {
    threads.emplace_back([&, r] {
      while (writing > 0) {
        const auto nodes = store->children(InodeNumber{10 + static_cast<std::uint64_t>(r)});
        if (!nodes) ++errors;
        if (!nodes || nodes->empty()) continue;
        if (nodes->size() != kNodes) ++torn;
        for (const NodePtr& node : *nodes)
          if (node->size != nodes->front()->size) ++torn;
      }
    });
  }
  threads.emplace_back([&] {
    while (writing > 0)
      if (!store->sync()) ++errors;
  });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(errors, 0);
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(store->count().value(), 10u);
  EXPECT_TRUE(store->sync());
}

TEST_F(MetaStoreThreads, InodeNumbersAreGivenOnceToAllThreads) {
  const auto store = open();
  std::mutex mutex;
  std::set<std::uint64_t> seen;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 700; ++i) {
        const std::uint64_t ino = store->next_inode().value().value;
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(seen.insert(ino).second);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(seen.size(), 2800u);
}

// Holds the thread that comes to a sync point until the test lets it go.
class Held {
 public:
  explicit Held(std::string point) : point_(std::move(point)) {
    MetaStore::set_sync_point_hook([this](const char* name) {
      if (name != point_) return;
      std::unique_lock lock(mutex_);
      ++arrived_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return open_; });
    });
  }
  ~Held() {
    open();
    MetaStore::set_sync_point_hook(nullptr);
  }
  void wait_for_arrival() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return arrived_ > 0; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  int arrived() {
    const std::lock_guard lock(mutex_);
    return arrived_;
  }

 private:
  const std::string point_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  bool open_ = false;
};

TEST_F(MetaStoreThreads, CommitsAndReadsGoOnDuringASync) {
  const auto store = open();
  ASSERT_TRUE(store->commit(batch({clean_node(2, 1, "before")})));
  Held held("sync.before");
  std::thread slow([&] { EXPECT_TRUE(store->sync()); });
  held.wait_for_arrival();
  ASSERT_TRUE(store->commit(batch({clean_node(3, 1, "meanwhile")})));
  EXPECT_EQ(store->children(kRootInode)->size(), 2u);
  ASSERT_TRUE(store->checkpoint());
  held.open();
  slow.join();
}

TEST_F(MetaStoreThreads, CommitsAndReadsGoOnDuringACheckpoint) {
  const auto store = open();
  ASSERT_TRUE(store->commit(batch({clean_node(2, 1, "before")})));
  Held held("checkpoint.middle");
  std::thread slow([&] { EXPECT_TRUE(store->checkpoint()); });
  held.wait_for_arrival();
  ASSERT_TRUE(store->commit(batch({clean_node(3, 1, "meanwhile")})));
  EXPECT_EQ(store->children(kRootInode)->size(), 2u);
  ASSERT_TRUE(store->sync());
  held.open();
  slow.join();
}

TEST_F(MetaStoreThreads, SyncsThatComeMeanwhileShareOne) {
  const auto store = open();
  ASSERT_TRUE(store->commit(batch({clean_node(2, 1, "a")})));
  std::atomic<int> disk_syncs{0};
  set_file_fault_hook([&](const char* operation, const std::string& path) {
    if (std::string_view(operation) == "sync" && path.ends_with("-wal")) ++disk_syncs;
    return 0;
  });
  Held held("sync.before");
  std::vector<std::thread> threads;
  threads.emplace_back([&] { EXPECT_TRUE(store->sync()); });
  held.wait_for_arrival();
  ASSERT_TRUE(store->commit(batch({clean_node(3, 1, "b")})));
  for (int i = 0; i < 5; ++i) threads.emplace_back([&] { EXPECT_TRUE(store->sync()); });
  held.open();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(disk_syncs, 2);
  ASSERT_TRUE(store->sync());
  EXPECT_EQ(disk_syncs, 2) << "nothing was committed since";
}

TEST_F(MetaStoreThreads, FailedSyncIsNeverTakenBack) {
  const auto store = open();
  ASSERT_TRUE(store->commit(batch({clean_node(2, 1, "a")})));
  set_file_fault_hook([](const char* operation, const std::string& path) {
    return std::string_view(operation) == "sync" && path.ends_with("-wal") ? EIO : 0;
  });
  EXPECT_EQ(store->sync().error().code, ErrorCode::kIo);
  set_file_fault_hook(nullptr);
  // The disk takes calls again, and what it lost before is lost.
  EXPECT_EQ(store->sync().error().code, ErrorCode::kIo);
  EXPECT_EQ(store->checkpoint().error().code, ErrorCode::kIo);
  EXPECT_TRUE(store->find(InodeNumber{2}).value()) << "reading goes on";
}

TEST_F(MetaStoreThreads, LogIsCopiedByItselfAsItGrows) {
  const auto store = open(100);
  int longest = 0;
  std::uint64_t i = 2;
  // Ends when the log was begun anew; CTest's time limit ends it otherwise.
  for (; longest < 100 || store->log_frames() >= longest; ++i) {
    longest = std::max(longest, store->log_frames());
    ASSERT_TRUE(store->commit(batch({clean_node(i, 1, std::to_string(i))})));
  }
  EXPECT_EQ(store->count().value(), i - 2);
}

}  // namespace
}  // namespace cabinetfs
