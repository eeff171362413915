// share, unshare, lock, unlock, checkout, checkin, pin, unpin, prefetch, sequence.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/login_input.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/progress.h"

namespace cabinetfs {

using nlohmann::json;

namespace {

// `who`: whom it is about, where it is about somebody.
ExitCode ask_all(const Paths& paths, const std::vector<std::string>& files, const json& request,
                 const std::string& who = {}) {
  ExitCode worst = ExitCode::kOk;
  for (const std::string& file : files) {
    auto answer = ask_about(paths, file, request);
    if (answer) continue;
    Error error = answer.error();
    if (error.context.find(who) == std::string::npos) error.context = who + ": " + error.context;
    if (error.context.find(file) == std::string::npos) error.context = file + ": " + error.context;
    worst = std::max(worst, fail_with(error));
  }
  return worst;
}

// One request for all files of a mount, so that the vendor gets them together where it can.
ExitCode ask_together(const Paths& paths, const std::vector<std::string>& files,
                      const json& request) {
  struct Part {
    MountedVolume volume;
    std::vector<std::string> files, inside;
  };
  std::vector<Part> parts;
  ExitCode worst = ExitCode::kOk;
  for (const std::string& file : files) {
    const auto where = locate(file);
    if (!where) {
      worst = fail_with(where.error());
      continue;
    }
    auto part = std::find_if(parts.begin(), parts.end(), [&](const Part& each) {
      return each.volume.mount_point == where->volume.mount_point;
    });
    if (part == parts.end()) part = parts.insert(parts.end(), Part{where->volume, {}, {}});
    part->files.push_back(file);
    part->inside.push_back(where->relative);
  }
  for (const Part& part : parts) {
    json asked = request;
    asked["paths"] = part.inside;
    const auto answer = ask_mount(paths, part.volume, asked);
    if (!answer) {
      worst = std::max(worst, fail_with(answer.error(), part.volume.remote));
      continue;
    }
    const auto results = answer->find("results");
    for (std::size_t i = 0; i < part.files.size(); ++i) {
      if (results == answer->end() || !results->is_array() || i >= results->size()) break;
      const json& result = (*results)[i];
      if (!result.is_object()) continue;
      const Error error{error_code_named(text_field(result, "code")),
                        part.files[i] + ": " + text_field(result, "message")};
      worst = std::max(worst, fail_with(error, part.volume.remote));
    }
  }
  return worst;
}

}  // namespace

ExitCode run_share(const Paths& paths, const ShareCommand& command) {
  if (command.files.size() == 1 && command.people.size() == 1)
    return ask_all(paths, command.files,
                   {{"cmd", "share"}, {"who", command.people[0]}, {"level", command.level}},
                   command.people[0]);
  return ask_together(
      paths, command.files,
      {{"cmd", "share-many"}, {"people", command.people}, {"level", command.level}});
}

ExitCode run_unshare(const Paths& paths, const std::string& file, const std::string& who) {
  return ask_all(paths, {file}, {{"cmd", "unshare"}, {"who", who}}, who);
}

ExitCode run_unshare_all(const Paths& paths, const std::string& file, bool yes) {
  if (!yes) {
    const auto answer = ask_line(
        fmt::format("Everybody loses access to {}, you too. Type yes to go on: ", file), {});
    if (!answer || *answer != "yes")
      return usage_error(answer.has_value() || answer.error().code == ErrorCode::kCancelled
                             ? "nothing was changed"
                             : "there is no terminal to ask on; -y goes on without asking");
  }
  return ask_all(paths, {file}, {{"cmd", "unshare-all"}});
}

ExitCode run_lock(const Paths& paths, const std::vector<std::string>& files) {
  return ask_together(paths, files, {{"cmd", "lock-many"}});
}

ExitCode run_unlock(const Paths& paths, const std::vector<std::string>& files,
                    const std::string& comment) {
  return ask_together(paths, files, {{"cmd", "unlock-many"}, {"comment", comment}});
}

ExitCode run_discard_lock(const Paths& paths, const std::vector<std::string>& files) {
  ExitCode worst = ExitCode::kOk;
  for (const std::string& file : files) {
    const auto where = locate(file);
    if (!where) {
      worst = fail_with(where.error());
      continue;
    }
    // Only this may wait: a lock that somebody else holds is busy too.
    json request = {{"cmd", "discard"}, {"path", where->relative}};
    auto answer = ask_mount_until_free(paths, where->volume, request);
    request["cmd"] = "discard-lock";
    if (answer) answer = ask_mount(paths, where->volume, request);
    if (answer) continue;
    Error error = answer.error();
    if (error.context.find(file) == std::string::npos) error.context = file + ": " + error.context;
    worst = fail_with(error, where->volume.remote);
  }
  return worst;
}

ExitCode run_sequence(const Paths& paths, const SequenceCommand& command) {
  const auto where = locate(command.mount_point);
  if (!where) return fail_with(where.error());
  json request{{"cmd", "sequence"},
               {"what", command.what},
               {"name", command.name},
               {"prefix", command.prefix},
               {"lock", command.lock}};
  if (command.number) request["number"] = *command.number;
  const auto answer = ask_mount(paths, where->volume, request);
  if (!answer) return fail_with(answer.error(), where->volume.remote);
  if (command.what == "next" || command.what == "current") {
    say(printable(text_field(*answer, "value")));
  } else if (command.what == "list") {
    const auto items = answer->find("items");
    if (items == answer->end() || !items->is_array()) return ExitCode::kFailed;
    if (command.json) {
      say(items->dump());
      return ExitCode::kOk;
    }
    for (const json& item : *items)
      say(printable(fmt::format("{}\t{}\t{}", text_field(item, "name"), text_field(item, "prefix"),
                                bool_field(item, "locked", false) ? "locked" : "free")));
  }
  return ExitCode::kOk;
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
