#include "tools/cabinetfs/output.h"

#include <gtest/gtest.h>

namespace cabinetfs {
namespace {

TEST(Output, ControlCharactersNeverReachTheTerminal) {
  EXPECT_EQ(printable("a\x1b[31mb\nc"), "a\\x1b[31mb\\x0ac");
  EXPECT_EQ(printable("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(printable("x\xc2\x9by"), "x\\x9by") << "the C1 form of escape-bracket";
  EXPECT_EQ(printable("\xff"), "\\xff");
}

TEST(Output, TablesAlign) {
  EXPECT_EQ(format_table({{"a", "long name", "x"}, {"bbb", "\xc3\xa9", ""}}),
            "a    long name  x\nbbb  \xc3\xa9\n");
}

TEST(Output, ExitCodesFollowTheKindOfError) {
  EXPECT_EQ(exit_code_for(ErrorCode::kUnauthenticated), ExitCode::kNotLoggedIn);
  EXPECT_EQ(exit_code_for(ErrorCode::kUnavailable), ExitCode::kUnreachable);
  EXPECT_EQ(exit_code_for(ErrorCode::kTimeout), ExitCode::kUnreachable);
  EXPECT_EQ(exit_code_for(ErrorCode::kDenied), ExitCode::kFailed);
  EXPECT_NE(advice_for(ErrorCode::kUnauthenticated, "work").find("cabinetfs login work"),
            std::string::npos);
}

}  // namespace
}  // namespace cabinetfs
