// Downloads and uploads when answers are odd or missing.

#include <algorithm>

#include "tests/unit/webdav/client_fixture.h"

namespace cabinetfs {
namespace {

using Lines = std::vector<std::string>;
const Validator kOne{"e:1"};

class WebDavContent : public WebDavClient {
 protected:
  Result<std::string> read(std::uint64_t offset, std::uint64_t length, std::uint64_t size,
                           const Validator& validator = kOne) {
    std::string content;
    TRY(store_->read(soon(), {{"a"}, {}, offset, length, size, validator}, [&](Bytes bytes) {
      content += as_text(bytes);
      return true;
    }));
    return content;
  }
};

TEST_F(WebDavContent, ARangeIsAskedForAndChecked) {
  http_.answer("GET /dav/a", 206, "cde", {{"content-range", "bytes 2-4/8"}, {"etag", "\"1\""}});
  EXPECT_EQ(*read(2, 3, 8), "cde");
  const auto seen = http_.take_seen();
  EXPECT_EQ(header(seen.front(), "Range"), "bytes=2-4");
  EXPECT_EQ(header(seen.front(), "Accept-Encoding"), "identity");
  http_.answer("GET /dav/a", 206, "abc", {{"content-range", "bytes 0-2/8"}});
  EXPECT_EQ(code_of(read(2, 3, 8)), ErrorCode::kCorrupt);
  http_.answer("GET /dav/a", 206, "cde", {{"content-range", "bytes 2-4/9"}});
  EXPECT_EQ(code_of(read(2, 3, 8)), ErrorCode::kConflict);
  http_.answer("GET /dav/a", 206, "cde");
  EXPECT_EQ(code_of(read(2, 3, 8)), ErrorCode::kCorrupt);
}

TEST_F(WebDavContent, AServerThatIgnoresRangesIsSkippedThrough) {
  http_.answer("GET /dav/a", 200, "abcdefgh", {{"content-length", "8"}});
  EXPECT_EQ(*read(2, 3, 8), "cde");
  http_.answer("GET /dav/a", 200, "abcdefghi", {{"content-length", "9"}});
  EXPECT_EQ(code_of(read(2, 3, 8)), ErrorCode::kConflict);
  // Without a length only the end tells whether this was the content at all.
  http_.answer("GET /dav/a", 200, "abcdefgh");
  EXPECT_EQ(*read(2, 3, 8), "cde");
  http_.answer("GET /dav/a", 200, "abcdef");
  EXPECT_EQ(code_of(read(2, 3, 8)), ErrorCode::kCorrupt);
}

TEST_F(WebDavContent, AServerThatIgnoresRangesIsKnownFromItsFirstAnswer) {
  EXPECT_TRUE(store_->capabilities().ranges);
  const auto part = [&](std::uint64_t offset, std::uint64_t length) {
    ReadRequest request{{"a"}, {}, offset, length, 8, kOne};
    request.part_only = true;
    return store_->read(soon(), request, [](Bytes) { return true; });
  };
  // A page of something in between is not the server's word.
  http_.answer("GET /dav/a", 200, "<html>Log in</html>", {{"content-type", "text/html"}});
  EXPECT_EQ(code_of(part(2, 3)), ErrorCode::kCorrupt);
  EXPECT_TRUE(store_->capabilities().ranges);
  http_.answer("GET /dav/a", 200, "abcdefgh", {{"content-length", "8"}});
  EXPECT_EQ(code_of(part(2, 3)), ErrorCode::kNotSupported);
  EXPECT_FALSE(store_->capabilities().ranges);
  EXPECT_EQ(code_of(part(2, 3)), ErrorCode::kNotSupported) << "without asking again";
  http_.answer("GET /dav/a", 200, "abcdefgh", {{"content-length", "8"}});
  EXPECT_TRUE(part(0, 3)) << "nothing stands before it";
  // A whole content that broke goes on, although that sends its beginning again.
  http_.answer("GET /dav/a", 200, "abc", {{"content-length", "8"}});
  http_.answer("GET /dav/a", 200, "abcdefgh", {{"content-length", "8"}});
  EXPECT_EQ(*read(0, 8, 8), "abcdefgh");
}

TEST_F(WebDavContent, AShortAnswerIsCorrupt) {
  http_.answer("GET /dav/a", 200, "abc", {{"content-length", "8"}});
  http_.answer("GET /dav/a", 206, "", {{"content-range", "bytes 3-7/8"}});
  EXPECT_EQ(code_of(read(0, 8, 8)), ErrorCode::kCorrupt);
}

TEST_F(WebDavContent, ABrokenTransferGoesOnWhereItBroke) {
  http_.answer("GET /dav/a", 206, "bc", {{"content-range", "bytes 1-6/8"}, {"etag", "\"1\""}});
  http_.answer("GET /dav/a", 206, "defg", {{"content-range", "bytes 3-6/8"}, {"etag", "\"1\""}});
  EXPECT_EQ(*read(1, 6, 8), "bcdefg");
  // Another version came in between: its bytes are not mixed in.
  http_.answer("GET /dav/a", 206, "bc", {{"content-range", "bytes 1-6/8"}, {"etag", "\"1\""}});
  http_.answer("GET /dav/a", 206, "XXXX", {{"content-range", "bytes 3-6/8"}, {"etag", "\"2\""}});
  found("a", file("/dav/a", 8, "\"2\""));
  EXPECT_EQ(code_of(read(1, 6, 8)), ErrorCode::kConflict);
}

TEST_F(WebDavContent, AnotherContentOfTheSameSizeIsNoticed) {
  http_.answer("GET /dav/a", 200, "ABCDEFGH", {{"content-length", "8"}, {"etag", "\"2\""}});
  found("a", file("/dav/a", 8, "\"2\""));
  EXPECT_EQ(code_of(read(0, 8, 8)), ErrorCode::kConflict);
  // The caller that does not say what it wants takes what is there.
  http_.answer("GET /dav/a", 200, "ABCDEFGH", {{"content-length", "8"}, {"etag", "\"2\""}});
  EXPECT_EQ(*read(0, 8, 8, {}), "ABCDEFGH");
}

TEST_F(WebDavContent, HeadersWithAnotherSpellingOfTheEtagAreLearnt) {
  http_.answer("GET /dav/a", 200, "abcdefgh", {{"content-length", "8"}, {"etag", "\"1-gzip\""}});
  found("a", file("/dav/a", 8, "\"1\""));
  http_.answer("GET /dav/a", 200, "abcdefgh", {{"content-length", "8"}, {"etag", "\"1-gzip\""}});
  EXPECT_EQ(*read(0, 8, 8), "abcdefgh");
  http_.answer("GET /dav/a", 206, "a", {{"content-range", "bytes 0-0/8"}, {"etag", "\"1-gzip\""}});
  EXPECT_EQ(*read(0, 1, 8), "a");
}

TEST_F(WebDavContent, ANewFileIsCreatedOnlyWhereNothingIs) {
  missing("a");
  http_.answer("PUT /dav/a", 201, "", {{"etag", "\"5\""}});
  found("a", file("/dav/a", 5, "\"5\""));
  const auto made = put("hello", {}, true);
  ASSERT_TRUE(made) << to_string(made.error());
  EXPECT_EQ(made->validator, Validator{"e:5"});
  const auto seen = http_.take_seen();
  EXPECT_EQ(header(seen[1], "If-None-Match"), "*");
  EXPECT_EQ(seen[1].body, "hello");
  EXPECT_FALSE(seen[1].idempotent) << "repeated only after a look";
  EXPECT_EQ(seen[1].stall_timeout, patience_for(5));

  found("a", file("/dav/a", 5));
  EXPECT_EQ(code_of(put("hello", {}, true)), ErrorCode::kExists);
  missing("a");
  http_.answer("PUT /dav/a", 412, "");
  EXPECT_EQ(code_of(put("hello", {}, true)), ErrorCode::kExists);
}

TEST_F(WebDavContent, AReplacementIsForTheContentThatWasSeen) {
  found("a", file("/dav/a", 3, "\"1\""));
  http_.answer("PUT /dav/a", 204, "");
  found("a", file("/dav/a", 5, "\"2\""));
  ASSERT_TRUE(put("hello", kOne));
  EXPECT_EQ(header(http_.take_seen()[1], "If-Match"), "\"1\"");
  // A weak one cannot be a condition.
  found("a", file("/dav/a", 3, "W/\"1\""));
  http_.answer("PUT /dav/a", 204, "");
  found("a", file("/dav/a", 5, "W/\"2\""));
  ASSERT_TRUE(put("hello", kOne));
  EXPECT_EQ(header(http_.take_seen()[1], "If-Match"), "");
  // Changed since the caller looked: nothing is sent.
  found("a", file("/dav/a", 3, "\"9\""));
  EXPECT_EQ(code_of(put("hello", kOne)), ErrorCode::kConflict);
  EXPECT_EQ(seen_lines(), Lines{"PROPFIND /dav/a"});
  // Changed in the last moment.
  found("a", file("/dav/a", 3, "\"1\""));
  http_.answer("PUT /dav/a", 412, "");
  EXPECT_EQ(code_of(put("hello", kOne)), ErrorCode::kConflict);
}

TEST_F(WebDavContent, ALostAnswerOfAnUploadThatArrivedIsNoSecondUpload) {
  missing("a");
  http_.lose("PUT /dav/a", ErrorCode::kUnavailable);
  found("a", file("/dav/a", 5, "\"5\""));
  http_.answer("GET /dav/a", 200, "hello", {{"content-length", "5"}, {"etag", "\"5\""}});
  const auto made = put("hello", {}, true);
  ASSERT_TRUE(made) << to_string(made.error());
  EXPECT_EQ(made->size, 5u);
}

TEST_F(WebDavContent, ATruncatedUploadIsSentAgain) {
  missing("a");
  http_.lose("PUT /dav/a", ErrorCode::kUnavailable);
  found("a", file("/dav/a", 3, "\"3\""));
  http_.answer("GET /dav/a", 200, "hel", {{"content-length", "3"}, {"etag", "\"3\""}});
  http_.answer("PUT /dav/a", 204, "");
  found("a", file("/dav/a", 5, "\"5\""));
  ASSERT_TRUE(put("hello", {}, true));
  EXPECT_EQ(header(http_.take_seen()[4], "If-Match"), "\"3\"");
}

TEST_F(WebDavContent, ASizeThatIsWrongAfterTheUploadIsATruncatedOne) {
  found("a", file("/dav/a", 1, "\"1\""));
  http_.answer("PUT /dav/a", 204, "");
  found("a", file("/dav/a", 3, "\"3\""));
  found("a", file("/dav/a", 3, "\"3\""));  // after a pause, since front ends may lag
  found("a", file("/dav/a", 3, "\"3\""));
  http_.answer("GET /dav/a", 200, "hel", {{"content-length", "3"}, {"etag", "\"3\""}});
  http_.answer("PUT /dav/a", 204, "");
  found("a", file("/dav/a", 5, "\"5\""));
  EXPECT_TRUE(put("hello", kOne));
}

TEST_F(WebDavContent, SomebodyElsesFileIsNotOverwrittenAfterALoss) {
  missing("a");
  http_.lose("PUT /dav/a", ErrorCode::kUnavailable);
  found("a", file("/dav/a", 5, "\"5\""));
  http_.answer("GET /dav/a", 200, "their", {{"content-length", "5"}});
  EXPECT_EQ(code_of(put("hello", {}, true)), ErrorCode::kUnavailable) << "it may have happened";
}

TEST_F(WebDavContent, WhatABrokenUploadLeftBehindIsNotATakenName) {
  WebDavConfig once;
  once.upload_attempts = 1;
  make(once);
  missing("a");
  http_.lose("PUT /dav/a", ErrorCode::kUnavailable);
  found("a", file("/dav/a", 3, "\"3\""));
  EXPECT_EQ(code_of(put("hello", {}, true)), ErrorCode::kUnavailable);
  // The next try of the caller.
  found("a", file("/dav/a", 3, "\"3\""));
  http_.answer("GET /dav/a", 200, "hel", {{"content-length", "3"}, {"etag", "\"3\""}});
  http_.answer("PUT /dav/a", 204, "");
  found("a", file("/dav/a", 5, "\"5\""));
  EXPECT_TRUE(put("hello", {}, true));
  // That is over now: the same again is somebody's file.
  found("a", file("/dav/a", 3, "\"3\""));
  EXPECT_EQ(code_of(put("hello", {}, true)), ErrorCode::kExists);
}

TEST_F(WebDavContent, AServerThatFailsIsAskedAgain) {
  missing("a");
  http_.answer("PUT /dav/a", 500, "");
  missing("a");
  root_is_there();  // the folder is not what is missing
  http_.answer("PUT /dav/a", 201, "");
  found("a", file("/dav/a", 5, "\"5\""));
  EXPECT_TRUE(put("hello", {}, true));
}

// A login page, say, for the look only: our own content must not be met as somebody's edit.
TEST_F(WebDavContent, ALookThatFailsAfterAnUploadLeavesItOpen) {
  found("a", file("/dav/a", 3));
  http_.answer("PUT /dav/a", 204, "");
  http_.answer("PROPFIND /dav/a", 403, "");
  found("a", file("/dav/a", 3, "\"2\""));
  http_.answer("GET /dav/a", 200, "new", {{"content-length", "3"}});
  const auto kept = put("new");
  ASSERT_TRUE(kept) << to_string(kept.error());
  found("a", file("/dav/a", 3));
  http_.answer("PUT /dav/a", 204, "");
  for (int i = 0; i < 2; ++i) http_.answer("PROPFIND /dav/a", 401, "");
  EXPECT_EQ(code_of(put("new")), ErrorCode::kUnavailable);
}

TEST_F(WebDavContent, RefusalsOfAnUpload) {
  for (const auto& [status, code] :
       std::vector<std::pair<int, ErrorCode>>{{507, ErrorCode::kOverQuota},
                                              {413, ErrorCode::kTooLarge},
                                              {423, ErrorCode::kBusy},
                                              {403, ErrorCode::kDenied}}) {
    found("a", file("/dav/a", 3, "\"1\""));
    http_.answer("PUT /dav/a", status, "");
    EXPECT_EQ(code_of(put("hello", kOne)), code) << status;
  }
}

TEST_F(WebDavContent, SomebodyWhoSavesRightAfterUsIsSeenAtTheNextLook) {
  found("a", file("/dav/a", 3, "\"1\""));
  http_.answer("PUT /dav/a", 204, "", {{"etag", "\"2\""}});
  found("a", file("/dav/a", 5, "\"2\""));
  ASSERT_TRUE(put("hello", kOne));
  found("a", file("/dav/a", 5, "\"2\""));
  http_.answer("PUT /dav/a", 204, "", {{"etag", "\"3\""}});
  found("a", file("/dav/a", 5, "\"4\""));  // the same size, another content
  const auto made = put("world", Validator{"e:2"});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->validator, Validator{"e:3"});
}

TEST_F(WebDavContent, TimesGoToServersThatKeepThem) {
  http_.answer("OPTIONS /dav/", 200, "", {{"dav", "1"}});
  http_.answer("PROPFIND /dav/", 207,
               "<D:multistatus xmlns:D='DAV:' xmlns:o='http://owncloud.org/ns'><D:response>"
               "<D:href>/dav/</D:href>" +
                   properties("<D:resourcetype><D:collection/></D:resourcetype>"
                              "<o:id>1</o:id>") +
                   "</D:response></D:multistatus>");
  ASSERT_TRUE(store_->account(soon()));
  UploadTarget target;
  target.name = "a";
  target.modified = WallTime(std::chrono::milliseconds(1'600'000'000'900));
  missing("a");
  http_.answer("PUT /dav/a", 201, "", {{"x-oc-mtime", "accepted"}});
  found("a", file("/dav/a", 1));
  ASSERT_TRUE(store_->put(soon(), target, as_bytes("x")));
  EXPECT_EQ(header(http_.take_seen()[3], "X-OC-Mtime"), "1600000000");
}

}  // namespace
}  // namespace cabinetfs
