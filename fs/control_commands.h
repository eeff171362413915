#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "backend/base/call.h"
#include "backend/base/result.h"
#include "fs/control_server.h"

namespace cabinetfs {

// Executes one request of the control protocol (fs/control_client.h) on the calling thread. `call`
// gives cancellation; the deadline comes from the request or from the services. A request that is
// not understood is kInvalid. "unmount" is only checked here: the server does it once it is
// answered.
Result<nlohmann::json> run_control_command(
    const ControlServices& services, const nlohmann::json& request, CallContext call,
    const std::function<void(const nlohmann::json&)>& progress);

}  // namespace cabinetfs
