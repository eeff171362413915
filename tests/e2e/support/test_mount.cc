#include "tests/e2e/support/test_mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "backend/base/text.h"
#include "fs/mount_point.h"

namespace cabinetfs {
namespace {

constexpr std::chrono::milliseconds kLook{2};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::abort();
}

int spawn(const std::vector<std::string>& arguments, int stdin_fd, bool quiet) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (stdin_fd >= 0) {
    posix_spawn_file_actions_adddup2(&actions, stdin_fd, 0);
  } else {
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  }
  if (quiet) {
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own, so that a signal reaches all of a pipeline; no signal stays blocked.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) die(fmt::format("spawn {}: {}", arguments[0], std::strerror(error)));
  return pid;
}

int to_exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::string why_no_fuse() {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) return "/dev/fuse is missing or not accessible";
  if (::geteuid() != 0 && run_shell("command -v fusermount3").exit_code != 0) {
    return "fusermount3 is missing";
  }
  return {};
}

TemporaryDirectory::TemporaryDirectory() {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = fmt::format("{}/cabinetfs-test-XXXXXX", base == nullptr ? "/tmp" : base);
  if (::mkdtemp(pattern.data()) == nullptr) die("mkdtemp: " + pattern);
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

TestMount::TestMount(Volume& volume, MountOptions options) {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = fmt::format("{}/cabinetfs-mnt-XXXXXX", base == nullptr ? "/tmp" : base);
  if (::mkdtemp(pattern.data()) == nullptr) die("mkdtemp: " + pattern);
  path_ = pattern;
  // Reads one line: got one, all is well; end of file, the test is gone.
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) die("pipe");
  watcher_pid_ = spawn(
      {"sh", "-c", "read line && exit 0; umount -l \"$0\" || fusermount3 -uz \"$0\"; rmdir \"$0\"",
       path_},
      ends[0], true);
  ::close(ends[0]);
  watcher_pipe_ = ends[1];

  options.mount_point = path_;
  if (options.remote.empty()) options.remote = "test";
  options.uid = ::geteuid();
  options.gid = ::getegid();
  auto mount = Mount::create(std::move(options), volume);
  if (!mount) die("mount: " + to_string(mount.error()));
  mount_ = *std::move(mount);
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  thread_ = std::thread([&, this] {
    const auto served = mount_->run(
        [&] {
          MutexLock lock(mutex);
          ready = true;
          changed.notify_all();
        },
        false);
    if (!served) die("serving: " + to_string(served.error()));
  });
  MutexLock lock(mutex);
  while (!ready) changed.wait(mutex);
}

TestMount::~TestMount() {
  unmount();
  if (watcher_pipe_ >= 0) {
    if (::write(watcher_pipe_, "ok\n", 3) != 3) die("watcher");
    ::close(watcher_pipe_);
    ::waitpid(watcher_pid_, nullptr, 0);
  }
  ::rmdir(path_.c_str());
}

void TestMount::unmount() {
  if (mount_ == nullptr) return;
  mount_->stop();
  finish();
}

void TestMount::wait_until_ended() { finish(); }

void TestMount::finish() {
  if (thread_.joinable()) thread_.join();
}

void TestMount::detach() {
  if (::umount2(path_.c_str(), MNT_DETACH) == 0) return;
  if (run_shell("fusermount3 -uz '" + path_ + "'").exit_code != 0) die("detach " + path_);
}

ShellResult run_shell(const std::string& command, int seconds) {
  // A timed-out program may stand in a hanging system call: KILL does not wait for it.
  const std::string whole = fmt::format("exec 2>&1; timeout -s KILL {} sh -c '{}'", seconds,
                                        replace_all(command, "'", "'\\''"));
  ShellResult result;
  FILE* pipe = ::popen(whole.c_str(), "re");
  if (pipe == nullptr) die("popen");
  char chunk[4096];
  while (const std::size_t got = std::fread(chunk, 1, sizeof(chunk), pipe)) {
    result.output.append(chunk, got);
  }
  result.exit_code = to_exit_code(::pclose(pipe));
  return result;
}

ShellProcess::ShellProcess(const std::string& command)
    : pid_(spawn({"sh", "-c", command}, -1, true)) {}

ShellProcess::~ShellProcess() {
  if (pid_ < 0) return;
  signal(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ShellProcess::signal(int number) {
  if (pid_ >= 0) ::kill(-pid_, number);
}

int ShellProcess::wait(std::chrono::milliseconds patience) {
  int code = 124;
  eventually(
      [&] {
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
        pid_ = -1;
        code = to_exit_code(status);
        return true;
      },
      patience);
  return code;
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= until) return condition();
    std::this_thread::sleep_for(kLook);
  }
  return true;
}

std::string read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fmt::format("(errno: {})", std::strerror(errno));
  std::string out;
  char chunk[65536];
  while (true) {
    const ssize_t got = ::read(fd, chunk, sizeof(chunk));
    if (got < 0) out = fmt::format("(errno: {})", std::strerror(errno));
    if (got <= 0) break;
    out.append(chunk, static_cast<std::size_t>(got));
  }
  ::close(fd);
  return out;
}

bool write_file(const std::string& path, const std::string& content) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  bool good = true;
  std::size_t done = 0;
  while (good && done < content.size()) {
    const ssize_t put = ::write(fd, content.data() + done, content.size() - done);
    good = put > 0;
    if (good) done += static_cast<std::size_t>(put);
  }
  return (::close(fd) == 0) && good;
}

}  // namespace cabinetfs
