// flush, retry, discard, export: what is not on the server yet.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "backend/base/descriptor.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/progress.h"
#include "tools/cabinetfs/units.h"

namespace cabinetfs {

using nlohmann::json;

namespace {

// For an answer that needs no waiting.
constexpr std::chrono::seconds kStatusPatience{10};
// Seconds for what was sent as the time limit passed.
constexpr double kLastLook = 3;

// All of them are tried; the worst exit code counts.
template <class Function>
ExitCode for_each_file(const std::vector<std::string>& files, Function function) {
  ExitCode worst = ExitCode::kOk;
  for (const std::string& file : files) {
    const ExitCode code = function(file);
    worst = std::max(worst, code);
  }
  return worst;
}

bool is_below(const std::string& path, const std::string& folder) {
  return folder.empty() || path == folder || path.starts_with(folder + "/");
}

// How much is unsent there; where the mount does not say so, what it said before.
std::uint64_t count_remaining(const Paths& paths, const PathOnMount& where,
                              std::uint64_t otherwise) {
  const auto status = ask_mount(paths, where.volume, {{"cmd", "status"}}, kStatusPatience);
  if (!status) return otherwise;
  std::uint64_t count = 0;
  for (const json& item : status->value("unsent", json::array()))
    if (is_below(text_field(item, "path"), where.relative)) ++count;
  return count;
}

// One time limit and one Ctrl-C for all that a command waits for.
struct FlushWait {
  std::optional<std::chrono::milliseconds> timeout;
  SteadyTime until = SteadyTime::max();
  InterruptScope interrupt;

  // As the mount takes it: 0 is none.
  double seconds_left() const {
    if (!timeout) return 0;
    const std::chrono::duration<double> left = until - Clock::system().steady();
    return std::max(0.001, left.count());
  }
};

ExitCode flush_one(const Paths& paths, const std::string& file, FlushWait& wait) {
  const auto where = locate(file);
  if (!where) return fail_with(where.error());
  json request = {{"cmd", "flush"}, {"path", where->relative}, {"timeout", wait.seconds_left()}};
  UnsentDisplay display(terminal_width() - 1);
  ProgressLine line(errors_are_terminal());
  UnsentSummary last;
  const auto ask = [&] {
    return ask_mount(
        paths, where->volume, request, std::chrono::milliseconds(0),
        [&](const json& progress) {
          last = summarize_unsent(progress);
          const SteadyTime now = Clock::system().steady();
          line.show(display.line({last.items, last.bytes, last.current}, now), now);
        },
        wait.interrupt.token());
  };
  auto answer = ask();
  std::uint64_t left = 0;
  bool late = false;
  if (!answer && !wait.interrupt.interrupted()) {
    late = answer.error().code == ErrorCode::kTimeout;
    left = count_remaining(paths, *where, last.items);
    if (late && left == 0) {
      request["timeout"] = kLastLook;
      answer = ask();
    }
  }
  line.clear();
  if (answer) return ExitCode::kOk;
  if (wait.interrupt.interrupted()) {
    complain("interrupted; the rest is kept and goes on being sent");
    return ExitCode::kUnsentRemains;
  }
  // Not what is unsent but the question was refused.
  if (left == 0 && !late) return fail_with(answer.error(), where->volume.remote);
  if (answer.error().code == ErrorCode::kTimeout && wait.timeout)
    complain(
        fmt::format("{}: {} after {}; kept, and goes on being sent", printable(file),
                    left > 0 ? count_of(left, "change") + " still unsent" : "not known to be sent",
                    format_duration_exact(*wait.timeout)));
  else
    complain(
        fmt::format("{}: not sent: {}; kept on this disk (`cabinetfs status` shows all, then "
                    "retry, export or discard)",
                    printable(file), printable(answer.error().context)));
  return ExitCode::kUnsentRemains;
}

// A copy that is being written, gone again unless it is kept.
class PartialCopy {
 public:
  // Beside where it will stand.
  explicit PartialCopy(const std::filesystem::path& directory)
      : path_((directory / ".cabinetfs-export.XXXXXX").string()),
        file_(::mkostemp(path_.data(), O_CLOEXEC)) {
    if (file_.get() < 0) path_.clear();
  }
  ~PartialCopy() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  PartialCopy(const PartialCopy&) = delete;
  PartialCopy& operator=(const PartialCopy&) = delete;

