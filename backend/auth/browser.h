#pragma once

#include <string>

#include "backend/base/result.h"

namespace cabinetfs {

// Hands an http(s) URL to the desktop (xdg-open), without a shell and without waiting for the
// browser. kNotSupported: there is no such program or no graphical session; the caller prints the
// URL instead.
Result<void> open_browser(const std::string& url);

}  // namespace cabinetfs
