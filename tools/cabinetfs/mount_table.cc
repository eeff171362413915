#include "tools/cabinetfs/mount_table.h"

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "backend/base/text.h"
#include "fs/mount.h"
#include "tools/cabinetfs/paths.h"

namespace cabinetfs {
namespace {

// For a mount to say that its process is there.
constexpr std::chrono::seconds kPatience{2};

// The kernel writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '3' &&
        text[i + 2] >= '0' && text[i + 2] <= '7' && text[i + 3] >= '0' && text[i + 3] <= '7') {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool below(const std::string& path, const std::string& directory) {
  if (directory == "/") return true;
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

}  // namespace

std::vector<MountedVolume> parse_mountinfo(std::string_view text) {
  std::vector<MountedVolume> out;
  for (const std::string& line : split(text, '\n')) {
    // id parent major:minor root mount_point options tags... - type source super_options
    const std::vector<std::string> fields = split(line, ' ');
    std::size_t dash = 6;
    while (dash < fields.size() && fields[dash] != "-") ++dash;
    if (dash + 2 >= fields.size()) continue;
    if (fields[dash + 1] != "fuse.cabinetfs") continue;
    MountedVolume volume;
    volume.mount_point = unescape(fields[4]);
    const std::string source = unescape(fields[dash + 2]);
    const auto hash = source.find('#');
    volume.remote = hash == std::string::npos ? source : source.substr(hash + 1);
    for (const std::string& option : split(fields[5], ','))
      if (option == "ro") volume.read_only = true;
    out.push_back(std::move(volume));
  }
  return out;
}

Result<std::vector<MountedVolume>> mounted_volumes() {
  std::ifstream in("/proc/self/mountinfo");
  if (!in) return fail(ErrorCode::kIo, "cannot read /proc/self/mountinfo");
  std::ostringstream text;
  text << in.rdbuf();
  auto volumes = parse_mountinfo(text.str());
  // Asking a mount may take as long as its process does not answer, if it hangs for ever: in that
  // case this process does not wait for it, and its answer goes nowhere. All are asked at once.
  std::vector<std::future<bool>> dead;
  for (const MountedVolume& volume : volumes) {
    std::promise<bool> answer;
    dead.push_back(answer.get_future());
    std::thread([point = volume.mount_point, answer = std::move(answer)]() mutable {
      answer.set_value(is_dead_mount(point));
    }).detach();
  }
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (std::size_t i = 0; i < volumes.size(); ++i) {
    const bool answered = dead[i].wait_until(until) == std::future_status::ready;
    volumes[i].alive = !answered || !dead[i].get();
  }
  return volumes;
}

std::optional<PathOnMount> find_on_mounts(const std::vector<MountedVolume>& volumes,
                                          const std::string& absolute) {
  const MountedVolume* best = nullptr;
  for (const MountedVolume& volume : volumes) {
    // The last one of several on one place is the one on top.
    if (below(absolute, volume.mount_point) &&
        (best == nullptr || volume.mount_point.size() >= best->mount_point.size()))
      best = &volume;
  }
  if (best == nullptr) return std::nullopt;
  PathOnMount out;
  out.volume = *best;
  const std::size_t skip = best->mount_point == "/" ? 1 : best->mount_point.size() + 1;
  if (absolute.size() > skip) out.relative = absolute.substr(skip);
  return out;
}

Result<PathOnMount> locate(const std::string& path) {
  TRY_ASSIGN(const auto volumes, mounted_volumes());
  const std::string absolute = absolute_path(path);
  auto found = find_on_mounts(volumes, absolute);
  if (!found)
    return fail(ErrorCode::kInvalid, fmt::format("{} is not on a cabinetfs mount{}", path,
                                                 volumes.empty() ? " (nothing is mounted)" : ""));
  if (!found->volume.alive)
    return fail(
        ErrorCode::kIo,  // the remote has no part in it
        fmt::format("the mount at {} has lost its server; mount it again with: cabinetfs "
                    "mount {} {}",
                    found->volume.mount_point, found->volume.remote, found->volume.mount_point));
  return *found;
}

}  // namespace cabinetfs
