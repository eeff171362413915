#include "backend/base/text.h"

#include <gtest/gtest.h>

namespace cabinetfs {
namespace {

TEST(Text, Hex) {
  EXPECT_EQ(to_hex(as_bytes(std::string_view("\x00\xff\x10", 3))), "00ff10");
  const auto bytes = from_hex("00FFab");
  ASSERT_TRUE(bytes.has_value());
  EXPECT_EQ(as_text(*bytes), std::string_view("\x00\xff\xab", 3));
  EXPECT_TRUE(from_hex("").has_value());
  EXPECT_FALSE(from_hex("abc").has_value());
  EXPECT_FALSE(from_hex("0g").has_value());
}

TEST(Text, Base64VectorsOfTheRfc) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : cases) EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
  EXPECT_EQ(to_base64url(as_bytes("\xfb\xff")), "-_8");
}

TEST(Text, PercentEncoding) {
  EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encode("a b/c?d&e=\xc3\xa9%"), "a%20b%2Fc%3Fd%26e%3D%C3%A9%25");
}

TEST(Text, Utf8) {
  EXPECT_TRUE(is_valid_utf8(""));
  EXPECT_TRUE(is_valid_utf8("a\xc3\xa9\xf0\x9f\x98\x80"));
  for (const char* bad :
       {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "a\x80", "\xf5\x80\x80\x80"}) {
    EXPECT_FALSE(is_valid_utf8(bad));
  }
  EXPECT_EQ(utf8_length("a\xc3\xa9\xf0\x9f\x98\x80"), 3u);
  EXPECT_EQ(utf8_length("a\xff"), 2u);
}

TEST(Text, FoldedNamesAgreeWhenAServerThinksSo) {
  EXPECT_EQ(fold_name("README.TXT"), fold_name("readme.txt"));
  EXPECT_EQ(fold_name("\xc3\x89t\xc3\xa9"), fold_name("\xc3\xa9T\xc3\x89"));  // Été
  EXPECT_EQ(fold_name("e\xcc\x81"), fold_name("\xc3\xa9"));  // decomposed and composed
  EXPECT_NE(fold_name("a"), fold_name("b"));
  EXPECT_EQ(fold_name("A\xff"), "A\xff");
  EXPECT_NE(fold_name(std::string_view("a\0b", 3)), fold_name("a"));
}

TEST(Text, ReplaceAndSplit) {
  EXPECT_EQ(replace_all("aaa", "a", "aa"), "aaaaaa");
  EXPECT_EQ(replace_all("abc", "", "x"), "abc");
  EXPECT_EQ(replace_all("abcabc", "bc", ""), "aa");
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), (std::vector<std::string>{""}));
}

}  // namespace
}  // namespace cabinetfs
