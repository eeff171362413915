#include "tools/cabinetfs/paths.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "backend/base/text.h"

namespace cabinetfs {
namespace {

std::optional<std::string> real_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

// Readable for plain names, unambiguous for all.
std::string file_name_for(std::string_view text) {
  std::string out = percent_encode(text);
  // A leading dot would hide the directory, or be "..".
  if (!out.empty() && out.front() == '.') out.replace(0, 1, "%2E");
  return out;
}

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

bool exists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

std::string run_dir_below(const std::string& state_dir) { return state_dir + "/run"; }

// The kernel's own idea of it will do: the server of a mount that stands there may not answer.
bool is_link(const std::string& path) {
  struct statx info;
  return ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, STATX_TYPE,
                 &info) == 0 &&
         S_ISLNK(info.stx_mode);
}

}  // namespace

Paths Paths::from(const EnvironmentLookup& environment, uid_t uid) {
  const bool root = uid == 0;
  const std::string home = environment("HOME").value_or(root ? "/root" : "/");
  // The specification: a relative path in such a variable is invalid and to be ignored.
  const auto base = [&](const char* variable, const char* for_root, const char* below_home) {
    const auto value = environment(variable);
    if (value && value->starts_with('/')) return *value + "/cabinetfs";
    return root ? std::string(for_root) : home + below_home;
  };
  Paths out;
  out.state_dir = base("XDG_STATE_HOME", "/var/lib/cabinetfs", "/.local/state/cabinetfs");
  out.cache_dir = base("XDG_CACHE_HOME", "/var/cache/cabinetfs", "/.cache/cabinetfs");
  out.config_file =
      base("XDG_CONFIG_HOME", "/etc/cabinetfs", "/.config/cabinetfs") + "/config.toml";
  if (auto file = environment("CABINETFS_CONFIG")) out.config_file = absolute_path(*file);
  if (const auto run = environment("XDG_RUNTIME_DIR"); run && run->starts_with('/'))
    out.run_dir = *run + "/cabinetfs";
  else if (root)
    out.run_dir = "/run/cabinetfs";
  else if (const std::string user = fmt::format("/run/user/{}", uid); exists(user))
    out.run_dir = user + "/cabinetfs";
  else
    out.run_dir = run_dir_below(out.state_dir);
  return out;
}

Paths Paths::from_environment() { return from(real_environment, ::geteuid()); }

std::string Paths::remote_state_dir(const std::string& remote) const {
  return state_dir + "/remotes/" + file_name_for(remote);
}

StorePaths store_paths(const Paths& paths, const std::string& remote, const std::string& root,
                       const std::string& instance) {
  StorePaths out;
  out.name = file_name_for(remote);
  std::string folder;
  for (const std::string& part : split(root, '/')) {
    if (part.empty()) continue;
    if (!folder.empty()) folder += '/';
    folder += part;
  }
  if (!folder.empty()) out.name += ":" + file_name_for(folder);
  if (!instance.empty()) out.name += "+" + file_name_for(instance);
  // A file name has 255 bytes; deep folders get their hash instead.
  if (out.name.size() > 200)
    out.name = fmt::format("{}~{:016x}", out.name.substr(0, 180), fnv1a(out.name));
  out.state = paths.state_dir + "/stores/" + out.name;
  out.cache = paths.cache_dir + "/stores/" + out.name;
  return out;
}

std::string control_socket(const std::string& run_dir, const std::string& mount_point) {
  return fmt::format("{}/{:016x}.sock", run_dir, fnv1a(mount_point));
}

std::string find_control_socket(const Paths& paths, const std::string& mount_point) {
  const std::vector<std::string> run_dirs = {
      paths.run_dir, fmt::format("/run/user/{}/cabinetfs", ::geteuid()), "/run/cabinetfs",
      // Where it was made, there was none of these (cron, before the first login).
      run_dir_below(paths.state_dir)};
  for (const std::string& dir : run_dirs) {
    std::string socket = control_socket(dir, mount_point);
    if (exists(socket)) return socket;
  }
  return control_socket(paths.run_dir, mount_point);
}

bool has_control_socket(const Paths& paths, const std::string& mount_point) {
  return exists(find_control_socket(paths, mount_point));
}

std::string absolute_path(const std::string& path) {
  namespace filesystem = std::filesystem;
  std::error_code error;
  filesystem::path full = filesystem::absolute(path, error).lexically_normal();
  if (error) return path;
  if (full.filename().empty() && full.has_parent_path() && full != full.root_path())
    full = full.parent_path();
  if (full == full.root_path()) return full.string();
  // Only the parent is resolved through the disk: asking a dead mount point itself would fail.
  const filesystem::path parent = filesystem::weakly_canonical(full.parent_path(), error);
  if (error) return full.string();
  const filesystem::path candidate = parent / full.filename();
  if (is_link(candidate.string())) {
    const filesystem::path resolved = filesystem::canonical(candidate, error);
    if (!error) return resolved.string();
  }
  return candidate.string();
}

}  // namespace cabinetfs
