#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "backend/http/http_client.h"
#include "backend/remote_store.h"

namespace cabinetfs::kenesto {

// Checks an answer to a ranged GET and hands its bytes on, exactly those that were asked for. Used
// by one thread at a time.
class RangeReceiver {
 public:
  // The wanted part of a content of `size` bytes. `sink` outlives this.
  RangeReceiver(std::uint64_t offset, std::uint64_t length, std::uint64_t size,
                const RemoteStore::ByteSink& sink)
      : offset_(offset), length_(length), size_(size), sink_(sink) {}

  // For HttpRequest::on_headers and sink.
  bool on_headers(int status, const HttpHeaders& headers);
  bool on_bytes(Bytes bytes);

  std::uint64_t delivered() const { return delivered_; }
  bool complete() const { return delivered_ == length_; }
  // Why it refused; kCorrupt for what does not fit the request.
  const std::optional<Error>& verdict() const { return verdict_; }

 private:
  bool refuse(ErrorCode code, std::string why);
  bool check_range(std::string_view text);

  const std::uint64_t offset_;
  const std::uint64_t length_;
  const std::uint64_t size_;
  const RemoteStore::ByteSink& sink_;
  std::uint64_t skip_ = 0;
  std::uint64_t delivered_ = 0;
  std::optional<Error> verdict_;
};

}  // namespace cabinetfs::kenesto
