// The bytes of files. Each test quotes the line of fs/SEMANTICS.md that it shows.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tests/e2e/support/mounted.h"

namespace cabinetfs {
namespace {

class Data : public Mounted {};
CABINET_FOR_EACH_ACCOUNT(Data);

// "What close() accepted is read back by every program on this machine, and reaches the server."
TEST_P(Data, WrittenIsRead) {
  const std::string text(300'000, 'q');
  ASSERT_TRUE(write_file(p("f"), text));
  EXPECT_EQ(read_file(p("f")), text);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("f"), text);
}

// "Nothing is created on the server before its content is complete."
TEST_P(Data, NoPlaceholders) {
  const int fd = ::open(p("f").c_str(), O_CREAT | O_WRONLY, 0644);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::write(fd, "half", 4), 4);
  ASSERT_TRUE(write_file(p("other"), "x"));
  ASSERT_TRUE(eventually([&] { return on_server("other") == "x"; }));
  EXPECT_EQ(on_server("f"), "(nothing)");
  ASSERT_EQ(::write(fd, "whole", 5), 5);
  ::close(fd);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("f"), "halfwhole");
  EXPECT_EQ(versions("f"), 1u);
}

// "A write at any place of a file changes these bytes only, without reading the rest."
TEST_P(Data, WritesIntoTheMiddleOfAServersFile) {
  std::string text(400'000, 'a');
  account_->write("Work/f", text);
  ASSERT_TRUE(eventually([&] { return ::access(p("f").c_str(), F_OK) == 0; }));
  const int fd = ::open(p("f").c_str(), O_RDWR);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::pwrite(fd, "BBB", 3, 200'001), 3);
  text.replace(200'001, 3, "BBB");
  std::string back(10, '\0');
  ASSERT_EQ(::pread(fd, back.data(), 10, 199'998), 10);
  EXPECT_EQ(back, "aaaBBBaaaa");
  ::close(fd);
  EXPECT_EQ(read_file(p("f")), text);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("f"), text);
  EXPECT_EQ(versions("f"), kept(2));
}

// "ftruncate and truncate cut and extend; what is added reads as zeros."
TEST_P(Data, Truncate) {
  ASSERT_TRUE(write_file(p("f"), "0123456789"));
  ASSERT_EQ(::truncate(p("f").c_str(), 4), 0);
  EXPECT_EQ(read_file(p("f")), "0123");
  ASSERT_EQ(::truncate(p("f").c_str(), 6), 0);
  EXPECT_EQ(read_file(p("f")), std::string("0123\0\0", 6));
  const int fd = ::open(p("f").c_str(), O_WRONLY);
  ASSERT_EQ(::ftruncate(fd, 2), 0);
  struct stat info {};
  ASSERT_EQ(::fstat(fd, &info), 0);
  EXPECT_EQ(info.st_size, 2);
  ::close(fd);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("f"), "01");
}

// "O_APPEND writes at the end, O_TRUNC empties, O_EXCL refuses a name that exists."
TEST_P(Data, OpenFlags) {
  ASSERT_TRUE(write_file(p("f"), "one"));
  int fd = ::open(p("f").c_str(), O_WRONLY | O_APPEND);
  ASSERT_EQ(::write(fd, "+two", 4), 4);
  ::close(fd);
  EXPECT_EQ(read_file(p("f")), "one+two");
  EXPECT_LT(::open(p("f").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644), 0);
  EXPECT_EQ(errno, EEXIST);
  fd = ::open(p("f").c_str(), O_WRONLY | O_TRUNC);
  ::close(fd);
  EXPECT_EQ(read_file(p("f")), "");
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("f"), "");
}

// "An empty file is a file."
TEST_P(Data, EmptyFiles) {
  ASSERT_EQ(sh("touch empty").exit_code, 0);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("empty"), "");
  remount_from_server();
  EXPECT_EQ(sh("stat -c '%s %F' empty").output, "0 regular empty file\n");
  EXPECT_EQ(read_file(p("empty")), "");
}

// "mmap works, shared and private, for reading and for writing."
TEST_P(Data, Mmap) {
  ASSERT_TRUE(write_file(p("f"), std::string(8192, 'a')));
  const int fd = ::open(p("f").c_str(), O_RDWR);
  ASSERT_GE(fd, 0);
  void* const shared = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ASSERT_NE(shared, MAP_FAILED) << std::strerror(errno);
  std::memcpy(static_cast<char*>(shared) + 5000, "HELLO", 5);
  ASSERT_EQ(::msync(shared, 8192, MS_SYNC), 0);
  std::string back(5, '\0');
  ASSERT_EQ(::pread(fd, back.data(), 5, 5000), 5);
  EXPECT_EQ(back, "HELLO");
  ::munmap(shared, 8192);
  void* const mine = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  ASSERT_NE(mine, MAP_FAILED);
  std::memcpy(mine, "PRIVATE", 7);
  ::munmap(mine, 8192);
  ::close(fd);
  EXPECT_EQ(settle(), "");
  std::string want(8192, 'a');
  want.replace(5000, 5, "HELLO");
  EXPECT_EQ(on_server("f"), want);
}

// "A file that was unlinked while it is open stays readable and writable until its last close, and
// is never sent."
TEST_P(Data, UnlinkedWhileOpen) {
  account_->write("Work/old", "server's");
  ASSERT_TRUE(eventually([&] { return ::access(p("old").c_str(), F_OK) == 0; }));
  const int old = ::open(p("old").c_str(), O_RDONLY);
  std::string back(8, '\0');
  ASSERT_EQ(::pread(old, back.data(), 8, 0), 8);
  const int fresh = ::open(p("new").c_str(), O_CREAT | O_RDWR, 0644);
  ASSERT_EQ(::write(fresh, "temp", 4), 4);
  ASSERT_EQ(::unlink(p("old").c_str()), 0);
  ASSERT_EQ(::unlink(p("new").c_str()), 0);
  EXPECT_EQ(sh("ls").output, "");
  back.assign(8, '\0');
  EXPECT_EQ(::pread(old, back.data(), 8, 0), 8);
  EXPECT_EQ(back, "server's");
  ASSERT_EQ(::write(fresh, "more", 4), 4);
  EXPECT_EQ(::pread(fresh, back.data(), 8, 0), 8);
  EXPECT_EQ(back, "tempmore");
  struct stat info {};
  EXPECT_EQ(::fstat(fresh, &info), 0);
  EXPECT_EQ(info.st_size, 8);
  ::close(old);
  ::close(fresh);
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(server_tree(), IsEmpty());
}

// "lseek finds data and holes; what is not sparse is one run of data."
TEST_P(Data, SeekDataAndHole) {
  const int fd = ::open(p("f").c_str(), O_CREAT | O_RDWR, 0644);
  ASSERT_EQ(::pwrite(fd, "x", 1, 1 << 20), 1);
  EXPECT_EQ(::lseek(fd, 1 << 20, SEEK_DATA), 1 << 20);
  EXPECT_EQ(::lseek(fd, 1 << 20, SEEK_HOLE), (1 << 20) + 1);
  EXPECT_EQ(::lseek(fd, 1 << 21, SEEK_DATA), -1);
  EXPECT_EQ(errno, ENXIO);
  // Where nothing is sparse, all of it is data.
  const off_t data = ::lseek(fd, 0, SEEK_DATA);
  EXPECT_GE(data, 0) << std::strerror(errno);
  EXPECT_LE(data, 1 << 20);
  const off_t hole = ::lseek(fd, 0, SEEK_HOLE);
  EXPECT_EQ(hole, data == 0 ? (1 << 20) + 1 : 0);
  ::close(fd);
}

// "fallocate grows, keeps the size, punches holes and zeroes ranges."
TEST_P(Data, Fallocate) {
  ASSERT_TRUE(write_file(p("f"), std::string(10'000, 'a')));
  const int fd = ::open(p("f").c_str(), O_RDWR);
  ASSERT_EQ(::fallocate(fd, 0, 0, 20'000), 0) << std::strerror(errno);
  struct stat info {};
  ::fstat(fd, &info);
  EXPECT_EQ(info.st_size, 20'000);
  ASSERT_EQ(::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 40'000), 0);
  ::fstat(fd, &info);
  EXPECT_EQ(info.st_size, 20'000);
  ASSERT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 1'000), 0);
  ASSERT_EQ(::fallocate(fd, FALLOC_FL_ZERO_RANGE, 5'000, 100), 0);
  EXPECT_NE(::fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), 0);
  EXPECT_EQ(errno, EOPNOTSUPP);
  ::close(fd);
  std::string want(20'000, '\0');
  want.replace(0, 10'000, 10'000, 'a');
  want.replace(100, 1'000, 1'000, '\0');
  want.replace(5'000, 100, 100, '\0');
  EXPECT_EQ(read_file(p("f")), want);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("f"), want);
}

// "copy_file_range copies between files of the mount."
TEST_P(Data, CopyFileRange) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += std::to_string(i);
  ASSERT_TRUE(write_file(p("from"), text));
  const int in = ::open(p("from").c_str(), O_RDONLY);
  const int out = ::open(p("to").c_str(), O_CREAT | O_WRONLY, 0644);
  std::size_t left = text.size();
  while (left > 0) {
    const ssize_t copied = ::copy_file_range(in, nullptr, out, nullptr, left, 0);
    ASSERT_GT(copied, 0) << std::strerror(errno);
    left -= static_cast<std::size_t>(copied);
  }
  ::close(in);
  ::close(out);
  EXPECT_EQ(read_file(p("to")), text);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("to"), text);
}

// "flock and fcntl locks work between the programs of this machine; other machines do not see
// them."
TEST_P(Data, LocksAreLocal) {
  ASSERT_TRUE(write_file(p("f"), "x"));
  ShellProcess holder("exec flock " + q("f") + " sleep 1000");
  EXPECT_TRUE(eventually([&] { return sh("flock -n f true").exit_code == 1; }));
  holder.signal(SIGKILL);
  holder.wait();
  // The program that flock had started may end a moment later.
  EXPECT_TRUE(eventually([&] { return sh("flock -n f true").exit_code == 0; }));
  // The same with fcntl.
  const int fd = ::open(p("f").c_str(), O_RDWR);
  ASSERT_GE(fd, 0);
  ShellProcess other(
      "exec python3 -c 'import fcntl, sys, time; f = open(sys.argv[1], \"r+\"); "
      "fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(1000)' " +
      q("f"));
  struct flock mine {};
  mine.l_type = F_WRLCK;
  mine.l_whence = SEEK_SET;
  EXPECT_TRUE(eventually([&] {
    struct flock asked = mine;
    return ::fcntl(fd, F_GETLK, &asked) == 0 && asked.l_type == F_WRLCK &&
           asked.l_pid == other.pid();
  }));
  EXPECT_EQ(::fcntl(fd, F_SETLK, &mine), -1);
  EXPECT_EQ(errno, EAGAIN);
  other.signal(SIGKILL);
  other.wait();
  EXPECT_TRUE(eventually([&] { return ::fcntl(fd, F_SETLK, &mine) == 0; }));
  ::close(fd);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(versions("f"), 1u);
}

// "Ten saves in a row are one upload."
TEST_P(Data, SavesInARowAreOneVersion) {
  MountedOptions options;
  options.volume.upload_delay = std::chrono::seconds(2);
  remount(options);
  account_->reset_requests();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(write_file(p("f"), "save " + std::to_string(i)));
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("f"), "save 9");
  EXPECT_EQ(account_->uploads(), 1u);
  EXPECT_EQ(versions("f"), 1u);
}

// "fsync returns when the content is on stable storage; it does not wait for the server."
TEST_P(Data, Fsync) {
  const int fd = ::open(p("f").c_str(), O_CREAT | O_WRONLY, 0644);
  ASSERT_EQ(::write(fd, "safe", 4), 4);
  account_->stall(true);
  EXPECT_EQ(::fsync(fd), 0);
  EXPECT_EQ(::fdatasync(fd), 0);
  EXPECT_EQ(on_server("f"), "(nothing)");
  ::close(fd);
  account_->stall(false);
  const int directory = ::open(p().c_str(), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(::fsync(directory), 0);
  ::close(directory);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("f"), "safe");
}

// "With sync = remote, close() returns when the server has the file."
TEST_P(Data, SyncRemote) {
  ASSERT_EQ(sh("mkdir d && setfattr -n user.cabinet.sync -v remote d").exit_code, 0);
  ASSERT_TRUE(write_file(p("d/f"), "there"));
  EXPECT_EQ(on_server("d/f"), "there");
  ASSERT_EQ(::mkdir(p("d/sub").c_str(), 0755), 0);
  EXPECT_NE(id("d/sub"), "");
  ASSERT_EQ(::unlink(p("d/f").c_str()), 0);
  EXPECT_EQ(on_server("d/f"), "(nothing)");
}

// "A file of another machine's new version is seen by the next open; an open handle keeps its own."
TEST_P(Data, CloseToOpen) {
  account_->write("Work/f", "first");
  ASSERT_TRUE(eventually([&] { return read_file(p("f")) == "first"; }));
  account_->write("Work/f", "second version");
  EXPECT_TRUE(eventually([&] { return read_file(p("f")) == "second version"; }));
}

// "A large file is read in order and at random."
TEST_P(Data, LargeFiles) {
  std::string text(9'000'000, '\0');
  for (std::size_t i = 0; i < text.size(); ++i)
    text[i] = static_cast<char>('a' + ((i * 2654435761u) >> 13) % 26);
  account_->write("Work/big", text);
  ASSERT_TRUE(eventually([&] { return ::access(p("big").c_str(), F_OK) == 0; }));
  const int fd = ::open(p("big").c_str(), O_RDONLY);
  for (const off_t offset : {8'999'000, 17, 4'500'000, 131'071}) {
    std::string back(1000, '\0');
    ASSERT_EQ(::pread(fd, back.data(), back.size(), offset), 1000);
    EXPECT_EQ(back, text.substr(static_cast<std::size_t>(offset), 1000)) << offset;
  }
  ::close(fd);
  EXPECT_TRUE(read_file(p("big")) == text);
  ASSERT_TRUE(write_file(p("big2"), text));
  EXPECT_EQ(settle(), "");
  EXPECT_TRUE(on_server("big2") == text);
}

}  // namespace
}  // namespace cabinetfs
