#include <gtest/gtest.h>

#include "tests/unit/cache/content/content_fixture.h"

namespace cabinetfs {
namespace {

using StagedContentTest = ContentTest;

Result<void> write(StagedContent& content, std::uint64_t offset, const std::string& text) {
  return content.write(offset, as_bytes(text));
}

TEST_F(StagedContentTest, WhatIsWrittenIsRead) {
  const auto file = staged();
  const std::string text = pattern(1'000'000);
  ASSERT_TRUE(write(*file, 0, text));
  EXPECT_EQ(file->size(), text.size());
  EXPECT_TRUE(same(read_text(*file), text));
  ASSERT_TRUE(write(*file, 999'999, "xyz"));
  EXPECT_TRUE(same(read_text(*file), text.substr(0, 999'999) + "xyz"));
}

TEST_F(StagedContentTest, ARecordBringsBackExactlyItsState) {
  std::string record;
  const std::string text = pattern(1'000'000);
  {
    const auto file = staged();
    ASSERT_TRUE(write(*file, 0, text));
    record = commit(*file);
    ASSERT_TRUE(write(*file, 0, pattern(2'000'000, 2)));
    ASSERT_TRUE(file->prepare());  // never stored
  }
  reopen();
  auto file = store_->load_staged(record, std::nullopt);
  ASSERT_TRUE(file) << to_string(file.error());
  EXPECT_TRUE(same(read_text(**file), text));
}

TEST_F(StagedContentTest, WritesIntoABaseNeverAskTheServer) {
  const std::string base = pattern(500'000);
  server_.put("a", base);
  const auto file = staged(key("a", base));
  ASSERT_TRUE(write(*file, 70'000, "hello"));
  ASSERT_TRUE(write(*file, 499'998, "world"));
  ASSERT_TRUE(file->prepare());
  EXPECT_EQ(requests(), 0u);
  std::string expected = base;
  expected.replace(70'000, 5, "hello");
  expected.replace(499'998, 5, "world");
  EXPECT_TRUE(same(read_text(*file), expected));
}

}  // namespace
}  // namespace cabinetfs
