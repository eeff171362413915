#include <fmt/format.h>
#include <signal.h>

#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "tools/cabinetfs/background.h"
#include "tools/cabinetfs/cli.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/paths.h"

int main(int argc, char** argv) {
  using namespace cabinetfs;
  // A reader that went away (`cabinetfs status | head`) is a write error, not a reason to die in
  // the middle of something.
  ::signal(SIGPIPE, SIG_IGN);
  // Every command may hold a password, a token or the store's key.
  harden_process();
  try {
    std::vector<std::string> arguments(argv + 1, argv + argc);
    const std::string_view program = argc > 0 ? argv[0] : "";
    // mount(8) calls its helpers by their name; the one of tools/packaging says it in a word.
    const bool by_word = !arguments.empty() && arguments.front() == "mount.cabinetfs";
    if (by_word) arguments.erase(arguments.begin());
    if (by_word || program.ends_with("mount.cabinetfs") ||
        program.ends_with("mount.fuse.cabinetfs")) {
      arguments = arguments_of_mount_helper(arguments);
      if (arguments.empty()) return static_cast<int>(ExitCode::kOk);
    }
    return static_cast<int>(run_cli(Paths::from_environment(), std::move(arguments)));
  } catch (const std::exception& error) {
    complain(printable(fmt::format("internal error: {}", error.what())));
    return static_cast<int>(ExitCode::kFailed);
  }
}