  int fd() const { return file_.get(); }
  // 0, or an errno; EEXIST: that name is taken.
  int keep_as(const std::string& name) {
    if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, name.c_str(), RENAME_NOREPLACE) != 0) {
      // Not every filesystem knows that.
      if (errno != EINVAL) return errno;
      if (::access(name.c_str(), F_OK) == 0) return EEXIST;
      if (::rename(path_.c_str(), name.c_str()) != 0) return errno;
    }
    path_.clear();
    return 0;
  }

 private:
  std::string path_;
  const Descriptor file_;
};

// 0, or an errno.
int copy_bytes(int from, int to, const InterruptScope& interrupt) {
  std::vector<char> buffer(256u << 10);
  for (;;) {
    if (interrupt.interrupted()) return EINTR;
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
    for (ssize_t done = 0; done < got;) {
      const ssize_t put = ::write(to, buffer.data() + done, static_cast<std::size_t>(got - done));
      if (put < 0 && errno != EINTR) return errno;
      if (put > 0) done += put;
    }
  }
}

mode_t current_umask() {
  const mode_t mask = ::umask(077);
  ::umask(mask);
  return mask;
}

// "name", "name.1", ...: nothing is overwritten. The name that it has got.
Result<std::string> copy_out(const std::string& from, const std::string& to,
                             const InterruptScope& interrupt) {
  const auto failed = [](const std::string& path, int error) {
    return fail(error == EINTR ? ErrorCode::kCancelled : ErrorCode::kIo,
                error == EINTR ? "interrupted; " + path + " is not exported"
                               : fmt::format("{}: {}", path, std::strerror(error)));
  };
  const Descriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info;
  if (source.get() < 0 || ::fstat(source.get(), &info) != 0) return failed(from, errno);
  const auto folder = std::filesystem::path(to).parent_path();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("{}: {}", folder.string(), error.message()));
  PartialCopy copy(folder);
  if (copy.fd() < 0) return failed(folder, errno);
  if (const int wrong = copy_bytes(source.get(), copy.fd(), interrupt); wrong != 0)
    return failed(wrong == ENOSPC || wrong == EDQUOT ? to : from, wrong);
  const struct timespec times[2] = {info.st_atim, info.st_mtim};
  if (::fchmod(copy.fd(), info.st_mode & 0777 & ~current_umask()) != 0 ||
      ::futimens(copy.fd(), times) != 0 || ::fsync(copy.fd()) != 0)
    return failed(to, errno);
  std::string name = to;
  for (int number = 1;; ++number) {
    const int wrong = copy.keep_as(name);
    if (wrong == 0) return name;
    if (wrong != EEXIST) return failed(name, wrong);
    name = fmt::format("{}.{}", to, number);
  }
}

ExitCode export_file(const std::filesystem::path& from, const std::filesystem::path& to,
                     const InterruptScope& interrupt) {
  const auto name = copy_out(from.string(), to.string(), interrupt);
  if (!name) return fail_with(name.error());
  say(printable(fmt::format("{} -> {}", from.string(), *name)));
  return ExitCode::kOk;
}

