// Kill -9 at every step of a commit, a sync and a checkpoint, and at any moment between.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <set>

#include "cache/posix_env.h"
#include "cache/sealer.h"
#include "cache/sqlite_meta_store.h"
#include "tests/unit/cache/meta/nodes.h"
#include "tests/unit/cache/meta/temp_dir.h"

namespace cabinetfs {
namespace {

enum class Told : std::uint32_t { kInode = 1, kCommitted = 2 };
struct Message {
  Told what;
  std::uint32_t value;
};

void tell(int pipe, Told what, std::uint64_t value) {
  const Message message{what, static_cast<std::uint32_t>(value)};
  if (::write(pipe, &message, sizeof(message)) != sizeof(message)) ::_exit(3);
}

// In the child: a node for each number, reported when its commit has returned. Ends by a kill.
[[noreturn]] void work(const std::string& path, int pipe, int frames) {
  const auto sealer = test_sealer();
  auto store = SqliteMetaStore::open(path, *sealer, {.checkpoint_frames = frames});
  if (!store) ::_exit(2);
  for (;;) {
    const auto ino = (*store)->next_inode();
    if (!ino) ::_exit(4);
    tell(pipe, Told::kInode, ino->value);
    const std::string name = "n" + std::to_string(ino->value);
    // Two rows and a setting that belong together.
    const auto done = (*store)->commit(
        {.put = {clean_node(ino->value, 1, name), clean_node(ino->value + 1'000'000, 2, name)},
         .erase = {},
         .values = {{"last", std::to_string(ino->value)}}});
    if (!done) ::_exit(5);
    tell(pipe, Told::kCommitted, ino->value);
    if (ino->value % 8 == 0 && !(*store)->sync()) ::_exit(6);
    if (ino->value % 32 == 0 && !(*store)->checkpoint()) ::_exit(7);
  }
}

class MetaStoreCrash : public ::testing::Test {
 protected:
  // Starts a worker; `setup` runs in it first. Kills it once `kill_after` commits were reported, or
  // waits until it has killed itself.
  template <class Setup>
  void run_and_kill(Setup setup, int frames, std::size_t kill_after) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      setup();
      work(path_, ends[1], frames);
    }
    ::close(ends[1]);
    Message message{};
    std::size_t commits = 0;
    while (::read(ends[0], &message, sizeof(message)) == sizeof(message)) {
      if (message.what == Told::kInode) {
        EXPECT_TRUE(given_.insert(message.value).second)
            << "inode number " << message.value << " was given twice";
      } else {
        committed_.push_back(message.value);
        if (++commits == kill_after) ::kill(child, SIGKILL);
      }
    }
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  }

  void verify() {
    const auto sealer = test_sealer();
    auto store = SqliteMetaStore::open(path_, *sealer, {});
    ASSERT_TRUE(store) << to_string(store.error());
    for (const std::uint32_t ino : committed_) {
      const auto node = (*store)->find(InodeNumber{ino});
      ASSERT_TRUE(node && node->has_value()) << "committed node " << ino << " is gone";
    }
    // All of a batch, or nothing; and the counter agrees with the rows.
    const auto first = (*store)->children(kRootInode).value();
    const auto second = (*store)->children(InodeNumber{2}).value();
    EXPECT_EQ(first.size(), second.size());
    EXPECT_EQ((*store)->count().value(), first.size() + second.size());
    std::uint64_t last = 0;
    for (const NodePtr& node : first) last = std::max(last, node->ino.value);
    EXPECT_EQ((*store)->value("last").value().value_or("0"), std::to_string(last));
    EXPECT_TRUE((*store)->sync());
  }

  TempDir dir_;
  const std::string path_ = dir_ / "meta.db";
  std::set<std::uint32_t> given_;
  std::vector<std::uint32_t> committed_;
};

TEST_F(MetaStoreCrash, NothingIsLostOrHalfDoneAtAnyMoment) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 12; ++round) {
    run_and_kill([] {}, 64, 1 + random() % 150);
    verify();
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(committed_.size(), 12u);
}

class MetaStoreCrashPoint : public MetaStoreCrash,
                            public ::testing::WithParamInterface<const char*> {};

TEST_P(MetaStoreCrashPoint, NothingIsLostOrHalfDone) {
  for (const int hit : {1, 2, 5}) {
    run_and_kill(
        [hit] {
          MetaStore::set_sync_point_hook([left = hit](const char* point) mutable {
            if (std::string_view(point) == GetParam() && --left == 0) ::raise(SIGKILL);
          });
        },
        64, SIZE_MAX);
    verify();
    if (HasFatalFailure()) return;
  }
  EXPECT_FALSE(given_.empty());
}
INSTANTIATE_TEST_SUITE_P(Points, MetaStoreCrashPoint,
                         ::testing::Values("commit.before", "commit.middle", "commit.after",
                                           "sync.before", "sync.after", "checkpoint.before",
                                           "checkpoint.middle", "checkpoint.after"));

// What a power cut leaves: the files as they stood when sync() was done.
TEST_F(MetaStoreCrash, FilesAsTheyStandAfterASyncHoldAllCommits) {
  const auto sealer = test_sealer();
  auto store = SqliteMetaStore::open(path_, *sealer, {}).value();
  const std::string copy = dir_ / "copy.db";
  for (std::uint64_t i = 10; i < 60; ++i) {
    ASSERT_TRUE(
        store->commit({.put = {clean_node(i, 1, std::to_string(i))}, .erase = {}, .values = {}}));
    if (i % 10 == 5) {
      ASSERT_TRUE(store->checkpoint());
    }
    if (i % 7 != 0) continue;
    ASSERT_TRUE(store->sync());
    for (const char* end : {"", "-wal"})
      std::filesystem::copy_file(path_ + end, copy + end,
                                 std::filesystem::copy_options::overwrite_existing);
    auto after = SqliteMetaStore::open(copy, *sealer, {});
    ASSERT_TRUE(after) << to_string(after.error());
    EXPECT_EQ((*after)->children(kRootInode)->size(), i - 9);
  }
}

}  // namespace
}  // namespace cabinetfs
