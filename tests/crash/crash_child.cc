#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "backend/base/log.h"
#include "tests/crash/crash_work.h"
#include "tests/crash/crash_world.h"

namespace cabinetfs {
namespace {

// One write for a line: a pipe takes up to PIPE_BUF bytes whole.
bool report(int pipe, char what, const std::string& line) {
  const std::string text = what + line + "\n";
  return ::write(pipe, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

int crash_child(const CrashChild& with) {
  LogOptions log;
  log.level = std::getenv("CABINETFS_TEST_LOG") != nullptr ? LogLevel::kDebug : LogLevel::kError;
  configure_log(log);
  std::ifstream file(with.dir + "/address");
  const std::string address(std::istreambuf_iterator<char>(file), {});
  const std::unique_ptr<ChildStore> remote = child_store(with.world, address, with.remote_socket);
  CrashStores stores = CrashStores::open(with.dir, remote->store(), with.root_path);
  CrashTree tree = stores.tree();
  if (!with.kill_at.empty()) {
    auto left = std::make_shared<std::atomic<int>>(with.kill_after);
    MetaStore::set_sync_point_hook([left, kill_at = with.kill_at](const char* point) {
      if (kill_at == point && --*left == 0) kill(getpid(), SIGKILL);
    });
  }
  std::mt19937 random(with.seed);
  for (std::uint64_t number = 1; number < 2000; ++number) {
    const CrashOp op = next_op(random, tree, with.seed * std::uint64_t{10'000} + number);
    if (!report(with.report_pipe, '?', op.line())) return 1;
    const CrashStores::Done done = stores.perform(op);
    if (done == CrashStores::Done::kFailed) return 3;
    const bool refused = done == CrashStores::Done::kRefused;
    if (!report(with.report_pipe, refused ? '-' : '!', op.line())) return 1;
    if (!refused) apply_op(op, tree);
  }
  return 0;
}

}  // namespace cabinetfs
