// Two mounts of one account, as on two machines. Each test quotes the line of fs/SEMANTICS.md that
// it shows.
#include <fcntl.h>
#include <unistd.h>

#include "tests/e2e/support/mounted.h"

namespace cabinetfs {
namespace {

class TwoMounts : public Mounted {
 protected:
  void SetUp() override {
    Mounted::SetUp();
    if (account_ != nullptr) other_ = std::make_unique<MountedAccount>(*account_);
  }
  void TearDown() override {
    other_.reset();
    Mounted::TearDown();
  }
  std::string o(const std::string& name) { return other_->path(name); }
  void append_behind_others(int flags);
  std::unique_ptr<MountedAccount> other_;
};
CABINET_FOR_EACH_ACCOUNT(TwoMounts);

// "What one machine has sent, the next open on another machine sees."
TEST_P(TwoMounts, EachSeesTheOthersFiles) {
  ASSERT_TRUE(write_file(p("f"), "from one"));
  EXPECT_EQ(settle(), "");
  EXPECT_TRUE(eventually([&] { return read_file(o("f")) == "from one"; }));
  ASSERT_TRUE(write_file(o("f"), "from the other"));
  EXPECT_EQ(other_->settle(), "");
  EXPECT_TRUE(eventually([&] { return read_file(p("f")) == "from the other"; }));
  ASSERT_EQ(::unlink(p("f").c_str()), 0);
  EXPECT_EQ(settle(), "");
  EXPECT_TRUE(eventually([&] { return ::access(o("f").c_str(), F_OK) != 0; }));
}

// "O_APPEND writes at the end that the file has when it is opened, also where another machine has
// moved that."
TEST_P(TwoMounts, AppendingGoesBehindWhatOthersHaveAppended) {
  append_behind_others(O_WRONLY | O_APPEND);
}
TEST_P(TwoMounts, AppendingDirectlyGoesBehindWhatOthersHaveAppended) {
  append_behind_others(O_WRONLY | O_APPEND | O_DIRECT);
}

void TwoMounts::append_behind_others(int flags) {
  // Nothing but the open tells this kernel of the other machine's save.
  MountedOptions options;
  options.volume.poll_interval = std::chrono::milliseconds(0);
  options.volume.fresh = std::chrono::milliseconds(0);
  remount(options);
  ASSERT_TRUE(write_file(p("log"), "one\n"));
  EXPECT_EQ(settle(), "");
  ASSERT_TRUE(eventually([&] { return read_file(o("log")) == "one\n"; }));
  ASSERT_EQ(read_file(p("log")), "one\n");
  EXPECT_EQ(run_shell("echo theirs >> '" + o("log") + "'").exit_code, 0);
  EXPECT_EQ(other_->settle(), "");
  const int fd = ::open(p("log").c_str(), flags);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::write(fd, "ours\n", 5), 5);
  EXPECT_EQ(::write(fd, "more\n", 5), 5);
  EXPECT_EQ(::close(fd), 0);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(on_server("log"), "one\ntheirs\nours\nmore\n");
  EXPECT_TRUE(eventually([&] { return read_file(p("log")) == "one\ntheirs\nours\nmore\n"; }));
}

// "Two writers of one file both survive: where the vendor keeps versions, the later becomes a new
// version over the earlier; where it does not, the later is saved beside it."
TEST_P(TwoMounts, BothWritersSurvive) {
  ASSERT_TRUE(write_file(p("f"), "base"));
  EXPECT_EQ(settle(), "");
  ASSERT_TRUE(eventually([&] { return read_file(o("f")) == "base"; }));
  const int mine = ::open(p("f").c_str(), O_WRONLY | O_TRUNC);
  const int theirs = ::open(o("f").c_str(), O_WRONLY | O_TRUNC);
  // No two of the same size: a server need not tell more of a content.
  ASSERT_EQ(::write(mine, "mine!", 5), 5);
  ASSERT_EQ(::write(theirs, "theirs", 6), 6);
  ::close(mine);
  EXPECT_EQ(settle(), "");
  ::close(theirs);
  EXPECT_EQ(other_->settle(), "");
  std::string later = "f";
  if (can().versions) {
    EXPECT_EQ(versions("f"), 3u);
    EXPECT_EQ(read_file(o("f@@/2")), "mine!");
  } else {
    const std::vector<std::string> both = server_tree();
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[0], "f");
    EXPECT_EQ(on_server("f"), "mine!");
    EXPECT_TRUE(eventually([&] { return read_file(o("f")) == "mine!"; }));
    later = both[1];
    EXPECT_THAT(later, ::testing::StartsWith("f (conflict testhost "));
  }
  EXPECT_EQ(on_server(later), "theirs");
  EXPECT_EQ(read_file(o(later)), "theirs");
  EXPECT_THAT(run_shell("getfattr --only-values -n user.cabinet.state '" + o(later) + "'").output,
              HasSubstr("conflict"));
}

// "Delete against edit: the edit wins."
TEST_P(TwoMounts, AnEditOutlivesADelete) {
  ASSERT_TRUE(write_file(p("f"), "base"));
  EXPECT_EQ(settle(), "");
  ASSERT_TRUE(eventually([&] { return read_file(o("f")) == "base"; }));
  const int theirs = ::open(o("f").c_str(), O_WRONLY | O_APPEND);
  ASSERT_EQ(::write(theirs, "+edit", 5), 5);
  ASSERT_EQ(::unlink(p("f").c_str()), 0);
  EXPECT_EQ(settle(), "");
  ::close(theirs);
  EXPECT_EQ(other_->settle(), "");
  EXPECT_EQ(on_server("f"), "base+edit");
}

// "Name against name: both stay, one with a suffix."
TEST_P(TwoMounts, SameNewNameOnBoth) {
  // Not at the same moment: no WebDAV server is known that takes only one of two then.
  MountedOptions later;
  later.volume.upload_delay = std::chrono::minutes(5);
  other_ = std::make_unique<MountedAccount>(*account_, std::move(later));
  ASSERT_EQ(run_shell("ls " + o("")).output, "");
  ASSERT_TRUE(write_file(p("new"), "mine"));
  ASSERT_TRUE(write_file(o("new"), "theirs"));
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(other_->settle(), "");
  EXPECT_EQ(server_tree().size(), 2u);
  // Shown with two names, also where the server has let both have the same one.
  for (const MountedAccount* mount : {mounted_.get(), other_.get()}) {
    const std::string directory = mount->path();
    EXPECT_TRUE(eventually([&] {
      return run_shell("cd '" + directory + "' && for f in new*; do cat \"$f\"; echo; done | sort")
                 .output == "mine\ntheirs\n";
    })) << run_shell("ls '" + directory + "'").output;
  }
}

}  // namespace
}  // namespace cabinetfs
