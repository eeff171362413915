#pragma once

#include <optional>
#include <string>

#include "backend/base/result.h"

namespace cabinetfs {

// What /proc/self/mountinfo says of a mount, without touching it.
struct MountEntry {
  std::string mount_point;
  std::string type;    // "fuse.cabinetfs"
  std::string source;  // "cabinetfs#REMOTE"
  unsigned major = 0, minor = 0;
};

// The mount that is on top of this directory, nullopt when nothing is mounted there.
Result<std::optional<MountEntry>> find_mount(const std::string& mount_point);

// A directory that can be mounted on: exists, is a directory, and carries no mount. A dead FUSE
// mount (its server is gone) is detached first.
Result<void> prepare_mount_point(const std::string& mount_point);

// Lets the kernel read ahead as much as one request holds. Needs root; else the default of 128 KiB
// stays.
void raise_read_ahead(const std::string& mount_point);

}  // namespace cabinetfs
