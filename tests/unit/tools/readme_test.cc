// The README's table of options is the table in the program, and the tests that it names exist.

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "tools/cabinetfs/options.h"

namespace cabinetfs {
namespace {

std::string escaped(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.insert(at, 1, '\\');
  return text;
}

std::string text_of_file(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Readme, TableOfOptionsIsTrue) {
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
  EXPECT_NE(text_of_file(README_FILE).find(expected), std::string::npos)
      << "put this into README.md:\n"
      << expected;
}

// "| call | what for | `unit/a_test.cc` ThisTest, ThatTest; `e2e_command/b.sh` t_that |"
TEST(Readme, TheTestsThatItNamesExist) {
  std::istringstream lines(text_of_file(README_FILE));
  const std::regex place("`([^`]+\\.(?:cc|sh))`([^`;]*)");
  const std::regex name("\\w+");
  bool in_table = false;
  int rows = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with("| test |")) {
      in_table = std::getline(lines, line).good();
      continue;
    }
    in_table = in_table && line.starts_with("|");
    if (!in_table) continue;
    ++rows;
    const std::size_t end = line.rfind(" |");
    const std::string cell = line.substr(line.rfind(" | ", end - 1) + 3);
    std::sregex_iterator at(cell.begin(), cell.end(), place);
    EXPECT_NE(at, std::sregex_iterator()) << "names no test: " << line;
    for (; at != std::sregex_iterator(); ++at) {
      const std::string text = text_of_file(TESTS_DIRECTORY + (*at)[1].str());
      const std::string names = (*at)[2];
      for (std::sregex_iterator one(names.begin(), names.end(), name);
           one != std::sregex_iterator(); ++one) {
        const std::string& test = one->str();
        EXPECT_TRUE(text.find(", " + test + ")") != std::string::npos ||
                    text.find("\n" + test + "()") != std::string::npos)
            << test << " is not in " << (*at)[1];
      }
    }
  }
  EXPECT_GT(rows, 80);
}

}  // namespace
}  // namespace cabinetfs
