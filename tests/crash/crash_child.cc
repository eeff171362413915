#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "backend/base/log.h"
#include "tests/crash/crash_work.h"
#include "tests/crash/remote_pipe.h"

namespace cabinetfs {
namespace {

// One write for a line: a pipe takes up to PIPE_BUF bytes whole.
bool report(int pipe, char what, const std::string& line) {
  const std::string text = what + line + "\n";
  return ::write(pipe, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

int crash_child(const std::string& dir, unsigned seed, int remote_socket, int report_pipe,
                const std::string& kill_at, int kill_after) {
  LogOptions log;
  log.level = std::getenv("CABINETFS_TEST_LOG") != nullptr ? LogLevel::kDebug : LogLevel::kError;
  configure_log(log);
  PipedRemoteStore remote(remote_socket, crash_capabilities());
  CrashStores stores = CrashStores::open(dir, remote);
  CrashTree tree = stores.tree();
  if (!kill_at.empty()) {
    auto left = std::make_shared<std::atomic<int>>(kill_after);
    MetaStore::set_sync_point_hook([left, kill_at](const char* point) {
      if (kill_at == point && --*left == 0) kill(getpid(), SIGKILL);
    });
  }
  std::mt19937 random(seed);
  for (std::uint64_t number = 1; number < 2000; ++number) {
    const CrashOp op = next_op(random, tree, seed * std::uint64_t{10'000} + number);
    if (!report(report_pipe, '?', op.line())) return 1;
    if (!stores.perform(op)) return 3;
    if (!report(report_pipe, '!', op.line())) return 1;
    apply_op(op, tree);
  }
  return 0;
}

}  // namespace cabinetfs
