#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/result.h"

namespace cabinetfs {

// A mounted cabinetfs, as the kernel tells.
struct MountedVolume {
  std::string mount_point;
  std::string remote;  // from fsname "cabinetfs#REMOTE"
  bool read_only = false;
  bool alive = true;  // false: its server is gone
};

// The cabinetfs mounts in the text of /proc/PID/mountinfo, in its order.
std::vector<MountedVolume> parse_mountinfo(std::string_view text);

// Those of this process's namespace, `alive` checked.
Result<std::vector<MountedVolume>> mounted_volumes();

// Where a path is on a mount; the path need not exist.
struct PathOnMount {
  MountedVolume volume;
  std::string relative;  // "" is the root
};
// The innermost mount that holds the absolute path; nullopt when that is no cabinetfs.
std::optional<PathOnMount> find_on_mounts(const std::vector<MountedVolume>& volumes,
                                          const std::string& absolute);
// kInvalid with a message when the path is on no cabinetfs mount; kUnavailable when its server is
// gone.
Result<PathOnMount> locate(const std::string& path);

}  // namespace cabinetfs
