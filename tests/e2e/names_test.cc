// Lookup, directories, names. Each test quotes the line of fs/SEMANTICS.md that it shows.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <thread>
#include <utility>

#include "backend/base/descriptor.h"

#include "tests/e2e/support/mounted.h"

namespace cabinetfs {
namespace {

class Names : public Mounted {};
CABINET_FOR_EACH_ACCOUNT(Names);

// An open directory that is read as slowly as a test wants: readdir(3) would ask for much at once.
class SlowReader {
 public:
  explicit SlowReader(const std::string& path)
      : directory_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
  bool is_open() const { return directory_.get() >= 0; }
  // One getdents(2) of less than a page; false at the end. How often it has seen each name.
  bool read_some() {
    alignas(8) char buffer[2048];
    const long got = ::syscall(SYS_getdents64, directory_.get(), buffer, sizeof(buffer));
    EXPECT_GE(got, 0) << std::strerror(errno);
    for (long at = 0; at < got;) {
      const auto* const entry = reinterpret_cast<const dirent64*>(buffer + at);
      if (entry->d_name[0] != '.') ++seen_[entry->d_name];
      at += entry->d_reclen;
    }
    return got > 0;
  }
  void read_rest() {
    while (read_some()) {
    }
  }
  void rewind() {
    EXPECT_EQ(::lseek(directory_.get(), 0, SEEK_SET), 0);
    seen_.clear();
  }
  const std::map<std::string, int>& seen() const { return seen_; }

