#include "backend/kiteworks/pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace cabinetfs::kiteworks {
namespace {

// A list that a server pages, and that somebody may change between two pages.
class Server {
 public:
  explicit Server(int count) {
    for (int i = 0; i < count; ++i) items.push_back("id" + std::to_string(1000 + i));
  }

  Result<void> collect(PageMemory& memory, std::uint64_t limit) {
    return collect_pages(
        memory, limit,
        [&](std::uint64_t offset, std::uint64_t wanted) -> Result<Page> {
          ++requests;
          if (before_request) before_request(requests);
          const std::uint64_t most = cap == 0 ? wanted : std::min(cap, wanted);
          Page page;
          for (std::uint64_t i = offset; i < items.size() && page.keys.size() < most; ++i) {
            page.keys.push_back(items[i]);
          }
          if (tells_total) page.total = items.size() + extra_total;
          got.insert(page.keys.begin(), page.keys.end());
          return page;
        },
        [&] { got.clear(); });
  }
  bool complete() const { return got == std::set<std::string>(items.begin(), items.end()); }

  std::vector<std::string> items;
  std::set<std::string> got;
  std::uint64_t cap = 0;
  std::uint64_t extra_total = 0;
  bool tells_total = true;
  int requests = 0;
  std::function<void(int request)> before_request;
};

TEST(KiteworksPages, OneRequestForAFolderThatFits) {
  PageMemory memory;
  Server server(900);
  ASSERT_TRUE(server.collect(memory, 1000));
  EXPECT_TRUE(server.complete());
  EXPECT_EQ(server.requests, 1);
  Server empty(0);
  ASSERT_TRUE(empty.collect(memory, 1000));
  EXPECT_EQ(empty.requests, 1);
}

TEST(KiteworksPages, SeveralPagesWithAndWithoutATotal) {
  for (const bool total : {true, false}) {
    for (const int count : {9, 10, 11, 19, 28, 100}) {
      PageMemory memory;
      Server server(count);
      server.tells_total = total;
      ASSERT_TRUE(server.collect(memory, 10)) << count;
      EXPECT_TRUE(server.complete()) << count;
    }
  }
}

TEST(KiteworksPages, AServerThatSendsLessThanAsked) {
  for (const bool total : {true, false}) {
    for (const std::uint64_t cap : {1u, 2u, 7u, 25u}) {
      PageMemory memory;
      Server server(60);
      server.tells_total = total;
      server.cap = cap;
      ASSERT_TRUE(server.collect(memory, 1000)) << cap;
      EXPECT_TRUE(server.complete()) << cap << (total ? " with" : " without") << " a total";
    }
  }
}

TEST(KiteworksPages, WithoutTotalsTheSecondLookIsLearnedAway) {
  PageMemory memory;
  Server first(50);
  first.tells_total = false;
  ASSERT_TRUE(first.collect(memory, 1000));
  EXPECT_EQ(first.requests, 2) << "might be all, might be the server's limit";
  Server second(40);
  second.tells_total = false;
  ASSERT_TRUE(second.collect(memory, 1000));
  EXPECT_EQ(second.requests, 1) << "pages of 50 came whole, so 40 is no limit";
}

TEST(KiteworksPages, AnEntryThatGoesBetweenTwoPagesHidesNoOther) {
  for (const bool total : {true, false}) {
    PageMemory memory;
    Server server(30);
    server.tells_total = total;
    server.before_request = [&](int request) {
      if (request == 2) server.items.erase(server.items.begin());
    };
    ASSERT_TRUE(server.collect(memory, 10));
    EXPECT_TRUE(server.complete()) << (total ? "with a total" : "without a total");
  }
}

TEST(KiteworksPages, AnEntryThatComesAndOneThatGoes) {
  PageMemory memory;
  Server server(30);
  server.before_request = [&](int request) {
    if (request != 2) return;
    server.items.erase(server.items.begin() + 2);
    server.items.push_back("zzz");
  };
  ASSERT_TRUE(server.collect(memory, 10));
  EXPECT_TRUE(server.complete()) << "the total is the same and still all is different";
}

TEST(KiteworksPages, AListThatNeverStandsStillIsAnError) {
  PageMemory memory;
  Server server(30);
  server.before_request = [&](int) { server.items.erase(server.items.begin()); };
  const auto result = server.collect(memory, 4);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
}

TEST(KiteworksPages, ATotalThatCountsWhatIsNotListed) {
  PageMemory memory;
  Server server(12);
  server.extra_total = 3;
  ASSERT_TRUE(server.collect(memory, 10));
  EXPECT_TRUE(server.complete());
}

}  // namespace
}  // namespace cabinetfs::kiteworks
