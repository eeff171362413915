#include "tools/sandbox/kenesto/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <optional>

#include "tools/sandbox/kenesto/shared.h"

namespace cabinetfs::sandbox::kenesto {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kKeyId = "AKIASANDBOXSANDBOX00";

std::string time_text(std::int64_t seconds, const char* format) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[64] = {};
  std::strftime(text, sizeof text, format, &parts);
  return text;
}

Response error(int status, std::string_view code, std::string_view message) {
  return Response::text(
      status, "application/xml",
      fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}"
                  "</Message><RequestId>{}</RequestId></Error>",
                  code, message, random_hex(8)));
}

Response refused(std::string_view message) { return error(403, "AccessDenied", message); }

Response bad_signature() {
  return error(403, "SignatureDoesNotMatch",
               "The request signature we calculated does not match the signature you provided. "
               "Check your key and signing method.");
}

std::string signature_of(const Request& request) {
  auto found = request.arg("Signature");
  if (!found) found = request.arg("X-Amz-Signature");
  return found.value_or("");
}

Query query_of(const Settings& settings, const Presigned& presigned, const std::string& signature,
               std::int64_t now, std::int64_t lifetime) {
  Query out;
  const bool old = settings.signature == "v2";
  const std::string date = time_text(now, "%Y%m%dT%H%M%SZ");
  if (old) {
    out.emplace_back("AWSAccessKeyId", kKeyId);
    out.emplace_back("Expires", std::to_string(presigned.expires));
  } else {
    out.emplace_back("X-Amz-Algorithm", "AWS4-HMAC-SHA256");
    out.emplace_back("X-Amz-Credential",
                     fmt::format("{}/{}/us-east-1/s3/aws4_request", kKeyId, date.substr(0, 8)));
    out.emplace_back("X-Amz-Date", date);
    out.emplace_back("X-Amz-Expires", std::to_string(lifetime));
    out.emplace_back("X-Amz-SignedHeaders", presigned.upload ? "content-type;host" : "host");
  }
  if (!presigned.upload) {
    out.emplace_back("response-content-disposition",
                     fmt::format("attachment; filename=\"{}\"", presigned.file_name));
  }
  out.emplace_back(old ? "Signature" : "X-Amz-Signature", signature);
  return out;
}

// Something that opens the API, in a request that must not carry it.
bool has_credentials(const State& state, const Request& request) {
  for (const char* header : {"authorization", "cookie", "x-auth-token"}) {
    if (!request.header(header).empty()) return true;
  }
  if (request.arg("t") || request.arg("token") || request.arg("p")) return true;
  const auto is_secret = [&state](const std::string& text) {
    if (text.find(state.access_key) != std::string::npos) return true;
    return std::any_of(state.sessions.begin(), state.sessions.end(), [&text](const auto& entry) {
      return text.find(entry.first) != std::string::npos ||
             text.find(percent_encode(entry.first)) != std::string::npos;
    });
  };
  for (const auto& header : request.headers) {
    if (is_secret(header.second)) return true;
  }
  return std::any_of(request.query.begin(), request.query.end(),
                     [&](const auto& entry) { return is_secret(entry.second); });
}

// The URL that was given out, or the answer to a request that does not come from one.
Presigned* opened(State& state, const Request& request, bool upload, Response& refusal) {
  if (has_credentials(state, request)) {
    ++state.store_faults.credentials;
    refusal = error(400, "InvalidArgument",
                    "Only one auth mechanism allowed; only the Signature query string parameter "
                    "should be specified");
    return nullptr;
  }
  const auto found = state.presigned.find(signature_of(request));
  std::string path;
  for (const std::string& segment : request.segments) path += "/" + segment;
  if (found == state.presigned.end() || found->second.upload != upload ||
      found->second.path != path || found->second.query.size() != request.query.size() ||
      !std::is_permutation(request.query.begin(), request.query.end(),
                           found->second.query.begin())) {
    ++state.store_faults.bad_signature;
    refusal = bad_signature();
    return nullptr;
  }
  if (found->second.forced || found->second.expires * kTicksPerSecond <= state.now()) {
    ++state.store_faults.expired;
    refusal = refused("Request has expired");
    return nullptr;
  }
  return &found->second;
}

std::string etag(const Settings& settings, const Blob& blob) {
  if (settings.etag != "opaque") {
    const auto ready =
        settings.etag == "md5" ? std::optional(blob.hashes()) : blob.hashes_if_ready();
    if (ready) return fmt::format("\"{}\"", ready->md5);
  }
  // As for an object that was put in parts: no MD5 of anything that a client could compare.
  return fmt::format("\"{}-2\"",
                     stable_id(fmt::format("{}", static_cast<const void*>(&blob))).substr(0, 8));
}