ExitCode export_one(const Paths& paths, const std::string& file, const std::string& directory,
                    const InterruptScope& interrupt) {
  namespace filesystem = std::filesystem;
  const auto where = locate(file);
  if (!where) return fail_with(where.error());
  std::error_code error;
  const filesystem::path target(directory);
  if (!filesystem::is_directory(file, error)) {
    if (error || !filesystem::exists(file, error)) {
      complain(printable(fmt::format("{}: no such file", file)));
      return ExitCode::kFailed;
    }
    return export_file(file, target / filesystem::path(absolute_path(file)).filename(), interrupt);
  }
  // Of a folder: what is unsent in it.
  const auto status = ask_mount(paths, where->volume, {{"cmd", "status"}});
  if (!status) return fail_with(status.error(), where->volume.remote);
  ExitCode worst = ExitCode::kOk;
  std::size_t count = 0;
  for (const json& item : status->value("unsent", json::array())) {
    const std::string path = text_field(item, "path");
    if (text_field(item, "action") != "upload") continue;
    const std::string prefix = where->relative.empty() ? "" : where->relative + "/";
    if (!path.starts_with(prefix)) continue;
    ++count;
    const ExitCode code = export_file(filesystem::path(where->volume.mount_point) / path,
                                      target / path.substr(prefix.size()), interrupt);
    if (code != ExitCode::kOk) worst = code;
    if (interrupt.interrupted()) return worst;
  }
  if (count == 0) say(printable(fmt::format("{}: nothing is unsent there", file)));
  return worst;
}

}  // namespace

ExitCode run_flush(const Paths& paths, const std::vector<std::string>& files,
                   std::optional<std::chrono::milliseconds> timeout) {
  FlushWait wait;
  wait.timeout = timeout;
  if (timeout) wait.until = Clock::system().steady() + *timeout;
  ExitCode worst = ExitCode::kOk;
  for (const std::string& file : files) {
    worst = std::max(worst, flush_one(paths, file, wait));
    if (wait.interrupt.interrupted()) break;
  }
  return worst;
}

ExitCode run_retry(const Paths& paths, const std::vector<std::string>& files) {
  return for_each_file(files, [&](const std::string& file) {
    const auto answer = ask_about(paths, file, {{"cmd", "retry"}});
    return answer ? ExitCode::kOk : fail_with(answer.error());
  });
}

ExitCode run_discard(const Paths& paths, const std::vector<std::string>& files, bool yes) {
  return for_each_file(files, [&](const std::string& file) {
    const auto where = locate(file);
    if (!where) return fail_with(where.error());
    // A folder may hold much: that is said before it is thrown away.
    const auto status = ask_mount(paths, where->volume, {{"cmd", "status"}});
    if (!status) return fail_with(status.error(), where->volume.remote);
    std::size_t count = 0;
    for (const json& item : status->value("unsent", json::array())) {
      const std::string path = text_field(item, "path");
      if (is_below(path, where->relative)) ++count;
    }
    if (count > 1 && !yes) {
      complain(fmt::format(
          "{}: {} unsent changes would be lost for good; `cabinetfs export` keeps copies, --yes "
          "goes on",
          printable(file), count));
      return ExitCode::kFailed;
    }
    const auto answer =
        ask_mount_until_free(paths, where->volume, {{"cmd", "discard"}, {"path", where->relative}});
    return answer ? ExitCode::kOk : fail_with(answer.error(), where->volume.remote);
  });
}

ExitCode run_export(const Paths& paths, const std::vector<std::string>& files,
                    const std::string& directory) {
  const auto volumes = mounted_volumes();
  if (!volumes) return fail_with(volumes.error());
  if (const auto where = find_on_mounts(*volumes, absolute_path(directory))) {
    complain(
        printable(fmt::format("{} is on the mount at {}; export takes an ordinary directory (--to)",
                              directory, where->volume.mount_point)));
    return ExitCode::kUsage;
  }
  InterruptScope interrupt;
  ExitCode worst = ExitCode::kOk;
  for (const std::string& file : files) {
    worst = std::max(worst, export_one(paths, file, directory, interrupt));
    if (interrupt.interrupted()) break;
  }
  return worst;
}

}  // namespace cabinetfs
