// kill -9 at random moments and at each point where something becomes durable, again and again on
// one state; the server outlives it: stores in memory behind a pipe, and the vendors' real clients
// with a server each.
//
// A build does a few rounds, with the same operations each time. Somebody who looks for more says
// how much, by environment:
//
//   CRASH_MINUTES=30      so long with each kind, from a random seed on
//   CRASH_ROUNDS=200      so many kills of each kind, the same way
//   CRASH_SEED=S          from that seed on; it is printed. What happens when is never the same.
//   CABINETFS_TEST_LOG=1  with the log of the cache
//
//   CRASH_MINUTES=30 build/dev/tests/crash/crash_test --gtest_filter='*paths*'
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "backend/base/log.h"
#include "tests/crash/crash_work.h"
#include "tests/crash/crash_world.h"
#include "tests/crash/remote_pipe.h"

extern char** environ;

namespace cabinetfs {
namespace {

struct Kill {
  std::string point;     // a sync point, or
  int after = 0;         // the how many-th time
  int reports = 0;       // after so many reports,
  int microseconds = 0;  // and so long
};

class Crash : public testing::TestWithParam<std::string> {
 protected:
  Crash() : world_(GetParam()), remote_(make_crash_server(world_)) {
    dir_ = std::filesystem::temp_directory_path() / "cabinetfs-crash-XXXXXX";
    if (mkdtemp(dir_.data()) == nullptr) std::abort();
    std::ofstream(dir_ + "/address") << remote_->address();
    LogOptions log;
    log.level = std::getenv("CABINETFS_TEST_LOG") != nullptr ? LogLevel::kDebug : LogLevel::kError;
    configure_log(log);
    seed_ = from_env("CRASH_SEED")
                .value_or(from_env("CRASH_ROUNDS") || from_env("CRASH_MINUTES")
                              ? std::random_device()() % 100'000
                              : 1);
    random_.seed(seed_);
    std::cout << "CRASH_SEED=" << seed_ << "\n";
  }
  ~Crash() override { std::filesystem::remove_all(dir_); }

  static std::optional<unsigned> from_env(const char* name) {
    const char* const given = std::getenv(name);
    if (given == nullptr) return std::nullopt;
    return static_cast<unsigned>(std::strtoul(given, nullptr, 10));
  }

  // So many rounds, or as the environment says; ends at the first that fails.
  template <class Round>
  void repeat(unsigned otherwise, Round&& round) {
    const auto until = std::chrono::steady_clock::now() +
                       std::chrono::minutes(from_env("CRASH_MINUTES").value_or(0));
    const unsigned least =
        from_env("CRASH_MINUTES") ? 1 : from_env("CRASH_ROUNDS").value_or(otherwise);
    for (unsigned i = 0; !HasFailure(); ++i) {
      if (i >= least && std::chrono::steady_clock::now() >= until) break;
      round(i);
    }
    check_all_versions();
    std::cout << rounds_ << " kills, " << operations_ << " operations\n";
  }