// Why a PUT is not taken, or nothing. Its body need not have arrived. Under State::mutex.
std::optional<Response> put_refusal(State& state, const Settings& settings,
                                    const Request& request) {
  Response refusal;
  if (opened(state, request, true, refusal) == nullptr) return refusal;
  StoreFaults& faults = state.store_faults;
  if (!request.header("transfer-encoding").empty()) {
    ++faults.chunked;
    return error(501, "NotImplemented",
                 "A header you provided implies functionality that is not implemented");
  }
  const std::string_view length = request.header("content-length");
  if (length.empty()) {
    ++faults.no_length;
    return error(411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
  }
  if (request.header("content-type") != "multipart/form-data") {
    ++faults.content_type;
    return bad_signature();  // the type is part of what was signed
  }
  for (const auto& header : request.headers) {
    if (header.first == "content-md5" || header.first.rfind("x-amz-", 0) == 0) {
      ++faults.unsigned_headers;
      return bad_signature();
    }
  }
  if (std::strtoll(std::string(length).c_str(), nullptr, 10) > settings.put_max) {
    return error(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
  }
  return std::nullopt;
}

Response put(State& state, Request& request) {
  const auto settings = state.settings.get();
  std::shared_ptr<Blob> blob;
  {
    const std::lock_guard lock(state.mutex);
    if (auto refusal = put_refusal(state, *settings, request)) return *std::move(refusal);
    blob = request.raw->finish();
    state.uploads.at(state.presigned.at(signature_of(request)).key).blob = blob;
  }
  Response response;
  response.headers.emplace_back("ETag", etag(*settings, *blob));
  return response;
}

Response get(State& state, Request& request) {
  const auto settings = state.settings.get();
  std::shared_ptr<const Blob> blob;
  std::string name;
  {
    const std::lock_guard lock(state.mutex);
    Response refusal;
    const Presigned* presigned = opened(state, request, false, refusal);
    if (presigned == nullptr) return refusal;
    const Node* document = state.tree.document_of(presigned->key);
    if (document == nullptr || document->archived) {
      ++state.store_faults.missing;
      return error(404, "NoSuchKey", "The specified key does not exist.");
    }
    for (const Version& version : document->versions) {
      if (version.id == presigned->key) blob = version.blob;
    }
    name = presigned->file_name;
  }
  const std::string tag = etag(*settings, *blob);
  const std::string_view match = request.header("if-match");
  if (!match.empty() && match != tag) {
    return error(412, "PreconditionFailed", "At least one of the preconditions did not hold");
  }
  const std::string_view if_range = request.header("if-range");
  if (!settings->store_ranges || (!if_range.empty() && if_range != tag)) {
    request.headers.erase("range");
  }
  Response response = send_blob(request, std::move(blob), name);
  response.headers.emplace_back("ETag", tag);
  return response;
}

}  // namespace

std::string presign(State& state, const Settings& settings, const std::string& path, bool upload,
                    const std::string& key, const User& user, const std::string& file_name) {
  const std::int64_t lifetime = upload ? settings.upload_lifetime : settings.download_lifetime;
  const std::int64_t now = state.now() / kTicksPerSecond;
  Presigned presigned;
  presigned.path = path;
  presigned.upload = upload;
  presigned.key = key;
  presigned.user = user.email;
  presigned.file_name = file_name;
  presigned.expires = now + lifetime;
  const std::string signature = settings.signature == "v2" ? state.new_token(28) : random_hex(32);
  presigned.query = query_of(settings, presigned, signature, now, lifetime);
  std::string url = state.content_url + percent_encode(path, "-._~/");
  // A host alone, or with a port: that of something in front of the store.
  const std::string own = "127.0.0.1";
  if (const auto host = url.find(own); host != std::string::npos) {
    const bool port = settings.store_host.find(':') != std::string::npos;
    url.replace(host, port ? url.find('/', host) - host : own.size(), settings.store_host);
  }
  char separator = '?';
  for (const auto& [name, value] : presigned.query) {
    url += separator + percent_encode(name) + "=" + percent_encode(value);
    separator = '&';
  }
  state.presigned[signature] = std::move(presigned);
  return url;
}

std::string store_path(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  const auto slash = url.find('/', scheme + 3);
  if (slash == std::string_view::npos) return {};
  std::string_view path = url.substr(slash);
  path = path.substr(0, path.find('?'));
  return percent_decode(path, false);
}

void add_store_routes(State& state, Application& store) {
  store.api.add("PUT", "/kenesto-sandbox/Temp/{tenant}/{id}/{name}",
                [&state](Request& request) { return put(state, request); });
  store.api.add("GET", "/kenesto-sandbox/Customer%20Data/{tenant}/Files/{key}",
                [&state](Request& request) { return get(state, request); });
  store.takes_raw_body = [](const Request& request) { return request.method == "PUT"; };
  store.before_body = [&state](Request& request) -> std::optional<Response> {
    if (request.endpoint.rfind("PUT /", 0) != 0) return std::nullopt;
    const std::lock_guard lock(state.mutex);
    return put_refusal(state, *state.settings.get(), request);
  };
  store.identify = [&state](const Request& request) {
    const std::lock_guard lock(state.mutex);
    const auto found = state.presigned.find(signature_of(request));
    return found == state.presigned.end() ? std::string() : found->second.user;
  };
  store.not_routed = [&state](Router::Found) {
    const std::lock_guard lock(state.mutex);
    ++state.store_faults.bad_signature;
    return refused("Access Denied");
  };
  store.throttled = [] { return error(503, "SlowDown", "Please reduce your request rate."); };
  store.failed = [](const std::string& what) {
    fmt::print(stderr, "cabinetfs-sandbox: {}\n", what);
    return error(500, "InternalError", "We encountered an internal error. Please try again.");
  };
}

}  // namespace cabinetfs::sandbox::kenesto
