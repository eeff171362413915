#include "tools/cabinetfs/login_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace cabinetfs {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(SecretLines, AreReadOnePerLine) {
  std::istringstream in("first secret\r\nsecond\nthird\n");
  const auto lines = read_secret_lines(in, 2);
  ASSERT_TRUE(lines);
  ASSERT_EQ(lines->size(), 2u);
  EXPECT_EQ((*lines)[0].reveal(), "first secret");
  EXPECT_EQ((*lines)[1].reveal(), "second");
}

TEST(SecretLines, ASecondLineMayBeMissingOrBlank) {
  std::istringstream one("only"), blank("only\n\n"), nothing("");
  EXPECT_EQ(read_secret_lines(one, 2)->size(), 1u);
  EXPECT_EQ(read_secret_lines(blank, 2)->size(), 1u);
  EXPECT_TRUE(read_secret_lines(nothing, 2)->empty());
}

TEST(SecretLines, AFirstLineMayBeBlank) {
  // A public client has no secret, but a refresh token.
  std::istringstream in("\ntoken\n");
  const auto lines = read_secret_lines(in, 2);
  ASSERT_EQ(lines->size(), 2u);
  EXPECT_TRUE((*lines)[0].empty());
}

TEST(SecretLines, OverlongOnesAreRefusedAndNotRepeated) {
  std::istringstream in(std::string(20000, 's'));
  const auto lines = read_secret_lines(in, 2);
  ASSERT_FALSE(lines);
  EXPECT_THAT(lines.error().context, Not(HasSubstr("sss")));
}

TEST(PastedRedirect, HoldsTheCodeInAnyForm) {
  EXPECT_EQ(code_from_paste("https://h/cb?code=a%2Bb&state=xyz", "xyz").value(), "a+b");
  EXPECT_EQ(
      code_from_paste("  http://127.0.0.1:9999/callback?state=xyz&code=c1#top \n", "xyz").value(),
      "c1");
  EXPECT_EQ(code_from_paste("code=c1&state=xyz", "xyz").value(), "c1");
  EXPECT_EQ(code_from_paste("c1-only", "xyz").value(), "c1-only");
}

TEST(PastedRedirect, OfAnotherLoginIsRefused) {
  EXPECT_EQ(code_from_paste("https://h/cb?code=c1&state=other", "xyz").error().code,
            ErrorCode::kInvalid);
  EXPECT_EQ(code_from_paste("https://h/cb?code=c1", "xyz").error().code, ErrorCode::kInvalid);
}

TEST(PastedRedirect, SaysWhyTheServerRefused) {
  const auto refused = code_from_paste(
      "https://h/cb?error=access_denied&error_description=not+you&state=xyz", "xyz");
  EXPECT_EQ(refused.error().code, ErrorCode::kDenied);
  EXPECT_THAT(refused.error().context, HasSubstr("access_denied not you"));
  EXPECT_EQ(code_from_paste("", "xyz").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(code_from_paste("https://h/cb", "xyz").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(code_from_paste("https://h/cb?state=xyz", "xyz").error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace cabinetfs