  // Runs a child until it is dead, and takes in what it reported.
  void run_child(const Kill& how) {
    int remote_pair[2], report_pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, remote_pair), 0);
    ASSERT_EQ(pipe2(report_pair, O_CLOEXEC), 0);
    // dup2 of a descriptor onto itself would keep its close-on-exec flag: both move up first.
    const int remote_end = fcntl(remote_pair[1], F_DUPFD_CLOEXEC, 100);
    const int report_end = fcntl(report_pair[1], F_DUPFD_CLOEXEC, 100);
    close(remote_pair[1]);
    close(report_pair[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, remote_end, 90);
    posix_spawn_file_actions_adddup2(&actions, report_end, 91);
    std::vector<std::string> arguments{"crash_test",
                                       "--child",
                                       world_,
                                       dir_,
                                       remote_->root_path(),
                                       std::to_string(++seed_),
                                       how.point,
                                       std::to_string(how.after)};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t child = 0;
    ASSERT_EQ(posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(remote_end);
    close(report_end);
    std::thread server([&] {
      if (remote_->piped() != nullptr) serve_remote(remote_pair[0], *remote_->piped());
    });

    std::string buffer;
    int reports = 0;
    bool killed = false;
    char part[4096];
    const auto kill_it = [&] {
      std::this_thread::sleep_for(std::chrono::microseconds(how.microseconds));
      kill(child, SIGKILL);
      killed = true;
    };
    while (true) {
      const ssize_t got = read(report_pair[0], part, sizeof part);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      buffer.append(part, static_cast<std::size_t>(got));
      for (auto end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n')) {
        take_report(buffer.substr(0, end));
        buffer.erase(0, end + 1);
        ++reports;
      }
      const bool enough = how.point.empty() ? reports >= how.reports : reports > 1500;
      if (enough && !killed) kill_it();
    }
    int status = 0;
    waitpid(child, &status, 0);
    server.join();
    close(remote_pair[0]);
    close(report_pair[0]);
    // Nothing else ends it so: an abort or a sanitizer's report is no kill of ours.
    const bool by_kill = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    EXPECT_TRUE(by_kill) << "the child ended by itself: "
                         << (WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
                                                 : std::to_string(WEXITSTATUS(status)).c_str());
    came_there_ = by_kill && !killed;
    ++rounds_;
    operations_ += reports / 2;
  }

  void take_report(const std::string& line) {
    reported_.push_back(line);
    const CrashOp op = CrashOp::parse(line.substr(1));
    if (line[0] == '?') {
      in_doubt_ = op;
      return;
    }
    if (line[0] == '!') apply_op(op, tree_);
    in_doubt_.reset();
  }

  // What was acknowledged must be there; what was under way may be.
  void recover_and_check() {
    ASSERT_TRUE(remote_->come_to_rest());
    CrashStores stores = CrashStores::open(dir_, remote_->connect(), remote_->root_path());
    const CrashTree shown = stores.tree();
    std::vector<CrashTree> legal;
    legal.push_back(tree_);
    if (in_doubt_) {
      CrashTree after = tree_;
      apply_op(*in_doubt_, after);
      legal.push_back(after);
      // Steps of several calls may have come half way.
      CrashTree half = tree_;
      const bool appends = in_doubt_->kind == CrashOp::Kind::kAppend;
      if (in_doubt_->kind == CrashOp::Kind::kSaveByRename) {
        half[in_doubt_->other] = "";
        legal.push_back(half);
        half[in_doubt_->other] = in_doubt_->text;
        legal.push_back(half);
        // Where the rename was not possible.
        half[in_doubt_->path] = "";
        legal.push_back(half);
        half[in_doubt_->path] = in_doubt_->text;
        legal.push_back(half);
      } else if (!in_doubt_->text.empty() && !appends && !tree_.contains(in_doubt_->path)) {
        half[in_doubt_->path] = "";
        legal.push_back(half);
      }
    }
    EXPECT_TRUE(std::ranges::count(legal, shown) > 0) << difference(tree_, shown);

    const CallContext call = CallContext::within(std::chrono::seconds(30));
    const Result<void> sent = stores.volume->flush_to_server(call, kRootInode, nullptr);
    EXPECT_TRUE(sent.has_value()) << to_string(sent.error());
    EXPECT_TRUE(stores.volume->status().unsent.empty());
    EXPECT_EQ(stores.tree(), shown);
    CrashTree server;
    std::vector<ModelServer::Object> objects;
    for (const auto& [path, entry] : remote_->server().dump(true)) {
      server[path] = entry.kind == NodeKind::kFolder ? "/" : entry.versions.back();
      objects.push_back(entry);
    }
    expect_each_once(objects);
    EXPECT_EQ(server, shown) << difference(shown, server);
    EXPECT_EQ(remote_->server().locked_by_us(), std::vector<std::string>());
    if (HasFailure()) tell_history();
    tree_ = shown;
    // A half made save leaves its temporary file; the next one starts without it.
    for (auto it = tree_.begin(); it != tree_.end();) {
      if (!it->first.ends_with("/tmp")) {
        ++it;
        continue;
      }
      EXPECT_EQ(stores.perform({CrashOp::Kind::kUnlink, it->first, "", ""}),
                CrashStores::Done::kDone);
      it = tree_.erase(it);
    }
    in_doubt_.reset();
    reported_.clear();
  }

  // Each operation writes what no other one does, so nothing is among the versions of a file twice.
  // Other files may have it: what is renamed is given the identity of the file whose name it takes,
  // and what it holds may have been sent to its own before; but not again and again. Files that are
  // still empty say nothing.
  void expect_each_once(const std::vector<ModelServer::Object>& objects) const {
    std::map<std::string, int> files;
    for (const ModelServer::Object& object : objects) {
      std::set<std::string> own;
      for (const std::string& version : object.versions) {
        if (version.empty()) continue;
        EXPECT_TRUE(own.insert(version).second) << "a version is there twice: " << version;
      }
      for (const std::string& version : own) ++files[version];
    }
    for (const auto& [content, count] : files)
      EXPECT_LE(count, 3) << "sent again and again: " << content;
  }

  // The same of all that the server has ever had, which takes longer with each round.
  void check_all_versions() {
    std::vector<ModelServer::Object> objects = remote_->server().deleted_by_us();
    for (const auto& [path, entry] : remote_->server().dump(true)) objects.push_back(entry);
    expect_each_once(objects);
  }

  static std::string difference(const CrashTree& expected, const CrashTree& got) {
    std::string out;
    for (const auto& [path, text] : expected)
      if (!got.contains(path) || got.at(path) != text)
        out += fmt::format("expected {}='{}', got '{}'\n", path, text,
                           got.contains(path) ? got.at(path) : "(nothing)");
    for (const auto& [path, text] : got)
      if (!expected.contains(path)) out += fmt::format("not expected: {}='{}'\n", path, text);
    return out;
  }

  // What the server went through, for whoever looks into a failure.
  void tell_history() const {
    std::cout << "operations since the last recovery:\n";
    for (const std::string& line : reported_) std::cout << "  " << line << "\n";
    const std::vector<std::string> log = remote_->log();
    std::cout << "the server's last calls:\n";
    for (std::size_t i = log.size() > 150 ? log.size() - 150 : 0; i < log.size(); ++i)
      std::cout << "  " << log[i] << "\n";
    for (const auto& [path, entry] : remote_->server().dump(true)) {
      std::cout << path << ":";
      for (const std::string& version : entry.versions) std::cout << " " << version.substr(0, 14);
      std::cout << "\n";
    }
    for (const auto& entry : remote_->server().deleted_by_us()) {
      std::cout << "deleted:";
      for (const std::string& version : entry.versions) std::cout << " " << version.substr(0, 14);
      std::cout << "\n";
    }
  }

  const std::string world_;
  std::unique_ptr<CrashServer> remote_;
  std::string dir_;
  unsigned seed_ = 0;
  std::mt19937 random_;
  CrashTree tree_{{"d0", "/"}, {"d0/a", "start"}, {"d1", "/"}};
  std::optional<CrashOp> in_doubt_;
  std::vector<std::string> reported_;
  bool came_there_ = false;  // the last child, to the point where it was to die
  int rounds_ = 0;
  int operations_ = 0;
};

TEST_P(Crash, AtRandomMomentsLosesNothingAndRepeatsNothing) {
  repeat(3, [this](unsigned round) {
    Kill how;
    how.reports = static_cast<int>(1 + random_() % 120);
    how.microseconds = static_cast<int>(random_() % 4000);
    SCOPED_TRACE(fmt::format("round {}: after {} reports", round, how.reports));
    run_child(how);
    recover_and_check();
  });
}

TEST_P(Crash, AtEverySyncPointLosesNothingAndRepeatsNothing) {
  // Each with how often the child comes there at least.
  static constexpr std::array<std::pair<const char*, unsigned>, 12> kPoints{
      {{"commit.before", 150},
       {"commit.middle", 150},
       {"commit.after", 150},
       {"sync.before", 8},
       {"sync.after", 8},
       {"slots.synced", 8},
       {"checkpoint.before", 4},
       {"checkpoint.middle", 4},
       {"checkpoint.after", 4},
       {"adopt.before", 4},
       {"adopt.moved", 4},
       {"adopt.after", 4}}};
  repeat(kPoints.size(), [this](unsigned round) {
    Kill how;
    const auto& [point, times] = kPoints[round % kPoints.size()];
    how.point = point;
    how.after = static_cast<int>(1 + random_() % times);
    SCOPED_TRACE(fmt::format("{} for the {}th time", how.point, how.after));
    run_child(how);
    EXPECT_TRUE(came_there_) << "the child never came there so often";
    recover_and_check();
  });
}

INSTANTIATE_TEST_SUITE_P(On, Crash, testing::ValuesIn(crash_worlds()), [](const auto& made) {
  std::string name = made.param;
  std::erase(name, '-');
  return name;
});

}  // namespace
}  // namespace cabinetfs

int main(int argc, char** argv) {
  if (argc == 8 && std::string(argv[1]) == "--child") {
    cabinetfs::CrashChild child;
    child.world = argv[2];
    child.dir = argv[3];
    child.root_path = argv[4];
    child.seed = static_cast<unsigned>(std::atoi(argv[5]));
    child.remote_socket = 90;
    child.report_pipe = 91;
    child.kill_at = argv[6];
    child.kill_after = std::atoi(argv[7]);
    return cabinetfs::crash_child(child);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
