#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cabinetfs {

struct PlainReply {
  int curl_code = 0;  // CURLcode; 0 is success
  int status = 0;
  std::string body;
  std::map<std::string, std::string> headers;  // names in lower case; repeated ones joined by ", "

  std::string header(const std::string& lower_case_name) const;  // empty if absent
};

// HTTP on libcurl and nothing of the project, for the tests of servers. Follows no redirects. One
// thread at a time.
class PlainHttp {
 public:
  using Headers = std::vector<std::string>;

  explicit PlainHttp(std::string url, std::string user = {}, std::string password = {},
                     std::string ca_pem = {});
  ~PlainHttp();
  PlainHttp(const PlainHttp&) = delete;
  PlainHttp& operator=(const PlainHttp&) = delete;

  // `path` as it goes on the line, below the URL; `body` is sent with its length for PUT, and for
  // others where it is not empty.
  PlainReply send(const std::string& method, const std::string& path, const Headers& headers = {},
                  std::string_view body = {});
  PlainReply get(const std::string& path, const Headers& headers = {}) {
    return send("GET", path, headers);
  }
  // Sends `size` as Content-Length and closes the connection after `body`.
  PlainReply put_and_hang_up(const std::string& path, std::string_view body, std::int64_t size);

  std::string bearer;  // instead of user and password
  bool fresh = false;  // a new connection for each request

 private:
  PlainReply perform(const std::string& path, const Headers& headers);

  const std::string url_, user_, password_, ca_pem_;
  void* curl_;
};

}  // namespace cabinetfs
