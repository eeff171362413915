#pragma once

#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/mutex.h"
#include "cache/content.h"
#include "cache/meta_store.h"
#include "cache/sealer.h"
#include "cache/volume.h"
#include "tests/support/fake_remote_store.h"
#include "tests/support/faulty_remote_store.h"

namespace cabinetfs {

// The system's clock, and what a test puts on top: deadlines stay true, waiting is skipped. Thread
// safe.
class ShiftedClock final : public Clock {
 public:
  WallTime wall() const override {
    MutexLock lock(mutex_);
    return Clock::system().wall() + shift_ - set_back_;
  }
  SteadyTime steady() const override {
    return Clock::system().steady() + std::chrono::duration_cast<SteadyTime::duration>(shift());
  }
  void advance(std::chrono::nanoseconds span) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    shift_ += span;
  }
  // As somebody sets the time of day: how long things take does not change.
  void set_back(std::chrono::nanoseconds span) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    set_back_ += span;
  }

 private:
  std::chrono::nanoseconds shift() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return shift_;
  }
  mutable Mutex mutex_;
  std::chrono::nanoseconds shift_ GUARDED_BY(mutex_){0};
  std::chrono::nanoseconds set_back_ GUARDED_BY(mutex_){0};
};

// What the kernel was told.
class RecordingNotifier final : public KernelNotifier {
 public:
  void invalidate_inode(InodeNumber ino, bool data) override EXCLUDES(mutex_) {
    if (on_call) on_call();
    MutexLock lock(mutex_);
    inodes_.emplace_back(ino, data);
  }
  void invalidate_entry(InodeNumber parent, const std::string& name) override EXCLUDES(mutex_) {
    if (on_call) on_call();
    MutexLock lock(mutex_);
    entries_.emplace_back(parent, name);
  }
  bool told_of(InodeNumber ino, bool data) const EXCLUDES(mutex_);
  bool told_of_entry(InodeNumber parent, const std::string& name) const EXCLUDES(mutex_);
  std::function<void()> on_call;  // set before the volume starts

 private:
  mutable Mutex mutex_;
  std::vector<std::pair<InodeNumber, bool>> inodes_ GUARDED_BY(mutex_);
  std::vector<std::pair<InodeNumber, std::string>> entries_ GUARDED_BY(mutex_);
};

// The folders and files of a tree: a path, and a content, or "/" for a folder.
using TreeDump = std::map<std::string, std::string>;

struct HarnessOptions {
  VolumeOptions volume;
  FakeRemoteOptions remote;
  bool encrypt = false;
  bool start = true;                  // the reconciler
  std::uint64_t cache_max_bytes = 0;  // 0: as usual
  std::uint64_t memory_bytes = 0;
  // Instead of the store in memory: asked for a store at each start.
  std::function<RemoteStore&()> connect;

  // Sends nothing by itself before an hour has passed on the test's clock, and asks nobody.
  HarnessOptions() {
    volume.upload_delay = std::chrono::hours(1);
    volume.poll_interval = std::chrono::milliseconds(0);
    volume.call_timeout = std::chrono::seconds(20);
    volume.walk_ahead = false;
    volume.host = "box";
    // The same tests once more, on a store whose ids are paths: see CMakeLists.txt.
    if (std::getenv("CABINETFS_TEST_PATH_IDS") != nullptr) {
      remote = FakeRemoteOptions::path_ids();
      remote.capabilities.versions = true;
    }
  }
};

// A volume over a store that fails on demand (one in memory unless `connect` gives another), with
// its state in a directory of its own. restart() forgets all that is not on the disk, as kill -9
// does, and opens the state again. The calls below go by path from the mount's root, wait for the
// network where they must, and end the test program when the harness itself is at fault.
class VolumeHarness {
 public:
  VolumeHarness() : VolumeHarness(FakeRemoteStore::Files(), HarnessOptions()) {}
  explicit VolumeHarness(std::initializer_list<FakeRemoteStore::Files::value_type> files,
                         const HarnessOptions& with = HarnessOptions())
      : VolumeHarness(FakeRemoteStore::Files(files), with) {}
  VolumeHarness(const FakeRemoteStore::Files& files, const HarnessOptions& with);
  ~VolumeHarness();

  void restart();
  void shut_down();  // restart() without the second half
  void start_again();

  CallContext call() const;        // within a generous deadline, by the test's clock
  CallContext local_only() const;  // may_block = false

