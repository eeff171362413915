// Renames. Each test quotes the line of fs/SEMANTICS.md that it shows.
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "tests/e2e/support/mounted.h"

namespace cabinetfs {
namespace {

class Rename : public Mounted {};
CABINET_FOR_EACH_ACCOUNT(Rename);

// "rename is atomic for programs of this machine, within and between directories."
TEST_P(Rename, MovesFilesAndDirectories) {
  ASSERT_EQ(sh("mkdir -p a b && echo one > a/f && mkdir a/d && echo two > a/d/g").exit_code, 0);
  EXPECT_EQ(settle(), "");
  const std::string file = identity("a/f"), folder = identity("a/d");
  ASSERT_EQ(sh("mv a/f b/g && mv a/d b/e").output, "");
  EXPECT_EQ(sh("find . | sort").output, ".\n./a\n./b\n./b/e\n./b/e/g\n./b/g\n");
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(server_tree(), ElementsAre("a/", "b/", "b/e/", "b/e/g", "b/g"));
  // Moved, not copied, where the server can: identity and history stay.
  EXPECT_EQ(identity("b/g") == file, can().move);
  EXPECT_EQ(identity("b/e") == folder, can().move);
}

// "Where the server cannot rename or move, rename is EXDEV for what it has, and programs copy."
TEST_P(Rename, WhatTheServerCannotMoveIsOnAnotherDevice) {
  ASSERT_EQ(sh("mkdir a b && echo one > a/f").exit_code, 0);
  EXPECT_EQ(settle(), "");
  const std::string file = identity("a/f");
  const auto outcome = [this](const char* from, const char* to) {
    return ::rename(p(from).c_str(), p(to).c_str()) == 0 ? 0 : errno;
  };
  EXPECT_EQ(outcome("a/f", "a/g"), can().rename ? 0 : EXDEV);
  EXPECT_EQ(settle(), "");
  const std::string now = can().rename ? "a/g" : "a/f";
  EXPECT_EQ(identity(now), file);
  EXPECT_EQ(outcome(now.c_str(), "b/h"), can().move ? 0 : EXDEV);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(identity(can().move ? "b/h" : now), file);
}

// "Nothing moves from one top-level folder to another, to the top or out of it where the vendor's
// do not, and no file changes an extension that the server holds fast: EXDEV at the call."
TEST_P(Rename, WhatTheServerWouldRefuseIsRefusedAtOnce) {
  const std::string other = mounted_->root() + "/Other top";
  ASSERT_EQ(::mkdir(other.c_str(), 0755), 0) << strerror(errno);
  ASSERT_EQ(sh("mkdir -p d/sub && echo one > d/f.txt && echo two > d/sub/g.txt").exit_code, 0);
  EXPECT_EQ(settle(), "");
  if (!can().move_across_top) {
    const auto outcome = [](const std::string& from, const std::string& to) {
      return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
    };
    EXPECT_EQ(outcome(p("d/f.txt"), other + "/f.txt"), EXDEV);
    EXPECT_EQ(outcome(p("d/sub"), other + "/sub"), EXDEV);
    EXPECT_EQ(outcome(p("d/sub"), mounted_->root() + "/sub"), EXDEV);
    // A shared folder at the top stays there, whatever could be copied: mv must not try.
    EXPECT_EQ(outcome(other, p("d/other")), EPERM);
  }
  ASSERT_EQ(run_shell("mv '" + p("d/f.txt") + "' '" + p("d/sub") + "' '" + other + "'").output, "");
  EXPECT_EQ(read_file(other + "/f.txt"), "one\n");
  EXPECT_EQ(read_file(other + "/sub/g.txt"), "two\n");
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(server_tree(), ElementsAre("d/"));
  EXPECT_EQ(read_file(other + "/sub/g.txt"), "two\n");

  ASSERT_TRUE(write_file(p("d/a.txt"), "first"));
  EXPECT_EQ(settle(), "");
  const int to_doc = ::rename(p("d/a.txt").c_str(), p("d/a.doc").c_str()) == 0 ? 0 : errno;
  EXPECT_EQ(to_doc, can().rename && !can().rename_keeps_extension ? 0 : EXDEV);
  if (to_doc != 0) {
    EXPECT_EQ(sh("mv d/a.txt d/a.doc").output, "");
  }
  ASSERT_TRUE(write_file(p("d/a.part"), "second"));
  ASSERT_EQ(::rename(p("d/a.part").c_str(), p("d/a.doc").c_str()), 0);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("d/a.doc"), "second");
  EXPECT_THAT(server_tree(), ElementsAre("d/", "d/a.doc"));
}

// "What was never sent can be renamed and moved everywhere."
TEST_P(Rename, WhatTheServerDoesNotHaveGoesAnywhere) {
  MountedOptions options;
  options.volume.upload_delay = std::chrono::seconds(3);
  remount(options);
  ASSERT_EQ(sh("mkdir a b && echo one > a/f.txt").exit_code, 0);
  ASSERT_EQ(::rename(p("a/f.txt").c_str(), p("b/g.doc").c_str()), 0);
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(server_tree(), ElementsAre("a/", "b/", "b/g.doc"));
}

// "A save by writing a temporary file and renaming it over the original becomes one new version of
// the original: its id, shares and history survive."
TEST_P(Rename, WriteTempRenameOverIsANewVersion) {
  ASSERT_TRUE(write_file(p("doc"), "first"));
  EXPECT_EQ(settle(), "");
  const std::string before = id("doc");
  ASSERT_TRUE(write_file(p("doc.tmp"), "second"));
  ASSERT_EQ(::rename(p("doc.tmp").c_str(), p("doc").c_str()), 0);
  EXPECT_EQ(read_file(p("doc")), "second");
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("doc"), "second");
  EXPECT_EQ(id("doc"), before);
  EXPECT_EQ(versions("doc"), kept(2));
  EXPECT_THAT(server_tree(), ElementsAre("doc"));
}

