#include "tools/sandbox/vendor.h"

#include <stdexcept>

#include "tools/sandbox/kiteworks/service.h"

namespace cabinetfs::sandbox {

std::unique_ptr<Vendor> make_vendor(const Options& options) {
  if (options.vendor == "kiteworks") return kiteworks::make_service(options);
  throw std::runtime_error("unknown vendor " + options.vendor + "; there is kiteworks");
}

}  // namespace cabinetfs::sandbox
