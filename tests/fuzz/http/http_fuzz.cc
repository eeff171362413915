// Headers of any server. The first byte chooses the parser.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "backend/base/text.h"
#include "backend/http/http_url.h"
#include "backend/http/range_receiver.h"
#include "backend/http/retry_policy.h"

namespace {

using namespace cabinetfs;

void check(bool good) {
  if (!good) std::abort();
}

// Everything before the first newline of `rest`, which loses it.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

void check_url(const HttpUrl& url) {
  check(url.scheme == "http" || url.scheme == "https");
  check(!url.host.empty() && url.target.starts_with('/'));
  check(url.target.find_first_of(" \r\n#") == std::string::npos);
  // The same place when it is read again: what is decided about one is decided about the other.
  const auto again = parse_http_url(url.to_string());
  check(again && again->origin() == url.origin() && again->target == url.target);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      if (const auto url = parse_http_url(rest)) check_url(*url);
      break;
    case 1: {
      static const HttpUrl base =
          *parse_http_url("https://content.example.com:8443/rest/files/1?a=b");
      if (const auto url = resolve_location(base, rest)) check_url(*url);
      break;
    }
    case 2: {
      const std::string_view value = take_line(rest);
      const auto seconds = parse_retry_after(value, rest, WallTime(std::chrono::hours(480'000)));
      check(!seconds || *seconds >= 0);
      break;
    }
    case 3:
      (void)parse_http_date(rest);
      break;
    default: {
      // Content-Range, Content-Length and Content-Type, a line each, and then the body.
      const bool partial = data[0] < 128;
      HttpHeaders headers;
      for (const char* name : {"content-range", "content-length", "content-type"}) {
        const std::string_view value = take_line(rest);
        if (!value.empty()) headers.emplace_back(name, std::string(value));
      }
      std::uint64_t got = 0;
      const RangeReceiver::Sink sink = [&got](Bytes bytes) {
        got += bytes.size();
        return true;
      };
      constexpr std::uint64_t kLength = 8, kSize = 20;
      RangeReceiver receiver({4, kLength, kSize}, sink);
      if (!receiver.on_headers(partial ? 206 : 200, headers)) {
        check(receiver.verdict().has_value());
        return 0;
      }
      const std::size_t half = rest.size() / 2;
      const bool more = receiver.on_bytes(as_bytes(rest.substr(0, half))) &&
                        receiver.on_bytes(as_bytes(rest.substr(half)));
      if (more) receiver.finish();
      check(got == receiver.delivered() && got <= kLength);
      check(!receiver.complete() || got == kLength);
      check(is_valid_utf8(receiver.verdict() ? receiver.verdict()->context : ""));
    }
  }
  return 0;
}
