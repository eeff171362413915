#include "tools/cabinetfs/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace cabinetfs {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::string& text) {
  const auto config = Config::parse(text, "c.toml");
  return config ? "" : config.error().context;
}

TEST(ConfigFile, ReadsRemotes) {
  const auto config = Config::parse(R"(
# a comment
[remote.work]
url = "https://content.example.com"
client_id = "8f1c"
rate_limit = 0
fresh = 30
allow-other = true
cache_size = "1GiB"
[remote."a.b"]
url = "https://b.example.com"
)",
                                    "c.toml");
  ASSERT_TRUE(config) << config.error().context;
  ASSERT_EQ(config->remotes().size(), 2u);
  const auto options = config->options_for("work");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->remote.url, "https://content.example.com");
  EXPECT_EQ(options->remote.rate_limit, 0);
  EXPECT_EQ(options->volume.fresh, std::chrono::seconds(30));
  EXPECT_TRUE(options->mount.allow_other);
  EXPECT_EQ(options->content.cache_max_bytes, 1u << 30);
  EXPECT_TRUE(config->find("a.b"));
}

TEST(ConfigFile, ErrorsNameFileLineAndRemedy) {
  EXPECT_THAT(error_of("[remote.w]\nurl = \"https://a.b\"\ncache_sise = 1\n"),
              ::testing::AllOf(HasSubstr("c.toml:3"), HasSubstr("[remote.w]"),
                               HasSubstr("did you mean 'cache_size'")));
  EXPECT_THAT(error_of("[remote.w]\nfresh = \"soon\"\n"), HasSubstr("c.toml:2"));
  EXPECT_THAT(error_of("[remote.w\n"), HasSubstr("c.toml:1"));
  EXPECT_THAT(error_of("cache_size = 5\n"), HasSubstr("[remote.NAME]"));
  EXPECT_THAT(error_of("[remote]\nurl = \"https://a\"\n"), HasSubstr("[remote.NAME]"));
  EXPECT_THAT(error_of("[remote.w]\nfresh = [1]\n"), HasSubstr("must be a text"));
  EXPECT_THAT(error_of("[remote.\"../x\"]\nurl=\"https://a\"\n"),
              HasSubstr("no name for a remote"));
}

TEST(ConfigFile, RefusesCredentials) {
  for (const char* key : {"client_secret", "password", "refresh_token", "access_key"})
    EXPECT_THAT(
        error_of("[remote.w]\n" + std::string(key) + " = \"hunter2\"\n"),
        ::testing::AllOf(HasSubstr("cabinetfs login w"), ::testing::Not(HasSubstr("hunter2"))))
        << key;
}

TEST(ConfigFile, UnknownRemoteIsNamedWithTheNearest) {
  const auto config = Config::parse("[remote.work]\nurl = \"https://a.b\"\n", "c.toml");
  ASSERT_TRUE(config);
  EXPECT_THAT(config->find("wrok").error().context, HasSubstr("did you mean 'work'"));
  EXPECT_THAT(Config().find("work").error().context, HasSubstr("cabinetfs remote add work"));
}

TEST(ConfigFile, MissingFileIsEmpty) {
  const auto config = Config::load("/nonexistent/dir/config.toml");
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->remotes().empty());
}

class ConfigEditTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cfcXXXXXX";
    dir_ = ::mkdtemp(name);
    file_ = dir_ + "/new/config.toml";
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string text() const {
    std::ifstream in(file_);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  std::string dir_, file_;
};

TEST_F(ConfigEditTest, AddsAndRemovesAndKeepsTheRest) {
  ASSERT_TRUE(add_remote(file_, {"one", {{"url", "https://one.example.com"}, {"fresh", "5s"}}}));
  struct stat info;
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  {
    std::ofstream out(file_, std::ios::app);
    out << "# my own words\n";
  }
  ASSERT_TRUE(
      add_remote(file_, {"two.x", {{"url", "https://two.example.com"}, {"scope", "a\"b"}}}));
  ASSERT_TRUE(add_remote(file_, {"three", {{"url", "https://three.example.com"}}}));
  EXPECT_EQ(add_remote(file_, {"one", {}}).error().code, ErrorCode::kExists);
  EXPECT_EQ(Config::load(file_)->options_for("two.x")->remote.scope, "a\"b");

  ASSERT_TRUE(remove_remote(file_, "two.x"));
  const auto config = Config::load(file_);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->remotes().size(), 2u);
  EXPECT_FALSE(config->find("two.x"));
  EXPECT_THAT(text(), HasSubstr("# my own words"));
  EXPECT_FALSE(remove_remote(file_, "two.x"));
}

TEST_F(ConfigEditTest, NobodyLosesAnothersEntry) {
  constexpr int kEach = 10;
  {
    std::vector<std::jthread> threads;
    for (const char* who : {"a", "b", "c", "d"}) {
      threads.emplace_back([&, who] {
        for (int i = 0; i < kEach; ++i) {
          const auto added = add_remote(
              file_, {who + std::to_string(i), {{"url", "https://content.example.com"}}});
          EXPECT_TRUE(added) << added.error().context;
        }
      });
    }
  }
  EXPECT_EQ(Config::load(file_)->remotes().size(), 4u * kEach);
}

TEST_F(ConfigEditTest, RefusesWhatWouldNotReadBack) {
  EXPECT_FALSE(add_remote(file_, {"a b", {}}));
  EXPECT_FALSE(add_remote(file_, {"ok", {{"nonsense", "1"}}}));
  EXPECT_EQ(text(), "") << "nothing is written";
}

}  // namespace
}  // namespace cabinetfs
