#pragma once

#include <memory>
#include <string>

#include "tools/sandbox/http/message.h"

namespace cabinetfs::sandbox {
class Blob;
}

namespace cabinetfs::sandbox::kiteworks {

// A content with Range support: 200, 206 or 416. `name` goes into Content-Disposition.
Response send_blob(const Request& request, std::shared_ptr<const Blob> blob,
                   const std::string& name);

}  // namespace cabinetfs::sandbox::kiteworks
