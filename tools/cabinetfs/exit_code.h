#pragma once

#include "backend/base/error.h"

namespace cabinetfs {

// What scripts may rely on.
enum class ExitCode {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kNotLoggedIn = 3,
  kUnreachable = 4,
  kUnsentRemains = 5,
};

inline ExitCode exit_code_for(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnauthenticated:
      return ExitCode::kNotLoggedIn;
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
      return ExitCode::kUnreachable;
    default:
      return ExitCode::kFailed;
  }
}

}  // namespace cabinetfs