  // Waits until everything is at the server (or refused).
  Result<void> drain(const std::string& path = "");
  // Moves the clock far enough that whatever waits is sent now.
  void pass_quiet_time() { advance(std::chrono::hours(2)); }
  // Listings and files are older than `fresh` afterwards.
  void go_stale() { advance(std::chrono::minutes(5)); }
  // What is on its way to the server (reading ahead, a poll) ends first, unless a gate holds it: a
  // call that sees its deadline jump by would look like a dead network.
  void advance(std::chrono::nanoseconds span);
  static bool eventually(const std::function<bool()>& condition,
                         std::chrono::seconds patience = std::chrono::seconds(20));

  Result<InodeNumber> ino(const std::string& path);
  InodeNumber must(const std::string& path);  // none where there is nothing
  Result<Attributes> stat(const std::string& path);
  bool exists(const std::string& path) { return stat(path).has_value(); }
  Result<std::shared_ptr<OpenFile>> open(const std::string& path, OpenFlags flags);
  Result<std::shared_ptr<OpenFile>> open_rw(const std::string& path);
  Result<std::shared_ptr<OpenFile>> open_read(const std::string& path);
  Result<std::shared_ptr<OpenFile>> create(const std::string& path, bool exclusive = false);
  Result<void> close(std::shared_ptr<OpenFile>& file);  // flush and release
  Result<void> pwrite(OpenFile& file, std::uint64_t offset, const std::string& text);
  Result<std::string> pread(OpenFile& file, std::uint64_t offset, std::size_t length);
  Result<std::string> read_all(OpenFile& file);
  // Creates or truncates, writes, closes.
  Result<void> write_file(const std::string& path, const std::string& text);
  Result<void> write_at(const std::string& path, std::uint64_t offset, const std::string& text);
  Result<std::string> read_file(const std::string& path);
  // The content, or the error in words.
  std::string text(const std::string& path);
  Result<void> mkdir(const std::string& path);
  Result<void> mkdir_p(const std::string& path);
  Result<void> unlink(const std::string& path);
  Result<void> rmdir(const std::string& path);
  Result<void> remove_tree(const std::string& path);
  Result<void> rename(const std::string& from, const std::string& to,
                      Volume::RenameMode mode = Volume::RenameMode::kReplace);
  Result<void> truncate(const std::string& path, std::uint64_t size);
  Result<std::vector<std::string>> names(const std::string& path = "");
  std::string state(const std::string& path);
  // The mount's tree; asks the server for all that is stale. `contents` false: sizes only.
  Result<TreeDump> mount_tree(bool contents = true);
  TreeDump remote_tree() const;
  std::vector<std::string> versions(const std::string& remote_path) const;  // oldest first
  std::size_t unsent() const { return volume->status().unsent.size(); }

  ContentStore& contents() { return *contents_; }
  std::set<std::string> staged_files() const;
  // Files of its state with that text among their bytes.
  std::set<std::string> files_with(const std::string& text) const;
  // As a power loss leaves them whose bytes nobody has synced: empty. While shut down.
  void damage_staged_files() const;

  HarnessOptions options;  // changes count from the next start on
  ShiftedClock clock;
  FakeRemoteStore remote;
  FaultyRemoteStore faulty;
  RecordingNotifier notifier;
  std::unique_ptr<Volume> volume;

 private:
  static std::pair<std::string, std::string> split_path(const std::string& path);
  std::unique_ptr<Sealer> sealer_;
  std::string dir_;
  std::unique_ptr<MetaStore> meta_;
  std::unique_ptr<ContentStore> contents_;
};

// Bytes that differ everywhere.
std::string pattern_text(std::size_t size, unsigned seed = 1);

// gtest: EXPECT_OK(volume.mkdir("a")).
#define EXPECT_OK(expr)                                                   \
  do {                                                                    \
    auto&& expect_ok_ = (expr);                                           \
    EXPECT_TRUE(expect_ok_.has_value()) << to_string(expect_ok_.error()); \
  } while (false)
#define ASSERT_OK(expr)                                                   \
  do {                                                                    \
    auto&& assert_ok_ = (expr);                                           \
    ASSERT_TRUE(assert_ok_.has_value()) << to_string(assert_ok_.error()); \
  } while (false)
#define EXPECT_ERROR(error_code, expr)                                                         \
  do {                                                                                         \
    auto&& expect_error_ = (expr);                                                             \
    EXPECT_FALSE(expect_error_.has_value()) << "succeeded, should not have";                   \
    if (!expect_error_) {                                                                      \
      EXPECT_EQ(expect_error_.error().code, (error_code)) << to_string(expect_error_.error()); \
    }                                                                                          \
  } while (false)

}  // namespace cabinetfs
