#include "backend/webdav/wire.h"

#include <gtest/gtest.h>

#include "backend/webdav/quirks.h"

namespace cabinetfs::webdav {
namespace {

TEST(WebDavWire, NamespacesCountNotPrefixes) {
  for (const std::string prefix : {"D:", "d:", "x:", ""}) {
    const std::string xmlns =
        prefix.empty() ? "xmlns" : "xmlns:" + prefix.substr(0, prefix.size() - 1);
    const auto e = [&](const std::string& name, const std::string& inside) {
      return "<" + prefix + name + ">" + inside + "</" + prefix + name + ">";
    };
    const std::string body =
        "<?xml version='1.0'?><" + prefix + "multistatus " + xmlns + "='DAV:'>" +
        e("response",
          e("href", "/dav/a.txt") +
              e("propstat", e("prop", e("resourcetype", "") + e("getcontentlength", " 12 ") +
                                          e("getetag", "\"abc\"") +
                                          e("getlastmodified", "Sun, 06 Nov 1994 08:49:37 GMT") +
                                          e("creationdate", "1994-11-06T08:49:37Z")) +
                                e("status", "HTTP/1.1 200 OK"))) +
        "</" + prefix + "multistatus>";
    const auto parsed = parse_multistatus(body);
    ASSERT_TRUE(parsed) << prefix << to_string(parsed.error());
    ASSERT_EQ(parsed->size(), 1u) << prefix;
    const WireResource& one = parsed->front();
    EXPECT_EQ(one.href, "/dav/a.txt");
    EXPECT_EQ(one.length, 12u);
    EXPECT_EQ(one.etag, "\"abc\"");
    EXPECT_FALSE(one.collection);
    ASSERT_TRUE(one.modified && one.created);
    EXPECT_EQ(*one.modified, *one.created);
  }
}

TEST(WebDavWire, AnotherNamespaceIsAnotherElement) {
  const auto parsed = parse_multistatus(
      "<D:multistatus xmlns:D='DAV:' xmlns:m='urn:mine'><D:response><D:href>/a</D:href>"
      "<D:propstat><D:prop><m:getcontentlength>7</m:getcontentlength>"
      "<D:resourcetype><m:collection/></D:resourcetype></D:prop>"
      "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>");
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->front().length);
  EXPECT_FALSE(parsed->front().collection);
  EXPECT_FALSE(parse_multistatus("<multistatus xmlns='urn:mine'/>"));
}

TEST(WebDavWire, WhatIsNot200DoesNotExist) {
  const auto parsed = parse_multistatus(
      "<multistatus xmlns='DAV:'><response><href>/a</href>"
      "<propstat><prop><getcontentlength>5</getcontentlength></prop>"
      "<status>HTTP/1.1 404 Not Found</status></propstat>"
      "<propstat><prop><getetag>W/\"1\"</getetag></prop><status>HTTP/1.1 200 OK</status></propstat>"
      "</response><response><href>/b</href><status>HTTP/1.1 423 Locked</status></response>"
      "<response/></multistatus>");
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->size(), 2u);
  EXPECT_FALSE((*parsed)[0].length);
  EXPECT_EQ((*parsed)[0].etag, "W/\"1\"");
  EXPECT_EQ((*parsed)[0].worst_propstat, 404);
  EXPECT_TRUE((*parsed)[0].has_properties);
  EXPECT_EQ((*parsed)[1].status, 423);
  EXPECT_FALSE((*parsed)[1].has_properties);
}

TEST(WebDavWire, NoDtdAndNoEntitiesOfItsOwn) {
  const auto with_dtd = parse_multistatus(
      "<!DOCTYPE m [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
      "<multistatus xmlns='DAV:'><response><href>&x;</href></response></multistatus>");
  ASSERT_FALSE(with_dtd);
  EXPECT_EQ(with_dtd.error().code, ErrorCode::kCorrupt);
  const auto usual = parse_multistatus(
      "<multistatus xmlns='DAV:'><response><href>/a&amp;b&#x41;</href></response></multistatus>");
  ASSERT_TRUE(usual);
  EXPECT_EQ(usual->front().href, "/a&bA");
}

TEST(WebDavWire, WhatIsNoXmlIsCorrupt) {
  for (const char* body : {"", "hello", "<html><body>Log in</body></html>", "<multistatus",
                           "<D:multistatus><D:response/></D:multistatus>"}) {
    const auto parsed = parse_multistatus(body);
    ASSERT_FALSE(parsed) << body;
    EXPECT_EQ(parsed.error().code, ErrorCode::kCorrupt) << body;
  }
}

