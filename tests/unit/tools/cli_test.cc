#include "tools/cabinetfs/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cabinetfs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Outcome {
  ExitCode code;
  std::string out, err;
};

Outcome run(std::vector<std::string> arguments) {
  Paths paths{"/nonexistent/config.toml", "/nonexistent/s", "/nonexistent/c", "/nonexistent/r"};
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const ExitCode code = run_cli(paths, std::move(arguments));
  std::fflush(stdout);
  return {code, ::testing::internal::GetCapturedStdout(), ::testing::internal::GetCapturedStderr()};
}

TEST(CommandLine, UnknownOptionIsUsageAndNamesTheNearest) {
  const Outcome outcome = run({"mount", "work", "/mnt", "--cache-sise", "1G"});
  EXPECT_EQ(outcome.code, ExitCode::kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean '--cache-size'?"));
  EXPECT_THAT(outcome.err, HasSubstr("cabinetfs mount --help"));
}

TEST(CommandLine, UnknownCommandIsUsageAndNamesTheNearest) {
  const Outcome outcome = run({"mout", "work"});
  EXPECT_EQ(outcome.code, ExitCode::kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean 'mount'?"));
  EXPECT_THAT(run({"cache", "verfy"}).err, HasSubstr("did you mean 'verify'?"));
}

TEST(CommandLine, MissingArgumentsAreUsage) {
  EXPECT_EQ(run({"mount", "work"}).code, ExitCode::kUsage);
  EXPECT_EQ(run({"remote"}).code, ExitCode::kUsage);
  EXPECT_EQ(run({"share", "f", "bob", "everything"}).code, ExitCode::kUsage);
  EXPECT_EQ(run({"flush", "/tmp", "--timeout", "soon"}).code, ExitCode::kUsage);
}

TEST(CommandLine, UnknownRemoteIsUsage) {
  const Outcome outcome = run({"mount", "work", "/tmp"});
  EXPECT_EQ(outcome.code, ExitCode::kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("cabinetfs remote add work"));
}

TEST(CommandLine, HelpAndVersionAreFine) {
  EXPECT_EQ(run({"--help"}).code, ExitCode::kOk);
  EXPECT_THAT(run({"--version"}).out, HasSubstr("cabinetfs "));
  const Outcome mount = run({"mount", "--help"});
  EXPECT_EQ(mount.code, ExitCode::kOk);
  EXPECT_THAT(mount.out, HasSubstr("--cache-size"));
}

TEST(CommandLine, PathsOffAMountAreAnError) {
  const Outcome outcome = run({"versions", "/etc/passwd"});
  EXPECT_EQ(outcome.code, ExitCode::kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("not on a cabinetfs mount"));
}

TEST(CommandLine, CompletionKnowsOptionsAndShells) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Outcome outcome = run({"completion", shell});
    EXPECT_EQ(outcome.code, ExitCode::kOk) << shell;
    EXPECT_THAT(outcome.out, HasSubstr("cache-size")) << shell;
    EXPECT_THAT(outcome.out, ::testing::Not(HasSubstr("S@"))) << shell << ": a placeholder is left";
  }
  EXPECT_EQ(run({"completion", "tcsh"}).code, ExitCode::kUsage);
}

TEST(MountHelper, TranslatesWhatMountSays) {
  EXPECT_THAT(arguments_of_mount_helper({"work", "/mnt", "-snv", "-o", "rw,fresh=5s"}),
              ElementsAre("mount", "work", "/mnt", "-o", "rw,fresh=5s"));
  EXPECT_THAT(arguments_of_mount_helper({"work", "/mnt", "-r", "-t", "cabinetfs"}),
              ElementsAre("mount", "work", "/mnt", "-o", "ro"));
  EXPECT_THAT(arguments_of_mount_helper({"work", "/mnt", "-o", "rw,user=bob"}),
              ElementsAre("mount", "work", "/mnt", "-o", "rw"));
  EXPECT_THAT(arguments_of_mount_helper({"work", "/mnt", "-sfn"}), ::testing::IsEmpty())
      << "-f is mount(8)'s word for not mounting";
}

// "No remote of that name", and no complaint about the arguments.
TEST(CommandLine, OptionsLeaveTheArgumentsBehindThem) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"mount", "--read-only", "work", "/tmp", "-f"},
           {"mount", "-o", "ro", "work", "/tmp", "-f"},
           {"mount", "-o", "ro", "-o", "fresh=5s", "work", "/tmp", "--allow-http"},
           {"mount", "--read-only=no", "work", "/tmp"}}) {
    const Outcome outcome = run(arguments);
    EXPECT_THAT(outcome.err, HasSubstr("cabinetfs remote add work"))
        << ::testing::PrintToString(arguments);
  }
  EXPECT_THAT(run({"send", "--to", "bob@example.com", "/nonexistent/a"}).err,
              HasSubstr("no remote is configured"));
}

}  // namespace
}  // namespace cabinetfs
