#include "tools/cabinetfs/mount_call.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <thread>

#include "fs/control_client.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/units.h"

namespace cabinetfs {

using nlohmann::json;

namespace {
// For an upload of one change; a large one ends by itself, and is asked about again.
constexpr std::chrono::seconds kFreePatience{30};
}  // namespace

Result<json> ask_mount(const Paths& paths, const MountedVolume& volume, const json& request,
                       std::chrono::milliseconds patience,
                       const std::function<void(const json&)>& progress,
                       const CancelToken& cancel) {
  auto client = ControlClient::connect(find_control_socket(paths, volume.mount_point));
  if (!client)
    return fail(ErrorCode::kNotPermitted,
                fmt::format("the mount at {} cannot be asked ({}); it belongs to another user, or "
                            "was made with another XDG_RUNTIME_DIR",
                            volume.mount_point, client.error().context));
  return client->call(request, patience, progress, cancel);
}

Result<json> ask_mount_until_free(const Paths& paths, const MountedVolume& volume,
                                  const json& request) {
  const SteadyTime until = Clock::system().steady() + kFreePatience;
  for (;;) {
    auto answer = ask_mount(paths, volume, request);
    if (answer || answer.error().code != ErrorCode::kBusy || Clock::system().steady() >= until)
      return answer;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

Result<json> ask_about(const Paths& paths, const std::string& path, json request) {
  TRY_ASSIGN(const PathOnMount where, locate(path));
  request["path"] = where.relative;
  return ask_mount(paths, where.volume, request);
}

namespace {
// Written by the signal handler, which may only touch lock-free things.
std::atomic<int> interrupt_event{-1};
extern "C" void on_interrupt(int) {
  const int saved = errno;
  const std::uint64_t one = 1;
  const int fd = interrupt_event.load();
  if (fd >= 0) (void)!::write(fd, &one, sizeof one);
  errno = saved;
}
}  // namespace

// The handler cannot cancel by itself (callbacks take locks), so a thread does.
struct InterruptScope::State {
  CancelSource source;
  std::atomic<bool> interrupted{false};
  int event = -1;  // from the handler
  int stop = -1;   // from the destructor
  struct sigaction old_int {
  }, old_term{};
  std::thread thread;
};

InterruptScope::InterruptScope() : state_(new State) {
  state_->event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  state_->stop = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  interrupt_event = state_->event;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, &state_->old_int);
  ::sigaction(SIGTERM, &action, &state_->old_term);
  State* state = state_;
  state_->thread = std::thread([state] {
    struct pollfd fds[2] = {{state->event, POLLIN, 0}, {state->stop, POLLIN, 0}};
    while (::poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    if ((fds[0].revents & POLLIN) != 0) {
      state->interrupted = true;
      state->source.cancel();
    }
  });
}

InterruptScope::~InterruptScope() {
  const std::uint64_t one = 1;
  (void)!::write(state_->stop, &one, sizeof one);
  state_->thread.join();
  ::sigaction(SIGINT, &state_->old_int, nullptr);
  ::sigaction(SIGTERM, &state_->old_term, nullptr);
  interrupt_event = -1;
  ::close(state_->event);
  ::close(state_->stop);
  delete state_;
}

CancelToken InterruptScope::token() const { return state_->source.token(); }
bool InterruptScope::interrupted() const { return state_->interrupted; }

std::string text_field(const json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}
std::uint64_t number_field(const json& object, const char* name) {
  if (!object.is_object()) return 0;
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<std::uint64_t>() : 0;
}
bool bool_field(const json& object, const char* name, bool otherwise) {
  if (!object.is_object()) return otherwise;
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

UnsentSummary summarize_unsent(const json& status) {
  UnsentSummary out;
  out.bytes = number_field(status, "unsent_bytes");
  out.online = bool_field(status, "online", true);
  out.offline_reason = text_field(status, "offline_reason");
  const auto unsent = status.find("unsent");
  if (unsent == status.end() || !unsent->is_array()) return out;
  for (const json& item : *unsent) {
    ++out.items;
    const std::string state = text_field(item, "state");
    if (state == "refused") ++out.refused;
    if (state == "uploading" && out.current.empty()) out.current = text_field(item, "path");
  }
  return out;
}

std::string describe_unsent(const UnsentSummary& summary) {
  std::string out = count_of(summary.items, "change");
  if (summary.bytes > 0) out += fmt::format(" ({})", format_size(summary.bytes));
  return out;
}

}  // namespace cabinetfs