TEST(WebDavWire, DeepDocumentsDoNotOverflow) {
  std::string body =
      "<multistatus xmlns='DAV:'><response><href>/a</href><propstat><prop>"
      "<lockdiscovery><activelock><owner>";
  for (int i = 0; i < 200'000; ++i) body += "<a>";
  body += "deep";
  for (int i = 0; i < 200'000; ++i) body += "</a>";
  body +=
      "</owner></activelock></lockdiscovery></prop><status>HTTP/1.1 200 OK</status></propstat>"
      "</response></multistatus>";
  const auto parsed = parse_multistatus(body);
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->front().locks.size(), 1u);
  EXPECT_EQ(parsed->front().locks.front().owner, "deep");
}

TEST(WebDavWire, LocksTellTokenAndOwner) {
  const auto locks = parse_lock_answer(
      "<D:prop xmlns:D='DAV:'><D:lockdiscovery><D:activelock><D:locktype><D:write/></D:locktype>"
      "<D:owner><D:href>mailto:bob@example.com</D:href></D:owner><D:timeout>Second-300</D:timeout>"
      "<D:locktoken><D:href>opaquelocktoken:1-2</D:href></D:locktoken></D:activelock>"
      "</D:lockdiscovery></D:prop>");
  ASSERT_TRUE(locks);
  EXPECT_EQ(*locks, (std::vector<WireLock>{{"opaquelocktoken:1-2", "mailto:bob@example.com"}}));
}

TEST(WebDavWire, ErrorsSpeakInWords) {
  EXPECT_EQ(parse_error_text("<d:error xmlns:d='DAV:' xmlns:s='http://sabredav.org/ns'>"
                             "<s:exception>X</s:exception><s:message>File is locked</s:message>"
                             "</d:error>"),
            "File is locked");
  EXPECT_EQ(parse_error_text("<error xmlns='DAV:'><propfind-finite-depth/></error>"),
            "propfind-finite-depth");
  EXPECT_EQ(parse_error_text("<html/>"), "");
}

TEST(WebDavWire, StrengthOfAnEtag) {
  EXPECT_TRUE(is_strong("\"a-b\""));
  EXPECT_FALSE(is_strong("W/\"a\""));
  EXPECT_FALSE(is_strong("\"\""));
  EXPECT_FALSE(is_strong("bare"));
  EXPECT_FALSE(is_strong("\"a\"\r\nX: \"b\""));
  EXPECT_EQ(opaque_part(" W/\"a\" "), "a");
  EXPECT_EQ(opaque_part("bare"), "bare");
}

TEST(WebDavQuirks, AWeakEtagThatBecomesStrongIsTheSameContent) {
  WireResource fresh;
  fresh.etag = "W/\"17-5\"";
  WireResource later;
  later.etag = "\"17-5\"";
  EXPECT_EQ(make_validator(fresh), make_validator(later));
  later.etag = "\"17-6\"";
  EXPECT_NE(make_validator(fresh), make_validator(later));
}

TEST(WebDavQuirks, WithoutEtagSizeAndSecondCount) {
  WireResource one;
  one.length = 5;
  one.modified = WallTime(std::chrono::seconds(784111777));
  const Validator validator = make_validator(one);
  const std::string same = "Sun, 06 Nov 1994 08:49:37 GMT";
  const std::string later = "Sun, 06 Nov 1994 08:49:38 GMT";
  const std::string etag = "\"x\"";
  EXPECT_EQ(fits_validator(validator, &etag, &same), true);
  EXPECT_EQ(fits_validator(validator, &etag, &later), false);
  EXPECT_EQ(fits_validator(validator, &etag, nullptr), std::nullopt);
  WireResource larger = one;
  larger.length = 6;
  EXPECT_NE(make_validator(larger), validator);
}

TEST(WebDavQuirks, LongEtagsStayApart) {
  WireResource one;
  one.etag = "\"" + std::string(500, 'a') + "1\"";
  WireResource two;
  two.etag = "\"" + std::string(500, 'a') + "2\"";
  EXPECT_LE(make_validator(one).value.size(), 100u);
  EXPECT_NE(make_validator(one), make_validator(two));
}

TEST(WebDavQuirks, LettersOfNextcloud) {
  const Rights file = rights_from_letters("RGDNVW", NodeKind::kFile);
  EXPECT_TRUE(file.has(Right::kWrite) && file.has(Right::kDelete) && file.has(Right::kRename) &&
              file.has(Right::kShare) && file.has(Right::kRead));
  const Rights folder = rights_from_letters("G", NodeKind::kFolder);
  EXPECT_EQ(to_string(folder), "list,read");
  EXPECT_TRUE(rights_from_letters("CK", NodeKind::kFolder).has(Right::kCreate));
}

TEST(WebDavQuirks, NamesThatCannotBe) {
  NameRules rules;
  rules.forbidden = ":";
  rules.trailing_dot_forbidden = true;
  for (const std::string name : {"", ".", "..", "a/b", "a:b", "a."}) {
    const auto checked = check_name(rules, name);
    ASSERT_FALSE(checked) << name;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalid);
  }
  EXPECT_EQ(check_name(rules, std::string(256, 'x')).error().code, ErrorCode::kNameTooLong);
  EXPECT_TRUE(check_name(rules, "ä b%2F#?.txt"));
}

TEST(WebDavQuirks, StatusesAsWebDavMeansThem) {
  EXPECT_EQ(error_code("MKCOL", 405), ErrorCode::kExists);
  EXPECT_EQ(error_code("GET", 405), ErrorCode::kNotSupported);
  EXPECT_EQ(error_code("PUT", 409), ErrorCode::kNotFound);
  EXPECT_EQ(error_code("MOVE", 412), ErrorCode::kExists);
  EXPECT_EQ(error_code("PUT", 412), ErrorCode::kConflict);
  EXPECT_EQ(error_code("PUT", 423), ErrorCode::kBusy);
  EXPECT_EQ(error_code("PUT", 507), ErrorCode::kOverQuota);
  EXPECT_EQ(error_code("PUT", 413), ErrorCode::kTooLarge);
}

TEST(WebDavQuirks, AWaitEndsWithItsCall) {
  CancelSource cancel;
  cancel.cancel();
  const CallContext call =
      CallContext::within(std::chrono::hours(1), Priority::kForeground, cancel.token());
  EXPECT_EQ(wait_for(call, std::chrono::hours(1)).error().code, ErrorCode::kCancelled);
  const CallContext late = CallContext::within(std::chrono::milliseconds(5));
  EXPECT_EQ(wait_for(late, std::chrono::hours(1)).error().code, ErrorCode::kTimeout);
  EXPECT_TRUE(wait_for(CallContext(), std::chrono::milliseconds(1)));
}

}  // namespace
}  // namespace cabinetfs::webdav
