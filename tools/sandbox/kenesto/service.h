#pragma once

#include <memory>

#include "tools/sandbox/vendor.h"

namespace cabinetfs::sandbox::kenesto {

std::unique_ptr<Vendor> make_service(const Options& options);

}  // namespace cabinetfs::sandbox::kenesto
