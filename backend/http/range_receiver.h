#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "backend/http/http_client.h"

namespace cabinetfs {

// The wanted part of a content of `size` bytes, and what an answer about it has to be.
struct WantedRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t size = 0;
  // What it means that the server holds another size: another content by now, or (kCorrupt) of one
  // that never changes.
  ErrorCode other_size = ErrorCode::kConflict;
  // Looks at the headers of a success; an error refuses it. Unset: nothing more is looked at.
  std::function<std::optional<Error>(const HttpHeaders&)> check = nullptr;
};

// Checks an answer to a GET with a range, which may be the whole content all the same, and hands
// the bytes on, exactly those that were asked for. A whole content whose length is not told may be
// a page of something in between: its beginning is held back, a web page as a whole, and it is
// received to its end, since only that tells whether it is the content. Used by one thread at a
// time.
class RangeReceiver {
 public:
  using Sink = std::function<bool(Bytes)>;
  // `sink` outlives this; false from it ends the transfer (kCancelled).
  RangeReceiver(WantedRange wanted, const Sink& sink) : wanted_(std::move(wanted)), sink_(sink) {}

  // For HttpRequest::on_headers (again after a broken attempt) and sink.
  bool on_headers(int status, const HttpHeaders& headers);
  bool on_bytes(Bytes bytes);
  // When the answer has ended without an error, before the questions below.
  void finish();

  std::uint64_t delivered() const { return delivered_; }
  bool complete() const {
    return delivered_ == wanted_.length && (!untold_ || received_ == wanted_.size);
  }
  // The answer was the whole content.
  bool whole() const { return whole_; }
  // Why it refused; kCorrupt for what does not fit the request.
  const std::optional<Error>& verdict() const { return verdict_; }

 private:
  bool deliver(Bytes bytes);
  bool refuse(ErrorCode code, std::string why);
  bool refuse_size(std::uint64_t told);
  bool check_range(std::string_view text);

  const WantedRange wanted_;
  const Sink& sink_;
  bool whole_ = false;
  bool untold_ = false;  // its length
  bool is_page_ = false;
  bool holds_ = false;
  std::string held_;
  std::uint64_t skip_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t delivered_ = 0;
  std::optional<Error> verdict_;
};

// Value of a header, whose name is in lower case; nullptr: absent.
const std::string* find_header(const HttpHeaders& headers, std::string_view lower_case_name);

}  // namespace cabinetfs
