#include "tools/cabinetfs/background.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "tools/cabinetfs/output.h"

namespace cabinetfs {

ReadyPipe::~ReadyPipe() {
  if (fd_ >= 0) ::close(fd_);
}

bool ReadyPipe::send(ExitCode code) {
  if (fd_ < 0) return true;
  const auto byte = static_cast<char>(code);
  ssize_t n;
  do {
    n = ::write(fd_, &byte, 1);
  } while (n < 0 && errno == EINTR);
  ::close(fd_);
  fd_ = -1;
  return n == 1;
}

bool ReadyPipe::report_ready(const std::string& log_file) {
  if (fd_ < 0) return true;
  std::fflush(nullptr);
  int fd = -1;
  if (!log_file.empty())
    fd = ::open(log_file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    ::dup2(fd, STDOUT_FILENO);
    ::dup2(fd, STDERR_FILENO);
    ::close(fd);
  }
  return send(ExitCode::kOk);
}

void ReadyPipe::report_failure(ExitCode code) { send(code); }

ExitCode run_in_background(const std::function<ExitCode(ReadyPipe&)>& body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    complain(fmt::format("pipe: {}", std::strerror(errno)));
    return ExitCode::kFailed;
  }
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) {
    complain(fmt::format("fork: {}", std::strerror(errno)));
    return ExitCode::kFailed;
  }
  if (child == 0) {
    ::close(ends[0]);
    ::setsid();
    (void)!::chdir("/");  // keeps no other filesystem busy
    ::umask(077);
    const int null = ::open("/dev/null", O_RDONLY);
    if (null >= 0) {
      ::dup2(null, STDIN_FILENO);
      if (null != STDIN_FILENO) ::close(null);
    }
    // What a script has open beside (a lock, a pipe that somebody reads to its end) is not held for
    // as long as the mount lives.
    constexpr int kReady = STDERR_FILENO + 1;
    if (ends[1] != kReady) {
      ::dup3(ends[1], kReady, O_CLOEXEC);
      ::close(ends[1]);
    }
    ::close_range(kReady + 1, ~0u, 0);
    ExitCode code = ExitCode::kFailed;
    {
      ReadyPipe pipe(kReady);
      try {
        code = body(pipe);
      } catch (const std::exception& error) {
        complain(printable(fmt::format("internal error: {}", error.what())));
      }
      pipe.report_failure(code);
    }
    std::exit(static_cast<int>(code));
  }
  ::close(ends[1]);
  char byte = 0;
  ssize_t n;
  do {
    n = ::read(ends[0], &byte, 1);
  } while (n < 0 && errno == EINTR);
  ::close(ends[0]);
  if (n == 1) return static_cast<ExitCode>(byte);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  complain(WIFSIGNALED(status) ? fmt::format("the mount's process was ended by signal {} ({})",
                                             WTERMSIG(status), ::strsignal(WTERMSIG(status)))
                               : "the mount's process ended before the mount was ready");
  return ExitCode::kFailed;
}

void harden_process() {
  const struct rlimit none = {0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace cabinetfs
