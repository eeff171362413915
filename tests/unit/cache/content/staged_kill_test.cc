// What kill -9 and a full disk leave behind.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <string>

#include "cache/posix_env.h"
#include "tests/unit/cache/content/content_fixture.h"

namespace cabinetfs {
namespace {

using StagedKillTest = ContentTest;

// One step of a program that a seed determines, on a content, a string, or both.
void play(std::mt19937_64& random, StagedContent* file, std::string& model) {
  const std::uint64_t offset = random() % (model.size() + 50'000);
  const std::uint64_t kind = random() % 8;
  const std::size_t length =
      static_cast<std::size_t>(kind < 5 ? 1 + random() % 5'000 : 1 + random() % 300'000);
  if (kind == 7) {
    if (file && !file->truncate(offset)) _exit(3);
    model.resize(offset);
    return;
  }
  const std::string text = pattern(length, static_cast<unsigned>(random()));
  if (file && !file->write(offset, as_bytes(text))) _exit(3);
  if (model.size() < offset + length) model.resize(offset + length);
  model.replace(offset, length, text);
}

TEST_F(StagedKillTest, TheLastCommittedRecordIsWhole) {
  store_.reset();  // no threads of ours while we fork
  for (unsigned seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(pipe_ends[0]);
      open();
      auto made = store_->create_staged(std::nullopt);
      if (!made) _exit(2);
      std::mt19937_64 random(seed);
      std::string model;
      for (std::uint32_t step = 1; step < 100'000; ++step) {
        play(random, made->get(), model);
        if (step % 5 != 0) continue;
        const auto record = (*made)->prepare();
        if (!record) _exit(4);
        // "Stored" once the parent has all of it.
        const std::uint32_t head[2] = {step, static_cast<std::uint32_t>(record->size())};
        std::string message(reinterpret_cast<const char*>(head), sizeof(head));
        message += *record;
        if (::write(pipe_ends[1], message.data(), message.size()) !=
            static_cast<ssize_t>(message.size()))
          _exit(5);
        (*made)->committed(*record);
      }
      _exit(0);
    }
    close(pipe_ends[1]);
    std::string stream;
    std::uint32_t step = 0;
    std::string record;
    const auto parse = [&] {
      std::uint32_t head[2];
      while (stream.size() >= sizeof(head)) {
        std::memcpy(head, stream.data(), sizeof(head));
        if (stream.size() < sizeof(head) + head[1]) break;
        step = head[0];
        record = stream.substr(sizeof(head), head[1]);
        stream.erase(0, sizeof(head) + head[1]);
      }
    };
    char buffer[4096];
    ssize_t got = 0;
    // Killed after a number of bytes that has nothing to do with what the child is doing.
    const std::size_t enough = 500 + seed * 977;
    for (std::size_t total = 0;
         total < enough && (got = ::read(pipe_ends[0], buffer, sizeof(buffer))) > 0;
         total += static_cast<std::size_t>(got))
      stream.append(buffer, static_cast<std::size_t>(got));
    kill(child, SIGKILL);
    while ((got = ::read(pipe_ends[0], buffer, sizeof(buffer))) > 0)
      stream.append(buffer, static_cast<std::size_t>(got));
    close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    parse();
    ASSERT_GT(step, 0u);
    std::mt19937_64 random(seed);
    std::string model;
    for (std::uint32_t i = 1; i <= step; ++i) play(random, nullptr, model);
    open();
    auto file = store_->load_staged(record, std::nullopt);
    ASSERT_TRUE(file) << to_string(file.error());
    EXPECT_TRUE(same(read_text(**file), model)) << "step " << step;
    file->reset();
    store_.reset();
  }
}

// A disk that is full for the one test: a small tmpfs where we may mount, else nothing to test
// with.
class FullDiskTest : public ContentTest {
 protected:
  void SetUp() override {
    ContentTest::SetUp();
    store_.reset();
    disk_ = dir_ + "/small";
    ASSERT_TRUE(make_dirs(disk_));
    if (mount("tmpfs", disk_.c_str(), "tmpfs", 0, "size=4m") != 0)
      GTEST_SKIP() << "needs the right to mount a tmpfs: " << strerror(errno);
    mounted_ = true;
  }
  void TearDown() override {
    store_.reset();
    if (mounted_) umount2(disk_.c_str(), MNT_DETACH);
    ContentTest::TearDown();
  }
  ContentOptions small() const {
    ContentOptions result = options();
    result.staged_dir = disk_ + "/staged";
    return result;
  }
  std::string disk_;
  bool mounted_ = false;
};

TEST_F(FullDiskTest, TheWriterIsToldAndWhatWasThereStays) {
  open(small());
  const auto file = staged();
  const std::string text = pattern(2'000'000);
  ASSERT_TRUE(file->write(0, as_bytes(text)));
  std::string record = commit(*file);
  Result<void> result;
  std::uint64_t at = 2'000'000;
  for (; result && at < 10'000'000; at += 100'000)
    result = file->write(at, as_bytes(pattern(100'000, 2)));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kNoSpace);
  EXPECT_TRUE(same(read_text(*file, 0, 2'000'000), text));
  // With space again it goes on.
  ASSERT_TRUE(file->truncate(2'000'000));
  ASSERT_TRUE(file->write(2'000'000, as_bytes(pattern(100'000, 3))));
  record = commit(*file);
  EXPECT_TRUE(same(read_text(*file), text + pattern(100'000, 3)));
}

TEST_F(FullDiskTest, CachedContentsMakeRoomForUnsentData) {
  ContentOptions both = small();
  both.cache_dir = disk_ + "/cache";
  open(both);
  const std::string content = pattern(2'000'000);
  { EXPECT_TRUE(same(read_text(*serve("a", content)), content)); }
  ASSERT_TRUE(eventually([&] {
    store_->verify();  // saves
    return store_->stats().cached_files == 1;
  }));
  const auto file = staged();
  for (std::uint64_t at = 0; at < 3'000'000; at += 100'000)
    ASSERT_TRUE(file->write(at, as_bytes(pattern(100'000, 2)))) << at;
  ASSERT_TRUE(file->prepare());
  EXPECT_EQ(store_->stats().cached_files, 0u);
}

TEST_F(FullDiskTest, AFullDiskDoesNotStopReading) {
  ContentOptions both = small();
  both.cache_dir = disk_ + "/cache";
  open(both);
  const std::string content = pattern(8'000'000);
  const auto file = serve("a", content);
  EXPECT_TRUE(same(read_text(*file), content));
  EXPECT_TRUE(same(read_text(*file), content));
}

}  // namespace
}  // namespace cabinetfs
