#include "backend/http/redact.h"

#include <gtest/gtest.h>

namespace cabinetfs {
namespace {

TEST(Redact, Urls) {
  EXPECT_EQ(redact_url("https://u:hush@h/p?code=hush&state=s&X-Amz-Signature=hush&n=1#token=hush"),
            "https://h/p?code=***&state=s&X-Amz-Signature=***&n=1#token=***");
  EXPECT_EQ(redact_url("/a?client_secret=hush;b=2"), "/a?client_secret=***;b=2");
  EXPECT_EQ(redact_url("https://h/a?errorcode=7"), "https://h/a?errorcode=7");
}

TEST(Redact, Headers) {
  EXPECT_EQ(redact_header("Authorization", "Bearer hush"), "***");
  EXPECT_EQ(redact_header("set-cookie", "a=hush"), "***");
  EXPECT_EQ(redact_header("X-Session-Token", "hush"), "***");
  EXPECT_EQ(redact_header("location", "/cb?code=hush"), "/cb?code=***");
  EXPECT_EQ(redact_header("Content-Type", "text/plain"), "text/plain");
}

TEST(Redact, BodiesAndText) {
  EXPECT_EQ(redact_text("grant_type=refresh_token&refresh_token=hush&client_secret=hush"),
            "grant_type=refresh_token&refresh_token=***&client_secret=***");
  EXPECT_EQ(redact_text(R"({"access_token": "hu\"sh", "expires_in": 3600, "error": "x"})"),
            R"({"access_token": "***", "expires_in": 3600, "error": "x"})");
  EXPECT_EQ(redact_text("assertion=a.b.c&x=1"), "assertion=***&x=1");
  EXPECT_EQ(redact_text("sent Authorization: Bearer hush, then"),
            "sent Authorization: Bearer ***, then");
  EXPECT_EQ(redact_text("got Basic aHVzaA== back"), "got Basic *** back");
  EXPECT_EQ(redact_text("{'password': 'hush"), "{'password': '***");
  EXPECT_EQ(redact_text("code: ERR_ACCESS_USER"), "code: ***");
  EXPECT_EQ(redact_text(R"({"token": ["hush", "hush"], "n": 1})"), R"({"token": ***, "n": 1})");
  EXPECT_EQ(redact_text(R"({"token": {"v": "hu}\"sh", "w": ["hush"]}, "n": 1})"),
            R"({"token": ***, "n": 1})");
  EXPECT_EQ(redact_text(R"(token=[{'v': 'hu]sh'}]&n=1)"), "token=***&n=1");
  EXPECT_EQ(redact_text(R"({"token": [["hush")"), R"({"token": ***)");
  EXPECT_EQ(redact_text("nothing to hide here"), "nothing to hide here");
}

TEST(Redact, WhatKenestoPutsIntoItsAddresses) {
  EXPECT_EQ(redact_url("https://k.example.com/KDocuments.svc/CheckOut?t=a%2Bb%3D&did=1"),
            "https://k.example.com/KDocuments.svc/CheckOut?t=***&did=1");
  EXPECT_EQ(redact_url("https://k.example.com/Access.svc/Authenticate/json/hush?u=me&p=hush"),
            "https://k.example.com/Access.svc/Authenticate/json/***?u=***&p=***");
  EXPECT_EQ(redact_url("https://k.example.com/access.svc/authenticate/JSON/hush/x"),
            "https://k.example.com/access.svc/authenticate/JSON/***/x");
  EXPECT_EQ(redact_text(R"({"ViewerUrl":"http://h/v?token=aHVzaA==&x=1","AccessUrl":"https://s/x",)"
                        R"("ExternalToken":"hush","ThumbnailUrl":"https://s/t"})"),
            R"({"ViewerUrl":"***","AccessUrl":"***","ExternalToken":"***","ThumbnailUrl":"***"})");
}

TEST(Redact, SurvivesOddInput) {
  for (const char* text :
       {"", "token", "token=", "token:", "\"token\":", "token=\"", "Bearer", "Bearer ",
        "token=\"a\\", "=&?:;", "token=[", "token={\"", "token=]}", "token=[\"\\"}) {
    EXPECT_LE(redact_text(text).size(), std::string_view(text).size() + 4) << text;
    EXPECT_LE(redact_url(text).size(), std::string_view(text).size() + 4) << text;
  }
}

}  // namespace
}  // namespace cabinetfs
