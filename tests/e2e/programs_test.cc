// Real programs on the mount. Each test quotes the line of fs/SEMANTICS.md that it shows.
#include <unistd.h>

#include "tests/e2e/support/mounted.h"

namespace cabinetfs {
namespace {

class Programs : public Mounted {};
CABINET_FOR_EACH_ACCOUNT(Programs);

// Stands in the test itself: GTEST_SKIP() leaves only the function that it is in.
#define NEEDS(program)                                 \
  if (run_shell("command -v " program).exit_code != 0) \
  GTEST_SKIP() << program << " is not installed"

constexpr const char* kGit =
    "export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b "
    "GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b; ";

// "git works: init, add, commit, clone, gc, fsck."
TEST_P(Programs, Git) {
  NEEDS("git");
  const std::string git = kGit;
  // Its temporary files have their names before anything is sent, as with a mount's usual delay.
  MountedOptions options;
  options.volume.upload_delay = std::chrono::seconds(5);
  remount(options);
  const std::string files = thorough_ ? "200" : "20";
  const auto made = sh(
      git + "git init -q repo && cd repo && for i in $(seq " + files +
      "); do echo $i > f$i; done && "
      "git add . && git commit -qm one && echo two >> f1 && git commit -qam two && "
      "git status --porcelain && git gc -q && git fsck --strict && cd .. && "
      "git clone -q repo copy && diff -r -x .git repo copy && git -C copy log --oneline | wc -l");
  EXPECT_EQ(made.output, "2\n");
  EXPECT_EQ(made.exit_code, 0);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("repo/f" + files), files + "\n");
  EXPECT_THAT(on_server(std::string("repo/") + (can().names.leading_dot_forbidden ? "%2E" : ".") +
                        "git/HEAD"),
              HasSubstr("ref: "));
  remount_from_server();
  EXPECT_EQ(sh(git + "git -c safe.directory='*' -C repo fsck --strict 2>&1").output, "");
}

// "... Where the server cannot rename, git says so when a temporary file of its was sent before it
// had its name; what git has stored is whole all the same."
TEST_P(Programs, GitWithoutAQuietTime) {
  NEEDS("git");
  const std::string git = kGit;
  const bool renames = account_->renames_to_any_name();
  MountedOptions options;
  // Else there may be no repository at all to look into.
  options.volume.upload_delay = std::chrono::seconds(renames ? 0 : 5);
  remount(options);
  const auto first = sh(git +
                        "git init -q repo && cd repo && echo one > f && git add . && "
                        "git commit -qm one && git gc -q");
  EXPECT_EQ(first.exit_code, 0) << first.output;
  EXPECT_EQ(settle(), "");
  options.volume.upload_delay = std::chrono::seconds(0);
  remount(options);
  const auto second = sh(git +
                         "cd repo && for i in $(seq 10); do echo $i > f$i; done && git add . && "
                         "git commit -qm two && git gc -q");
  EXPECT_EQ(settle(), "");
  if (renames) {
    EXPECT_EQ(second.exit_code, 0) << second.output;
  } else if (second.exit_code != 0) {
    EXPECT_NE(second.output, "");
  }
  // Whatever git could not finish: what it has is whole.
  EXPECT_EQ(sh(git + "cd repo && git fsck --strict --no-dangling 2>&1").output, "");
  EXPECT_EQ(sh(git + "cd repo && git show HEAD:f").output, "one\n");
}

// "sqlite works with a rollback journal, and with a WAL from one machine."
TEST_P(Programs, Sqlite) {
  NEEDS("sqlite3");
  for (const char* mode : {"delete", "wal"}) {
    const std::string db = std::string(mode) + ".db";
    EXPECT_EQ(
        sh("sqlite3 " + db + " 'pragma journal_mode=" + mode +
           "; create table t(a); begin; insert into t select value from "
           "generate_series(1,500); commit; delete from t where a%2=0; select count(*) from t; "
           "pragma integrity_check;'")
            .output,
        std::string(mode) + "\n250\nok\n");
    EXPECT_EQ(sh("sqlite3 " + db + " 'insert into t values(7); select count(*) from t;'").output,
              "251\n");
  }
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(server_tree(), ElementsAre("delete.db", "wal.db"));
}

// "tar, unzip and cp -a put a tree in and read it back."
TEST_P(Programs, Archives) {
  TemporaryDirectory there;
  const std::string t = there.path();
  ASSERT_EQ(
      run_shell("mkdir " + t + "/src && cd " + t +
                "/src && mkdir a b && seq 1000 > a/one && head -c 300000 /dev/urandom > b/two && "
                "touch -d 2021-03-04 a/one && chmod 640 b/two && cd .. && tar cf t.tar src && "
                "(command -v zip >/dev/null && zip -qr t.zip src || true)")
          .exit_code,
      0);
  EXPECT_EQ(sh("tar xf " + t + "/t.tar && diff -r src " + t +
               "/src && tar cf - src | tar df - && "
               "stat -c %Y src/a/one")
                .output,
            "1614816000\n");
  const bool unzipped = run_shell("command -v unzip && test -e " + t + "/t.zip").exit_code == 0;
  if (unzipped) {
    EXPECT_EQ(sh("mkdir z && cd z && unzip -q " + t + "/t.zip && diff -r src " + t + "/src").output,
              "");
  }
  EXPECT_EQ(sh("cp -a src copy && diff -r src copy").output, "");
  EXPECT_EQ(settle(), "");
  remount_from_server();
  EXPECT_EQ(sh("diff -r src " + t + "/src && diff -r src copy && find . -type f | wc -l").output,
            unzipped ? "6\n" : "4\n");
}

// "rsync -a sends a tree once: the second run sends nothing."
TEST_P(Programs, RsyncTwice) {
  NEEDS("rsync");
  TemporaryDirectory there;
  const std::string t = there.path();
  ASSERT_EQ(run_shell("mkdir -p " + t + "/src/d && cd " + t +
                      "/src && for i in 1 2 3 4 5; do seq $i > f$i; cp f$i d; done")
                .exit_code,
            0);
  EXPECT_EQ(sh("rsync -a " + t + "/src/ dst").output, "");
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(sh("rsync -ai " + t + "/src/ dst").output, "");
  remount();
  EXPECT_EQ(sh("rsync -ai " + t + "/src/ dst").output, "");
  EXPECT_EQ(sh("rsync -ac --itemize-changes " + t + "/src/ dst").output, "");
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(versions("dst/f1"), 1u);
}

// "A program can be built and run on the mount."
TEST_P(Programs, CompilesAndRuns) {
  NEEDS("gcc");
  EXPECT_EQ(sh("printf '#include <stdio.h>\\nint main(){puts(\"it runs\");}' > m.c && gcc -o m m.c "
               "&& ./m")
                .output,
            "it runs\n");
  EXPECT_EQ(settle(), "");
}

// "An editor's save is one new version of the same object."
TEST_P(Programs, VimSaves) {
  NEEDS("vim");
  ASSERT_TRUE(write_file(p("doc.txt"), "first\n"));
  EXPECT_EQ(settle(), "");
  const std::string before = id("doc.txt");
  const auto saved =
      sh("HOME=/nonexistent vim -u NONE -i NONE -es -c 'set backup writebackup "
         "backupcopy=no backupdir=.' -c 's/first/second/' -c 'wq' doc.txt");
  EXPECT_EQ(read_file(p("doc.txt")), "second\n") << saved.output;
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("doc.txt"), "second\n");
  EXPECT_EQ(id("doc.txt"), before);
  EXPECT_EQ(versions("doc.txt"), kept(2));
}

// "A tree of thousands of files goes in and comes back unchanged."
TEST_P(Programs, ManyFiles) {
  TemporaryDirectory there;
  const std::string t = there.path();
  const std::string count = !thorough_ ? "200" : GetParam() == "Fake" ? "5000" : "1000";
  ASSERT_EQ(
      run_shell("mkdir " + t + "/src && cd " + t + "/src && mkdir $(seq 50) && for i in $(seq " +
                count + "); do echo content $i > $((i % 50 + 1))/file$i; done")
          .exit_code,
      0);
  const std::string sums = "find . -type f | sort | xargs md5sum | md5sum";
  const std::string want = run_shell("cd " + t + "/src && " + sums).output;
  ASSERT_EQ(sh("cp -r " + t + "/src dst").output, "");
  EXPECT_EQ(sh("cd dst && " + sums).output, want);
  EXPECT_EQ(mounted_->settle(std::chrono::seconds(400)), "");
  remount_from_server();
  EXPECT_EQ(sh("cd dst && " + sums, 400).output, want);
}

}  // namespace
}  // namespace cabinetfs
