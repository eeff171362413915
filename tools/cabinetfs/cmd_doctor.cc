// doctor: the usual reasons for which a mount does not work, looked at one after the other.

#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <locale>
#include <sstream>

#include "backend/auth/secret_store.h"
#include "backend/http/http_client.h"
#include "backend/remote_store.h"
#include "cache/posix_env.h"
#include "fs/mount.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/config.h"
#include "tools/cabinetfs/connection.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/mount_table.h"
#include "tools/cabinetfs/offline_store.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/store_info.h"
#include "tools/cabinetfs/units.h"
#include "tools/cabinetfs/vendors/vendor.h"

namespace cabinetfs {
namespace {

// For each question to a server.
constexpr std::chrono::seconds kPatience{20};

class Report {
 public:
  void ok(const std::string& what) { line("ok", what, ""); }
  void note(const std::string& what, const std::string& todo) { line("note", what, todo); }
  void bad(const std::string& what, const std::string& todo, ExitCode code = ExitCode::kFailed) {
    line("BAD", what, todo);
    if (worst_ == ExitCode::kOk) worst_ = code;
  }
  ExitCode worst() const { return worst_; }

 private:
  void line(const char* verdict, const std::string& what, const std::string& todo) {
    fmt::print("{:<5} {}\n", verdict, printable(what));
    if (!todo.empty()) fmt::print("      {}\n", printable(todo));
    std::fflush(stdout);
  }
  ExitCode worst_ = ExitCode::kOk;
};

bool on_path(const char* program) {
  const char* path = std::getenv("PATH");
  for (const std::string& dir : split(path != nullptr ? path : "/usr/bin:/bin", ':'))
    if (::access((dir + "/" + program).c_str(), X_OK) == 0) return true;
  return false;
}

void check_fuse(Report& report) {
  const int fd = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd >= 0) {
    ::close(fd);
    report.ok("/dev/fuse can be opened");
  } else if (errno == ENOENT) {
    report.bad("there is no /dev/fuse",
               "load the module: modprobe fuse; in a container: give it "
               "the device /dev/fuse and CAP_SYS_ADMIN");
  } else {
    report.bad(fmt::format("/dev/fuse: {}", std::strerror(errno)),
               "this user may not use FUSE; see the permissions of /dev/fuse");
  }
  if (on_path("fusermount3"))
    report.ok("fusermount3 is installed");
  else if (::geteuid() == 0)
    report.note("fusermount3 is not installed", "other users than root need it: install fuse3");
  else
    report.bad("fusermount3 is not installed", "install the package fuse3");
  if (const std::string obstacle = fusermount_obstacle(); !obstacle.empty())
    report.bad("there is no /etc/mtab", obstacle);
}

void check_allow_other(Report& report, const std::string& name, const Options& options) {
  if (!options.mount.allow_other || ::geteuid() == 0) return;
  std::ifstream in("/etc/fuse.conf");
  std::string line;
  while (std::getline(in, line))
    if (line.find("user_allow_other") == 0) return;
  report.bad(fmt::format("{}: allow_other is not permitted for users", name),
             "put the line user_allow_other into /etc/fuse.conf, or leave the option out");
}

void check_disk(Report& report, const std::string& what, const std::string& dir) {
  if (const auto made = make_dirs(dir); !made) {
    report.bad(fmt::format("{}: {}", what, made.error().context), "make it writable");
    return;
  }
  if (::access(dir.c_str(), W_OK) != 0) {
    report.bad(fmt::format("{} {}: {}", what, dir, std::strerror(errno)), "make it writable");
    return;
  }
  const auto space = disk_space(dir);
  if (!space) {
    report.bad(fmt::format("{}: {}", what, space.error().context), "");
    return;
  }
  const std::string text = fmt::format("{} {}: {} free", what, dir, format_size(space->free));
  if (space->free < (256u << 20))
    report.bad(text, "make room: what is written to a mount is kept there until it is sent");
  else
    report.ok(text);
}

// Seconds that this machine is ahead of the server; nullopt when the answer carries no date.
std::optional<long long> clock_skew(const HttpResponse& response) {
  const std::string* date = response.find("date");
  if (date == nullptr) return std::nullopt;
  std::tm fields = {};
  std::istringstream in(*date);
  in.imbue(std::locale::classic());
  in >> std::get_time(&fields, "%a, %d %b %Y %H:%M:%S");
  if (in.fail()) return std::nullopt;
  return static_cast<long long>(::time(nullptr) - ::timegm(&fields));
}

void check_server(Report& report, const std::string& name, const Options& options,
                  const CancelToken& cancel) {
  const auto http = open_http(name, options);
  if (!http) {
    report.bad(fmt::format("{}: {}", name, http.error().context), "see [remote." + name + "]");
    return;
  }
  HttpRequest request;
  request.url = options.remote.url + "/";
  request.label = "GET /";
  request.idempotent = true;
  request.redirects = HttpRequest::Redirects::kNone;
  const auto answer = (*http)->perform(
      CallContext::within(kPatience, Priority::kForeground, cancel), std::move(request));
  if (!answer) {
    if (cancel.cancelled()) return;
    const bool denied = answer.error().code == ErrorCode::kDenied;
    report.bad(fmt::format("{}: {}", options.remote.url, answer.error().context),
               denied ? "is the server's certificate from an own authority? Name it with ca_file"
                      : "check the address, the network, the proxy",
               denied ? ExitCode::kFailed : ExitCode::kUnreachable);
    return;
  }
  report.ok(fmt::format("{} answers", options.remote.url));
  if (const auto skew = clock_skew(*answer)) {
    // JWTs live for five minutes, and tokens are renewed by this clock.
    if (*skew > 60 || *skew < -60)
      report.bad(fmt::format("this machine's clock is {} s {} the server's", std::abs(*skew),
                             *skew > 0 ? "ahead of" : "behind"),
                 "set it; logins and tokens depend on it");
    else
      report.ok("the clock agrees with the server's");
  }
}

void check_login(Report& report, const Paths& paths, const std::string& name,
                 const Options& options, const CancelToken& cancel) {
  SecretPatience patience;
  patience.cancel = cancel;
  const auto secrets = open_secrets(paths, options, patience);
  if (!secrets) {
    report.bad(secrets.error().context, "");
    return;
  }
  if (const auto logged_in = check_credentials(**secrets, name, options); !logged_in) {
    const ErrorCode code = logged_in.error().code;
    report.bad(logged_in.error().context,
               code == ErrorCode::kUnauthenticated ? "cabinetfs login " + name : std::string(),
               exit_code_for(code));
    return;
  }
  report.ok(fmt::format("credentials are kept in: {}", (*secrets)->description()));
  const auto connection = Connection::open(paths, name, options, cancel);
  if (!connection) {
    report.bad(connection.error().context, advice_for(connection.error().code, name),
               exit_code_for(connection.error().code));
    return;
  }
  const auto account =
      (*connection)->store().account(CallContext::within(kPatience, Priority::kForeground, cancel));
  if (!account) {
    if (cancel.cancelled()) return;
    report.bad(account.error().context, advice_for(account.error().code, name),
               exit_code_for(account.error().code));
    return;
  }
  report.ok(fmt::format("logged in as {}", account->email));
}

}  // namespace

