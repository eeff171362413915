#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace cabinetfs {

using EnvironmentLookup = std::function<std::optional<std::string>(const char* name)>;

// Where this user's configuration, state, cache and sockets are. Variables of the XDG base
// directory specification win, for root too; without them root has /etc, /var/lib, /var/cache and
// /run.
struct Paths {
  std::string config_file;
  std::string state_dir;
  std::string cache_dir;
  std::string run_dir;

  static Paths from(const EnvironmentLookup& environment, uid_t uid);
  static Paths from_environment();

  std::string secrets_file() const { return state_dir + "/secrets.json"; }
  // Lock files that processes of one remote share (token refresh).
  std::string remote_state_dir(const std::string& remote) const;
};

// The directories of one mount's store. What is in `state` must survive; `cache` may be deleted
// while it is not mounted. A store belongs to one remote, one remote folder and one instance.
struct StorePaths {
  std::string name;   // "work", "work:Projects%2Fa", "work+second"
  std::string state;  // meta data and unsent contents
  std::string cache;

  std::string meta_file() const { return state + "/meta.db"; }
  std::string staged_dir() const { return state + "/staged"; }
  std::string key_file() const { return state + "/store.key"; }
  std::string log_file() const { return state + "/cabinetfs.log"; }
};
StorePaths store_paths(const Paths& paths, const std::string& remote, const std::string& root,
                       const std::string& instance);

// The control socket of a mount: both sides work it out from the mount point. The name is short,
// since a socket's address holds 107 bytes.
std::string control_socket(const std::string& run_dir, const std::string& mount_point);
// Where a mount of `mount_point` may have its socket, most likely first: it may have been made from
// another session (fstab, systemd) than the one that asks.
std::string find_control_socket(const Paths& paths, const std::string& mount_point);
// False: the mount is another user's, or its process is about to end.
bool has_control_socket(const Paths& paths, const std::string& mount_point);

// Absolute, without "." and "..", symbolic links of existing parts resolved; works for a mount
// point whose server has died.
std::string absolute_path(const std::string& path);

}  // namespace cabinetfs
