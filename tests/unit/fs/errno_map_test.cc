#include "fs/errno_map.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

namespace cabinetfs {
namespace {

TEST(ErrnoMap, KnowsEveryCode) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kCrossDevice); ++i) {
    const int number = to_errno(static_cast<ErrorCode>(i));
    EXPECT_GT(number, 0) << i;
    EXPECT_LT(number, 1000) << i;  // libfuse refuses others
  }
}

TEST(ErrnoMap, TellsProgramsWhatTheyCanActOn) {
  EXPECT_EQ(to_errno(ErrorCode::kNotFound), ENOENT);
  EXPECT_EQ(to_errno(ErrorCode::kDenied), EACCES);
  EXPECT_EQ(to_errno(ErrorCode::kNotPermitted), EPERM);
  EXPECT_EQ(to_errno(ErrorCode::kNoData), ENODATA);
  EXPECT_EQ(to_errno(ErrorCode::kNotSupported), ENOTSUP);
  EXPECT_EQ(to_errno(ErrorCode::kOverQuota), EDQUOT);
  EXPECT_EQ(to_errno(ErrorCode::kNoSpace), ENOSPC);
  EXPECT_EQ(to_errno(ErrorCode::kCancelled), EINTR);
  EXPECT_EQ(to_errno(ErrorCode::kTimeout), ETIMEDOUT);
  EXPECT_EQ(to_errno(ErrorCode::kReadOnly), EROFS);
  EXPECT_EQ(to_errno(ErrorCode::kRange), ENXIO);
}

// EAGAIN and EWOULDBLOCK would make a program try again in a loop.
TEST(ErrnoMap, WouldBlockNeverGetsOut) { EXPECT_EQ(to_errno(ErrorCode::kWouldBlock), EIO); }

}  // namespace
}  // namespace cabinetfs
