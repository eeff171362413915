#pragma once

#include "tools/cabinetfs/background.h"
#include "tools/cabinetfs/exit_code.h"
#include "tools/cabinetfs/mount_plan.h"

namespace cabinetfs {

// Builds everything that a mount consists of and serves it until it is unmounted or told to stop
// (SIGTERM, SIGINT, SIGHUP, `cabinetfs umount`). Prints what went wrong. Reports to `ready` as soon
// as programs can use the mount. Runs in a process without other threads.
ExitCode serve_mount(const Paths& paths, MountPlan plan, ReadyPipe& ready);

}  // namespace cabinetfs
