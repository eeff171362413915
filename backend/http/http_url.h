#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/base/result.h"

namespace cabinetfs {

// An absolute http or https URL, split as far as trust decisions need it.
struct HttpUrl {
  std::string scheme;  // lower case
  std::string host;    // lower case, IPv6 without brackets
  std::uint16_t port = 0;
  std::string target;  // path and query, begins with '/', no fragment

  // "https://host:port", the port always there: equal for equal places.
  std::string origin() const;
  std::string to_string() const;
};

// kInvalid: another scheme, credentials in the URL, spaces or control characters, a bad port. The
// message does not repeat the URL, which may hold secrets.
Result<HttpUrl> parse_http_url(std::string_view text);

// The target of a Location header, absolute or relative to `base`.
Result<HttpUrl> resolve_location(const HttpUrl& base, std::string_view location);

// localhost, 127.0.0.0/8, ::1.
bool is_loopback_host(std::string_view host);

}  // namespace cabinetfs
