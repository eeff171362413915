#include "fs/errno_map.h"

#include <cerrno>

namespace cabinetfs {

int to_errno(ErrorCode code) {
  // No default: a new code must find its errno here.
  switch (code) {
    case ErrorCode::kNotFound:
      return ENOENT;
    case ErrorCode::kExists:
      return EEXIST;
    case ErrorCode::kNotEmpty:
      return ENOTEMPTY;
    case ErrorCode::kIsDirectory:
      return EISDIR;
    case ErrorCode::kNotDirectory:
      return ENOTDIR;
    case ErrorCode::kDenied:
      return EACCES;
    case ErrorCode::kNotPermitted:
      return EPERM;
    case ErrorCode::kReadOnly:
      return EROFS;
    case ErrorCode::kBusy:
      return EBUSY;
    case ErrorCode::kTryAgain:
      return EAGAIN;
    case ErrorCode::kConflict:
    case ErrorCode::kStale:
      return ESTALE;
    case ErrorCode::kOverQuota:
      return EDQUOT;
    case ErrorCode::kNoSpace:
      return ENOSPC;
    case ErrorCode::kTooLarge:
      return EFBIG;
    case ErrorCode::kInvalid:
      return EINVAL;
    case ErrorCode::kNameTooLong:
      return ENAMETOOLONG;
    case ErrorCode::kNotSupported:
      return EOPNOTSUPP;
    case ErrorCode::kNoData:
      return ENODATA;
    case ErrorCode::kRange:
      return ENXIO;
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kNoAccess:
      return EACCES;
    case ErrorCode::kUnavailable:
      return EHOSTUNREACH;
    case ErrorCode::kTimeout:
      return ETIMEDOUT;
    case ErrorCode::kCancelled:
      return EINTR;
    case ErrorCode::kCrossDevice:
      return EXDEV;
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
    // Means "ask again on another thread"; the request runner does that, so it never gets here
    // unless a call that may block says it: a bug.
    case ErrorCode::kWouldBlock:
      return EIO;
  }
  return EIO;
}

}  // namespace cabinetfs
