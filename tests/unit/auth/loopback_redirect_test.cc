#include "backend/auth/loopback_redirect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "backend/auth/browser.h"
#include "tests/unit/auth/auth_test_util.h"

namespace cabinetfs {
namespace {

class LoopbackRedirectTest : public testing::Test {
 protected:
  void SetUp() override {
    auto listening = LoopbackRedirect::listen(0);
    ASSERT_TRUE(listening.has_value()) << to_string(listening.error());
    redirect_ = std::make_unique<LoopbackRedirect>(*std::move(listening));
  }
  // What a browser does.
  HttpResponse visit(const std::string& target) {
    HttpRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(redirect_->port()) + target;
    auto answer = http_.perform(soon(), request);
    return answer ? *std::move(answer) : HttpResponse{};
  }

  CurlHttpClient http_{quick_http()};
  std::unique_ptr<LoopbackRedirect> redirect_;
};

TEST_F(LoopbackRedirectTest, ReceivesTheCodeAndShowsAPage) {
  EXPECT_EQ(redirect_->redirect_uri(),
            "http://localhost:" + std::to_string(redirect_->port()) + "/callback");
  HttpResponse seen;
  std::jthread browser([&] { seen = visit("/callback?code=a%2Fb&state=right"); });
  const auto code = redirect_->wait(soon(), "right");
  browser.join();
  ASSERT_TRUE(code.has_value());
  EXPECT_EQ(code->reveal(), "a/b");
  EXPECT_EQ(seen.status, 200);
  EXPECT_THAT(seen.body, testing::HasSubstr("Logged in"));
  EXPECT_EQ(seen.body.find("a/b"), std::string::npos);
}

TEST_F(LoopbackRedirectTest, StrayAndForgedRequestsDoNotEndTheWait) {
  std::vector<int> statuses;
  std::jthread browser([&] {
    statuses.push_back(visit("/favicon.ico").status);
    statuses.push_back(visit("/callback?code=evil&state=wrong").status);
    statuses.push_back(visit("/callback?code=evil").status);
    statuses.push_back(visit("/callback?state=right").status);
    statuses.push_back(visit("/callback?code=good&state=right").status);
  });
  const auto code = redirect_->wait(soon(), "right");
  browser.join();
  ASSERT_TRUE(code.has_value());
  EXPECT_EQ(code->reveal(), "good");
  EXPECT_EQ(statuses, (std::vector<int>{404, 400, 400, 400, 200}));
}

TEST_F(LoopbackRedirectTest, ServersErrorIsReported) {
  std::jthread browser([&] { visit("/callback?error=access_denied&state=right"); });
  const auto code = redirect_->wait(soon(), "right");
  ASSERT_FALSE(code.has_value());
  EXPECT_EQ(code.error().code, ErrorCode::kDenied);
  EXPECT_THAT(code.error().context, testing::HasSubstr("access_denied"));
}

TEST_F(LoopbackRedirectTest, DeadlineAndCancelEndTheWait) {
  const auto late = redirect_->wait(CallContext::within(std::chrono::milliseconds(30)), "right");
  EXPECT_EQ(late.error().code, ErrorCode::kTimeout);
  CancelSource source;
  CallContext call = soon();
  call.cancel = source.token();
  std::jthread canceller([&] { source.cancel(); });
  const auto cancelled = redirect_->wait(call, "right");
  EXPECT_EQ(cancelled.error().code, ErrorCode::kCancelled);
}

TEST_F(LoopbackRedirectTest, TakenPortIsSaid) {
  const auto second = LoopbackRedirect::listen(redirect_->port());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
}

TEST(Browser, TakesNothingButUrls) {
  EXPECT_EQ(open_browser("--help").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(open_browser("file:///etc/passwd").error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace cabinetfs
