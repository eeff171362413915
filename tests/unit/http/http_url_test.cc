#include "backend/http/http_url.h"

#include <gtest/gtest.h>

namespace cabinetfs {
namespace {

TEST(HttpUrl, SplitsAndNormalises) {
  const auto url = parse_http_url("HTTPS://Files.Example.COM/rest/a?b=c#frag");
  ASSERT_TRUE(url.has_value());
  EXPECT_EQ(url->origin(), "https://files.example.com:443");
  EXPECT_EQ(url->target, "/rest/a?b=c");
  EXPECT_EQ(url->to_string(), "https://files.example.com/rest/a?b=c");
  EXPECT_EQ(parse_http_url("http://[::1]:8080")->origin(), "http://[::1]:8080");
  EXPECT_EQ(parse_http_url("http://h?x=1")->target, "/?x=1");
  EXPECT_EQ(parse_http_url("https://h:443/a")->origin(), parse_http_url("https://h/b")->origin());
}

TEST(HttpUrl, RefusesWhatIsNotOneWithoutRepeatingIt) {
  for (const char* bad :
       {"", "ftp://h/", "https://", "https://u:hush@h/", "https://h:0/", "https://h:99999/",
        "https://h:1x/", "https://h/a b", "https://h/\nx", "https:/h", "//h/a", "https://[::1/",
        "https://[::1]x/", "https://h\\@g/"}) {
    const auto url = parse_http_url(bad);
    ASSERT_FALSE(url.has_value()) << bad;
    EXPECT_EQ(url.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(url.error().context.find("hush"), std::string::npos);
  }
}

TEST(HttpUrl, ResolvesLocations) {
  const HttpUrl base = *parse_http_url("https://h:8443/a/b?q=1");
  EXPECT_EQ(resolve_location(base, "/x")->to_string(), "https://h:8443/x");
  EXPECT_EQ(resolve_location(base, "x?y=http://z")->to_string(), "https://h:8443/a/x?y=http://z");
  EXPECT_EQ(resolve_location(base, "?z")->to_string(), "https://h:8443/a/b?z");
  EXPECT_EQ(resolve_location(base, "//other/x")->to_string(), "https://other/x");
  EXPECT_EQ(resolve_location(base, "http://o/x")->origin(), "http://o:80");
  EXPECT_FALSE(resolve_location(base, "").has_value());
  EXPECT_FALSE(resolve_location(base, "javascript:alert(1)").has_value());
}

TEST(HttpUrl, KnowsLoopback) {
  for (const char* host : {"localhost", "127.0.0.1", "127.1.2.3", "::1"}) {
    EXPECT_TRUE(is_loopback_host(host)) << host;
  }
  for (const char* host :
       {"127.example.com", "localhost.example.com", "128.0.0.1", "10.0.0.1", "::2", ""}) {
    EXPECT_FALSE(is_loopback_host(host)) << host;
  }
}

}  // namespace
}  // namespace cabinetfs
