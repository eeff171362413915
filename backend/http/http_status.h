#pragma once

#include <string_view>

#include "backend/base/error.h"

namespace cabinetfs {

struct HttpResponse;

// What a status means when the vendor's own code is absent. 2xx and 3xx give kInternal: they are no
// errors, so asking is a bug.
ErrorCode error_from_status(int status);

// "STATUS: what the server said" with the first line of a text body, without control characters and
// secrets, at most 200 bytes of it.
Error error_from_response(const HttpResponse& response, std::string_view what);

}  // namespace cabinetfs
