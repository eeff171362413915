#include "tools/cabinetfs/mount_call.h"

#include <fmt/format.h>

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
