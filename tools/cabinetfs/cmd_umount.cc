// umount: waits for what is unsent, then ends the mount.

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "backend/base/clock.h"
#include "fs/mount.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/offline_store.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/progress.h"
#include "tools/cabinetfs/units.h"

namespace cabinetfs {

using nlohmann::json;

namespace {

// While the server cannot be reached, waiting longer than this brings nothing.
constexpr std::chrono::seconds kOfflinePatience{10};
// For an answer that needs no waiting: a process that does not give it hangs.
constexpr std::chrono::seconds kAnswerPatience{10};
// For the mount's process to end once nothing is mounted: it writes its index and closes the store.
constexpr std::chrono::seconds kExitPatience{60};

// For whoever only looks at the mount.
constexpr int kLookTries = 20;
constexpr std::chrono::milliseconds kLookEvery{100};

std::string read_link(const std::string& path) {
  char target[4096];
  const ssize_t n = ::readlink(path.c_str(), target, sizeof target);
  return n > 0 ? std::string(target, static_cast<std::size_t>(n)) : std::string();
}

// "bash (4711)", ...: whose working directory or open file is on the mount; at most five.
std::string who_uses(const std::string& mount_point) {
  const auto inside = [&](const std::string& path) {
    return path == mount_point || path.starts_with(mount_point + "/");
  };
  std::string out;
  int count = 0;
  DIR* processes = ::opendir("/proc");
  if (processes == nullptr) return out;
  while (const dirent* process = ::readdir(processes)) {
    const std::string pid = process->d_name;
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string dir = "/proc/" + pid;
    bool uses = inside(read_link(dir + "/cwd")) || inside(read_link(dir + "/root")) ||
                inside(read_link(dir + "/exe"));
    if (DIR* files = uses ? nullptr : ::opendir((dir + "/fd").c_str())) {
      while (const dirent* file = ::readdir(files))
        uses = uses || inside(read_link(dir + "/fd/" + file->d_name));
      ::closedir(files);
    }
    if (!uses || ++count > 5) continue;
    std::string name;
    std::ifstream(dir + "/comm") >> name;
    out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", printable(name), pid);
  }
  ::closedir(processes);
  if (count > 5) out += fmt::format(" and {} more", count - 5);
  return out;
}

// 0, or an errno: EBUSY while programs use it. `flags` are umount2's: MNT_DETACH also then, and
// they keep what they have open; MNT_FORCE ends what they wait for (root's only).
int unmount_now(const std::string& mount_point, int flags = 0) {
  if (::geteuid() == 0)
    return ::umount2(mount_point.c_str(), UMOUNT_NOFOLLOW | flags) == 0 ? 0 : errno;
  const pid_t child = ::fork();
  if (child < 0) return errno;
  if (child == 0) {
    // Its words are for other situations; ours follow.
    (void)!::freopen("/dev/null", "w", stderr);
    ::execlp("fusermount3", "fusermount3", (flags & MNT_DETACH) != 0 ? "-uz" : "-u", "--",
             mount_point.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
  return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? ENOENT : EBUSY;
}

enum class Wait { kSent, kGivenUp, kInterrupted };

// Waits until nothing is unsent, as long as there is hope.
Wait wait_for_unsent(const Paths& paths, const MountedVolume& volume, const UmountCommand& command,
                     UnsentSummary& last, std::string& why) {
  InterruptScope interrupt;
  CancelSource give_up;
  const auto forward = interrupt.token().on_cancel([&give_up] { give_up.cancel(); });
  UnsentDisplay display(terminal_width() - 1);
  ProgressLine line(errors_are_terminal());
  SteadyTime offline_since{};
  bool hopeless = false;
  const double timeout =
      command.timeout ? std::max(0.001, std::chrono::duration<double>(*command.timeout).count())
                      : 0.0;
  const auto answer = ask_mount(
      paths, volume, {{"cmd", "flush"}, {"path", ""}, {"timeout", timeout}},
      command.timeout ? *command.timeout + kAnswerPatience : std::chrono::milliseconds(0),
      [&](const json& progress) {
        last = summarize_unsent(progress);
        const SteadyTime now = Clock::system().steady();
        line.show(display.line({last.items, last.bytes, last.current}, now), now);
        if (last.online)
          offline_since = {};
        else if (offline_since == SteadyTime{})
          offline_since = now;
        // With a time limit the user has said how long to hope.
        if (!command.timeout && offline_since != SteadyTime{} &&
            now - offline_since > kOfflinePatience) {
          hopeless = true;
          give_up.cancel();
        }
      },
      give_up.token());
  line.clear();
  if (answer) return Wait::kSent;
  if (interrupt.interrupted()) return Wait::kInterrupted;
  if (hopeless)
    why = "the server cannot be reached";
  else if (answer.error().code == ErrorCode::kTimeout)
    why = "the time is over";
  else
    why = answer.error().context;
  return Wait::kGivenUp;
}

bool still_mounted(const std::string& mount_point) {
  const auto volumes = mounted_volumes();
  return volumes && std::any_of(volumes->begin(), volumes->end(), [&](const MountedVolume& v) {
           return v.mount_point == mount_point;
         });
}

// What the mount's process has left in its store: also what was written after it had told what is
// unsent. nullopt: nobody knows.
std::optional<UnsentSummary> left_behind(const Paths& paths, const std::string& state_dir) {
  for (const StorePaths& store : all_stores(paths)) {
    if (store.state != state_dir) continue;
    const auto idle = look_into_store(paths, store);
    if (!idle) {
      // It never came to a store; or the next mount has it already, and sends what is in it.
      if (idle.error().code == ErrorCode::kNotFound || idle.error().code == ErrorCode::kBusy)
        return UnsentSummary{};
      complain(printable(fmt::format("{}: {}", store.name, idle.error().context)));
      return std::nullopt;
    }
    UnsentSummary left;
    left.items = idle->unsent;
    left.bytes = idle->bytes;
    return left;
  }
  return std::nullopt;
}

// Of a mount whose process is gone, or says nothing.
ExitCode cannot_tell(const std::string& what, const std::string& remote, const std::string& why) {
  complain(printable(fmt::format(
      "{}; what of {} is unsent cannot be told ({}). It is kept on this disk, and the next mount "
      "sends it",
      what, remote, why)));
  return ExitCode::kUnsentRemains;
}

ExitCode clear_dead(const Paths& paths, const MountedVolume& volume) {
  if (const auto cleared = clear_dead_mount(volume.mount_point); !cleared)
    return fail_with(cleared.error());
  say(printable(fmt::format("{}: its process was gone already; cleared", volume.mount_point)));
  UnsentSummary left;
  for (const IdleStore& store : idle_stores_with_unsent(paths)) {
    if (store.remote != volume.remote) continue;
    if (store.error) return cannot_tell("cleared", volume.remote, store.error->context);
    left.items += store.unsent;
    left.bytes += store.bytes;
  }
  if (left.items == 0) return ExitCode::kOk;
  complain(printable(
      fmt::format("{} not on the server. Nothing is lost: kept on this disk and sent at the next "
                  "mount of {}",
                  describe_unsent(left), volume.remote)));
  return ExitCode::kUnsentRemains;
}

// All that programs wait for there fails, and its process, should it go on, sees that it is over.
// Where the kernel shows no such file, programs wait on.
void cut_connection(const std::string& mount_point) {
  struct statx info;
  if (::statx(AT_FDCWD, mount_point.c_str(), AT_STATX_DONT_SYNC, STATX_TYPE, &info) != 0) return;
  std::ofstream(fmt::format("/sys/fs/fuse/connections/{}/abort", info.stx_dev_minor)) << "1\n";
}

// --force of a mount whose process cannot be asked, or does not answer: it may hang for ever, and
// so may whoever asks.
ExitCode unmount_unasked(const MountedVolume& volume, const Error& why) {
  int error = EBUSY;
  if (why.code == ErrorCode::kNotPermitted) {
    error = unmount_now(volume.mount_point);
    if (error == EBUSY) error = unmount_now(volume.mount_point, MNT_DETACH);
  } else {
    cut_connection(volume.mount_point);
    error = unmount_now(volume.mount_point, MNT_DETACH | MNT_FORCE);
  }
  if (error != 0) {
    const std::string obstacle = fusermount_obstacle();
    complain(printable(fmt::format("{}: {}", volume.mount_point,
                                   obstacle.empty() ? std::strerror(error) : obstacle)));
    return ExitCode::kFailed;
  }
  return cannot_tell(volume.mount_point + " is unmounted", volume.remote, why.context);
}

// True when the process has ended.
bool wait_for_exit(pid_t pid) {
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return errno == ESRCH;
  struct pollfd poll_fd = {fd, POLLIN, 0};
  const int ready =
      ::poll(&poll_fd, 1, static_cast<int>(std::chrono::milliseconds(kExitPatience).count()));
  ::close(fd);
  return ready > 0;
}

}  // namespace

ExitCode run_umount(const Paths& paths, const UmountCommand& command) {
  const auto volumes = mounted_volumes();
  if (!volumes) return fail_with(volumes.error());
  const std::string mount_point = absolute_path(command.mount_point);
  const auto where = find_on_mounts(*volumes, mount_point);
  if (!where || !where->relative.empty()) {
    complain(printable(where ? fmt::format("{} is inside the mount at {}; unmount that",
                                           command.mount_point, where->volume.mount_point)
                             : fmt::format("no cabinetfs is mounted on {}", command.mount_point)));
    return ExitCode::kFailed;
  }
  const MountedVolume& volume = where->volume;
  if (!volume.alive) return clear_dead(paths, volume);

  const auto status = ask_mount(paths, volume, {{"cmd", "status"}}, kAnswerPatience);
  if (!status && !command.force && !command.detach) {
    fail_with(status.error(), volume.remote);
    complain("--force unmounts all the same; what is unsent stays on this disk");
    return ExitCode::kFailed;
  }
  if (!status && command.force) return unmount_unasked(volume, status.error());
  const pid_t pid = status ? static_cast<pid_t>(number_field(*status, "pid")) : 0;
  UnsentSummary unsent = status ? summarize_unsent(*status) : UnsentSummary{};
  std::string why;
  if (!command.detach && status) {
    // Asked even when nothing is known to be unsent: open files are written out by it.
    switch (wait_for_unsent(paths, volume, command, unsent, why)) {
      case Wait::kSent:
        unsent = {};  // what has been written since is looked for when nothing can be any more
        break;
      case Wait::kGivenUp:
        break;
      case Wait::kInterrupted:
        complain(printable(fmt::format("interrupted: {} stays mounted, {} unsent", mount_point,
                                       describe_unsent(unsent))));
        return ExitCode::kUnsentRemains;
    }
  }
  int error = unmount_now(mount_point);
  // Who only looks at it (`cabinetfs status` asks all mounts) has gone before it can be named.
  for (int tries = 0; error == EBUSY && !command.force && tries < kLookTries; ++tries) {
    if (!fusermount_obstacle().empty() || !who_uses(mount_point).empty()) break;
    std::this_thread::sleep_for(kLookEvery);
    error = unmount_now(mount_point);
  }
  if (error != 0) {
    if (error == EBUSY && !command.force) {
      const std::string users = who_uses(mount_point);
      const std::string obstacle = users.empty() ? fusermount_obstacle() : std::string();
      if (!obstacle.empty()) {
        complain(printable(fmt::format("{}: {}", mount_point, obstacle)));
        return ExitCode::kFailed;
      }
      complain(printable(fmt::format("{} is in use{}{}; close these, or use --force", mount_point,
                                     users.empty() ? "" : " by ", users)));
      return ExitCode::kFailed;
    }
    if (error != EBUSY && error != ENOENT) {
      complain(printable(fmt::format("{}: {}", mount_point, std::strerror(error))));
      return ExitCode::kFailed;
    }
    const auto ended = ask_mount(paths, volume, {{"cmd", "unmount"}}, kAnswerPatience);
    if (!ended) return fail_with(ended.error(), volume.remote);
  }
  // The store is free for the next mount only once the process has ended.
  if (pid > 0 && !wait_for_exit(pid)) {
    complain(fmt::format("the mount's process {} is still closing its store", pid));
    return ExitCode::kFailed;
  }
  if (still_mounted(mount_point)) {
    complain(printable(fmt::format("{} is still mounted", mount_point)));
    return ExitCode::kFailed;
  }
  if (status) {
    const auto left = left_behind(paths, text_field(*status, "store"));
    if (!left) {
      complain(printable(
          fmt::format("unmounted, but what of {} is unsent cannot be told; it is kept on this disk",
                      volume.remote)));
      return ExitCode::kUnsentRemains;
    }
    if (why.empty()) why = "written while it was unmounted";
    unsent.items = left->items;
    unsent.bytes = left->bytes;
  }
  if (!status) {
    // With --detach alone.
    say(printable(fmt::format("what of {} is unsent cannot be told ({}); it is kept on this disk",
                              volume.remote, status.error().context)));
    return ExitCode::kOk;
  }
  if (unsent.items == 0) return ExitCode::kOk;
  if (command.detach) {
    say(fmt::format("{} kept on this disk; sent at the next mount of {}", describe_unsent(unsent),
                    volume.remote));
    return ExitCode::kOk;
  }
  complain(printable(fmt::format(
      "{} not on the server ({}). Nothing is lost: kept on this disk and sent at the next mount "
      "of {}",
      describe_unsent(unsent), why, volume.remote)));
  return ExitCode::kUnsentRemains;
}

}  // namespace cabinetfs
