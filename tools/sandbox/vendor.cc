#include "tools/sandbox/vendor.h"

#include <stdexcept>

#include "tools/sandbox/kenesto/service.h"
#include "tools/sandbox/kiteworks/service.h"
#include "tools/sandbox/powerfolder/service.h"

namespace cabinetfs::sandbox {

std::unique_ptr<Vendor> make_vendor(const Options& options) {
  if (options.vendor == "kiteworks") return kiteworks::make_service(options);
  if (options.vendor == "kenesto") return kenesto::make_service(options);
  if (options.vendor == "powerfolder") return powerfolder::make_service(options);
  throw std::runtime_error("unknown vendor " + options.vendor +
                           "; there are kiteworks, kenesto, powerfolder");
}

}  // namespace cabinetfs::sandbox
