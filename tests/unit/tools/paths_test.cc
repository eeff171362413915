#include "tools/cabinetfs/paths.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace cabinetfs {
namespace {

EnvironmentLookup environment(std::map<std::string, std::string> values) {
  return [values](const char* name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

TEST(Paths, OfAUserAreBelowHome) {
  const Paths paths = Paths::from(environment({{"HOME", "/home/u"}}), 123456);
  EXPECT_EQ(paths.config_file, "/home/u/.config/cabinetfs/config.toml");
  EXPECT_EQ(paths.state_dir, "/home/u/.local/state/cabinetfs");
  EXPECT_EQ(paths.cache_dir, "/home/u/.cache/cabinetfs");
  EXPECT_EQ(paths.run_dir, "/home/u/.local/state/cabinetfs/run") << "no /run/user/123456 here";
}

TEST(Paths, OfRootAreTheSystems) {
  const Paths paths = Paths::from(environment({{"HOME", "/root"}}), 0);
  EXPECT_EQ(paths.config_file, "/etc/cabinetfs/config.toml");
  EXPECT_EQ(paths.state_dir, "/var/lib/cabinetfs");
  EXPECT_EQ(paths.cache_dir, "/var/cache/cabinetfs");
  EXPECT_EQ(paths.run_dir, "/run/cabinetfs");
}

TEST(Paths, VariablesWinForRootToo) {
  const Paths paths = Paths::from(environment({{"XDG_CONFIG_HOME", "/t/c"},
                                               {"XDG_STATE_HOME", "/t/s"},
                                               {"XDG_CACHE_HOME", "/t/k"},
                                               {"XDG_RUNTIME_DIR", "/t/r"}}),
                                  0);
  EXPECT_EQ(paths.config_file, "/t/c/cabinetfs/config.toml");
  EXPECT_EQ(paths.state_dir, "/t/s/cabinetfs");
  EXPECT_EQ(paths.cache_dir, "/t/k/cabinetfs");
  EXPECT_EQ(paths.run_dir, "/t/r/cabinetfs");
}

TEST(Paths, RelativeVariablesAreIgnored) {
  const Paths paths = Paths::from(environment({{"HOME", "/h"}, {"XDG_STATE_HOME", "here"}}), 5);
  EXPECT_EQ(paths.state_dir, "/h/.local/state/cabinetfs");
}

TEST(Paths, ConfigFileCanBeNamed) {
  const Paths paths =
      Paths::from(environment({{"CABINETFS_CONFIG", "/x/my.toml"}, {"XDG_CONFIG_HOME", "/c"}}), 0);
  EXPECT_EQ(paths.config_file, "/x/my.toml");
}

TEST(StorePathsTest, DifferByRemoteFolderAndInstance) {
  Paths paths;
  paths.state_dir = "/s";
  paths.cache_dir = "/c";
  EXPECT_EQ(store_paths(paths, "work", "", "").state, "/s/stores/work");
  EXPECT_EQ(store_paths(paths, "work", "/", "").state, "/s/stores/work");
  EXPECT_EQ(store_paths(paths, "work", "/Projects/a b/", "").name, "work:Projects%2Fa%20b");
  EXPECT_EQ(store_paths(paths, "work", "Projects//a b", "").name, "work:Projects%2Fa%20b")
      << "the same folder";
  EXPECT_EQ(store_paths(paths, "work", "", "second").cache, "/c/stores/work+second");
  EXPECT_EQ(store_paths(paths, "work", "", "../../etc").name, "work+%2E.%2F..%2Fetc");
  EXPECT_LE(store_paths(paths, "work", std::string(5000, 'x'), "").name.size(), 255u);
  EXPECT_NE(store_paths(paths, "work", std::string(5000, 'x'), "").name,
            store_paths(paths, "work", std::string(5001, 'x'), "").name);
}

TEST(ControlSocket, DependsOnTheMountPoint) {
  EXPECT_EQ(control_socket("/r", "/mnt/a"), control_socket("/r", "/mnt/a"));
  EXPECT_NE(control_socket("/r", "/mnt/a"), control_socket("/r", "/mnt/b"));
}

TEST(ControlSocket, IsFoundWhereAMountWithoutASessionPutsIt) {
  char name[] = "/tmp/cfpXXXXXX";
  const std::string dir = std::filesystem::canonical(::mkdtemp(name));
  Paths paths;
  paths.state_dir = dir + "/state";
  paths.run_dir = dir + "/run";
  std::filesystem::create_directories(dir + "/state/run");
  EXPECT_EQ(find_control_socket(paths, "/mnt/a"), control_socket(dir + "/run", "/mnt/a"));
  std::ofstream(control_socket(dir + "/state/run", "/mnt/a")) << "";
  EXPECT_EQ(find_control_socket(paths, "/mnt/a"), control_socket(dir + "/state/run", "/mnt/a"));
  EXPECT_TRUE(has_control_socket(paths, "/mnt/a"));
  std::filesystem::remove_all(dir);
}

TEST(AbsolutePath, ResolvesLinksAndDots) {
  char name[] = "/tmp/cfpXXXXXX";
  const std::string dir = std::filesystem::canonical(::mkdtemp(name));
  std::filesystem::create_directories(dir + "/real/sub");
  std::filesystem::create_directory_symlink(dir + "/real", dir + "/link");
  EXPECT_EQ(absolute_path(dir + "/real/"), dir + "/real");
  EXPECT_EQ(absolute_path(dir + "/link"), dir + "/real");
  EXPECT_EQ(absolute_path(dir + "/link/sub/../x"), dir + "/real/x");
  EXPECT_EQ(absolute_path(dir + "/link/not/there"), dir + "/real/not/there");
  EXPECT_EQ(absolute_path("/"), "/");
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace cabinetfs
