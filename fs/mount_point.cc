#include "fs/mount_point.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

#include "backend/base/log.h"
#include "fs/mount.h"

namespace cabinetfs {
namespace {

constexpr unsigned kReadAheadKib = 1024;

// mountinfo writes space, tab, newline and backslash as three octal digits.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      const std::string digits(text.substr(i + 1, 3));
      out += static_cast<char>(std::strtoul(digits.c_str(), nullptr, 8));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::optional<MountEntry> parse_line(const std::string& line) {
  // "36 35 98:0 /root /mount options - type source super-options", some optional fields before "-".
  std::istringstream in(line);
  std::string id, parent, device, root, mount_point, word;
  if (!(in >> id >> parent >> device >> root >> mount_point)) return std::nullopt;
  while (in >> word && word != "-") {
  }
  MountEntry entry;
  entry.mount_point = unescape(mount_point);
  std::string source;
  if (!(in >> entry.type >> source)) return std::nullopt;
  entry.source = unescape(source);
  const auto colon = device.find(':');
  entry.major = static_cast<unsigned>(std::strtoul(device.c_str(), nullptr, 10));
  entry.minor = static_cast<unsigned>(std::strtoul(device.c_str() + colon + 1, nullptr, 10));
  return entry;
}

// Runs a program without a shell; its messages are dropped.
bool run_program(const char* program, const std::vector<std::string>& arguments) {
  std::vector<char*> argv{const_cast<char*>(program)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, program, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return false;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

Result<std::optional<MountEntry>> find_mount(const std::string& mount_point) {
  std::ifstream file("/proc/self/mountinfo");
  if (!file) return fail(ErrorCode::kIo, "/proc/self/mountinfo cannot be read");
  std::optional<MountEntry> found;
  for (std::string line; std::getline(file, line);) {
    auto entry = parse_line(line);
    // The last one lies on top.
    if (entry && entry->mount_point == mount_point) found = std::move(entry);
  }
  return found;
}

bool is_dead_mount(const std::string& mount_point) {
  // ENOTCONN: no server any more. ECONNABORTED: the connection was cut.
  struct stat info {};
  if (::stat(mount_point.c_str(), &info) != 0) return errno == ENOTCONN || errno == ECONNABORTED;
  // While the root's attributes are fresh, the kernel answers a stat without the server. Extended
  // attributes it never keeps.
  char value[256];
  return ::getxattr(mount_point.c_str(), "user.cabinet.remote", value, sizeof value) < 0 &&
         (errno == ENOTCONN || errno == ECONNABORTED);
}

std::string fusermount_obstacle() {
  if (::geteuid() == 0 || ::access("/etc/mtab", R_OK) == 0) return {};
  return "fusermount3 unmounts for other users than root only where there is an /etc/mtab; as "
         "root: "
         "ln -s /proc/self/mounts /etc/mtab";
}

Result<void> clear_dead_mount(const std::string& mount_point) {
  if (!is_dead_mount(mount_point)) return {};
  log_info("{}: detaching a mount whose server is gone", mount_point);
  if (::umount2(mount_point.c_str(), MNT_DETACH) == 0) return {};
  if (run_program("fusermount3", {"-u", "-z", "--", mount_point})) return {};
  const std::string obstacle = fusermount_obstacle();
  return fail(ErrorCode::kBusy,
              fmt::format("{}: a dead mount is in the way and cannot be detached; {}", mount_point,
                          obstacle.empty() ? "try fusermount3 -u -z " + mount_point : obstacle));
}

Result<void> prepare_mount_point(const std::string& mount_point) {
  if (mount_point.empty() || mount_point[0] != '/') {
    return fail(ErrorCode::kInvalid, "the mount point must be an absolute path: " + mount_point);
  }
  TRY(clear_dead_mount(mount_point));
  struct stat info {};
  if (::stat(mount_point.c_str(), &info) != 0) {
    const ErrorCode code = errno == ENOENT || errno == ENOTDIR ? ErrorCode::kNotFound
                           : errno == EACCES                   ? ErrorCode::kDenied
                                                               : ErrorCode::kIo;
    return fail(code, fmt::format("mount point {}: {}", mount_point, std::strerror(errno)));
  }
  if (!S_ISDIR(info.st_mode)) {
    return fail(ErrorCode::kNotDirectory, "mount point " + mount_point);
  }
  TRY_ASSIGN(const auto mounted, find_mount(mount_point));
  if (mounted && mounted->type.starts_with("fuse")) {
    return fail(ErrorCode::kBusy,
                fmt::format("{}: {} is mounted there", mount_point, mounted->source));
  }
  return {};
}

void raise_read_ahead(const std::string& mount_point) {
  const auto entry = find_mount(mount_point);
  if (!entry || !*entry) return;
  const std::string path =
      fmt::format("/sys/class/bdi/{}:{}/read_ahead_kb", (*entry)->major, (*entry)->minor);
  std::ofstream file(path);
  file << kReadAheadKib << '\n';
  file.flush();
  if (!file) log_debug("{}: not writable, read-ahead stays at the kernel's default", path);
}

}  // namespace cabinetfs
