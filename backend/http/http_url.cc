#include "backend/http/http_url.h"
#include "backend/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace cabinetfs {
namespace {

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

bool has_unsafe_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7f || c == '\\';
  });
}

}  // namespace

std::string HttpUrl::origin() const {
  return fmt::format("{}://{}:{}", scheme, bracketed(host), port);
}

std::string HttpUrl::to_string() const {
  const bool usual = port == (scheme == "https" ? 443 : 80);
  return usual ? scheme + "://" + bracketed(host) + target : origin() + target;
}

Result<HttpUrl> parse_http_url(std::string_view text) {
  if (has_unsafe_character(text)) {
    return fail(ErrorCode::kInvalid, "the URL holds a space, a backslash or a control character");
  }
  const std::size_t colon = text.find("://");
  HttpUrl url;
  if (colon != std::string_view::npos) url.scheme = ascii_lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") {
    return fail(ErrorCode::kInvalid, "the URL begins with neither https:// nor http://");
  }
  text.remove_prefix(colon + 3);
  text = text.substr(0, text.find('#'));
  const std::size_t end = text.find_first_of("/?");
  std::string_view authority = text.substr(0, end);
  url.target = end == std::string_view::npos ? "/" : std::string(text.substr(end));
  if (url.target.front() == '?') url.target.insert(0, 1, '/');
  if (authority.find('@') != std::string_view::npos) {
    return fail(ErrorCode::kInvalid, "the URL holds a user name; credentials belong elsewhere");
  }
  std::string_view port;
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return fail(ErrorCode::kInvalid, "the URL's host is cut");
    url.host = ascii_lower(authority.substr(1, close - 1));
    port = authority.substr(close + 1);
    if (!port.empty() && port.front() != ':') {
      return fail(ErrorCode::kInvalid, "the URL's port is malformed");
    }
    if (!port.empty()) port.remove_prefix(1);
  } else {
    const std::size_t at = authority.find(':');
    url.host = ascii_lower(authority.substr(0, at));
    if (at != std::string_view::npos) port = authority.substr(at + 1);
  }
  if (url.host.empty()) return fail(ErrorCode::kInvalid, "the URL names no host");
  if (port.empty()) {
    url.port = url.scheme == "https" ? 443 : 80;
  } else {
    const auto [rest, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc() || rest != port.data() + port.size() || url.port == 0) {
      return fail(ErrorCode::kInvalid, "the URL's port is malformed");
    }
  }
  return url;
}

Result<HttpUrl> resolve_location(const HttpUrl& base, std::string_view location) {
  if (location.empty()) return fail(ErrorCode::kInvalid, "the redirect names no place");
  const std::size_t colon = location.find(':');
  const std::size_t slash = location.find_first_of("/?#");
  if (colon != std::string_view::npos && colon < slash) return parse_http_url(location);
  if (location.substr(0, 2) == "//") {
    return parse_http_url(base.scheme + ":" + std::string(location));
  }
  std::string target;
  const std::string path = base.target.substr(0, base.target.find('?'));
  if (location.front() == '/') {
    target = location;
  } else if (location.front() == '?') {
    target = path + std::string(location);
  } else {
    target = path.substr(0, path.rfind('/') + 1) + std::string(location);
  }
  return parse_http_url(base.origin() + target);
}

bool is_loopback_host(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  // "127." alone would also match the name 127.example.com.
  return host.substr(0, 4) == "127." &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace cabinetfs
