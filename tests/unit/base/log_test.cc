#include "backend/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>

namespace cabinetfs {
namespace {

TEST(Log, EscapesControlCharactersOfHostileNames) {
  configure_log({.level = LogLevel::kOff, .file = ""});
  log_info("name {}", "a\nFAKE error\x1b[31m\x7f");
  ASSERT_FALSE(recent_log().empty());
  const std::string line = recent_log().back();
  EXPECT_THAT(line, testing::EndsWith("info name a\\x0aFAKE error\\x1b[31m\\x7f"));
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(Log, KeepsTheLastThousandLinesOfInfoAndAbove) {
  configure_log({.level = LogLevel::kOff, .file = ""});
  for (int i = 0; i < 1100; ++i) log_info("line {}", i);
  log_debug("not {}", "kept");
  const auto lines = recent_log();
  EXPECT_EQ(lines.size(), 1000u);
  EXPECT_THAT(lines.front(), testing::EndsWith("line 100"));
  EXPECT_THAT(lines.back(), testing::EndsWith("line 1099"));
}

TEST(Log, FileIsPrivateAndHoldsWhatTheLevelLets) {
  const std::string path = testing::TempDir() + "cabinetfs-log-test.log";
  std::remove(path.c_str());
  configure_log({.level = LogLevel::kWarn, .file = path});
  EXPECT_FALSE(log_enabled(LogLevel::kInfo));
  EXPECT_TRUE(log_enabled(LogLevel::kError));
  log_info("below");
  log_warn("shown {}", 7);
  configure_log({.level = LogLevel::kOff, .file = ""});
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  std::FILE* file = std::fopen(path.c_str(), "r");
  ASSERT_NE(file, nullptr);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  std::remove(path.c_str());
  EXPECT_NE(text.find("shown 7"), std::string::npos);
  EXPECT_EQ(text.find("below"), std::string::npos);
}

}  // namespace
}  // namespace cabinetfs