ExitCode run_doctor(const Paths& paths, const std::string& remote) {
  Report report;
  check_fuse(report);
  check_disk(report, "state directory", paths.state_dir);
  check_disk(report, "cache directory", paths.cache_dir);
  if (const auto volumes = mounted_volumes()) {
    for (const MountedVolume& volume : *volumes)
      if (!volume.alive && (remote.empty() || volume.remote == remote))
        report.bad(fmt::format("the mount at {} has lost its server", volume.mount_point),
                   fmt::format("cabinetfs mount {} {}", volume.remote, volume.mount_point));
  }
  for (const IdleStore& store : idle_stores_with_unsent(paths)) {
    if (!store.error) {
      report.note(
          fmt::format("{}: {}, not mounted", store.remote, count_of(store.unsent, "unsent change")),
          "mount it to have that sent");
      continue;
    }
    const std::string what =
        fmt::format("{}: what is unsent cannot be told: {}", store.remote, store.error->context);
    if (remote.empty() || store.remote == remote)
      report.bad(what, "nothing of it is removed; mount it when that is mended");
    else
      report.note(what, "");
  }

  const auto config = Config::load(paths.config_file);
  if (!config) {
    report.bad(config.error().context, "");
    return report.worst();
  }
  if (config->remotes().empty()) {
    report.bad(fmt::format("{} has no remotes", paths.config_file),
               "cabinetfs remote add NAME --url https://... --client-id ...");
    return report.worst();
  }
  report.ok(fmt::format("{} can be read", paths.config_file));
  bool found = false;
  InterruptScope interrupt;
  for (const RemoteConfig& entry : config->remotes()) {
    if (!remote.empty() && entry.name != remote) continue;
    found = true;
    const auto options = config->options_for(entry.name);
    if (!options) {
      report.bad(options.error().context, "");
      continue;
    }
    if (const auto good = vendor_of(*options).check_options(entry.name, *options); !good)
      report.bad(good.error().context, "see [remote." + entry.name + "]");
    check_allow_other(report, entry.name, *options);
    check_server(report, entry.name, *options, interrupt.token());
    if (!interrupt.interrupted())
      check_login(report, paths, entry.name, *options, interrupt.token());
    if (interrupt.interrupted()) {
      complain("interrupted");
      return ExitCode::kFailed;
    }
  }
  if (!found) return usage_error(config->find(remote).error().context);
  return report.worst();
}

}  // namespace cabinetfs