 private:
  const Descriptor directory_;
  std::map<std::string, int> seen_;
};

// Each of "1" to `count` but `gone` exactly once; `gone` may have been seen before it went.
std::string missed(const std::map<std::string, int>& seen, int count, const std::string& gone) {
  std::string out;
  for (int i = 1; i <= count; ++i) {
    const std::string name = std::to_string(i);
    const auto found = seen.find(name);
    const int times = found == seen.end() ? 0 : found->second;
    if (times == 1 || (name == gone && times == 0)) continue;
    out += name + " " + std::to_string(times) + " times; ";
  }
  return out;
}

// "A directory is listed completely or not at all."
TEST_P(Names, ListsWhatTheServerHas) {
  for (int i = 0; i < 60; ++i) account_->write("Work/many/" + std::to_string(i), "x");
  EXPECT_EQ(sh("ls many | wc -l").output, "60\n");
  EXPECT_EQ(sh("find . -type f | wc -l").output, "60\n");
  EXPECT_EQ(sh("stat -c '%s %F' many/7").output, "1 regular file\n");
}

// "mkdir, rmdir and unlink are seen by every program on this machine when they return."
TEST_P(Names, ChangesAreSeenAtOnceAndReachTheServer) {
  EXPECT_EQ(sh("mkdir -p a/b/c && touch a/b/c/file && ls -R a").output,
            "a:\nb\n\na/b:\nc\n\na/b/c:\nfile\n");
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(server_tree(), ElementsAre("a/", "a/b/", "a/b/c/", "a/b/c/file"));
  EXPECT_EQ(sh("rm -r a && ls").output, "");
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(server_tree(), IsEmpty());
}

// "rmdir refuses a directory that is not empty, also when only the server knows why, by a listing
// that is at most `fresh` old."
TEST_P(Names, RmdirNeedsAnEmptyDirectory) {
  MountedOptions options;
  options.volume.fresh = options.volume.poll_interval = std::chrono::milliseconds(0);
  remount(options);
  ASSERT_EQ(sh("mkdir d e && touch d/f").exit_code, 0);
  EXPECT_NE(::rmdir(p("d").c_str()), 0);
  EXPECT_EQ(errno, ENOTEMPTY);
  EXPECT_EQ(settle(), "");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(std::filesystem::is_empty(p("e")));
  // A listing that took long is kept ten times as long.
  const auto took = std::chrono::steady_clock::now() - begin;
  if (took > std::chrono::milliseconds(50)) std::this_thread::sleep_for(10 * took);
  account_->write("Work/e/new", "x");
  EXPECT_NE(::rmdir(p("e").c_str()), 0);
  EXPECT_EQ(errno, ENOTEMPTY);
  EXPECT_EQ(sh("ls e").output, "new\n");
  EXPECT_EQ(account_->content("Work/e/new"), "x");
}

// "... What comes later than that brings the directory back."
TEST_P(Names, WhatOthersPutIntoARemovedDirectoryBringsItBack) {
  MountedOptions options;
  options.volume.fresh = std::chrono::hours(1);
  options.volume.poll_interval = std::chrono::milliseconds(0);
  remount(options);
  ASSERT_EQ(sh("mkdir e").exit_code, 0);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(sh("ls e").output, "");
  account_->write("Work/e/new", "x");
  EXPECT_EQ(::rmdir(p("e").c_str()), 0);
  EXPECT_TRUE(eventually([&] { return read_file(p("e/new")) == "x"; }));
  EXPECT_EQ(account_->content("Work/e/new"), "x");
}

// "Names keep their case; a name that differs from an existing one in case only is taken."
TEST_P(Names, CaseOnlyTwinsAreRefused) {
  ASSERT_TRUE(write_file(p("Readme"), "one"));
  if (can().names.case_sensitive) {
    ASSERT_TRUE(write_file(p("README"), "two"));
    EXPECT_EQ(read_file(p("Readme")), "one");
    EXPECT_EQ(settle(), "");
    EXPECT_THAT(server_tree(), ElementsAre("README", "Readme"));
    return;
  }
  EXPECT_LT(::open(p("README").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644), 0);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_NE(::mkdir(p("rEADME").c_str(), 0755), 0);
  EXPECT_EQ(errno, EEXIST);
  // Changing the case of a name itself is a rename.
  ASSERT_EQ(::rename(p("Readme").c_str(), p("README").c_str()), 0);
  EXPECT_EQ(sh("ls").output, "README\n");
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(server_tree(), ElementsAre("README"));
}

// "A name that the server refuses is stored there in an escaped form and shown here as it was
// given."
TEST_P(Names, ImpossibleNamesComeBackUnchanged) {
  const std::vector<std::string> names = {"a:b",    "what?*", ".hidden", "trailing.", "back\\slash",
                                          "100%25", "<>|\"",  "ünï",     "space ",    " blank"};
  for (const std::string& name : names) ASSERT_TRUE(write_file(p(name), name)) << name;
  EXPECT_EQ(settle(), "");
  remount_from_server();
  EXPECT_EQ(sh("ls -A | wc -l").output, std::to_string(names.size()) + "\n");
  for (const std::string& name : names) EXPECT_EQ(read_file(p(name)), name);
  const std::vector<std::string> stored = server_tree();
  EXPECT_EQ(stored.size(), names.size());
  EXPECT_THAT(stored, ::testing::Contains(
                          can().names.forbidden.find(':') == std::string::npos ? "a:b" : "a%3Ab"));
  EXPECT_THAT(stored,
              ::testing::Contains(can().names.leading_space_forbidden ? "%20blank" : " blank"));
}

// "A name has at most 255 bytes."
TEST_P(Names, TooLongNamesAreRefused) {
  EXPECT_FALSE(write_file(p(std::string(256, 'n')), "x"));
  EXPECT_EQ(errno, ENAMETOOLONG);
  EXPECT_TRUE(write_file(p(std::string(200, 'n')), "x"));
}

// "Hard links, symbolic links, devices, pipes and sockets cannot be made: EPERM."
TEST_P(Names, OnlyFilesAndDirectories) {
  ASSERT_TRUE(write_file(p("f"), "x"));
  EXPECT_NE(::link(p("f").c_str(), p("g").c_str()), 0);
  EXPECT_EQ(errno, EPERM);
  EXPECT_NE(::symlink("f", p("s").c_str()), 0);
  EXPECT_EQ(errno, EPERM);
  EXPECT_NE(::mkfifo(p("p").c_str(), 0644), 0);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(::mknod(p("regular").c_str(), S_IFREG | 0644, 0), 0);
  EXPECT_EQ(sh("ls").output, "f\nregular\n");
}

// "A name that another machine adds, changes or removes is shown within `fresh` and a poll."
TEST_P(Names, ChangesOfOthersAppear) {
  ASSERT_TRUE(write_file(p("mine"), "x"));
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(sh("ls").output, "mine\n");
  account_->write("Work/theirs", "hello");
  EXPECT_TRUE(eventually([&] { return sh("ls").output == "mine\ntheirs\n"; }));
  EXPECT_EQ(read_file(p("theirs")), "hello");
  account_->rename("Work/theirs", "renamed");
  EXPECT_TRUE(eventually([&] { return sh("ls").output == "mine\nrenamed\n"; }));
  EXPECT_TRUE(eventually([&] { return ::access(p("theirs").c_str(), F_OK) != 0; }));
  account_->remove("Work/renamed");
  EXPECT_TRUE(eventually([&] { return sh("ls").output == "mine\n"; }));
}

// "Reading a directory that changes shows each name that was there all the time exactly once."
TEST_P(Names, ReadingWhileChanging) {
  ASSERT_EQ(sh("mkdir d && cd d && seq 1 1000 | xargs touch").exit_code, 0);
  DIR* const directory = ::opendir(p("d").c_str());
  ASSERT_NE(directory, nullptr);
  std::size_t seen = 0;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string name(entry->d_name);
    if (name[0] == '.') continue;
    ++seen;
    if (name.ends_with("5")) {
      ASSERT_EQ(::unlink(p("d/" + name).c_str()), 0) << name;
    }
  }
  ::closedir(directory);
  EXPECT_EQ(seen, 1000u);
  EXPECT_EQ(sh("ls d | wc -l").output, "900\n");
}

// "... however many read it; offsets hold for as long as the directory is open and not rewound."
TEST_P(Names, TwoReadersOfAChangingDirectory) {
  const int count = 400;  // many times what one call gives
  ASSERT_EQ(sh("mkdir d && cd d && seq 1 " + std::to_string(count) + " | xargs touch").exit_code,
            0);
  const auto list = [&] { return sh("ls -U d | wc -l").output; };
  ASSERT_EQ(list(), std::to_string(count) + "\n");
  ASSERT_EQ(list(), std::to_string(count) + "\n");  // the kernel has all names now

  SlowReader first(p("d"));
  SlowReader second(p("d"));
  ASSERT_TRUE(first.is_open() && second.is_open());
  ASSERT_TRUE(first.read_some());
  ASSERT_TRUE(second.read_some());
  ASSERT_EQ(first.seen().count("1"), 1u);
  ASSERT_LT(first.seen().size(), 100u);
  ASSERT_EQ(::unlink(p("d/1").c_str()), 0);
  EXPECT_EQ(list(), std::to_string(count - 1) + "\n");
  EXPECT_EQ(list(), std::to_string(count - 1) + "\n");
  ASSERT_TRUE(first.read_some());
  // One that begins again sees what is there now, whatever the other one still reads.
  second.rewind();
  second.read_rest();
  EXPECT_EQ(missed(second.seen(), count, "1"), "");
  EXPECT_EQ(second.seen().count("1"), 0u);
  first.read_rest();
  EXPECT_EQ(missed(first.seen(), count, "1"), "");
  first.rewind();
  first.read_rest();
  EXPECT_EQ(missed(first.seen(), count, "1"), "");
  EXPECT_EQ(first.seen().count("1"), 0u);
}

// "... (telldir, seekdir)"
TEST_P(Names, EachOffsetLeadsToOneName) {
  const int count = 400;
  ASSERT_EQ(sh("mkdir d && cd d && seq 1 " + std::to_string(count) + " | xargs touch").exit_code,
            0);
  DIR* const directory = ::opendir(p("d").c_str());
  ASSERT_NE(directory, nullptr);
  std::map<long, std::string> all;
  for (long at = ::telldir(directory); const dirent* entry = ::readdir(directory);
       at = ::telldir(directory)) {
    const auto [known, added] = all.emplace(at, entry->d_name);
    EXPECT_TRUE(added) << at << " leads to " << known->second << " and to " << entry->d_name;
  }
  EXPECT_EQ(all.size(), count + 2u);
  ASSERT_EQ(::unlink(p("d/7").c_str()), 0);
  ASSERT_TRUE(write_file(p("d/new"), "x"));
  for (const auto& [at, name] : all) {
    if (name == "7" || at == 0) continue;  // to the beginning is a rewinddir
    ::seekdir(directory, at);
    const dirent* const entry = ::readdir(directory);
    ASSERT_NE(entry, nullptr) << name;
    EXPECT_EQ(name, entry->d_name);
  }
  ::closedir(directory);
}

// "rewinddir shows what is there now."
TEST_P(Names, RewindingShowsWhatIsThereNow) {
  ASSERT_EQ(sh("mkdir d && cd d && touch a b c").exit_code, 0);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(sh("ls d").output, "a\nb\nc\n");  // the kernel has them
  DIR* const directory = ::opendir(p("d").c_str());
  ASSERT_NE(directory, nullptr);
  const auto read_all = [&] {
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(directory)) {
      if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    }
    std::ranges::sort(names);
    return names;
  };
  EXPECT_THAT(read_all(), ElementsAre("a", "b", "c"));
  ASSERT_TRUE(write_file(p("d/x"), "x"));
  ::rewinddir(directory);
  EXPECT_THAT(read_all(), ElementsAre("a", "b", "c", "x"));
  ASSERT_EQ(::unlink(p("d/a").c_str()), 0);
  ::rewinddir(directory);
  EXPECT_THAT(read_all(), ElementsAre("b", "c", "x"));
  ::closedir(directory);
}

// "The top level holds folders only where the vendor's does: EPERM."
TEST_P(Names, TheRootTakesWhatTheVendorTakes) {
  EXPECT_EQ(::mkdir((mounted_->root() + "/folder").c_str(), 0755), 0);
  const bool written = write_file(mounted_->root() + "/file", "x");
  const int error = errno;
  EXPECT_EQ(written, can().root_takes_files);
  if (!written) {
    EXPECT_EQ(error, EPERM);
  }
  EXPECT_EQ(settle(), "");
  EXPECT_NE(account_->id_of("folder"), "");
  EXPECT_EQ(account_->content("file").value_or("(nothing)"), written ? "x" : "(nothing)");
}

}  // namespace
}  // namespace cabinetfs
