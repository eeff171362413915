#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace cabinetfs {

// Somebody has said that what tests need and this machine does not have is no failure.
inline bool may_skip() {
  const char* const said = std::getenv("CABINETFS_ALLOW_SKIP");
  return said != nullptr && std::string_view(said) == "1";
}

}  // namespace cabinetfs

// What the test cannot do without: `why` it is not here, empty when it is. Stands in the test or in
// SetUp itself, since both ways out leave only the function that they are in.
#define CABINET_NEEDS(why)                                    \
  if (const std::string missing_ = (why); missing_.empty()) { \
  } else if (::cabinetfs::may_skip())                         \
    GTEST_SKIP() << missing_;                                 \
  else                                                        \
    FAIL() << missing_ << "; CABINETFS_ALLOW_SKIP=1 skips what needs it"
