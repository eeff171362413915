#pragma once

#include <nlohmann/json_fwd.hpp>

#include "backend/base/call.h"
#include "backend/base/result.h"

namespace cabinetfs {

class Volume;

// The control command "send": builds the mail from the request and sends it. Attachments are read
// while they are sent, from the mounted tree ("path") or from this machine's files ("file").
Result<void> send_control_mail(Volume& volume, const nlohmann::json& request,
                               const CallContext& call);

}  // namespace cabinetfs
