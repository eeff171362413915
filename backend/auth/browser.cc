#include "backend/auth/browser.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <thread>

#include "backend/http/http_url.h"

extern char** environ;

namespace cabinetfs {

Result<void> open_browser(const std::string& url) {
  // Also keeps anything out that xdg-open could take for an option.
  TRY(parse_http_url(url));
  if (std::getenv("DISPLAY") == nullptr && std::getenv("WAYLAND_DISPLAY") == nullptr) {
    return fail(ErrorCode::kNotSupported, "no graphical session");
  }
  std::string program = "xdg-open";
  std::string argument = url;
  std::array<char*, 3> arguments = {program.data(), argument.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // A chatty browser must not write into our messages.
  for (const int fd : {0, 1, 2}) {
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
  }
  pid_t pid = 0;
  const int error =
      ::posix_spawnp(&pid, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return fail(ErrorCode::kNotSupported, "xdg-open: " + std::generic_category().message(error));
  }
  // Some desktops' xdg-open stays until the browser ends: reaped elsewhere, never waited for.
  std::thread([pid] {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
  }).detach();
  return {};
}

}  // namespace cabinetfs
