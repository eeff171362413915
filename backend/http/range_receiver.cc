#include "backend/http/range_receiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "backend/base/text.h"

namespace cabinetfs {
namespace {

// Pages are smaller, and contents that are smaller are not passed on before they have proved to be
// the content.
constexpr std::size_t kHeld = 1u << 20;
// A content that is a web page itself.
constexpr std::size_t kMostHeldOfPage = 8u << 20;

std::optional<std::uint64_t> take_range_number(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return value;
}

bool take_range_word(std::string_view& text, std::string_view word) {
  if (text.substr(0, word.size()) != word) return false;
  text.remove_prefix(word.size());
  return true;
}

}  // namespace

const std::string* find_header(const HttpHeaders& headers, std::string_view lower_case_name) {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return &value;
  }
  return nullptr;
}

bool RangeReceiver::refuse(ErrorCode code, std::string why) {
  verdict_ = Error{code, std::move(why)};
  return false;
}

bool RangeReceiver::refuse_size(std::uint64_t told) {
  return refuse(wanted_.other_size,
                fmt::format("the server holds {} bytes, not {}", told, wanted_.size));
}

bool RangeReceiver::on_headers(int status, const HttpHeaders& headers) {
  if (status < 200 || status > 299) return true;
  skip_ = received_ = 0;
  whole_ = untold_ = holds_ = false;
  held_.clear();
  if (wanted_.check) {
    if (auto error = wanted_.check(headers)) return refuse(error->code, std::move(error->context));
  }
  if (status == 206) {
    const std::string* const range = find_header(headers, "content-range");
    return range == nullptr ? refuse(ErrorCode::kCorrupt, "a part without Content-Range")
                            : check_range(*range);
  }
  // The whole content in spite of the range: skipped to where we want it.
  whole_ = true;
  skip_ = wanted_.offset;
  untold_ = holds_ = true;
  const std::string* const type = find_header(headers, "content-type");
  is_page_ = type != nullptr && ascii_lower(*type).find("html") != std::string::npos;
  if (const std::string* const length = find_header(headers, "content-length")) {
    std::string_view text = *length;
    const auto told = take_range_number(text);
    if (told && text.empty()) {
      untold_ = holds_ = false;
      if (*told != wanted_.size) return refuse_size(*told);
    }
  }
  return true;
}

bool RangeReceiver::on_bytes(Bytes bytes) {
  received_ += bytes.size();
  if (untold_ && received_ > wanted_.size)
    return refuse(ErrorCode::kCorrupt, "more bytes than there were");
  if (!holds_) {
    if (!deliver(bytes)) return false;
    // What follows the wanted part is not waited for, but where the end tells.
    return untold_ || received_ <= (whole_ ? wanted_.offset : 0) + wanted_.length;
  }
  held_.append(as_text(bytes));
  if (held_.size() <= (is_page_ ? kMostHeldOfPage : kHeld)) return true;
  if (is_page_) return refuse(ErrorCode::kCorrupt, "a web page of unknown length");
  holds_ = false;
  const std::string held = std::exchange(held_, {});
  return deliver(as_bytes(held));
}

void RangeReceiver::finish() {
  if (!holds_ || received_ != wanted_.size) return;
  holds_ = false;
  const std::string held = std::exchange(held_, {});
  (void)deliver(as_bytes(held));  // says in verdict() when the reader gives up
}

bool RangeReceiver::deliver(Bytes bytes) {
  const std::uint64_t skipped = std::min<std::uint64_t>(skip_, bytes.size());
  skip_ -= skipped;
  bytes = bytes.subspan(skipped);
  const std::uint64_t part = std::min<std::uint64_t>(wanted_.length - delivered_, bytes.size());
  if (part == 0) return true;
  delivered_ += part;
  return sink_(bytes.first(part)) || refuse(ErrorCode::kCancelled, "the reader gave up");
}

// "bytes 0-99/1234", the total may be "*".
bool RangeReceiver::check_range(std::string_view text) {
  if (!take_range_word(text, "bytes "))
    return refuse(ErrorCode::kCorrupt, "a strange Content-Range");
  const auto first = take_range_number(text);
  const bool dash = take_range_word(text, "-");
  const auto last = take_range_number(text);
  if (!first || !dash || !last || !take_range_word(text, "/")) {
    return refuse(ErrorCode::kCorrupt, "a strange Content-Range");
  }
  if (!take_range_word(text, "*")) {
    const auto total = take_range_number(text);
    if (!total || !text.empty()) return refuse(ErrorCode::kCorrupt, "a strange Content-Range");
    if (*total != wanted_.size) return refuse_size(*total);
  }
  const std::uint64_t end = wanted_.offset + wanted_.length - 1;
  if (*first != wanted_.offset || *last != end) {
    return refuse(ErrorCode::kCorrupt,
                  fmt::format("bytes {}-{} instead of {}-{}", *first, *last, wanted_.offset, end));
  }
  return true;
}

}  // namespace cabinetfs
