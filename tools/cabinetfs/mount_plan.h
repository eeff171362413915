#pragma once

#include <string>

#include "backend/base/result.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/options.h"
#include "tools/cabinetfs/paths.h"

namespace cabinetfs {

// A mount command, checked and completed: what serve_mount() does.
struct MountPlan {
  std::string remote;
  std::string mount_point;  // absolute
  Options options;
  StorePaths store;
  bool foreground = false;
};

// Reads the configuration and applies -o and --name over it. kInvalid: usage; kNotFound,
// kNotDirectory: the mount point.
Result<MountPlan> plan_mount(const Paths& paths, const MountCommand& command);

// "work:/Projects" -> {"work", "Projects"}; also "cabinetfs#work", as fstab may have it.
struct RemoteAndRoot {
  std::string remote, root;
};
RemoteAndRoot split_remote(const std::string& text);

}  // namespace cabinetfs
