#pragma once

#include <memory>

#include "tools/sandbox/vendor.h"

namespace cabinetfs::sandbox::powerfolder {

// Throws std::runtime_error with a reason.
std::unique_ptr<Vendor> make_service(const Options& options);

}  // namespace cabinetfs::sandbox::powerfolder
