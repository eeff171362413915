#include "backend/webdav/dav_paths.h"

#include <gtest/gtest.h>

namespace cabinetfs::webdav {
namespace {

DavPaths paths(const std::string& base) {
  auto made = DavPaths::make(base);
  EXPECT_TRUE(made);
  return *made;
}

TEST(DavPaths, EverySegmentIsEncoded) {
  const DavPaths dav = paths("https://cloud.example.com/dav/");
  EXPECT_EQ(dav.url({"a b/ü#?%2F.txt"}, NodeKind::kFile),
            "https://cloud.example.com/dav/a%20b/%C3%BC%23%3F%252F.txt");
  EXPECT_EQ(dav.url({"$x (1)"}, NodeKind::kFolder),
            "https://cloud.example.com/dav/%24x%20%281%29/");
  EXPECT_EQ(dav.url({}, NodeKind::kFolder), "https://cloud.example.com/dav/");
}

TEST(DavPaths, HrefsAreComparedDecoded) {
  const DavPaths dav = paths("https://cloud.example.com:8443/my%20dav");
  for (const char* href :
       {"/my%20dav/a%28b%29/c", "/my dav/a(b)/c", "/my%20dav//a%28b)/c/",
        "https://cloud.example.com:8443/my%20dav/a(b)/c", "http://internal:8080/my%20dav/a(b)/c"}) {
    EXPECT_EQ(dav.id_of(href), RemoteId{"a(b)/c"}) << href;
  }
  EXPECT_EQ(dav.id_of("/my%20dav/"), RemoteId{});
  EXPECT_EQ(dav.id_of("/my%20dav"), RemoteId{});
  EXPECT_EQ(dav.id_of("/my%20dav/100%"), RemoteId{"100%"});
  EXPECT_EQ(dav.id_of("/my%20dav/a%252Fb"), RemoteId{"a%2Fb"});
  EXPECT_EQ(dav.id_of("/my%20dav/$'+!*,"), RemoteId{"$'+!*,"});
}

TEST(DavPaths, WhatLiesOutsideHasNoId) {
  const DavPaths dav = paths("https://cloud.example.com/dav/me");
  for (const char* href :
       {"/dav/you/a", "/dav", "/", "", "a", "/dav/me/../you", "/dav/me/%2e%2e/x", "/dav/me/a%2Fb",
        "/dav/me/a%00b", "/dav/men/a", "https://cloud.example.com"}) {
    EXPECT_EQ(dav.id_of(href), std::nullopt) << href;
  }
}

TEST(DavPaths, TheRootMayBeSpelledAsTheServerDoes) {
  const DavPaths dav = paths("https://cloud.example.com/Sites/my%20d%C3%A4v");
  for (const char* href : {"/sites/My%20D%C3%84v/A/b.txt", "/Sites/my%20da%CC%88v/A/b.txt"}) {
    EXPECT_EQ(dav.id_of(href), RemoteId{"A/b.txt"}) << href;
  }
  // Requests keep the spelling of the configuration, names below that of the server.
  EXPECT_EQ(dav.url({"A"}, NodeKind::kFile), "https://cloud.example.com/Sites/my%20d%C3%A4v/A");
  EXPECT_EQ(dav.id_of("/sites/my%20d%C3%A4v/a"), RemoteId{"a"});
  EXPECT_EQ(dav.id_of("/sites/my%20dav/a"), std::nullopt);
}

TEST(DavPaths, TheTopOfAServer) {
  const DavPaths dav = paths("http://127.0.0.1:81");
  EXPECT_EQ(dav.url({}, NodeKind::kFolder), "http://127.0.0.1:81/");
  EXPECT_EQ(dav.id_of("/"), RemoteId{});
  EXPECT_EQ(dav.id_of("/a"), RemoteId{"a"});
}

TEST(DavPaths, AddressesThatCannotBe) {
  for (const char* base :
       {"ftp://x/", "https://me:secret@x/", "https://x/?a=b", "https://x/a/../b"}) {
    EXPECT_FALSE(DavPaths::make(base)) << base;
  }
}

TEST(DavPaths, IdsFollowTheirFolder) {
  EXPECT_EQ(rebased({"a/b/c"}, {"a/b"}, {"x"}), RemoteId{"x/c"});
  EXPECT_EQ(rebased({"a/b"}, {"a/b"}, {"x/y"}), RemoteId{"x/y"});
  EXPECT_EQ(rebased({"a/bc"}, {"a/b"}, {"x"}), RemoteId{"a/bc"});
  EXPECT_EQ(parent_of({"a/b"}), RemoteId{"a"});
  EXPECT_EQ(parent_of({"a"}), RemoteId{});
  EXPECT_EQ(name_of({"a/b"}), "b");
  EXPECT_TRUE(is_within({"a/b"}, {"a"}));
  EXPECT_TRUE(is_within({"a"}, {}));
  EXPECT_FALSE(is_within({"ab"}, {"a"}));
}

}  // namespace
}  // namespace cabinetfs::webdav
