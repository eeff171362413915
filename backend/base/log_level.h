#pragma once

#include "backend/base/log.h"

namespace cabinetfs {

// Changes the level while the program runs. Thread safe.
void set_log_level(LogLevel level);

}  // namespace cabinetfs
