#include "backend/http/range_receiver.h"

#include <gtest/gtest.h>

namespace cabinetfs {
namespace {

class RangeReceiverTest : public ::testing::Test {
 protected:
  // "defg" of "abcdefghij".
  static WantedRange middle() { return {.offset = 3, .length = 4, .size = 10}; }
  std::unique_ptr<RangeReceiver> receiver(WantedRange wanted = middle()) {
    got_.clear();
    return std::make_unique<RangeReceiver>(std::move(wanted), sink_);
  }
  static bool feed(RangeReceiver& to, std::string_view text) {
    for (const char& c : text) {
      if (!to.on_bytes(as_bytes(std::string_view(&c, 1)))) return false;
    }
    return true;
  }
  ErrorCode refused(int status, const HttpHeaders& headers, WantedRange wanted = middle()) {
    const auto one = receiver(std::move(wanted));
    EXPECT_FALSE(one->on_headers(status, headers));
    return one->verdict() ? one->verdict()->code : ErrorCode::kInternal;
  }

  std::string got_;
  const RangeReceiver::Sink sink_ = [this](Bytes bytes) {
    got_ += as_text(bytes);
    return true;
  };
};

TEST_F(RangeReceiverTest, APartIsTakenAsItComes) {
  for (const char* range : {"bytes 3-6/10", "bytes 3-6/*"}) {
    const auto one = receiver();
    EXPECT_TRUE(one->on_headers(206, {{"content-range", range}}));
    EXPECT_TRUE(feed(*one, "def"));
    EXPECT_FALSE(one->complete());
    EXPECT_TRUE(feed(*one, "g"));
    EXPECT_TRUE(one->complete());
    EXPECT_FALSE(one->whole());
    EXPECT_EQ(got_, "defg");
  }
}

TEST_F(RangeReceiverTest, OfAWholeContentOnlyThePartIsTaken) {
  const auto one = receiver();
  EXPECT_TRUE(one->on_headers(200, {{"content-length", "10"}}));
  EXPECT_FALSE(feed(*one, "abcdefghij")) << "the rest is not waited for";
  EXPECT_EQ(got_, "defg");
  EXPECT_TRUE(one->complete());
  EXPECT_TRUE(one->whole());
  EXPECT_FALSE(one->verdict());
}

TEST_F(RangeReceiverTest, AnotherPlaceOrFormIsCorrupt) {
  EXPECT_EQ(refused(206, {}), ErrorCode::kCorrupt);
  for (const char* range : {"bytes 2-6/10", "bytes 3-7/10", "3-6/10", "bytes 3/10", "bytes 3-6",
                            "bytes 3-6/ten", "bytes 3-6/10x", ""}) {
    EXPECT_EQ(refused(206, {{"content-range", range}}), ErrorCode::kCorrupt) << range;
  }
}

TEST_F(RangeReceiverTest, AnotherSizeIsWhatTheCallerCallsIt) {
  EXPECT_EQ(refused(206, {{"content-range", "bytes 3-6/11"}}), ErrorCode::kConflict);
  EXPECT_EQ(refused(200, {{"content-length", "9"}}), ErrorCode::kConflict);
  WantedRange fixed = middle();
  fixed.other_size = ErrorCode::kCorrupt;
  EXPECT_EQ(refused(206, {{"content-range", "bytes 3-6/11"}}, fixed), ErrorCode::kCorrupt);
}

TEST_F(RangeReceiverTest, ContentOfUntoldLengthProvesItselfByItsEnd) {
  const auto one = receiver();
  EXPECT_TRUE(one->on_headers(200, {}));
  EXPECT_TRUE(feed(*one, "abcdefghij"));
  EXPECT_EQ(got_, "") << "it could be a page of something in between";
  one->finish();
  EXPECT_EQ(got_, "defg");
  EXPECT_TRUE(one->complete());
}

TEST_F(RangeReceiverTest, AnAnswerOfAnotherLengthBringsNothing) {
  const auto shorter = receiver();
  EXPECT_TRUE(shorter->on_headers(200, {}));
  EXPECT_TRUE(feed(*shorter, "<html>"));
  shorter->finish();
  EXPECT_EQ(got_, "");
  EXPECT_FALSE(shorter->complete());
  const auto longer = receiver();
  EXPECT_TRUE(longer->on_headers(200, {{"content-type", "text/html"}}));
  EXPECT_FALSE(feed(*longer, "<html></html>"));
  EXPECT_EQ(got_, "");
  ASSERT_TRUE(longer->verdict());
  EXPECT_EQ(longer->verdict()->code, ErrorCode::kCorrupt);
}

TEST_F(RangeReceiverTest, LargeContentOfUntoldLengthIsPassedOnAndCounted) {
  const std::uint64_t size = 3u << 20;
  const auto one = receiver({.offset = 0, .length = size, .size = size});
  EXPECT_TRUE(one->on_headers(200, {{"content-type", "application/octet-stream"}}));
  const std::string half(size / 2, 'x');
  EXPECT_TRUE(one->on_bytes(as_bytes(half)));
  EXPECT_EQ(got_.size(), half.size());
  EXPECT_TRUE(one->on_bytes(as_bytes(half)));
  one->finish();
  EXPECT_TRUE(one->complete());
  EXPECT_FALSE(one->on_bytes(as_bytes("y")));
  EXPECT_FALSE(one->complete());
  // A page of that size is none.
  const auto page = receiver({.offset = 0, .length = 64u << 20, .size = 64u << 20});
  EXPECT_TRUE(page->on_headers(200, {{"content-type", "Text/HTML; charset=utf-8"}}));
  const std::string much(9u << 20, 'x');
  EXPECT_FALSE(page->on_bytes(as_bytes(much)));
  EXPECT_EQ(got_, "");
}

TEST_F(RangeReceiverTest, ARefusalIsNotLookedAt) {
  const auto one = receiver();
  EXPECT_TRUE(one->on_headers(404, {{"content-length", "3"}}));
  EXPECT_FALSE(one->verdict());
}

// The first attempt was the whole content and broke; the second is the part.
TEST_F(RangeReceiverTest, ABrokenAttemptLeavesNothingBehind) {
  const auto one = receiver();
  EXPECT_TRUE(one->on_headers(200, {{"content-length", "10"}}));
  EXPECT_TRUE(one->on_headers(206, {{"content-range", "bytes 3-6/10"}}));
  EXPECT_TRUE(feed(*one, "defg"));
  EXPECT_EQ(got_, "defg");
}

TEST_F(RangeReceiverTest, TheCallersCheckComesFirst) {
  WantedRange checked = middle();
  checked.check = [](const HttpHeaders& headers) -> std::optional<Error> {
    if (find_header(headers, "etag") != nullptr) return std::nullopt;
    return Error{ErrorCode::kConflict, "no etag"};
  };
  EXPECT_EQ(refused(206, {}, checked), ErrorCode::kConflict);
  EXPECT_EQ(refused(206, {{"etag", "x"}}, checked), ErrorCode::kCorrupt);
}

TEST_F(RangeReceiverTest, AReaderMayGiveUp) {
  const RangeReceiver::Sink tired = [](Bytes) { return false; };
  RangeReceiver one(middle(), tired);
  EXPECT_TRUE(one.on_headers(206, {{"content-range", "bytes 3-6/10"}}));
  EXPECT_FALSE(one.on_bytes(as_bytes("d")));
  ASSERT_TRUE(one.verdict());
  EXPECT_EQ(one.verdict()->code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace cabinetfs
