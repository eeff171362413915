#include "tools/cabinetfs/mount_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "fs/mount.h"
#include "tools/cabinetfs/config.h"

namespace cabinetfs {
namespace {

std::string host_name() {
  char name[65] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "localhost";
  std::string out = name;
  // The first part is enough in a file name, and '/' cannot be in it.
  if (const auto dot = out.find('.'); dot != std::string::npos && dot > 0) out.resize(dot);
  return out.empty() || out.find('/') != std::string::npos ? "localhost" : out;
}

Result<void> check_mount_point(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    const int error = errno;
    if (is_dead_mount(path)) return {};  // left over by a killed process; cleared at the mount
    if (error == ENOENT)
      return fail(ErrorCode::kNotFound,
                  fmt::format("{} does not exist; make it with: mkdir -p {}", path, path));
    return fail(ErrorCode::kIo, fmt::format("{}: {}", path, std::strerror(error)));
  }
  if (!S_ISDIR(info.st_mode))
    return fail(ErrorCode::kNotDirectory, fmt::format("{} is not a directory", path));
  return {};
}

}  // namespace

RemoteAndRoot split_remote(const std::string& text) {
  RemoteAndRoot out;
  std::string rest = text.starts_with("cabinetfs#") ? text.substr(10) : text;
  const auto colon = rest.find(':');
  out.remote = rest.substr(0, colon);
  if (colon != std::string::npos) out.root = rest.substr(colon + 1);
  return out;
}

Result<MountPlan> plan_mount(const Paths& paths, const MountCommand& command) {
  MountPlan out;
  const RemoteAndRoot source = split_remote(command.remote);
  out.remote = source.remote;
  out.foreground = command.foreground;
  TRY_ASSIGN(const Config config, Config::load(paths.config_file));
  Options& options = out.options;
  options.volume.uid = ::geteuid();
  options.volume.gid = ::getegid();
  options.volume.host = host_name();
  TRY_ASSIGN(options, config.options_for(out.remote, std::move(options)));
  if (!source.root.empty()) options.mount.root = source.root;
  // One list, since rw undoes the ro of an earlier one.
  TRY(set_mount_options(options, fmt::format("{}", fmt::join(command.option_lists, ","))));
  const std::string here = working_directory();
  for (const auto& [name, value] : command.long_options)
    TRY(set_option(options, name, resolve_value(name, value, here)));
  if (options.remote.url.empty())
    return fail(ErrorCode::kInvalid,
                fmt::format("[remote.{}] in {} has no url", out.remote, paths.config_file));
  for (const std::string& part : split(options.mount.root, '/'))
    if (part == "..") return fail(ErrorCode::kInvalid, "the remote folder cannot have '..' in it");

  out.mount_point = absolute_path(command.mount_point);
  TRY(check_mount_point(out.mount_point));
  out.store = store_paths(paths, out.remote, options.mount.root, options.mount.instance);
  options.content.cache_dir = out.store.cache;
  options.content.staged_dir = out.store.staged_dir();
  return out;
}

}  // namespace cabinetfs
