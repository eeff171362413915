// KiteworksStore: downloads.

#include <fmt/format.h>

#include <algorithm>

#include "backend/http/range_receiver.h"
#include "backend/kiteworks/bulk_zip.h"
#include "backend/kiteworks/client.h"
#include "backend/kiteworks/quirks.h"

namespace cabinetfs {

using namespace kiteworks;

namespace {

// A broken transfer goes on where it broke, so often in a row.
constexpr int kResumes = 3;
// Below it, a connection of its own costs more than it brings.
constexpr std::uint64_t kOwnConnection = 256u << 10;

}  // namespace

Result<void> KiteworksStore::read_range(const CallContext& call, const ReadRequest& request,
                                        std::uint64_t& delivered, const ByteSink& sink) {
  const std::uint64_t offset = request.offset + delivered;
  const std::uint64_t length = request.length - delivered;
  const std::string& version = request.version.value;
  RangeReceiver receiver({.offset = offset, .length = length, .size = request.size}, sink);
  HttpRequest http;
  http.label = version.empty() ? "GET /rest/files/{id}/content"
                               : "GET /rest/files/{id}/versions/{id}/content";
  http.url = api_.url(
      object_path(NodeKind::kFile, request.file,
                  version.empty() ? "/content" : path_of("/versions/", version, "/content")),
      {});
  if (length != request.size) {
    http.headers.emplace_back("Range", fmt::format("bytes={}-{}", offset, offset + length - 1));
  }
  http.idempotent = true;
  http.own_connection = length >= kOwnConnection;
  http.max_body = 64u << 10;  // of a refusal
  http.on_headers = [&](int status, const HttpHeaders& headers) {
    return receiver.on_headers(status, headers);
  };
  http.sink = [&](Bytes bytes) { return receiver.on_bytes(bytes); };
  const std::string where =
      fmt::format("{} id={} offset={}", http.label, request.file.value, offset);
  const Result<HttpResponse> response = api_.perform(call, std::move(http));
  if (response) receiver.finish();
  delivered += receiver.delivered();
  if (const auto& verdict = receiver.verdict()) {
    return fail(verdict->code, where + ": " + verdict->context);
  }
  if (receiver.complete()) return {};
  if (!response) return fail(response.error().code, where + ": " + response.error().context);
  if (response->status < 200 || response->status > 299) {
    return fail(explain(call, request.file, api_.failure(*response, where, "")));
  }
  return fail(ErrorCode::kCorrupt,
              fmt::format("{}: {} bytes of {}", where, receiver.delivered(), length));
}

Result<void> KiteworksStore::read(const CallContext& call, const ReadRequest& request,
                                  const ByteSink& sink) {
  if (request.offset > request.size || request.length > request.size - request.offset) {
    return fail(ErrorCode::kInvalid, fmt::format("read id={}: beyond the end", request.file.value));
  }
  std::uint64_t delivered = 0;
  int failures = 0;
  while (delivered < request.length) {
    const std::uint64_t before = delivered;
    const Result<void> part = read_range(call, request, delivered, sink);
    if (part) break;
    const ErrorCode code = part.error().code;
    // A transfer that brought something and broke: the rest is asked for. Whether the file changed
    // in between is no different from a file that changes between two ranges; the size is checked
    // every time.
    const bool broke = code == ErrorCode::kUnavailable || code == ErrorCode::kCorrupt;
    if (!broke || delivered == before || delivered == request.length || ++failures > kResumes) {
      return part;
    }
  }
  return {};
}

Result<void> KiteworksStore::read_many(
    const CallContext& call, const std::vector<RemoteEntry>& files,
    const std::function<void(const RemoteId&, std::string content)>& on_file) {
  if (config_.bulk_read_max == 0) return RemoteStore::read_many(call, files, on_file);
  if (files.size() > config_.bulk_read_max) {
    return fail(ErrorCode::kInvalid, fmt::format("bulk read of {} files", files.size()));
  }
  ZipMatcher matcher(files, kBulkBytes);
  if (matcher.ids().empty()) return {};
  ApiRequest request;
  request.path = "/rest/files/actions/zip";
  std::string ids;
  for (const RemoteId& id : matcher.ids()) ids += (ids.empty() ? "" : ",") + id.value;
  request.query = {{"fileId:in", ids}};
  request.label = "GET /rest/files/actions/zip";
  request.about = fmt::format("{} files", matcher.ids().size());
  request.max_body = matcher.max_archive();
  TRY_ASSIGN(const HttpResponse response, api_.send(call, request));
  return matcher.deliver(as_bytes(response.body), on_file);
}

}  // namespace cabinetfs
