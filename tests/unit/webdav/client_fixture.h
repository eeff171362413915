#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "backend/webdav/webdav.h"
#include "tests/unit/kiteworks/scripted_http.h"

namespace cabinetfs {

// A store at https://dav.example.com/dav whose server is a script.
class WebDavClient : public ::testing::Test {
 protected:
  WebDavClient() { make({}); }
  void TearDown() override { EXPECT_EQ(http_.left(), 0u) << "answers that nobody asked for"; }

  void make(WebDavConfig config) {
    config.base_url = "https://dav.example.com/dav";
    config.user = "alice";
    config.lock_owner = "alice here";
    config.second_look = std::chrono::milliseconds(1);
    auto made = make_webdav_store(http_, config);
    ASSERT_TRUE(made) << to_string(made.error());
    store_ = *std::move(made);
  }
  static CallContext soon() { return CallContext::within(std::chrono::seconds(30)); }

  static std::string properties(const std::string& inside) {
    return "<D:propstat><D:prop>" + inside +
           "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>";
  }
  static std::string folder(const std::string& href) {
    return "<D:response><D:href>" + href + "</D:href>" +
           properties("<D:resourcetype><D:collection/></D:resourcetype>") + "</D:response>";
  }
  static std::string file(const std::string& href, std::size_t size,
                          const std::string& etag = "\"1\"", const std::string& more = "") {
    return "<D:response><D:href>" + href + "</D:href>" +
           properties("<D:resourcetype/><D:getcontentlength>" + std::to_string(size) +
                      "</D:getcontentlength>" +
                      (etag.empty() ? "" : "<D:getetag>" + etag + "</D:getetag>") + more) +
           "</D:response>";
  }
  static std::string multistatus(const std::string& responses) {
    return "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\">" + responses +
           "</D:multistatus>";
  }
  void found(const std::string& path, const std::string& responses) {
    http_.answer("PROPFIND /dav/" + path, 207, multistatus(responses));
  }
  void missing(const std::string& path) { http_.answer("PROPFIND /dav/" + path, 404, ""); }
  void root_is_there() { found("", folder("/dav/")); }

  Result<RemoteEntry> put(const std::string& content, const Validator& before = {},
                          bool fresh = false) {
    UploadTarget target;
    if (fresh) {
      target.name = "a";
    } else {
      target.file.value = "a";
    }
    target.before = before;
    return store_->put(soon(), target, as_bytes(content));
  }
  static std::string header(const ScriptedHttp::Seen& seen, const std::string& name) {
    for (const auto& [key, value] : seen.headers) {
      if (key == name) return value;
    }
    return "";
  }
  std::vector<std::string> seen_lines() {
    std::vector<std::string> out;
    for (const auto& seen : http_.take_seen()) out.push_back(seen.method + " " + seen.target);
    return out;
  }

  ScriptedHttp http_;
  std::unique_ptr<RemoteStore> store_;
};

template <class T>
ErrorCode code_of(const Result<T>& result) {
  return result ? static_cast<ErrorCode>(-1) : result.error().code;
}

}  // namespace cabinetfs
