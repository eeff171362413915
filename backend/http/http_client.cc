#include "backend/http/http_client.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

namespace cabinetfs {
namespace {

std::size_t copy_out(Bytes from, std::uint64_t offset, MutableBytes out) {
  if (offset >= from.size()) return 0;
  const Bytes rest = from.subspan(static_cast<std::size_t>(offset));
  const std::size_t count = std::min(rest.size(), out.size());
  if (count > 0) std::memcpy(out.data(), rest.data(), count);
  return count;
}

}  // namespace

HttpBody HttpBody::from_string(std::string text) {
  HttpBody body;
  body.size = text.size();
  body.read = [shared = std::make_shared<const std::string>(std::move(text))](std::uint64_t offset,
                                                                              MutableBytes out) {
    return copy_out(as_bytes(*shared), offset, out);
  };
  return body;
}

HttpBody HttpBody::from_bytes(Bytes bytes) {
  HttpBody body;
  body.size = bytes.size();
  body.read = [bytes](std::uint64_t offset, MutableBytes out) {
    return copy_out(bytes, offset, out);
  };
  return body;
}

HttpBody HttpBody::concat(std::vector<HttpBody> parts) {
  HttpBody body;
  for (const HttpBody& part : parts) body.size += part.size;
  body.read = [shared = std::make_shared<const std::vector<HttpBody>>(std::move(parts))](
                  std::uint64_t offset, MutableBytes out) -> std::size_t {
    for (const HttpBody& part : *shared) {
      if (offset < part.size) {
        // A part must not give more than it announced, whatever its callback would.
        const auto room =
            static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), part.size - offset));
        return part.read(offset, out.first(room));
      }
      offset -= part.size;
    }
    return 0;
  };
  return body;
}

std::chrono::milliseconds patience_for(std::uint64_t bytes) {
  if (bytes < kWorthPatience) return std::chrono::seconds(30);
  return std::min<std::chrono::milliseconds>(
      std::chrono::minutes(2) + std::chrono::milliseconds((bytes >> 22) * 1000),
      std::chrono::minutes(10));
}

const std::string* HttpResponse::find(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return &value;
  }
  return nullptr;
}

}  // namespace cabinetfs
