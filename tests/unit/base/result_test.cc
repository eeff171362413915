#include "backend/base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace cabinetfs {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return fail(ErrorCode::kInvalid, "odd");
  return value / 2;
}

Result<std::string> quarter(int value) {
  TRY(half(value));
  TRY_ASSIGN(const int once, half(value));
  TRY_ASSIGN(auto twice, half(once));
  return std::to_string(twice);
}

TEST(ResultTest, ErrorsTravelUp) {
  EXPECT_EQ(*quarter(8), "2");
  EXPECT_EQ(quarter(6).error(), (Error{ErrorCode::kInvalid, "odd"}));
  EXPECT_EQ(quarter(7).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(to_string(quarter(7).error()), "invalid: odd");
}

Result<std::unique_ptr<int>> moved() { return std::make_unique<int>(5); }
Result<int> uses_moved() {
  TRY_ASSIGN(const std::unique_ptr<int> value, moved());
  return *value;
}

TEST(ResultTest, MoveOnlyValuesPassThrough) { EXPECT_EQ(*uses_moved(), 5); }

TEST(ErrorTest, EveryCodeHasAnOwnName) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kCrossDevice); ++code) {
    const std::string_view name = to_string(static_cast<ErrorCode>(code));
    EXPECT_NE(name, "unknown") << code;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

// What waits for a person or for other data is not repeated in the background for ever.
TEST(ErrorTest, PermanentErrorsAreNotTransient) {
  for (const ErrorCode code : {ErrorCode::kNotFound, ErrorCode::kDenied, ErrorCode::kOverQuota,
                               ErrorCode::kInvalid, ErrorCode::kCorrupt, ErrorCode::kInternal}) {
    EXPECT_FALSE(is_transient(code)) << to_string(code);
  }
  for (const ErrorCode code : {ErrorCode::kUnavailable, ErrorCode::kTimeout, ErrorCode::kBusy}) {
    EXPECT_TRUE(is_transient(code)) << to_string(code);
  }
}

}  // namespace
}  // namespace cabinetfs
