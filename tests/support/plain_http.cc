#include "tests/support/plain_http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace cabinetfs {
namespace {

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* out) {
  static_cast<std::string*>(out)->append(data, size * count);
  return size * count;
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* out) {
  const std::string_view line(data, size * count);
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return size * count;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto begin = line.find_first_not_of(' ', colon + 1);
  const auto end = line.find_last_not_of("\r\n");
  auto& headers = *static_cast<std::map<std::string, std::string>*>(out);
  std::string value;
  if (begin != std::string_view::npos && begin <= end) value = line.substr(begin, end - begin + 1);
  std::string& known = headers[name];
  known = known.empty() ? value : known + ", " + value;
  return size * count;
}

struct Source {
  std::string_view left;
  bool then_fail = false;
};

std::size_t give_body(char* buffer, std::size_t size, std::size_t count, void* from) {
  auto& source = *static_cast<Source*>(from);
  const std::size_t n = std::min(size * count, source.left.size());
  if (n == 0) return source.then_fail ? CURL_READFUNC_ABORT : 0;
  std::memcpy(buffer, source.left.data(), n);
  source.left.remove_prefix(n);
  return n;
}

}  // namespace

std::string PlainReply::header(const std::string& lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? std::string() : found->second;
}

PlainHttp::PlainHttp(std::string url, std::string user, std::string password, std::string ca_pem)
    : url_(std::move(url)),
      user_(std::move(user)),
      password_(std::move(password)),
      ca_pem_(std::move(ca_pem)),
      curl_(curl_easy_init()) {
  if (curl_ == nullptr) throw std::runtime_error("curl_easy_init");
}

PlainHttp::~PlainHttp() { curl_easy_cleanup(curl_); }

PlainReply PlainHttp::perform(const std::string& path, const Headers& headers) {
  PlainReply reply;
  // curl asks for "100 Continue" before a large body; with it, a test would wait a second where the
  // server says nothing.
  curl_slist* list = nullptr;
  bool expects = false;
  for (const std::string& header : headers) {
    expects |= header.rfind("Expect", 0) == 0;
    list = curl_slist_append(list, header.c_str());
  }
  if (!expects) list = curl_slist_append(list, "Expect:");
  curl_easy_setopt(curl_, CURLOPT_URL, (url_ + path).c_str());
  curl_easy_setopt(curl_, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl_, CURLOPT_NOPROXY, "*");
  if (!bearer.empty()) {
    curl_easy_setopt(curl_, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(curl_, CURLOPT_XOAUTH2_BEARER, bearer.c_str());
  } else if (!user_.empty()) {
    curl_easy_setopt(curl_, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(curl_, CURLOPT_USERNAME, user_.c_str());
    curl_easy_setopt(curl_, CURLOPT_PASSWORD, password_.c_str());
  }
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &take_body);
  curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &reply.body);
  curl_easy_setopt(curl_, CURLOPT_HEADERFUNCTION, &take_header);
  curl_easy_setopt(curl_, CURLOPT_HEADERDATA, &reply.headers);
  curl_easy_setopt(curl_, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
  curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl_, CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(curl_, CURLOPT_BUFFERSIZE, 512L * 1024);
  curl_easy_setopt(curl_, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
  if (!ca_pem_.empty()) {
    curl_blob blob{const_cast<char*>(ca_pem_.data()), ca_pem_.size(), CURL_BLOB_COPY};
    curl_easy_setopt(curl_, CURLOPT_CAINFO_BLOB, &blob);
  }
  reply.curl_code = curl_easy_perform(curl_);
  long status = 0;
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  curl_slist_free_all(list);
  // The connection stays, the options go.
  curl_easy_reset(curl_);
  return reply;
}

PlainReply PlainHttp::send(const std::string& method, const std::string& path,
                           const Headers& headers, std::string_view body) {
  Source source{body, false};
  if (method == "HEAD") {
    curl_easy_setopt(curl_, CURLOPT_NOBODY, 1L);
  } else if (method == "PUT") {
    curl_easy_setopt(curl_, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl_, CURLOPT_READFUNCTION, &give_body);
    curl_easy_setopt(curl_, CURLOPT_READDATA, &source);
    curl_easy_setopt(curl_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(body.size()));
  } else if (!body.empty() || method == "POST") {
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl_, CURLOPT_COPYPOSTFIELDS, body.data() == nullptr ? "" : body.data());
  }
  if (method != "HEAD") curl_easy_setopt(curl_, CURLOPT_CUSTOMREQUEST, method.c_str());
  return perform(path, headers);
}

PlainReply PlainHttp::put_and_hang_up(const std::string& path, std::string_view body,
                                      std::int64_t size) {
  Source source{body, true};
  curl_easy_setopt(curl_, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl_, CURLOPT_READFUNCTION, &give_body);
  curl_easy_setopt(curl_, CURLOPT_READDATA, &source);
  curl_easy_setopt(curl_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(size));
  return perform(path, {});
}

}  // namespace cabinetfs
