#include "backend/kiteworks/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <random>

#include "backend/http/http_url.h"
#include "backend/kiteworks/quirks.h"

namespace cabinetfs::kiteworks {
namespace {

HttpHeaders version_headers(const KiteworksConfig& config) {
  HttpHeaders headers = {{"X-Accellion-Version", config.api_version}};
  // The vendor's documents disagree about the name; both mean the same.
  if (config.both_version_headers) headers.emplace_back("X-Kiteworks-Version", config.api_version);
  headers.emplace_back("Accept", "application/json");
  return headers;
}

// 128 random bits: it does not occur in the content.
std::string make_boundary() {
  std::random_device random;
  std::string boundary = "cabinetfs-";
  for (int i = 0; i < 4; ++i) boundary += fmt::format("{:08x}", random());
  return boundary;
}

// As browsers do it (HTML, multipart/form-data).
std::string quoted(const std::string& filename) {
  std::string out = replace_all(filename, "\"", "%22");
  out = replace_all(std::move(out), "\r", "%0D");
  return replace_all(std::move(out), "\n", "%0A");
}

}  // namespace

std::string path_of(std::string_view before, const std::string& id, std::string_view after) {
  return fmt::format("{}{}{}", before, percent_encode(id), after);
}

std::string object_path(NodeKind kind, const RemoteId& id, std::string_view after) {
  return path_of(kind == NodeKind::kFile ? "/rest/files/" : "/rest/folders/", id.value, after);
}

bool is_decimal_id(std::string_view id) {
  // 18 digits fit into every integer; JSON has no leading zeros.
  return !id.empty() && id.size() <= 18 && (id == "0" || id.front() != '0') &&
         std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Api::Api(HttpClient& http, const KiteworksConfig& config, std::string base_url)
    : http_(http), base_url_(std::move(base_url)), headers_(version_headers(config)) {}

std::string Api::url(const std::string& path, const Query& query) const {
  std::string out = base_url_ + path;
  char separator = '?';
  for (const auto& [name, value] : query) {
    out += separator;
    out += percent_encode(name);
    out += '=';
    out += percent_encode(value);
    separator = '&';
  }
  return out;
}

HttpRequest Api::start(const ApiRequest& request) const {
  HttpRequest http;
  http.method = request.method;
  http.url = url(request.path, request.query);
  http.label = request.label;
  http.idempotent = request.idempotent;
  http.max_body = request.max_body;
  http.stall_timeout = request.stall_timeout;
  return http;
}

Result<HttpResponse> Api::perform(const CallContext& call, HttpRequest request) const {
  request.headers.insert(request.headers.end(), headers_.begin(), headers_.end());
  return http_.perform(call, std::move(request));
}

ApiResult<HttpResponse> Api::finish(const CallContext& call, HttpRequest http,
                                    const ApiRequest& request) const {
  Result<HttpResponse> response = perform(call, std::move(http));
  if (!response) {
    ApiFailure lost;
    lost.code = response.error().code;
    lost.context = fmt::format("{} {}: {}", request.label, request.about, response.error().context);
    return tl::unexpected<ApiFailure>(std::move(lost));
  }
  if (response->status < 200 || response->status > 299) {
    return tl::unexpected<ApiFailure>(failure(*response, request.label, request.about));
  }
  if (response->status != 207 && !request.in_parts && names_errors(*response)) {
    return tl::unexpected<ApiFailure>(failure(*response, request.label, request.about));
  }
  // A page of something in between (a portal, a filter): nobody knows whether the server was asked.
  const std::string* const type = response->find("content-type");
  if (type != nullptr && ascii_lower(*type).find("html") != std::string::npos) {
    ApiFailure page;
    page.code = ErrorCode::kUnavailable;
    page.context =
        fmt::format("{} {}: a web page instead of an answer", request.label, request.about);
    return tl::unexpected<ApiFailure>(std::move(page));
  }
  return *std::move(response);
}

ApiFailure Api::failure(const HttpResponse& response, const std::string& label,
                        const std::string& about) const {
  ApiFailure failed;
  failed.wire = parse_error(response);
  failed.code = error_code(failed.wire);
  failed.context = fmt::format("{} {}: {}", label, about, response.status);
  for (const std::string* part : {&failed.wire.code, &failed.wire.field, &failed.wire.message}) {
    if (!part->empty()) failed.context += " " + *part;
  }
  if (failed.code == ErrorCode::kNameTooLong && failed.wire.field != "name" &&
      failed.wire.field != "filename" && failed.wire.field != "newFileName" &&
      !failed.wire.field.empty()) {
    failed.code = ErrorCode::kInvalid;
  }
  return failed;
}

ApiResult<HttpResponse> Api::send(const CallContext& call, const ApiRequest& request) const {
  HttpRequest http = start(request);
  if (!request.json.empty()) {
    http.headers.emplace_back("Content-Type", "application/json");
    http.body = HttpBody::from_string(request.json);
  }
  return finish(call, std::move(http), request);
}

ApiResult<HttpResponse> Api::post_form(
    const CallContext& call, const ApiRequest& request,
    const std::vector<std::pair<std::string, std::string>>& fields, const FormFile& file) const {
  const std::string boundary = make_boundary();
  std::string head;
  for (const auto& [name, value] : fields) {
    head += fmt::format("--{}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n",
                        boundary, name, value);
  }
  head += fmt::format(
      "--{}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\n"
      "Content-Type: application/octet-stream\r\n\r\n",
      boundary, file.field, quoted(file.filename));
  HttpRequest http = start(request);
  http.headers.emplace_back("Content-Type", "multipart/form-data; boundary=" + boundary);
  std::vector<HttpBody> parts;
  parts.push_back(HttpBody::from_string(std::move(head)));
  if (!file.content.empty()) parts.push_back(HttpBody::from_bytes(file.content));
  parts.push_back(HttpBody::from_string(fmt::format("\r\n--{}--\r\n", boundary)));
  http.body = HttpBody::concat(std::move(parts));
  return finish(call, std::move(http), request);
}

Result<std::string> Api::upload_path(const std::string& address) const {
  std::string path = address;
  if (path.find("://") != std::string::npos) {
    TRY_ASSIGN(const HttpUrl target, parse_http_url(path));
    TRY_ASSIGN(const HttpUrl own, parse_http_url(base_url_));
    if (target.origin() != own.origin()) {
      return fail(ErrorCode::kDenied, "the server sent an upload address on another host");
    }
    path = target.target;
  }
  if (path.empty() || path.front() != '/') path.insert(path.begin(), '/');
  bool good = path.size() > 1 && path.size() < 1024 && path.find("//") == std::string::npos &&
              path.find("/rest/uploads/") != std::string::npos;
  for (const std::string& part : split(path, '/')) good = good && part != "." && part != "..";
  for (const char c : path) {
    good = good && ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                    c == '/' || c == '-' || c == '_' || c == '.' || c == '~');
  }
  if (!good) return fail(ErrorCode::kDenied, "the server sent an upload address of a strange form");
  return path;
}

void JsonText::text(std::string_view value) {
  valid_ = valid_ && is_valid_utf8(value);
  out_ += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else if (byte < 0x20) {
      out_ += fmt::format("\\u{:04x}", byte);
    } else {
      out_ += c;
    }
  }
  out_ += '"';
}

