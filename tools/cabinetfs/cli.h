#pragma once

#include <string>
#include <vector>

#include "tools/cabinetfs/exit_code.h"
#include "tools/cabinetfs/paths.h"

namespace cabinetfs {

// `cabinetfs ARGUMENTS...`, without the program's name.
ExitCode run_cli(const Paths& paths, std::vector<std::string> arguments);

// `mount.cabinetfs REMOTE MOUNTPOINT [-sfnv] [-o options]`, as mount(8) calls it, translated.
// Everything that mount(8) may say and that means nothing here is left out. Empty: it wants nothing
// to be mounted (-f).
std::vector<std::string> arguments_of_mount_helper(const std::vector<std::string>& arguments);

}  // namespace cabinetfs
