#include "tools/cabinetfs/connection.h"

#include <gtest/gtest.h>

#include "backend/http/curl_client.h"
#include "tools/cabinetfs/options.h"

namespace cabinetfs {
namespace {

HttpClientOptions options_with(const std::string& list) {
  Options options;
  const auto set = set_mount_options(options, list);
  EXPECT_TRUE(set) << list;
  return http_options("work", options);
}

TEST(HttpOptions, ABurstIsObeyedWithTheVendorsLimitToo) {
  const HttpClientOptions vendor = options_with("");
  EXPECT_GT(vendor.requests_per_second, 0);
  const HttpClientOptions burst = options_with("rate_burst=3");
  EXPECT_EQ(burst.requests_per_second, vendor.requests_per_second);
  EXPECT_EQ(burst.request_burst, 3);
}

TEST(HttpOptions, AVendorsBurstIsForItsOwnLimit) {
  const HttpClientOptions own = options_with("rate_limit=2");
  EXPECT_EQ(own.requests_per_second, 2);
  EXPECT_EQ(own.request_burst, 0);
  const HttpClientOptions both = options_with("rate_limit=2,rate_burst=7");
  EXPECT_EQ(both.request_burst, 7);
}

}  // namespace
}  // namespace cabinetfs
