// KiteworksStore: downloads.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

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

std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return value;
}

bool take(std::string_view& text, std::string_view word) {
  if (text.substr(0, word.size()) != word) return false;
  text.remove_prefix(word.size());
  return true;
}

const std::string* header(const HttpHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

// Checks an answer to a ranged GET and hands its bytes on, exactly those that were asked for. Used
// by one thread at a time.
class RangeReceiver {
 public:
  // The wanted part of a content of `size` bytes.
  RangeReceiver(std::uint64_t offset, std::uint64_t length, std::uint64_t size,
                const RemoteStore::ByteSink& sink)
      : offset_(offset), length_(length), size_(size), sink_(sink) {}

  bool on_headers(int status, const HttpHeaders& headers) {
    if (status == 206) {
      const std::string* const range = header(headers, "content-range");
      return range == nullptr ? refuse(ErrorCode::kCorrupt, "a part without Content-Range")
                              : check_range(*range);
    }
    if (status < 200 || status > 299) return true;
    // The whole content in spite of the range: skipped to where we want it.
    skip_ = offset_;
    if (const std::string* const length = header(headers, "content-length")) {
      std::string_view text = *length;
      const auto told = take_number(text);
      if (told && text.empty() && *told != size_) return other_size(*told);
    }
    return true;
  }

  bool on_bytes(Bytes bytes) {
    const std::uint64_t skipped = std::min<std::uint64_t>(skip_, bytes.size());
    skip_ -= skipped;
    bytes = bytes.subspan(skipped);
    const std::uint64_t wanted = std::min<std::uint64_t>(length_ - delivered_, bytes.size());
    if (wanted > 0) {
      delivered_ += wanted;
      if (!sink_(bytes.first(wanted))) return refuse(ErrorCode::kCancelled, "the reader gave up");
    }
    // What follows the wanted part is not waited for.
    return bytes.size() == wanted;
  }

  std::uint64_t delivered() const { return delivered_; }
  bool complete() const { return delivered_ == length_; }
  const std::optional<Error>& verdict() const { return verdict_; }

 private:
  bool refuse(ErrorCode code, std::string why) {
    verdict_ = Error{code, std::move(why)};
    return false;
  }

  bool other_size(std::uint64_t told) {
    return refuse(ErrorCode::kConflict, fmt::format("{} bytes now, not {}", told, size_));
  }

  // "bytes 0-99/1234", the total may be "*".
  bool check_range(std::string_view text) {
    if (!take(text, "bytes ")) return refuse(ErrorCode::kCorrupt, "a strange Content-Range");
    const auto first = take_number(text);
    const bool dash = take(text, "-");
    const auto last = take_number(text);
    if (!first || !dash || !last || !take(text, "/")) {
      return refuse(ErrorCode::kCorrupt, "a strange Content-Range");
    }
    if (!take(text, "*")) {
      const auto total = take_number(text);
      if (!total) return refuse(ErrorCode::kCorrupt, "a strange Content-Range");
      if (*total != size_) return other_size(*total);
    }
    if (*first != offset_ || *last != offset_ + length_ - 1) {
      return refuse(ErrorCode::kCorrupt, fmt::format("bytes {}-{} instead of {}-{}", *first, *last,
                                                     offset_, offset_ + length_ - 1));
    }
    return true;
  }

  const std::uint64_t offset_;
  const std::uint64_t length_;
  const std::uint64_t size_;
  const RemoteStore::ByteSink& sink_;
  std::uint64_t skip_ = 0;
  std::uint64_t delivered_ = 0;
  std::optional<Error> verdict_;
};

}  // namespace

Result<void> KiteworksStore::read_range(const CallContext& call, const ReadRequest& request,
                                        std::uint64_t& delivered, const ByteSink& sink) {
  const std::uint64_t offset = request.offset + delivered;
  const std::uint64_t length = request.length - delivered;
  const std::string& version = request.version.value;
  RangeReceiver receiver(offset, length, request.size, sink);
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
    if (!broke || delivered == before || ++failures > kResumes) return part;
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
