#include "backend/base/error.h"

namespace cabinetfs {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
      return "not-found";
    case ErrorCode::kExists:
      return "exists";
    case ErrorCode::kNotEmpty:
      return "not-empty";
    case ErrorCode::kIsDirectory:
      return "is-directory";
    case ErrorCode::kNotDirectory:
      return "not-directory";
    case ErrorCode::kDenied:
      return "denied";
    case ErrorCode::kNotPermitted:
      return "not-permitted";
    case ErrorCode::kReadOnly:
      return "read-only";
    case ErrorCode::kBusy:
      return "busy";
    case ErrorCode::kTryAgain:
      return "try-again";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kOverQuota:
      return "over-quota";
    case ErrorCode::kNoSpace:
      return "no-space";
    case ErrorCode::kTooLarge:
      return "too-large";
    case ErrorCode::kInvalid:
      return "invalid";
    case ErrorCode::kNameTooLong:
      return "name-too-long";
    case ErrorCode::kNotSupported:
      return "not-supported";
    case ErrorCode::kNoData:
      return "no-data";
    case ErrorCode::kRange:
      return "range";
    case ErrorCode::kStale:
      return "stale";
    case ErrorCode::kUnauthenticated:
      return "unauthenticated";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kTimeout:
      return "timeout";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kCorrupt:
      return "corrupt";
    case ErrorCode::kWouldBlock:
      return "would-block";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kInternal:
      return "internal";
    case ErrorCode::kCrossDevice:
      return "cross-device";
    case ErrorCode::kNoAccess:
      return "no-access";
  }
  return "unknown";
}

std::string to_string(const Error& error) {
  return std::string(to_string(error.code)) + ": " + error.context;
}

ErrorCode error_code_named(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kNoAccess); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    if (to_string(code) == name) return code;
  }
  return ErrorCode::kInternal;
}

bool is_lost(const Error& error) {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kTimeout;
}

Error after_change(Error error) {
  if (error.code != ErrorCode::kTimeout && error.code != ErrorCode::kCancelled)
    error.code = ErrorCode::kUnavailable;
  return error;
}

bool is_gone(ErrorCode code) {
  return code == ErrorCode::kNotFound || code == ErrorCode::kIsDirectory ||
         code == ErrorCode::kNotDirectory;
}

bool is_unreachable(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout ||
         code == ErrorCode::kUnauthenticated || code == ErrorCode::kNoAccess;
}

bool is_transient(ErrorCode code) {
  if (is_unreachable(code)) return true;
  switch (code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kNoAccess:
    case ErrorCode::kTryAgain:
    case ErrorCode::kBusy:
    case ErrorCode::kCancelled:
    case ErrorCode::kWouldBlock:
    case ErrorCode::kIo:
      return true;
    case ErrorCode::kNotFound:
    case ErrorCode::kExists:
    case ErrorCode::kNotEmpty:
    case ErrorCode::kIsDirectory:
    case ErrorCode::kNotDirectory:
    case ErrorCode::kDenied:
    case ErrorCode::kNotPermitted:
    case ErrorCode::kReadOnly:
    case ErrorCode::kConflict:
    case ErrorCode::kOverQuota:
    case ErrorCode::kNoSpace:
    case ErrorCode::kTooLarge:
    case ErrorCode::kInvalid:
    case ErrorCode::kNameTooLong:
    case ErrorCode::kNotSupported:
    case ErrorCode::kNoData:
    case ErrorCode::kRange:
    case ErrorCode::kStale:
    case ErrorCode::kCorrupt:
    case ErrorCode::kInternal:
    case ErrorCode::kCrossDevice:
      return false;
  }
  return false;
}

}  // namespace cabinetfs
