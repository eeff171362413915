#include "tools/cabinetfs/units.h"

#include <gtest/gtest.h>

namespace cabinetfs {
namespace {

using namespace std::chrono_literals;

TEST(Units, SizesAreBinaryUnlessTheyEndInB) {
  EXPECT_EQ(parse_size("0"), 0u);
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("64KiB"), 65536u);
  EXPECT_EQ(parse_size("64k"), 65536u);
  EXPECT_EQ(parse_size("10 GiB"), 10ull << 30);
  EXPECT_EQ(parse_size("1.5G"), 3ull << 29);
  EXPECT_EQ(parse_size("100MB"), 100'000'000u);
  EXPECT_EQ(parse_size("2tib"), 2ull << 40);
  EXPECT_EQ(parse_size("18446744073709551615"), UINT64_MAX);
}

TEST(Units, RefusesWhatIsNoSize) {
  for (const char* text :
       {"", "-1", "GiB", "1.2.3", "10 GiBs", "1e3", "99999999T", " 5", "5 ", "0x10"})
    EXPECT_FALSE(parse_size(text)) << text;
}

TEST(Units, TimesCountSecondsWithoutAUnit) {
  EXPECT_EQ(parse_duration("30"), 30s);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("2 h"), 2h);
  EXPECT_EQ(parse_duration("1d"), 24h);
  for (const char* text : {"", "-5", "5 parsecs", "s", "1000000d"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Units, FractionsAreBelowOne) {
  EXPECT_DOUBLE_EQ(parse_fraction("5%").value(), 0.05);
  EXPECT_DOUBLE_EQ(parse_fraction("0.05").value(), 0.05);
  EXPECT_DOUBLE_EQ(parse_fraction("0").value(), 0);
  for (const char* text : {"100%", "1", "5", "-1%", "x", "5 KiB"})
    EXPECT_FALSE(parse_fraction(text)) << text;
}

TEST(Units, YesAndNoHaveTheirUsualSpellings) {
  for (const char* text : {"true", "YES", "on", "1"}) EXPECT_EQ(parse_bool(text), true) << text;
  for (const char* text : {"false", "No", "off", "0"}) EXPECT_EQ(parse_bool(text), false) << text;
  for (const char* text : {"", "2", "ja"}) EXPECT_FALSE(parse_bool(text)) << text;
}

TEST(Units, ExactFormsReadBack) {
  for (const std::uint64_t size :
       {0ull, 1ull, 1023ull, 1024ull, 1536ull, 10ull << 30, (1ull << 40) + 1})
    EXPECT_EQ(parse_size(format_size_exact(size)), size) << format_size_exact(size);
  for (const auto span :
       {0ms, 1ms, 999ms, 1000ms, 59'000ms, 60'000ms, 90'000ms, 3'600'000ms, 5'400'000ms})
    EXPECT_EQ(parse_duration(format_duration_exact(span)), span) << format_duration_exact(span);
}

TEST(Units, SizesForPeople) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(1024), "1 KiB");
  EXPECT_EQ(format_size(1536), "1.5 KiB");
  EXPECT_EQ(format_size((1u << 20) - 1), "1 MiB") << "not 1024 KiB";
  EXPECT_EQ(format_size(10ull << 30), "10 GiB");
}

TEST(Units, TimesForPeople) {
  EXPECT_EQ(format_duration(3s), "3 s");
  EXPECT_EQ(format_duration(125s), "2 min 5 s");
  EXPECT_EQ(format_duration(3h + 2min), "3 h 2 min");
  EXPECT_EQ(format_duration(97h), "4 d 1 h");
}

}  // namespace
}  // namespace cabinetfs
