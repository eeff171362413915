#include "tools/cabinetfs/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include <algorithm>
#include <set>

namespace cabinetfs {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::string error_of(const Result<void>& result) { return result ? "" : result.error().context; }

TEST(Options, EveryRowReadsBackWhatItPrints) {
  const Options defaults;
  for (const OptionInfo& option : option_table()) {
    const std::string value = option.get(defaults);
    if (value.empty()) continue;  // texts without a default
    Options copy;
    EXPECT_TRUE(set_option(copy, option.name, value)) << option.name << " = " << value;
    EXPECT_EQ(option.get(copy), value) << option.name;
  }
}

TEST(Options, NamesAreUniqueAndDescribed) {
  std::set<std::string> names;
  for (const OptionInfo& option : option_table()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_FALSE(std::string(option.help).empty()) << option.name;
    EXPECT_EQ(std::string(option.name).find('-'), std::string::npos) << option.name;
  }
}

TEST(Options, SetsFields) {
  Options options;
  EXPECT_TRUE(set_option(options, "cache_size", "5GiB"));
  EXPECT_TRUE(set_option(options, "cache-encryption", "no")) << "a dash counts as an underscore";
  EXPECT_TRUE(set_option(options, "fresh", "250ms"));
  EXPECT_TRUE(set_option(options, "conflict", "copy"));
  EXPECT_TRUE(set_option(options, "sync", "remote"));
  EXPECT_TRUE(set_option(options, "rate_limit", "0"));
  EXPECT_TRUE(set_option(options, "min_free", "10%"));
  EXPECT_TRUE(set_option(options, "url", "https://content.example.com/"));
  EXPECT_EQ(options.content.cache_max_bytes, 5ull << 30);
  EXPECT_FALSE(options.mount.cache_encryption);
  EXPECT_EQ(options.volume.fresh, 250ms);
  EXPECT_EQ(options.volume.conflict, ConflictPolicy::kCopy);
  EXPECT_EQ(options.volume.sync, SyncMode::kRemote);
  EXPECT_EQ(options.remote.rate_limit, 0);
  EXPECT_DOUBLE_EQ(options.content.min_free_fraction, 0.1);
  EXPECT_EQ(options.remote.url, "https://content.example.com") << "without the last slash";
}

TEST(Options, TheVendorSaysHowOftenItMayBeAsked) {
  Options options;
  EXPECT_LT(options.remote.rate_limit, 0);
  EXPECT_TRUE(set_option(options, "rate_limit", "5"));
  EXPECT_EQ(find_option("rate_limit")->get(options), "5");
  EXPECT_TRUE(set_option(options, "rate_limit", "auto"));
  EXPECT_EQ(options.remote.rate_limit, Options().remote.rate_limit);
}

TEST(Options, ErrorsSayWhatWouldDo) {
  Options options;
  EXPECT_THAT(error_of(set_option(options, "cache_sise", "1G")),
              HasSubstr("did you mean 'cache_size'"));
  EXPECT_THAT(error_of(set_option(options, "conflict", "ours")), HasSubstr("versions, copy, fail"));
  EXPECT_THAT(error_of(set_option(options, "cache_size", "lots")), HasSubstr("10GiB"));
  EXPECT_THAT(error_of(set_option(options, "cache_size", "5")), HasSubstr("1 MiB or more"));
  EXPECT_THAT(error_of(set_option(options, "uploads", "0")), HasSubstr("from 1 to 64"));
  EXPECT_THAT(error_of(set_option(options, "read_only", "maybe")), HasSubstr("yes or no"));
  EXPECT_THAT(error_of(set_option(options, "rate_limit", "-1")), HasSubstr("requests per second"));
  EXPECT_THAT(error_of(set_option(options, "rate_limit", "nan")), HasSubstr("requests per second"));
  EXPECT_THAT(error_of(set_option(options, "vendor", "dropbox")), HasSubstr("kiteworks"));
  for (const char* url : {"content.example.com", "ftp://x", "https://", "https://u:p@host"})
    EXPECT_THAT(error_of(set_option(options, "url", url)), HasSubstr("https://content.example.com"))
        << url;
  EXPECT_EQ(options.remote.url, "");
}

TEST(MountOptionList, NamesAloneMeanYesAndNoMeansNo) {
  Options options;
  ASSERT_TRUE(set_mount_options(options, "allow_other,no_walk_ahead,fresh=5s,ro"));
  EXPECT_TRUE(options.mount.allow_other);
  EXPECT_FALSE(options.volume.walk_ahead);
  EXPECT_EQ(options.volume.fresh, 5s);
  EXPECT_TRUE(options.volume.read_only);
}

TEST(MountOptionList, SkipsWhatIsForMountAndFstab) {
  Options options;
  EXPECT_TRUE(set_mount_options(
      options,
      "rw,noauto,users,_netdev,nofail,x-systemd.automount,nosuid,nodev,noatime,,comment=hi"));
  EXPECT_EQ(describe_options(options), "");
}

TEST(MountOptionList, TheKernelIsToldWhatIsForIt) {
  Options options;
  ASSERT_TRUE(set_mount_options(options, "rw,nosuid,noexec,nodiratime,noatime"));
  EXPECT_TRUE(options.mount.noexec);
  EXPECT_TRUE(options.mount.noatime);
  ASSERT_TRUE(set_mount_options(options, "exec,fresh=2s,relatime"));
  EXPECT_FALSE(options.mount.noexec);
  EXPECT_FALSE(options.mount.noatime);
  ASSERT_TRUE(set_mount_options(options, "user=me@example.com,noexec"));
  EXPECT_TRUE(options.mount.noexec);
  EXPECT_EQ(options.remote.user, "me@example.com");
}

TEST(MountOptionList, AccountIsNotFstabsUser) {
  Options options;
  ASSERT_TRUE(set_mount_options(options, "user=me@example.com"));
  EXPECT_EQ(options.remote.user, "me@example.com");
  ASSERT_TRUE(set_mount_options(options, "ro,user=bob"));
  EXPECT_EQ(options.remote.user, "bob") << "an account need not be an address";
  ASSERT_TRUE(set_mount_options(options, "rw,user")) << "mount(8) says so, no account is meant";
  EXPECT_EQ(options.remote.user, "bob");
  EXPECT_EQ(without_fstab_user("rw,user,fresh=5s,user=bob"), "rw,fresh=5s");
  EXPECT_EQ(without_fstab_user("user=me@example.com,ro"), "user=me@example.com,ro");
  EXPECT_EQ(without_fstab_user(R"(root=/a\,user\\b,user)"), R"(root=/a\,user\\b)");
}

TEST(MountOptionList, TheLaterOfRoAndRwCounts) {
  Options options;
  ASSERT_TRUE(set_mount_options(options, "ro,rw"));
  EXPECT_FALSE(options.volume.read_only);
  ASSERT_TRUE(set_mount_options(options, "rw,ro"));
  EXPECT_TRUE(options.volume.read_only);
  ASSERT_TRUE(set_mount_options(options, "rw"));
  EXPECT_TRUE(options.volume.read_only) << "mount(8) says it always";
}

TEST(FileNames, CountFromTheirDirectory) {
  EXPECT_EQ(resolve_value("ca_file", "ca.pem", "/etc/x"), "/etc/x/ca.pem");
  EXPECT_EQ(resolve_value("ca-file", "../ca.pem", "/etc/x"), "/etc/ca.pem");
  EXPECT_EQ(resolve_value("log_file", "/a/b", "/etc/x"), "/a/b");
  EXPECT_EQ(resolve_value("jwt_key_file", "", "/etc/x"), "");
  EXPECT_EQ(resolve_value("root", "Projects", "/etc/x"), "Projects") << "of the server";
  ASSERT_NE(std::getenv("HOME"), nullptr);
  EXPECT_EQ(resolve_value("ca_file", "~/ca.pem", "/etc/x"),
            std::string(std::getenv("HOME")) + "/ca.pem");
  Options options;
  ASSERT_TRUE(set_mount_options(options, "ca_file=ca.pem"));
  EXPECT_EQ(options.remote.ca_file, working_directory() + "/ca.pem");
}

TEST(MountOptionList, CommasCanBeEscaped) {
  Options options;
  ASSERT_TRUE(set_mount_options(options, R"(root=/a\,b\\c,uploads=2)"));
  EXPECT_EQ(options.mount.root, R"(/a,b\c)");
  EXPECT_EQ(options.volume.uploads, 2u);
}

TEST(MountOptionList, UnknownAndValuelessAreErrors) {
  Options options;
  EXPECT_THAT(error_of(set_mount_options(options, "alow_other")),
              HasSubstr("did you mean 'allow_other'"));
  EXPECT_THAT(error_of(set_mount_options(options, "cache_size")), HasSubstr("needs a value"));
}

TEST(DescribeOptions, ShowsWhatDiffersAsToml) {
  Options options;
  ASSERT_TRUE(set_mount_options(options, R"(fresh=5s,log_file=/a"b\\c)"));
  EXPECT_EQ(describe_options(options), "fresh = \"5s\"\nlog_file = \"/a\\\"b\\\\c\"\n");
}

TEST(DescribeOptions, HidesWhoUsesAProxy) {
  for (const auto& [proxy, shown] : std::vector<std::pair<std::string, std::string>>{
           {"http://me:pass@word@proxy.example.com:3128", "http://***@proxy.example.com:3128"},
           {"http://me:a/b@proxy:1", "http://***@proxy:1"},
           {"me:hidden@proxy:1", "***@proxy:1"},
           {"socks5h://me@proxy", "socks5h://***@proxy"},
           {"http://proxy:3128", "http://proxy:3128"},
           {"none", "none"}}) {
    Options options;
    ASSERT_TRUE(set_option(options, "proxy", proxy));
    EXPECT_EQ(show_option(*find_option("proxy"), options), shown);
    EXPECT_EQ(describe_options(options), "proxy = \"" + shown + "\"\n");
    EXPECT_EQ(options.remote.proxy, proxy) << "which the engine needs";
  }
  Options options;
  ASSERT_TRUE(set_option(options, "user", "me@example.com"));
  EXPECT_EQ(show_option(*find_option("user"), options), "me@example.com");
}

}  // namespace
}  // namespace cabinetfs
