#include "fs/kernel_notifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/gate.h"

namespace cabinetfs {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class RecordingSink final : public KernelSink {
 public:
  void drop_inode(InodeNumber ino, bool data) override {
    (void)gate.pass({});
    note("inode " + std::to_string(ino.value) + (data ? " data" : ""));
  }
  bool drop_entry(InodeNumber parent, const std::string& name) override {
    (void)gate.pass({});
    note("entry " + std::to_string(parent.value) + " " + name);
    return name != "unknown";
  }
  std::vector<std::string> calls() {
    MutexLock lock(mutex_);
    return calls_;
  }
  Gate gate;

 private:
  void note(std::string line) {
    MutexLock lock(mutex_);
    calls_.push_back(std::move(line));
  }
  Mutex mutex_;
  std::vector<std::string> calls_ GUARDED_BY(mutex_);
};

TEST(KernelNotifier, TellsInOrder) {
  RecordingSink sink;
  QueueingNotifier notifier(sink);
  notifier.invalidate_entry({7}, "name");
  notifier.drain();
  notifier.invalidate_inode({8}, true);
  notifier.drain();
  EXPECT_THAT(sink.calls(), ElementsAre("entry 7 name", "inode 8 data"));
}

TEST(KernelNotifier, MergesWhatWaits) {
  RecordingSink sink;
  sink.gate.close();
  QueueingNotifier notifier(sink);
  notifier.invalidate_inode({1}, false);
  ASSERT_TRUE(sink.gate.wait_for_waiting(1));
  for (int i = 0; i < 1000; ++i) {
    notifier.invalidate_inode({2}, i == 500);
    notifier.invalidate_entry({2}, "a");
    notifier.invalidate_entry({3}, i % 2 == 0 ? "b" : "c");
  }
  sink.gate.open();
  notifier.drain();
  EXPECT_THAT(sink.calls(), UnorderedElementsAre("inode 1", "inode 2 data", "entry 2 a",
                                                 "entry 3 b", "entry 3 c"));
}

// A new name in a directory whose listing the kernel has cached.
TEST(KernelNotifier, ANameThatTheKernelDoesNotKnowDropsTheListing) {
  RecordingSink sink;
  QueueingNotifier notifier(sink);
  notifier.invalidate_entry({5}, "unknown");
  notifier.drain();
  EXPECT_THAT(sink.calls(), ElementsAre("entry 5 unknown", "inode 5 data"));
}

TEST(KernelNotifier, AFloodOfNamesIsBounded) {
  RecordingSink sink;
  sink.gate.close();
  QueueingNotifier notifier(sink, 2);
  notifier.invalidate_inode({1}, false);
  ASSERT_TRUE(sink.gate.wait_for_waiting(1));
  for (int i = 0; i < 100; ++i) notifier.invalidate_entry({9}, std::to_string(i));
  sink.gate.open();
  notifier.drain();
  EXPECT_THAT(sink.calls(),
              UnorderedElementsAre("inode 1", "entry 9 0", "entry 9 1", "inode 9 data"));
}

TEST(KernelNotifier, StopsWithAFullQueueAndIsDeafAfterwards) {
  RecordingSink sink;
  sink.gate.close();
  QueueingNotifier notifier(sink);
  notifier.invalidate_inode({1}, false);
  ASSERT_TRUE(sink.gate.wait_for_waiting(1));
  for (std::uint64_t i = 2; i < 100; ++i) notifier.invalidate_inode({i}, true);
  std::thread opener([&] { sink.gate.open(); });
  notifier.stop();
  opener.join();
  notifier.invalidate_inode({1000}, true);
  notifier.invalidate_entry({1000}, "x");
  EXPECT_LE(sink.calls().size(), 99u);
  for (const std::string& call : sink.calls()) EXPECT_NE(call, "inode 1000 data");
}

// Callers may hold the very thing that the kernel waits for: they are never made to wait.
TEST(KernelNotifier, CallersDoNotWaitForTheKernel) {
  RecordingSink sink;
  sink.gate.close();
  QueueingNotifier notifier(sink);
  for (std::uint64_t i = 0; i < 1000; ++i) notifier.invalidate_inode({i}, true);
  ASSERT_TRUE(sink.gate.wait_for_waiting(1));
  EXPECT_TRUE(sink.calls().empty());
  sink.gate.open();
}

}  // namespace
}  // namespace cabinetfs
