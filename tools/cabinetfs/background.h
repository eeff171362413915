#pragma once

#include <functional>
#include <string>

#include "tools/cabinetfs/exit_code.h"

namespace cabinetfs {

// The end of the background process that tells the waiting command how it went.
class ReadyPipe {
 public:
  explicit ReadyPipe(int fd) : fd_(fd) {}  // -1: nobody waits (in the foreground)
  ReadyPipe(const ReadyPipe&) = delete;
  ReadyPipe& operator=(const ReadyPipe&) = delete;
  ~ReadyPipe();
  // The command ends with 0. From now on standard error goes to `log_file` (nowhere when it is
  // empty or cannot be opened). False: the command is gone, nobody waits for this any more. In the
  // foreground nothing changes.
  bool report_ready(const std::string& log_file);
  void report_failure(ExitCode code);
  // Polls as POLLERR once the command is gone; -1 when none waits.
  int fd() const { return fd_; }

 private:
  bool send(ExitCode code);
  int fd_;
};

// Forks. The parent waits until the child reports, and returns what it reported (kFailed, with a
// message, when it died without a word). The child runs `body` in its own session, then exits; what
// it prints before it is ready is seen on the terminal. It keeps no other descriptor of the
// caller's. No threads may exist yet.
ExitCode run_in_background(const std::function<ExitCode(ReadyPipe&)>& body);

// No core dumps, no debugger of the same user: there are keys and tokens in this memory.
void harden_process();

}  // namespace cabinetfs
