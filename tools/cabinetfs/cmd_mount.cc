// mount: checks, goes to the background, waits there until it works.

#include <fmt/format.h>

#include "tools/cabinetfs/background.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/mount_plan.h"
#include "tools/cabinetfs/mount_table.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/serve_mount.h"

namespace cabinetfs {

ExitCode run_mount(const Paths& paths, const MountCommand& command) {
  auto plan = plan_mount(paths, command);
  if (!plan)
    return plan.error().code == ErrorCode::kInvalid ? usage_error(plan.error().context)
                                                    : fail_with(plan.error());
  if (const auto volumes = mounted_volumes()) {
    for (const MountedVolume& volume : *volumes) {
      if (volume.mount_point != plan->mount_point || !volume.alive) continue;
      complain(
          printable(fmt::format("{} is mounted on {} already", volume.remote, volume.mount_point)));
      return ExitCode::kFailed;
    }
  }
  if (plan->foreground) {
    ReadyPipe nobody(-1);
    return serve_mount(paths, std::move(*plan), nobody);
  }
  return run_in_background(
      [&](ReadyPipe& ready) { return serve_mount(paths, std::move(*plan), ready); });
}

}  // namespace cabinetfs
