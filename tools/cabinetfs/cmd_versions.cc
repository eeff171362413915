// versions, history, restore, diff.

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/units.h"

namespace cabinetfs {

using nlohmann::json;

namespace {

// Prints a list answer: as JSON, or as a table made by `row`.
template <class Row>
ExitCode print_items(const Paths& paths, const std::string& file, const char* command, bool as_json,
                     const std::vector<std::string>& header, const char* nothing, Row row) {
  const auto answer = ask_about(paths, file, {{"cmd", command}});
  if (!answer) return fail_with(answer.error());
  const json items = answer->value("items", json::array());
  if (as_json) {
    say(items.dump(2, ' ', false, json::error_handler_t::replace));
    return ExitCode::kOk;
  }
  if (items.empty()) {
    say(printable(fmt::format("{}: {}", file, nothing)));
    return ExitCode::kOk;
  }
  std::vector<std::vector<std::string>> rows = {header};
  for (const json& item : items) {
    std::vector<std::string> cells = row(item);
    for (std::string& cell : cells) cell = printable(cell);
    rows.push_back(std::move(cells));
  }
  fmt::print("{}", format_table(rows));
  return ExitCode::kOk;
}

}  // namespace

ExitCode run_versions(const Paths& paths, const std::string& file, bool as_json) {
  return print_items(
      paths, file, "versions", as_json, {"VERSION", "SIZE", "MODIFIED", "AUTHOR", ""},
      "no versions", [](const json& item) {
        const std::string modified = text_field(item, "modified");
        return std::vector<std::string>{
            std::to_string(number_field(item, "number")), format_size(number_field(item, "size")),
            modified.empty() ? "-" : modified, text_field(item, "author"),
            bool_field(item, "current", false) ? "current" : ""};
      });
}

ExitCode run_history(const Paths& paths, const std::string& file, bool as_json) {
  return print_items(paths, file, "history", as_json, {"TIME", "WHO", "EVENT", "DETAIL"},
                     "no events", [](const json& item) {
                       return std::vector<std::string>{
                           text_field(item, "time"), text_field(item, "who"),
                           text_field(item, "event"), text_field(item, "detail")};
                     });
}

ExitCode run_permissions(const Paths& paths, const std::string& file, bool as_json) {
  return print_items(paths, file, "permissions", as_json, {"WHO", "LEVEL", "ROLE"},
                     "shared with nobody", [](const json& item) {
                       return std::vector<std::string>{text_field(item, "who"),
                                                       text_field(item, "level"),
                                                       text_field(item, "vendor")};
                     });
}

ExitCode run_restore(const Paths& paths, const std::string& file, unsigned version) {
  const auto answer = ask_about(paths, file, {{"cmd", "promote"}, {"version", version}});
  if (!answer) return fail_with(answer.error());
  say(printable(fmt::format("{}: version {} is the current one now", file, version)));
  return ExitCode::kOk;
}

ExitCode run_diff(const Paths&, const std::string& file, unsigned version,
                  const std::string& program) {
  const auto where = locate(file);
  if (!where) return fail_with(where.error());
  const std::string path = absolute_path(file);
  const std::string old = fmt::format("{}@@/{}", path, version);
  if (::access(old.c_str(), R_OK) != 0) {
    complain(printable(fmt::format("{}: version {}: {} (`cabinetfs versions` lists them)", file,
                                   version, std::strerror(errno))));
    return ExitCode::kFailed;
  }
  // Without a shell: names may hold anything.
  std::vector<std::string> words = {program};
  if (program == "diff") words.emplace_back("-u");
  words.push_back(old);
  words.push_back(path);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) {
    complain(fmt::format("cannot start {}: {}", program, std::strerror(errno)));
    return ExitCode::kFailed;
  }
  if (child == 0) {
    ::execvp(arguments[0], arguments.data());
    fmt::print(stderr, "cabinetfs: cannot start {}: {}\n", program, std::strerror(errno));
    ::_exit(2);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  // diff's own codes: 0 same, 1 different, 2 trouble. Trouble must not look like a usage error.
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return ExitCode::kOk;
  return ExitCode::kFailed;
}

}  // namespace cabinetfs
