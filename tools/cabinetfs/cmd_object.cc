// share, unshare, lock, unlock, pin, unpin, prefetch: one request about each path.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/progress.h"

namespace cabinetfs {

using nlohmann::json;

namespace {

ExitCode ask_all(const Paths& paths, const std::vector<std::string>& files, const json& request) {
  ExitCode worst = ExitCode::kOk;
  for (const std::string& file : files) {
    auto answer = ask_about(paths, file, request);
    if (answer) continue;
    Error error = answer.error();
    if (error.context.find(file) == std::string::npos) error.context = file + ": " + error.context;
    worst = fail_with(error);
  }
  return worst;
}

}  // namespace

ExitCode run_share(const Paths& paths, const std::string& file, const std::string& who,
                   const std::string& level) {
  return ask_all(paths, {file}, {{"cmd", "share"}, {"who", who}, {"level", level}});
}

ExitCode run_unshare(const Paths& paths, const std::string& file, const std::string& who) {
  return ask_all(paths, {file}, {{"cmd", "unshare"}, {"who", who}});
}

ExitCode run_lock(const Paths& paths, const std::vector<std::string>& files) {
  return ask_all(paths, files, {{"cmd", "lock"}});
}

ExitCode run_unlock(const Paths& paths, const std::vector<std::string>& files,
                    const std::string& comment) {
  return ask_all(paths, files, {{"cmd", "unlock"}, {"comment", comment}});
}

ExitCode run_pin(const Paths& paths, const std::vector<std::string>& files,
                 const std::string& state) {
  return ask_all(paths, files, {{"cmd", "pin"}, {"state", state}});
}

ExitCode run_prefetch(const Paths& paths, const std::vector<std::string>& files) {
  ExitCode worst = ExitCode::kOk;
  for (const std::string& file : files) {
    const auto where = locate(file);
    if (!where) {
      worst = fail_with(where.error());
      continue;
    }
    InterruptScope interrupt;
    const auto answer = ask_mount(paths, where->volume,
                                  {{"cmd", "prefetch"}, {"path", where->relative}, {"timeout", 0}},
                                  std::chrono::milliseconds(0), {}, interrupt.token());
    if (answer) continue;
    worst = interrupt.interrupted() ? ExitCode::kFailed
                                    : fail_with(answer.error(), where->volume.remote);
    if (interrupt.interrupted()) break;
  }
  return worst;
}

}  // namespace cabinetfs
