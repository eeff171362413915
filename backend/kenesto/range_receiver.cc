#include "backend/kenesto/range_receiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace cabinetfs::kenesto {
namespace {

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

}  // namespace

bool RangeReceiver::refuse(ErrorCode code, std::string why) {
  verdict_ = Error{code, std::move(why)};
  return false;
}

bool RangeReceiver::on_headers(int status, const HttpHeaders& headers) {
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
    if (told && text.empty() && *told != size_) {
      return refuse(ErrorCode::kCorrupt,
                    fmt::format("the store holds {} bytes, not {}", *told, size_));
    }
  }
  return true;
}

bool RangeReceiver::on_bytes(Bytes bytes) {
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

// "bytes 0-99/1234", the total may be "*".
bool RangeReceiver::check_range(std::string_view text) {
  if (!take(text, "bytes ")) return refuse(ErrorCode::kCorrupt, "a strange Content-Range");
  const auto first = take_number(text);
  const bool dash = take(text, "-");
  const auto last = take_number(text);
  if (!first || !dash || !last || !take(text, "/")) {
    return refuse(ErrorCode::kCorrupt, "a strange Content-Range");
  }
  if (!take(text, "*")) {
    const auto total = take_number(text);
    if (!total || !text.empty()) return refuse(ErrorCode::kCorrupt, "a strange Content-Range");
    if (*total != size_) {
      return refuse(ErrorCode::kCorrupt,
                    fmt::format("the store holds {} bytes, not {}", *total, size_));
    }
  }
  if (*first != offset_ || *last != offset_ + length_ - 1) {
    return refuse(ErrorCode::kCorrupt, fmt::format("bytes {}-{} instead of {}-{}", *first, *last,
                                                   offset_, offset_ + length_ - 1));
  }
  return true;
}

}  // namespace cabinetfs::kenesto