// "So does a save by renaming the original away, writing a new one and deleting the old."
TEST_P(Rename, BackupWriteUnlinkIsANewVersion) {
  ASSERT_TRUE(write_file(p("doc"), "first"));
  EXPECT_EQ(settle(), "");
  const std::string before = id("doc");
  if (!can().rename) {
    EXPECT_NE(::rename(p("doc").c_str(), p("doc~").c_str()), 0);
    EXPECT_EQ(errno, EXDEV);
    // What programs do then.
    ASSERT_EQ(sh("cp doc 'doc~' && rm doc").output, "");
  } else {
    ASSERT_EQ(::rename(p("doc").c_str(), p("doc~").c_str()), 0);
  }
  ASSERT_TRUE(write_file(p("doc"), "second"));
  ASSERT_EQ(::unlink(p("doc~").c_str()), 0);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("doc"), "second");
  EXPECT_EQ(id("doc"), before);
  EXPECT_EQ(versions("doc"), kept(2));
  EXPECT_THAT(server_tree(), ElementsAre("doc"));
}

// "A temporary or lock file that is gone again before its upload is never sent."
TEST_P(Rename, TemporaryFilesAreNotSent) {
  MountedOptions options;
  options.volume.upload_delay = std::chrono::seconds(1);
  remount(options);
  EXPECT_EQ(sh("ls").output, "");
  account_->reset_requests();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(write_file(p("lock"), "pid"));
    ASSERT_EQ(::unlink(p("lock").c_str()), 0);
  }
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(account_->uploads(), 0u);
}

// "A file that is replaced while it is open stays readable for who has it open."
TEST_P(Rename, OverAnOpenFile) {
  ASSERT_TRUE(write_file(p("f"), "old"));
  ASSERT_TRUE(write_file(p("g"), "new"));
  EXPECT_EQ(settle(), "");
  const int fd = ::open(p("f").c_str(), O_RDONLY);
  ASSERT_EQ(::rename(p("g").c_str(), p("f").c_str()), 0);
  std::string back(3, '\0');
  EXPECT_EQ(::pread(fd, back.data(), 3, 0), 3);
  EXPECT_EQ(back, "old");
  ::close(fd);
  EXPECT_EQ(read_file(p("f")), "new");
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("f"), "new");
  EXPECT_THAT(server_tree(), ElementsAre("f"));
}

