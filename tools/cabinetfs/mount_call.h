#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "backend/base/cancel.h"
#include "backend/base/result.h"
#include "tools/cabinetfs/interrupt.h"
#include "tools/cabinetfs/mount_table.h"
#include "tools/cabinetfs/paths.h"

namespace cabinetfs {

// Asks the process behind a mount through its control socket. kNotPermitted when it cannot be asked
// from here, kIo when it does not answer.
Result<nlohmann::json> ask_mount(const Paths& paths, const MountedVolume& volume,
                                 const nlohmann::json& request,
                                 std::chrono::milliseconds patience = std::chrono::milliseconds(0),
                                 const std::function<void(const nlohmann::json&)>& progress = {},
                                 const CancelToken& cancel = {});

// The same, again and again for a while as long as the answer is kBusy: what is being sent this
// moment cannot be taken back before it is answered.
Result<nlohmann::json> ask_mount_until_free(const Paths& paths, const MountedVolume& volume,
                                            const nlohmann::json& request);

// The same about a path on a mount: finds the mount and adds "path".
Result<nlohmann::json> ask_about(const Paths& paths, const std::string& path,
                                 nlohmann::json request);

// What a status answer says is left; texts are printable.
struct UnsentSummary {
  std::uint64_t items = 0, bytes = 0, refused = 0;
  bool online = true;
  std::string offline_reason;
  std::string current;  // path of what is being sent
};
UnsentSummary summarize_unsent(const nlohmann::json& status);
// "3 changes (1.2 MiB)"
std::string describe_unsent(const UnsentSummary& summary);

// Field access that survives another version's answer: the default when it is not there or of
// another type.
std::string text_field(const nlohmann::json& object, const char* name);
std::uint64_t number_field(const nlohmann::json& object, const char* name);
bool bool_field(const nlohmann::json& object, const char* name, bool otherwise);

}  // namespace cabinetfs
