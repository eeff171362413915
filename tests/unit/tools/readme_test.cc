// The README's table of options is the table in the program.

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tools/cabinetfs/options.h"

namespace cabinetfs {
namespace {

std::string escaped(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.insert(at, 1, '\\');
  return text;
}

TEST(Readme, TableOfOptionsIsTrue) {
  std::ifstream in(README_FILE);
  ASSERT_TRUE(in) << README_FILE;
  std::ostringstream text;
  text << in.rdbuf();
  const Options defaults;
  std::string expected = "| option | value | default | |\n|---|---|---|---|\n";
  for (const OptionInfo& option : option_table()) {
    const std::string value = option.get(defaults);
    expected +=
        "| `" + std::string(option.name) + "` | " + escaped(option.kind) + " | " +
        (value.empty() || std::string(option.name) == "uid" || std::string(option.name) == "gid"
             ? std::string()
             : "`" + value + "`") +
        " | " + option.help + " |\n";
  }
  EXPECT_NE(text.str().find(expected), std::string::npos) << "put this into README.md:\n"
                                                          << expected;
}

}  // namespace
}  // namespace cabinetfs
