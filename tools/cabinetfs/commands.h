#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/cabinetfs/exit_code.h"
#include "tools/cabinetfs/paths.h"

namespace cabinetfs {

// One function for each command; cli.cc fills their arguments. They print by themselves and return
// the exit code.

struct MountCommand {
  std::string remote;  // REMOTE or REMOTE:/path
  std::string mount_point;
  bool foreground = false;
  // In the order of the command line: later ones win.
  std::vector<std::string> option_lists;                          // -o a=b,c
  std::vector<std::pair<std::string, std::string>> long_options;  // --a b
};
ExitCode run_mount(const Paths& paths, const MountCommand& command);

struct UmountCommand {
  std::string mount_point;
  std::optional<std::chrono::milliseconds> timeout;  // none: as long as there is hope
  bool detach = false;                               // leave what is unsent for the next mount
  bool force = false;                                // although programs use it
};
ExitCode run_umount(const Paths& paths, const UmountCommand& command);

struct RemoteAddCommand {
  std::string name;
  std::vector<std::pair<std::string, std::string>> values;
};
ExitCode run_remote_add(const Paths& paths, const RemoteAddCommand& command);
ExitCode run_remote_list(const Paths& paths, bool json, bool names_only);
ExitCode run_remote_show(const Paths& paths, const std::string& name, bool json);
ExitCode run_remote_remove(const Paths& paths, const std::string& name, bool force);
ExitCode run_remote_test(const Paths& paths, const std::string& name, bool json);

struct LoginCommand {
  std::string remote;
  bool browser = true;
  bool secret_stdin = false;
  bool token = false;                 // a ready token instead of what the vendor usually takes
  std::chrono::seconds timeout{300};  // for the person in the browser
};
ExitCode run_login(const Paths& paths, const LoginCommand& command);
ExitCode run_logout(const Paths& paths, const std::string& remote);

struct StatusCommand {
  std::string path;  // empty: all mounts
  bool json = false;
  bool watch = false;
};
ExitCode run_status(const Paths& paths, const StatusCommand& command);

// `timeout`: for all of them together; none: as long as it takes.
ExitCode run_flush(const Paths& paths, const std::vector<std::string>& files,
                   std::optional<std::chrono::milliseconds> timeout);
ExitCode run_retry(const Paths& paths, const std::vector<std::string>& files);
ExitCode run_discard(const Paths& paths, const std::vector<std::string>& files, bool yes);
ExitCode run_export(const Paths& paths, const std::vector<std::string>& files,
                    const std::string& directory);

ExitCode run_versions(const Paths& paths, const std::string& file, bool json);
ExitCode run_history(const Paths& paths, const std::string& file, bool json);
ExitCode run_restore(const Paths& paths, const std::string& file, unsigned version);
ExitCode run_diff(const Paths& paths, const std::string& file, unsigned version,
                  const std::string& program);

ExitCode run_permissions(const Paths& paths, const std::string& file, bool json);
struct ShareCommand {
  std::vector<std::string> files, people;
  std::string level;
};
ExitCode run_share(const Paths& paths, const ShareCommand& command);
ExitCode run_unshare(const Paths& paths, const std::string& file, const std::string& who);
// Asks first, unless `yes`.
ExitCode run_unshare_all(const Paths& paths, const std::string& file, bool yes);
ExitCode run_lock(const Paths& paths, const std::vector<std::string>& files);
ExitCode run_unlock(const Paths& paths, const std::vector<std::string>& files,
                    const std::string& comment);
// Gives up local changes, the lock and what it was taken for.
ExitCode run_discard_lock(const Paths& paths, const std::vector<std::string>& files);

struct SequenceCommand {
  std::string what;  // list, create, next, current, release, remove
  std::string name, prefix;
  std::optional<std::uint64_t> number;
  bool lock = false, json = false;
  std::string mount_point = ".";
};
ExitCode run_sequence(const Paths& paths, const SequenceCommand& command);

// state: pinned, unpinned, inherit
ExitCode run_pin(const Paths& paths, const std::vector<std::string>& files,
                 const std::string& state);
ExitCode run_prefetch(const Paths& paths, const std::vector<std::string>& files);

struct SendCommand {
  std::vector<std::string> files;
  std::vector<std::string> to, cc, bcc;
  std::string subject, body;
  bool body_stdin = false;
  bool draft = false;
  std::string remote;  // empty: that of the files' mount, or the only one there is
};
ExitCode run_send(const Paths& paths, const SendCommand& command);

// what: stats, verify, gc, clear; target: a mount point, a remote, or empty for all;
// force: "clear" removes what is pinned too, of what is not mounted
ExitCode run_cache(const Paths& paths, const std::string& what, const std::string& target,
                   bool json, bool force);

ExitCode run_doctor(const Paths& paths, const std::string& remote);

// Prints a completion script that knows these commands; kUsage for an unknown shell.
ExitCode run_completion(const std::string& shell, const std::vector<std::string>& commands);

}  // namespace cabinetfs