void JsonText::key(std::string_view name) {
  if (out_.size() > 1) out_ += ',';
  text(name);
  out_ += ':';
}

JsonText& JsonText::add(std::string_view name, std::string_view value) {
  key(name);
  text(value);
  return *this;
}

JsonText& JsonText::add(std::string_view name, std::uint64_t value) {
  key(name);
  out_ += std::to_string(value);
  return *this;
}

JsonText& JsonText::add(std::string_view name, bool value) {
  key(name);
  out_ += value ? "true" : "false";
  return *this;
}

JsonText& JsonText::add(std::string_view name, const std::vector<std::string>& values) {
  key(name);
  out_ += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out_ += ',';
    text(values[i]);
  }
  out_ += ']';
  return *this;
}

void JsonText::id(const std::string& value, bool numeric) {
  if (numeric && is_decimal_id(value)) {
    out_ += value;
  } else {
    text(value);
  }
}

JsonText& JsonText::add_id(std::string_view name, const std::string& value, bool numeric) {
  key(name);
  id(value, numeric);
  return *this;
}

JsonText& JsonText::add_ids(std::string_view name, const std::vector<std::string>& values,
                            bool numeric) {
  key(name);
  out_ += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out_ += ',';
    id(values[i], numeric);
  }
  out_ += ']';
  return *this;
}

Result<std::string> JsonText::take() {
  if (!valid_) return fail(ErrorCode::kInvalid, "text that is not UTF-8 cannot be sent");
  return std::move(out_ += '}');
}

}  // namespace cabinetfs::kiteworks
