#include "cache/posix_env.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "tests/unit/cache/meta/temp_dir.h"

namespace cabinetfs {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 07777;
}

class PosixEnv : public ::testing::Test {
 protected:
  ~PosixEnv() override { set_file_fault_hook(nullptr); }
  TempDir dir_;
};

TEST_F(PosixEnv, WritesAndReadsAtOffsets) {
  auto file = File::create_exclusive(dir_ / "a");
  ASSERT_TRUE(file) << to_string(file.error());
  EXPECT_EQ(mode_of(dir_ / "a"), 0600u);
  ASSERT_TRUE(file->write_at(5, as_bytes("hello")));
  EXPECT_EQ(file->size().value(), 10u);
  std::string text(20, 'x');
  const auto out = std::as_writable_bytes(std::span(text.data(), text.size()));
  EXPECT_EQ(file->read_at(3, out).value(), 7u);
  EXPECT_EQ(text.substr(0, 7), std::string("\0\0hello", 7));
  EXPECT_EQ(file->read_at(10, out).value(), 0u);
  EXPECT_EQ(file->read_exactly_at(3, out).error().code, ErrorCode::kCorrupt);
  ASSERT_TRUE(file->truncate(6));
  EXPECT_EQ(read_file(dir_ / "a").value(), std::string("\0\0\0\0\0h", 6));
  EXPECT_TRUE(file->sync_data());
  EXPECT_TRUE(file->close());
}

TEST_F(PosixEnv, TellsErrorsApart) {
  ASSERT_TRUE(File::create_exclusive(dir_ / "a"));
  EXPECT_EQ(File::create_exclusive(dir_ / "a").error().code, ErrorCode::kExists);
  EXPECT_EQ(File::open_read(dir_ / "none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(file_error(ENOSPC, "x").code, ErrorCode::kNoSpace);
  EXPECT_EQ(file_error(EDQUOT, "x").code, ErrorCode::kNoSpace);
  EXPECT_EQ(file_error(EIO, "x").code, ErrorCode::kIo);
  EXPECT_EQ(file_error(EIO, "write f").context, "write f: Input/output error");
  EXPECT_TRUE(remove_file(dir_ / "none"));
  EXPECT_TRUE(remove_dir(dir_ / "none"));
  EXPECT_EQ(rename_file(dir_ / "none", dir_ / "b").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read_file(dir_ / "a", 0).value(), "");
}

TEST_F(PosixEnv, ReadFileHasABound) {
  ASSERT_TRUE(atomic_write_file(dir_ / "a", as_bytes("12345")));
  EXPECT_EQ(read_file(dir_ / "a", 4).error().code, ErrorCode::kTooLarge);
}

TEST_F(PosixEnv, HolesReadAsZerosAndGiveSpaceBack) {
  auto file = File::create_exclusive(dir_ / "a");
  ASSERT_TRUE(file);
  const std::string text(256 << 10, 'x');
  ASSERT_TRUE(file->write_at(0, as_bytes(text)));
  ASSERT_TRUE(file->sync_data());
  const auto before = file->disk_bytes().value();
  ASSERT_TRUE(file->punch_hole(64 << 10, 128 << 10));
  // Whole blocks of any filesystem that has holes; what has none is another test's.
  EXPECT_LT(file->disk_bytes().value(), before);
  const std::string after = read_file(dir_ / "a").value();
  EXPECT_EQ(after.size(), text.size());
  EXPECT_EQ(std::count(after.begin(), after.end(), '\0'), 128 << 10);
  EXPECT_EQ(after[(64 << 10) - 1], 'x');
  EXPECT_EQ(after[192 << 10], 'x');
}

TEST_F(PosixEnv, HolesAreZerosWhereTheFilesystemHasNone) {
  auto file = File::create_exclusive(dir_ / "a");
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write_at(0, as_bytes("0123456789")));
  set_file_fault_hook([](const char* operation, const std::string&) {
    return std::string_view(operation) == "punch" ? EOPNOTSUPP : 0;
  });
  ASSERT_TRUE(file->punch_hole(4, 100));
  EXPECT_EQ(read_file(dir_ / "a").value(), std::string("0123\0\0\0\0\0\0", 10));
}

TEST_F(PosixEnv, AtomicWriteKeepsTheOldContentWhenTheDiskIsFull) {
  ASSERT_TRUE(atomic_write_file(dir_ / "a", as_bytes("old")));
  EXPECT_EQ(mode_of(dir_ / "a"), 0600u);
  for (const std::string failing : {"write", "sync", "rename"}) {
    set_file_fault_hook([&](const char* operation, const std::string&) {
      return operation == failing ? ENOSPC : 0;
    });
    EXPECT_EQ(atomic_write_file(dir_ / "a", as_bytes("new")).error().code, ErrorCode::kNoSpace)
        << failing;
    set_file_fault_hook(nullptr);
    EXPECT_EQ(read_file(dir_ / "a").value(), "old");
    EXPECT_EQ(list_dir(dir_.path())->size(), 1u) << "no temporary file stays";
  }
  ASSERT_TRUE(atomic_write_file(dir_ / "a", as_bytes("new")));
  EXPECT_EQ(read_file(dir_ / "a").value(), "new");
}

TEST_F(PosixEnv, MakesPrivateDirectoriesWithParents) {
  ASSERT_TRUE(make_dirs(dir_ / "x/y/z"));
  ASSERT_TRUE(make_dirs(dir_ / "x/y/z"));
  EXPECT_EQ(mode_of(dir_ / "x"), 0700u);
  EXPECT_EQ(mode_of(dir_ / "x/y/z"), 0700u);
  EXPECT_TRUE(sync_dir(dir_ / "x"));
  ASSERT_TRUE(atomic_write_file(dir_ / "file", as_bytes("")));
  EXPECT_FALSE(make_dirs(dir_ / "file"));
  EXPECT_FALSE(make_dirs(dir_ / "file/below"));
  auto entries = list_dir(dir_.path()).value();
  std::sort(entries.begin(), entries.end(),
            [](const FileEntry& a, const FileEntry& b) { return a.name < b.name; });
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, "file");
  EXPECT_FALSE(entries[0].directory);
  EXPECT_TRUE(entries[1].directory);
  EXPECT_EQ(parent_dir("a/b"), "a");
  EXPECT_EQ(parent_dir("/b"), "/");
  EXPECT_EQ(parent_dir("b"), ".");
  const auto space = disk_space(dir_.path()).value();
  EXPECT_GT(space.total, 0u);
  EXPECT_LE(space.free, space.total);
}

TEST_F(PosixEnv, SecondProcessIsToldWhoHoldsTheLock) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = DirLock::acquire(dir_ / "store");
    const char ok = lock ? 'y' : 'n';
    if (::write(ready[1], &ok, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char ok = 0;
  ASSERT_EQ(::read(ready[0], &ok, 1), 1);
  EXPECT_EQ(ok, 'y');
  const auto refused = DirLock::acquire(dir_ / "store");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kBusy);
  EXPECT_NE(refused.error().context.find(std::to_string(child)), std::string::npos)
      << refused.error().context;
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(DirLock::acquire(dir_ / "store")) << "the lock ends with its process";
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(PosixEnv, SecondLockInOneProcessIsRefusedToo) {
  std::optional<DirLock> lock = DirLock::acquire(dir_.path()).value();
  EXPECT_EQ(DirLock::acquire(dir_.path()).error().code, ErrorCode::kBusy);
  lock.reset();
  EXPECT_TRUE(DirLock::acquire(dir_.path()));
}

}  // namespace
}  // namespace cabinetfs
