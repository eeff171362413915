#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "backend/base/call.h"
#include "backend/base/result.h"
#include "backend/http/http_client.h"
#include "backend/kiteworks/config.h"
#include "backend/kiteworks/wire.h"

namespace cabinetfs::kiteworks {

// Names and values as they are; encoded when the URL is made.
using Query = std::vector<std::pair<std::string, std::string>>;

// An Error together with what the server said, for those who decide by the vendor's code. Slices
// into a plain Error in TRY.
struct ApiFailure : Error {
  WireError wire;  // status 0: no answer came
};
template <class T>
class [[nodiscard]] ApiResult : public tl::expected<T, ApiFailure> {
 public:
  using tl::expected<T, ApiFailure>::expected;
};

struct ApiRequest {
  std::string method = "GET";
  std::string path;  // encoded, begins with '/'
  Query query;
  std::string json;   // the body, or empty
  std::string label;  // "GET /rest/files/{id}"
  std::string about;  // what it is about, for messages: "id=..."
  bool idempotent = true;
  bool in_parts = false;  // of several objects: errors in a 2xx answer are the caller's to read
  std::size_t max_body = 16u << 20;
  std::chrono::milliseconds stall_timeout{0};  // as in HttpRequest
};

// A file in a multipart body, after the plain fields.
struct FormFile {
  std::string field;
  std::string filename;
  Bytes content;  // outlives the request
};

// Requests of the REST API: version headers, encoding, and errors as the vendor means them.
// Stateless, thread safe.
class Api {
 public:
  // `base_url` without a slash at the end.
  Api(HttpClient& http, const KiteworksConfig& config, std::string base_url);

  // A 2xx answer, or why not.
  ApiResult<HttpResponse> send(const CallContext& call, const ApiRequest& request) const;
  ApiResult<HttpResponse> post_form(const CallContext& call, const ApiRequest& request,
                                    const std::vector<std::pair<std::string, std::string>>& fields,
                                    const FormFile& file) const;
  // For transfers that set up their own request; headers are added.
  Result<HttpResponse> perform(const CallContext& call, HttpRequest request) const;
  ApiFailure failure(const HttpResponse& response, const std::string& label,
                     const std::string& about) const;
  std::string url(const std::string& path, const Query& query) const;

  // Where chunks of an upload go, checked to be on our own host: the path with a slash in front.
  // kDenied for any other place. `address` is what the server or a stored session says.
  Result<std::string> upload_path(const std::string& address) const;

 private:
  HttpRequest start(const ApiRequest& request) const;
  ApiResult<HttpResponse> finish(const CallContext& call, HttpRequest http,
                                 const ApiRequest& request) const;

  HttpClient& http_;
  const std::string base_url_;
  const HttpHeaders headers_;
};

// "/rest/files/{id}/content" with the id encoded.
std::string path_of(std::string_view before, const std::string& id, std::string_view after = {});
// "/rest/files" or "/rest/folders" and the id.
std::string object_path(NodeKind kind, const RemoteId& id, std::string_view after = {});

// Such ids look like numbers, which is not to say that the server wrote them so.
bool is_decimal_id(std::string_view id);

// The text of a JSON object with these members, which must be UTF-8 (kInvalid).
class JsonText {
 public:
  JsonText& add(std::string_view key, std::string_view value);
  JsonText& add(std::string_view key, const char* value) {
    return add(key, std::string_view(value));
  }
  JsonText& add(std::string_view key, std::uint64_t value);
  JsonText& add(std::string_view key, bool value);
  JsonText& add(std::string_view key, const std::vector<std::string>& values);
  // Ids as the server writes them: text, or the number that a decimal id was read from.
  JsonText& add_id(std::string_view key, const std::string& id, bool numeric);
  JsonText& add_ids(std::string_view key, const std::vector<std::string>& ids, bool numeric);
  Result<std::string> take();

 private:
  void key(std::string_view name);
  void text(std::string_view value);
  void id(const std::string& value, bool numeric);
  std::string out_ = "{";
  bool valid_ = true;
};

}  // namespace cabinetfs::kiteworks
