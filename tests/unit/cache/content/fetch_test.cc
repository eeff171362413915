// Who fetches what, who waits for whom, and how waits end.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/gate.h"
#include "tests/unit/cache/content/content_fixture.h"

namespace cabinetfs {
namespace {

using namespace std::chrono_literals;

class FetchTest : public ContentTest {
 protected:
  void TearDown() override {
    server_.set_hook(nullptr);
    gate_.open();
    ContentTest::TearDown();
  }
  // Requests stand before byte `at` of the file (all of them, where it is not given).
  void hold(std::uint64_t from = 0) {
    gate_.close();
    server_.set_hook([this, from](const CallContext& call, const ContentServer::Request&,
                                  std::uint64_t at) -> Result<void> {
      return at >= from ? gate_.pass(call) : Result<void>();
    });
  }
  Gate gate_;
};

TEST_F(FetchTest, EightReadersShareOneRequest) {
  const std::string content = pattern(600'000);
  const auto file = serve("a", content);
  hold();
  std::vector<std::thread> readers;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i) readers.emplace_back([&] { good += read_text(*file) == content; });
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  gate_.open();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(good, 8);
  EXPECT_EQ(requests(), 1u);
}

TEST_F(FetchTest, ABlockIsThereBeforeItsRequestHasEnded) {
  const std::string content = pattern(900'000);
  const auto file = serve("a", content);
  hold(300'000);
  EXPECT_TRUE(same(read_text(*file, 0, 100'000), content.substr(0, 100'000)));
  EXPECT_EQ(server_.running(), 1u);
  gate_.open();
  EXPECT_TRUE(same(read_text(*file), content));
  EXPECT_EQ(requests(), 1u);
}

TEST_F(FetchTest, ACancelledReaderLeavesAtOnceAndOthersGetTheirData) {
  const std::string content = pattern(600'000);
  const auto file = serve("a", content);
  hold();
  CancelSource cancel;
  CallContext call = soon();
  call.cancel = cancel.token();
  std::string cancelled, kept;
  std::thread first([&] { cancelled = read_text(*file, call); });
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  std::thread second([&] { kept = read_text(*file); });
  ASSERT_TRUE(eventually([&] { return store_->stats().misses >= 20; }));
  const auto start = std::chrono::steady_clock::now();
  cancel.cancel();
  first.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
  EXPECT_EQ(cancelled.substr(0, 9), "cancelled");
  gate_.open();
  second.join();
  EXPECT_TRUE(same(kept, content));
}

TEST_F(FetchTest, ARequestThatNobodyWaitsForAnyMoreIsGivenUp) {
  const auto file = serve("a", pattern(600'000));
  hold();
  CancelSource cancel;
  CallContext call = soon();
  call.cancel = cancel.token();
  std::thread reader([&] { (void)read_text(*file, call); });
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  cancel.cancel();
  reader.join();
  EXPECT_TRUE(eventually([&] { return server_.running() == 0; }));
}

TEST_F(FetchTest, WhatCameBeforeItWasGivenUpIsKeptOnTheDisk) {
  const std::string content = pattern(900'000);
  const auto file = serve("a", content);
  hold(300'000);
  CancelSource cancel;
  CallContext call = soon();
  call.cancel = cancel.token();
  std::thread reader([&] { (void)read_text(*file, call); });
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  cancel.cancel();
  reader.join();
  EXPECT_TRUE(eventually([&] { return disk_bytes("cache") >= 4 * kBlockBytes; }));
}

TEST_F(FetchTest, ADeadlineEndsTheWait) {
  const auto file = serve("a", pattern(600'000));
  hold();
  EXPECT_EQ(read_text(*file, CallContext::within(50ms)).substr(0, 7), "timeout");
}

TEST_F(FetchTest, AnErrorIsNotRemembered) {
  const std::string content = pattern(600'000);
  const auto file = serve("a", content);
  server_.set_hook(
      [](const CallContext&, const ContentServer::Request&, std::uint64_t at) -> Result<void> {
        if (at >= 300'000) return fail(ErrorCode::kUnavailable, "the line is cut");
        return {};
      });
  EXPECT_EQ(read_text(*file).substr(0, 11), "unavailable");
  // What came is kept.
  EXPECT_TRUE(same(read_text(*file, 0, 200'000, local_only()), content.substr(0, 200'000)));
  server_.set_hook(nullptr);
  EXPECT_TRUE(same(read_text(*file), content));
  EXPECT_LT(server_.requests().back().length, 400'000u);
}

TEST_F(FetchTest, AnErrorFailsOnlyThoseWhoWaitForItsBlocks) {
  const std::string content = pattern(8 << 20);
  const auto file = serve("a", content);
  server_.set_hook(
      [](const CallContext&, const ContentServer::Request&, std::uint64_t at) -> Result<void> {
        if (at >= 4'000'000) return fail(ErrorCode::kUnavailable, "the line is cut");
        return {};
      });
  EXPECT_EQ(read_text(*file, 5'000'000, 1000).substr(0, 11), "unavailable");
  EXPECT_TRUE(same(read_text(*file, 1'000'000, 1000), content.substr(1'000'000, 1000)));
}

TEST_F(FetchTest, ReadersDoNotWaitBehindPrefetch) {
  ContentOptions few = options();
  few.parallel_ranges = 2;
  open(few);
  const std::string content = pattern(16 << 20);
  const auto file = serve("a", content);
  // Prefetches hang, readers pass.
  gate_.close();
  server_.set_hook([this](const CallContext& call, const ContentServer::Request& request,
                          std::uint64_t) -> Result<void> {
    return request.priority == Priority::kPrefetch ? gate_.pass(call) : Result<void>();
  });
  EXPECT_GT(file->prefetch(1 << 20, 8 << 20), 0u);
  ASSERT_TRUE(gate_.wait_for_waiting(2));
  EXPECT_TRUE(same(read_text(*file, 12 << 20, 1000), content.substr(12 << 20, 1000)));
  // A piece that is queued behind them begins for the reader who needs it.
  EXPECT_TRUE(same(read_text(*file, 8 << 20, 1000), content.substr(8 << 20, 1000)));
  gate_.open();
}

TEST_F(FetchTest, AFailedPrefetchIsTriedAgainByTheReader) {
  const std::string content = pattern(4 << 20);
  const auto file = serve("a", content);
  gate_.close();
  server_.set_hook([this](const CallContext& call, const ContentServer::Request& request,
                          std::uint64_t) -> Result<void> {
    if (request.priority != Priority::kPrefetch) return {};
    TRY(gate_.pass(call));
    return fail(ErrorCode::kTimeout, "prefetch gave up");
  });
  EXPECT_GT(file->prefetch(0, 256 << 10), 0u);
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  std::string got;
  std::thread reader([&] { got = read_text(*file, 0, 1000); });
  ASSERT_TRUE(eventually([&] { return store_->stats().misses >= 1; }));
  gate_.open();
  reader.join();
  EXPECT_TRUE(same(got, content.substr(0, 1000)));
}

TEST_F(FetchTest, AVersionThatIsGoneIsStale) {
  const std::string content = pattern(100'000);
  const auto file = cached(key("never-there", content));
  EXPECT_EQ(read_text(*file).substr(0, 5), "stale");
}

TEST_F(FetchTest, ShutdownEndsAllWaits) {
  const auto file = serve("a", pattern(600'000));
  hold();
  std::vector<std::thread> readers;
  std::atomic<int> cancelled{0};
  for (int i = 0; i < 4; ++i)
    readers.emplace_back([&] { cancelled += read_text(*file).substr(0, 9) == "cancelled"; });
  ASSERT_TRUE(gate_.wait_for_waiting(1));
  ASSERT_TRUE(eventually([&] { return store_->stats().misses >= 40; }));
  store_->shutdown();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(cancelled, 4);
  EXPECT_FALSE(store_->open_cached(key("b", "x")));
}

TEST_F(FetchTest, FetchAllBringsTheWholeInLargePieces) {
  const std::string content = pattern(20'000'000);
  const auto file = serve("a", content);
  (void)read_text(*file, 9'000'000, 10);
  ASSERT_TRUE(file->fetch_all(soon()));
  EXPECT_TRUE(file->complete());
  EXPECT_LT(requests(), 80u);
  EXPECT_GT(server_.most_running(), 1u);
  EXPECT_TRUE(same(read_text(*file, local_only()), content));
}

TEST_F(FetchTest, AServerWithoutRangesSendsAFileOnce) {
  const std::string content = pattern(64u << 20);
  server_.set_whole_only();
  for (const bool at_once : {false, true}) {
    const auto file = serve(at_once ? "a" : "b", content);
    const std::uint64_t before = server_.sent();
    if (at_once) {
      ASSERT_TRUE(file->fetch_all(soon()));
    }
    EXPECT_TRUE(same(read_text(*file), content));
    EXPECT_LE(server_.sent() - before, content.size() * 3 / 2);
    EXPECT_TRUE(eventually([&] { return file->complete(); }));
  }
  EXPECT_FALSE(server_.capabilities().ranges);
}

TEST_F(FetchTest, ReadersAllOverAFileShareTheOneStream) {
  const std::string content = pattern(24u << 20);
  server_.set_whole_only();
  const auto file = serve("a", content);
  std::vector<std::thread> readers;
  std::atomic<int> good{0};
  for (std::size_t i = 0; i < 8; ++i)
    readers.emplace_back([&, i] {
      const std::size_t at = (7 - i) * (3u << 20);
      good += read_text(*file, at, 3u << 20) == content.substr(at, 3u << 20);
    });
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(good, 8);
  EXPECT_LE(server_.sent(), content.size() * 2);
}

TEST_F(FetchTest, AStreamHasAllTheTimeItTakesAndEndsWithItsLastHandle) {
  const std::string content = pattern(24u << 20);
  server_.set_whole_only();
  auto file = serve("a", content);
  EXPECT_TRUE(same(read_text(*file, 20u << 20, 10), content.substr(20u << 20, 10)));
  ASSERT_TRUE(eventually([&] { return file->complete() && server_.running() == 0; }));
  file = serve("b", content);
  std::atomic<bool> hurried{false};
  gate_.close();
  server_.set_hook([&](const CallContext& call, const ContentServer::Request& request,
                       std::uint64_t at) -> Result<void> {
    if (request.length == content.size() && call.deadline != SteadyTime::max()) hurried = true;
    return at > 2u << 20 ? gate_.pass(call) : Result<void>();
  });
  // The reader who gives up does not end it.
  EXPECT_EQ(read_text(*file, 20u << 20, 10, CallContext::within(50ms)).substr(0, 7), "timeout");
  EXPECT_EQ(server_.running(), 1u);
  EXPECT_FALSE(hurried);
  file.reset();
  EXPECT_TRUE(eventually([&] { return server_.running() == 0; }));
}

TEST_F(FetchTest, AStreamThatTurnsOutToBeSomethingElseLeavesNothing) {
  const std::string content = pattern(8u << 20);
  server_.set_whole_only();
  const auto other = serve("other", content);
  (void)read_text(*other, 5u << 20, 10);  // now it is known
  const auto file = serve("a", content);
  server_.set_hook([](const CallContext&, const ContentServer::Request&, std::uint64_t at) {
    return at < 4u << 20 ? Result<void>() : fail(ErrorCode::kCorrupt, "shorter than it said");
  });
  EXPECT_EQ(read_text(*file, 6u << 20, 10).substr(0, 7), "corrupt");
  EXPECT_TRUE(eventually([&] { return file->cached_bytes() == 0; }));
  server_.set_hook(nullptr);
  EXPECT_TRUE(same(read_text(*file), content));
}

TEST_F(FetchTest, WhatABulkDownloadBroughtIsNotFetched) {
  const std::string content = pattern(200'000);
  const auto file = serve("a", content, true);
  file->fill("wrong size");
  EXPECT_EQ(file->cached_bytes(), 0u);
  file->fill(pattern(200'000, 9));  // not what the hash says
  EXPECT_EQ(file->cached_bytes(), 0u);
  file->fill(content);
  EXPECT_TRUE(file->complete());
  EXPECT_TRUE(same(read_text(*file, local_only()), content));
  EXPECT_EQ(requests(), 0u);
}

// Random reads by many threads, with errors, evictions and cancellations, against the string.
TEST_F(FetchTest, ManyReadersUnderFireSeeOnlyTheContent) {
  ContentOptions tight = options();
  tight.memory_bytes = 4 << 20;
  tight.cache_max_bytes = 4 << 20;
  open(tight);
  const std::string content = pattern(6 << 20);
  server_.put("a", content);
  server_.put("b", content);
  std::atomic<unsigned> count{0};
  server_.set_hook(
      [&](const CallContext&, const ContentServer::Request&, std::uint64_t) -> Result<void> {
        if (++count % 97 == 0) return fail(ErrorCode::kUnavailable, "now and then");
        return {};
      });
  std::atomic<int> wrong{0}, right{0};
  std::vector<std::thread> readers;
  for (unsigned i = 0; i < 6; ++i)
    readers.emplace_back([&, i] {
      std::mt19937 random(i + 1);
      const auto file = cached(key(i % 2 ? "a" : "b", content));
      ReadAhead ahead(1 << 20);
      for (int step = 0; step < 150; ++step) {
        const std::size_t offset = random() % content.size(), length = random() % 300'000;
        CallContext call = soon();
        CancelSource cancel;
        call.cancel = cancel.token();
        if (step % 10 == 0) cancel.cancel();
        ahead.on_read(*file, offset, length);
        const std::string got = read_text(*file, offset, length, call);
        if (got == content.substr(offset, length))
          ++right;
        else if (!got.starts_with("unavailable") && !got.starts_with("cancelled"))
          ++wrong;
      }
    });
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(right, 300);
  EXPECT_LE(disk_bytes("cache"), tight.cache_max_bytes);
  EXPECT_LE(store_->stats().cache_bytes, tight.cache_max_bytes);
}

}  // namespace
}  // namespace cabinetfs
