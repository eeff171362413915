#include "backend/kenesto/access_urls.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/gate.h"

namespace cabinetfs::kenesto {
namespace {

constexpr WallTime kNow{std::chrono::seconds(1502370000)};
const VersionId kVersion{"v1"};

CallContext soon() { return CallContext::within(std::chrono::seconds(10)); }

TEST(AccessUrlLife, IsWhatTheAddressSays) {
  using std::chrono::seconds;
  EXPECT_EQ(life_of_url("https://s/x?AWSAccessKeyId=A&Expires=1502371717&Signature=b", kNow),
            seconds(1717));
  EXPECT_EQ(
      life_of_url("https://s/x?X-Amz-Date=20170810T130000Z&X-Amz-Expires=900&X-Amz-Sig=1", kNow),
      seconds(900));
  EXPECT_EQ(life_of_url("https://s/x?X-Amz-Date=20170810T125000Z&X-Amz-Expires=900", kNow),
            seconds(300));
  EXPECT_EQ(life_of_url("https://s/x?X-Amz-Expires=900", kNow), seconds(900));
  EXPECT_EQ(life_of_url("https://s/x?Expires=1", kNow), seconds(0));
  for (const char* const silent :
       {"https://s/x", "https://s/x?", "https://s/x?Expires=soon", "https://s/x?Expires=",
        "https://s/x?Expires=99999999999999999999", "https://s/x?NotExpires=5&"}) {
    EXPECT_EQ(life_of_url(silent, kNow), std::chrono::hours(1)) << silent;
  }
}

TEST(AccessUrls, AreSharedUntilShortlyBeforeTheirEnd) {
  FakeClock clock;
  AccessUrls urls(clock);
  int fetches = 0;
  const auto fetch = [&]() -> Result<AccessUrls::Fetched> {
    return AccessUrls::Fetched{"https://s/" + std::to_string(++fetches), std::chrono::hours(1)};
  };
  EXPECT_EQ(*urls.get(soon(), kVersion, fetch), "https://s/1");
  clock.advance(std::chrono::minutes(54));
  EXPECT_EQ(*urls.get(soon(), kVersion, fetch), "https://s/1");
  EXPECT_EQ(*urls.get(soon(), VersionId{"v2"}, fetch), "https://s/2");
  clock.advance(std::chrono::minutes(2));
  EXPECT_EQ(*urls.get(soon(), kVersion, fetch), "https://s/3");
}

TEST(AccessUrls, ARejectedOneIsRenewedOnce) {
  AccessUrls urls;
  int fetches = 0;
  const auto fetch = [&]() -> Result<AccessUrls::Fetched> {
    return AccessUrls::Fetched{std::to_string(++fetches), std::chrono::hours(1)};
  };
  EXPECT_EQ(*urls.get(soon(), kVersion, fetch), "1");
  urls.reject(kVersion, "1");
  EXPECT_EQ(*urls.get(soon(), kVersion, fetch), "2");
  urls.reject(kVersion, "1");
  EXPECT_EQ(*urls.get(soon(), kVersion, fetch), "2") << "another range was faster";
}

TEST(AccessUrls, ParallelRangesCostOneRequest) {
  AccessUrls urls;
  std::atomic<int> fetches = 0;
  const auto fetch = [&]() -> Result<AccessUrls::Fetched> {
    ++fetches;
    // Long enough for the others to arrive; when they come later they find it done.
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    return AccessUrls::Fetched{"https://s/1", std::chrono::hours(1)};
  };
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> ranges;
    for (int i = 0; i < 8; ++i) {
      ranges.emplace_back([&] {
        const auto url = urls.get(soon(), kVersion, fetch);
        if (url && *url == "https://s/1") ++good;
      });
    }
  }
  EXPECT_EQ(good.load(), 8);
  EXPECT_EQ(fetches.load(), 1);
}

TEST(AccessUrls, AFailureIsNotKept) {
  AccessUrls urls;
  EXPECT_FALSE(urls.get(soon(), kVersion, []() -> Result<AccessUrls::Fetched> {
    return fail(ErrorCode::kUnavailable, "no");
  }));
  EXPECT_EQ(*urls.get(soon(), kVersion,
                      []() -> Result<AccessUrls::Fetched> {
                        return AccessUrls::Fetched{"u", std::chrono::hours(1)};
                      }),
            "u");
}

}  // namespace
}  // namespace cabinetfs::kenesto
