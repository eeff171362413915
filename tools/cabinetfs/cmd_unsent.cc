// flush, retry, discard, export: what is not on the server yet.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/progress.h"
#include "tools/cabinetfs/units.h"

namespace cabinetfs {

using nlohmann::json;

namespace {

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

ExitCode flush_one(const Paths& paths, const std::string& file, std::chrono::milliseconds timeout) {
  const auto where = locate(file);
  if (!where) return fail_with(where.error());
  const json request = {{"cmd", "flush"},
                        {"path", where->relative},
                        {"timeout", std::chrono::duration<double>(timeout).count()}};
  UnsentDisplay display(terminal_width() - 1);
  ProgressLine line(errors_are_terminal());
  UnsentSummary last;
  InterruptScope interrupt;
  const auto answer = ask_mount(
      paths, where->volume, request, std::chrono::milliseconds(0),
      [&](const json& progress) {
        last = summarize_unsent(progress);
        const SteadyTime now = Clock::system().steady();
        line.show(display.line({last.items, last.bytes, last.current}, now), now);
      },
      interrupt.token());
  line.clear();
  if (answer) return ExitCode::kOk;
  const bool not_asked = answer.error().code == ErrorCode::kUnavailable ||
                         answer.error().code == ErrorCode::kNotPermitted;
  if (not_asked && last.items == 0) return fail_with(answer.error(), where->volume.remote);
  if (interrupt.interrupted())
    complain("interrupted; the rest is kept and goes on being sent");
  else if (answer.error().code == ErrorCode::kTimeout)
    complain(fmt::format("{} still unsent after {}; kept, and goes on being sent",
                         describe_unsent(last), format_duration_exact(timeout)));
  else
    complain(
        fmt::format("{}: not sent: {}; kept on this disk (`cabinetfs status` shows all, then "
                    "retry, export or discard)",
                    printable(file), printable(answer.error().context)));
  return ExitCode::kUnsentRemains;
}

// "name", "name.1", ...: nothing is overwritten.
std::filesystem::path free_name(const std::filesystem::path& wanted) {
  std::filesystem::path out = wanted;
  for (int number = 1; std::filesystem::exists(std::filesystem::symlink_status(out)); ++number)
    out = wanted.string() + fmt::format(".{}", number);
  return out;
}

ExitCode export_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code error;
  std::filesystem::create_directories(to.parent_path(), error);
  const std::filesystem::path target = free_name(to);
  if (!std::filesystem::copy_file(from, target, error)) {
    complain(printable(fmt::format("{}: {}", from.string(), error.message())));
    return ExitCode::kFailed;
  }
  const auto time = std::filesystem::last_write_time(from, error);
  if (!error) std::filesystem::last_write_time(target, time, error);
  say(printable(fmt::format("{} -> {}", from.string(), target.string())));
  return ExitCode::kOk;
}

ExitCode export_one(const Paths& paths, const std::string& file, const std::string& directory) {
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
    return export_file(file, target / filesystem::path(absolute_path(file)).filename());
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
                                      target / path.substr(prefix.size()));
    if (code != ExitCode::kOk) worst = code;
  }
  if (count == 0) say(printable(fmt::format("{}: nothing is unsent there", file)));
  return worst;
}

}  // namespace

ExitCode run_flush(const Paths& paths, const std::vector<std::string>& files,
                   std::chrono::milliseconds timeout) {
  return for_each_file(files,
                       [&](const std::string& file) { return flush_one(paths, file, timeout); });
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
      if (where->relative.empty() || path == where->relative ||
          path.starts_with(where->relative + "/"))
        ++count;
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
  return for_each_file(files,
                       [&](const std::string& file) { return export_one(paths, file, directory); });
}

}  // namespace cabinetfs