// "A directory can be renamed while files in it are open and written."
TEST_P(Rename, DirectoryWithOpenFiles) {
  ASSERT_EQ(sh("mkdir -p d/e && echo x > d/e/kept").exit_code, 0);
  const int fd = ::open(p("d/e/f").c_str(), O_CREAT | O_WRONLY, 0644);
  ASSERT_EQ(::write(fd, "before ", 7), 7);
  ASSERT_EQ(::rename(p("d").c_str(), p("moved").c_str()), 0);
  ASSERT_EQ(::write(fd, "after", 5), 5);
  ::close(fd);
  EXPECT_EQ(read_file(p("moved/e/f")), "before after");
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("moved/e/f"), "before after");
  EXPECT_THAT(server_tree(), ElementsAre("moved/", "moved/e/", "moved/e/f", "moved/e/kept"));
}

// "RENAME_NOREPLACE refuses a taken name; RENAME_EXCHANGE swaps two."
TEST_P(Rename, Flags) {
  ASSERT_TRUE(write_file(p("a"), "A"));
  ASSERT_TRUE(write_file(p("b"), "B"));
  EXPECT_EQ(settle(), "");
  EXPECT_NE(::renameat2(AT_FDCWD, p("a").c_str(), AT_FDCWD, p("b").c_str(), RENAME_NOREPLACE), 0);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_NE(::renameat2(AT_FDCWD, p("a").c_str(), AT_FDCWD, p("b").c_str(), RENAME_WHITEOUT), 0);
  const int swapped =
      ::renameat2(AT_FDCWD, p("a").c_str(), AT_FDCWD, p("b").c_str(), RENAME_EXCHANGE);
  if (!can().rename) {
    EXPECT_NE(swapped, 0);
    EXPECT_EQ(errno, EXDEV);
    return;
  }
  ASSERT_EQ(swapped, 0);
  EXPECT_EQ(read_file(p("a")), "B");
  EXPECT_EQ(read_file(p("b")), "A");
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("a"), "B");
  EXPECT_EQ(on_server("b"), "A");
}

// "A directory replaces an empty directory only, and never goes into itself."
TEST_P(Rename, DirectoryRules) {
  ASSERT_EQ(sh("mkdir -p a/in b c && touch b/f").exit_code, 0);
  EXPECT_NE(::rename(p("a").c_str(), p("b").c_str()), 0);
  EXPECT_EQ(errno, ENOTEMPTY);
  EXPECT_NE(::rename(p("a").c_str(), p("a/in/x").c_str()), 0);
  EXPECT_EQ(errno, EINVAL);
  if (!can().rename) {
    // Whether they have been sent meanwhile decides.
    EXPECT_EQ(settle(), "");
    EXPECT_NE(::rename(p("a").c_str(), p("c").c_str()), 0);
    EXPECT_EQ(errno, EXDEV);
    EXPECT_THAT(server_tree(), ElementsAre("a/", "a/in/", "b/", "b/f", "c/"));
    return;
  }
  EXPECT_EQ(::rename(p("a").c_str(), p("c").c_str()), 0);
  EXPECT_EQ(sh("ls c").output, "in\n");
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(server_tree(), ElementsAre("b/", "b/f", "c/", "c/in/"));
}

// "A chain or a cycle of renames ends on the server as it ended here."
TEST_P(Rename, ChainsAndCycles) {
  ASSERT_EQ(sh("for i in 1 2 3; do echo $i > f$i; done").exit_code, 0);
  EXPECT_EQ(settle(), "");
  ASSERT_EQ(sh("mv f1 t && mv f2 f1 && mv f3 f2 && mv t f3").exit_code, 0);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("f1"), "2\n");
  EXPECT_EQ(on_server("f2"), "3\n");
  EXPECT_EQ(on_server("f3"), "1\n");
  EXPECT_THAT(server_tree(), ElementsAre("f1", "f2", "f3"));
}

}  // namespace
}  // namespace cabinetfs
