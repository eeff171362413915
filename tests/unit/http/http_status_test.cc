#include "backend/http/http_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/http/http_client.h"

namespace cabinetfs {
namespace {

TEST(HttpStatus, MapsToErrors) {
  EXPECT_EQ(error_from_status(400), ErrorCode::kInvalid);
  EXPECT_EQ(error_from_status(401), ErrorCode::kUnauthenticated);
  EXPECT_EQ(error_from_status(403), ErrorCode::kDenied);
  EXPECT_EQ(error_from_status(490), ErrorCode::kDenied);
  EXPECT_EQ(error_from_status(404), ErrorCode::kNotFound);
  EXPECT_EQ(error_from_status(410), ErrorCode::kNotFound);
  EXPECT_EQ(error_from_status(412), ErrorCode::kConflict);
  EXPECT_EQ(error_from_status(413), ErrorCode::kTooLarge);
  EXPECT_EQ(error_from_status(416), ErrorCode::kRange);
  EXPECT_EQ(error_from_status(423), ErrorCode::kBusy);
  EXPECT_EQ(error_from_status(429), ErrorCode::kUnavailable);
  EXPECT_EQ(error_from_status(503), ErrorCode::kUnavailable);
  EXPECT_EQ(error_from_status(507), ErrorCode::kOverQuota);
  EXPECT_EQ(error_from_status(418), ErrorCode::kInvalid);
  EXPECT_EQ(error_from_status(200), ErrorCode::kInternal);
}

// Only a positive "gone" may delete an entry.
TEST(HttpStatus, OnlyGoneMeansGone) {
  for (int status = 100; status < 700; ++status) {
    EXPECT_EQ(error_from_status(status) == ErrorCode::kNotFound, status == 404 || status == 410);
  }
}

TEST(HttpStatus, ShowsWhatTheServerSaid) {
  HttpResponse response;
  response.status = 403;
  response.body = "  {\"message\":\"no\",\"access_token\":\"hush\"}\nsecond line";
  const Error error = error_from_response(response, "stat id=7");
  EXPECT_EQ(error.code, ErrorCode::kDenied);
  EXPECT_EQ(error.context, "stat id=7: HTTP 403: {\"message\":\"no\",\"access_token\":\"***\"}");
  response.headers = {{"content-type", "text/html"}};
  EXPECT_EQ(error_from_response(response, "x").context, "x: HTTP 403");
  response.headers.clear();
  response.body = std::string(300, 'x') + "\xff";
  EXPECT_EQ(error_from_response(response, "x").context.size(),
            std::string("x: HTTP 403: ").size() + 200);
}

}  // namespace
}  // namespace cabinetfs
