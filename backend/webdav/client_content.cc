// WebDavStore: downloads.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "backend/http/range_receiver.h"
#include "backend/webdav/client.h"
#include "backend/webdav/quirks.h"

namespace cabinetfs {

using namespace webdav;

namespace {

// A broken transfer goes on where it broke, so often in a row.
constexpr int kResumes = 3;
constexpr std::size_t kCompared = 256u << 10;

}  // namespace

Result<void> WebDavStore::read_range(const CallContext& call, const ReadRequest& request,
                                     std::uint64_t& delivered, const ByteSink& sink) {
  const std::uint64_t offset = request.offset + delivered;
  const std::uint64_t length = request.length - delivered;
  const std::string where = fmt::format("{} offset={}", about("GET", request.file), offset);
  // What stands before the part would come along.
  bool skips = request.part_only && offset > 0 && ranges_ignored_;
  const auto whole_only = [&] {
    return fail(ErrorCode::kNotSupported, where + ": the server sends whole contents only");
  };
  if (skips) return whole_only();
  const Validator expected = get_etags_differ_ ? Validator() : request.validator;
  bool other_etag = false;
  WantedRange wanted{.offset = offset, .length = length, .size = request.size};
  wanted.check = [&](const HttpHeaders& headers) -> std::optional<Error> {
    if (expected.empty() || fits_validator(expected, find_header(headers, "etag"),
                                           find_header(headers, "last-modified")) != false) {
      return std::nullopt;
    }
    other_etag = true;
    return Error{ErrorCode::kConflict, "another content than the one that was asked for"};
  };
  RangeReceiver receiver(std::move(wanted), sink);
  HttpRequest http;
  http.method = "GET";
  // Proxies that compress on the way also change the ETag.
  http.headers.emplace_back("Accept-Encoding", "identity");
  const bool part = length != request.size;
  if (part) {
    http.headers.emplace_back("Range", fmt::format("bytes={}-{}", offset, offset + length - 1));
  }
  http.idempotent = true;
  http.own_connection = length >= kOwnConnection;
  http.max_body = 64u << 10;  // of a refusal
  http.on_headers = [&](int status, const HttpHeaders& headers) {
    if (!receiver.on_headers(status, headers)) return false;
    // Without a length it may be a page of something in between; then the end tells.
    if (part && receiver.whole() && find_header(headers, "content-length") != nullptr) {
      ranges_ignored_ = true;
      skips = request.part_only && offset > 0;
    }
    return !skips;
  };
  http.sink = [&](Bytes bytes) { return receiver.on_bytes(bytes); };
  const Result<HttpResponse> response =
      api_.perform(call, std::move(http), request.file, NodeKind::kFile);
  if (response) receiver.finish();
  delivered += receiver.delivered();
  if (skips) return whole_only();
  if (part && receiver.whole() && receiver.complete()) ranges_ignored_ = true;
  if (other_etag) {
    // Or this server writes the ETag of a GET in another way than the property. The property
    // decides, once.
    TRY_ASSIGN(const auto now, look(call, request.file));
    if (now && now->validator == request.validator) {
      get_etags_differ_ = true;
      return read_range(call, request, delivered, sink);
    }
  }
  if (const auto& verdict = receiver.verdict()) {
    return fail(verdict->code, where + ": " + verdict->context);
  }
  if (receiver.complete()) return {};
  if (!response) return fail(response.error().code, where + ": " + response.error().context);
  if (response->status == 404 || response->status == 410) return fail(gone(call, where));
  if (response->status < 200 || response->status > 299) {
    return fail(api_.failure(*response, "GET", request.file));
  }
  return fail(ErrorCode::kCorrupt,
              fmt::format("{}: {} bytes of {}", where, receiver.delivered(), length));
}

Result<void> WebDavStore::get(const CallContext& call, const ReadRequest& request,
                              const ByteSink& sink) {
  std::uint64_t delivered = 0;
  int failures = 0;
  while (delivered < request.length) {
    const std::uint64_t before = delivered;
    const Result<void> part = read_range(call, request, delivered, sink);
    if (part) break;
    const ErrorCode code = part.error().code;
    // A transfer that brought something and broke: the rest is asked for, and checked against the
    // same validator and size. A server without ranges sends everything again, which is worth it
    // where that is what is wanted.
    const bool broke = code == ErrorCode::kUnavailable || code == ErrorCode::kCorrupt;
    if (!broke || delivered == before || delivered == request.length ||
        (ranges_ignored_ && request.offset > 0) || ++failures > kResumes) {
      return part;
    }
  }
  return {};
}

Result<void> WebDavStore::read(const CallContext& call, const ReadRequest& request,
                               const ByteSink& sink) {
  if (!request.version.empty()) {
    return fail(ErrorCode::kNotSupported, about("GET", request.file) + ": no old versions here");
  }
  if (request.offset > request.size || request.length > request.size - request.offset) {
    return fail(ErrorCode::kInvalid, about("GET", request.file) + ": beyond the end");
  }
  return get(call, request, sink);
}

Result<WebDavStore::Match> WebDavStore::compare(const CallContext& call, const RemoteEntry& theirs,
                                                const ContentSource& ours) {
  if (theirs.size > ours.size) return Match::kOther;
  std::vector<std::byte> buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(kCompared, theirs.size)));
  std::uint64_t at = 0;
  bool other = false;
  bool readable = true;
  const Result<void> done =
      get(call, {theirs.id, {}, 0, theirs.size, theirs.size, theirs.validator}, [&](Bytes bytes) {
        while (!bytes.empty()) {
          const Bytes part = bytes.first(std::min(bytes.size(), buffer.size()));
          const MutableBytes own = MutableBytes(buffer).first(part.size());
          readable = ours.read(at, own);
          other = !readable || std::memcmp(own.data(), part.data(), part.size()) != 0;
          if (other) return false;
          at += part.size();
          bytes = bytes.subspan(part.size());
        }
        return true;
      });
  if (!readable) return fail(ErrorCode::kIo, "the content to upload cannot be read");
  if (other) return Match::kOther;
  if (!done) return fail(done.error());
  return theirs.size == ours.size ? Match::kSame : Match::kBeginning;
}

}  // namespace cabinetfs
