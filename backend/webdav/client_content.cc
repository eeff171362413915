// WebDavStore: downloads.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "backend/webdav/client.h"
#include "backend/webdav/quirks.h"

namespace cabinetfs {

using namespace webdav;

namespace {

// A broken transfer goes on where it broke, so often in a row.
constexpr int kResumes = 3;
constexpr std::size_t kCompared = 256u << 10;

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

// Checks an answer to a GET and hands its bytes on, exactly those that were asked for. Used by one
// thread at a time.
class RangeReceiver {
 public:
  // The wanted part of a content of `size` bytes. `validator` empty: only the size is checked.
  RangeReceiver(std::uint64_t offset, std::uint64_t length, std::uint64_t size,
                const Validator& validator, const RemoteStore::ByteSink& sink)
      : offset_(offset), length_(length), size_(size), validator_(validator), sink_(sink) {}

  bool on_headers(int status, const HttpHeaders& headers) {
    if (status < 200 || status > 299) return true;
    // Again after a broken attempt.
    skip_ = 0;
    whole_ = told_ = false;
    if (!validator_.empty()) {
      const auto fits =
          fits_validator(validator_, header(headers, "etag"), header(headers, "last-modified"));
      if (fits == false) {
        other_etag_ = true;
        return refuse(ErrorCode::kConflict, "another content than the one that was asked for");
      }
    }
    if (status == 206) {
      const std::string* const range = header(headers, "content-range");
      return range == nullptr ? refuse(ErrorCode::kCorrupt, "a part without Content-Range")
                              : check_range(*range);
    }
    // The whole content in spite of the range: skipped to where we want it.
    whole_ = true;
    skip_ = offset_;
    const std::string* const length = header(headers, "content-length");
    if (length != nullptr) {
      std::string_view text = *length;
      const auto told = take_number(text);
      if (told && text.empty()) {
        told_ = true;
        if (*told != size_) return other_size(*told);
      }
    }
    return true;
  }

  bool on_bytes(Bytes bytes) {
    received_ += bytes.size();
    const std::uint64_t skipped = std::min<std::uint64_t>(skip_, bytes.size());
    skip_ -= skipped;
    bytes = bytes.subspan(skipped);
    const std::uint64_t wanted = std::min<std::uint64_t>(length_ - delivered_, bytes.size());
    if (wanted > 0) {
      delivered_ += wanted;
      if (!sink_(bytes.first(wanted))) return refuse(ErrorCode::kCancelled, "the reader gave up");
    }
    // What follows the wanted part is not waited for, unless only its end tells whether this was
    // the content at all.
    if (whole_ && !told_) {
      return received_ <= size_ || refuse(ErrorCode::kConflict, "more bytes than there were");
    }
    return bytes.size() == wanted;
  }

  std::uint64_t delivered() const { return delivered_; }
  bool complete() const {
    return delivered_ == length_ && (!whole_ || told_ || received_ == size_);
  }
  bool whole() const { return whole_; }
  bool other_etag() const { return other_etag_; }
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
  const Validator& validator_;
  const RemoteStore::ByteSink& sink_;
  bool whole_ = false;
  bool told_ = false;
  bool other_etag_ = false;
  std::uint64_t skip_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t delivered_ = 0;
  std::optional<Error> verdict_;
};

}  // namespace

Result<void> WebDavStore::read_range(const CallContext& call, const ReadRequest& request,
                                     std::uint64_t& delivered, const ByteSink& sink) {
  const std::uint64_t offset = request.offset + delivered;
  const std::uint64_t length = request.length - delivered;
  const Validator expected = get_etags_differ_ ? Validator() : request.validator;
  RangeReceiver receiver(offset, length, request.size, expected, sink);
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
    return receiver.on_headers(status, headers);
  };
  http.sink = [&](Bytes bytes) { return receiver.on_bytes(bytes); };
  const Result<HttpResponse> response =
      api_.perform(call, std::move(http), request.file, NodeKind::kFile);
  delivered += receiver.delivered();
  const std::string where = fmt::format("{} offset={}", about("GET", request.file), offset);
  if (part && receiver.whole()) ranges_ignored_ = true;
  if (receiver.other_etag()) {
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
    // same validator and size. A server without ranges would send everything again.
    const bool broke = code == ErrorCode::kUnavailable || code == ErrorCode::kCorrupt;
    if (!broke || delivered == before || delivered == request.length || ranges_ignored_ ||
        ++failures > kResumes) {
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
