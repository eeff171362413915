#pragma once

#include "backend/base/error.h"

namespace cabinetfs {

// The errno that a program sees for an error: the only place where one becomes the other.
int to_errno(ErrorCode code);

}  // namespace cabinetfs
