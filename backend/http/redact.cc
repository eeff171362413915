#include "backend/http/redact.h"
#include "backend/base/text.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace cabinetfs {
namespace {

constexpr std::string_view kHidden = "***";

constexpr std::array<std::string_view, 19> kSecretWords = {
    "token", "secret", "pass", "pwd", "assertion", "sig", "credential", "auth", "key", "cookie",
    "jwt", "session", "verifier", "bearer", "csrf", "xsrf",
    // Addresses that open a file to whoever has them (Kenesto, 2026).
    "viewerurl", "accessurl", "thumbnailurl"};

// What follows this in a path is a secret (Kenesto's access key, 2026).
constexpr std::string_view kSecretPath = "/authenticate/json/";

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == '%';
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

// The end of a quoted string that begins behind `at`, at its closing quote.
std::size_t end_of_quoted(std::string_view text, std::size_t at, char quote) {
  while (at < text.size() && text[at] != quote) at += text[at] == '\\' ? 2 : 1;
  return at < text.size() ? at : text.size();
}

std::size_t end_of_plain(std::string_view text, std::size_t at) {
  while (at < text.size() && !is_space(text[at]) && text[at] != '&' && text[at] != ',' &&
         text[at] != ';' && text[at] != '"' && text[at] != '\'' && text[at] != '}' &&
         text[at] != ']' && text[at] != '<') {
    ++at;
  }
  return at;
}

// The end of a list or an object that begins at `at`, behind its last bracket. What is not closed
// ends with the text.
std::size_t end_of_nested(std::string_view text, std::size_t at) {
  int depth = 0;
  while (at < text.size()) {
    const char c = text[at++];
    if (c == '"' || c == '\'') at = std::min(end_of_quoted(text, at, c) + 1, text.size());
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && --depth == 0) break;
  }
  return at;
}

bool is_auth_scheme(std::string_view word) {
  const std::string lowered = ascii_lower(word);
  return lowered == "bearer" || lowered == "basic" || lowered == "negotiate" || lowered == "digest";
}

}  // namespace

bool is_secret_name(std::string_view name) {
  const std::string lowered = ascii_lower(name);
  // Only the whole word: "code" also stands in error codes, which logs need.
  if (lowered == "code" || lowered == "pin") return true;
  // Kenesto's session token, user or upload address, and password (2026).
  if (lowered == "t" || lowered == "u" || lowered == "p") return true;
  for (const std::string_view word : kSecretWords) {
    if (lowered.find(word) != std::string::npos) return true;
  }
  return false;
}

std::string redact_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    if (!is_name_character(text[at])) {
      out += text[at++];
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_name_character(text[end])) ++end;
    const std::string_view name = text.substr(at, end - at);
    out += name;
    at = end;
    if (is_auth_scheme(name) && at < text.size() && text[at] == ' ') {
      const std::size_t value = skip_spaces(text, at);
      at = end_of_plain(text, value);
      if (at > value) (out += ' ') += kHidden;
      continue;
    }
    if (!is_secret_name(name)) continue;
    // name=value, name: value, "name": "value", 'name' => value
    std::size_t next = at;
    if (next < text.size() && (text[next] == '"' || text[next] == '\'')) ++next;
    next = skip_spaces(text, next);
    if (next >= text.size() || (text[next] != '=' && text[next] != ':')) continue;
    ++next;
    if (next < text.size() && text[next] == '>') ++next;
    next = skip_spaces(text, next);
    out += text.substr(at, next - at);
    at = next;
    if (at >= text.size()) break;
    if (text[at] == '"' || text[at] == '\'') {
      const char quote = text[at];
      const std::size_t close = end_of_quoted(text, at + 1, quote);
      out += quote;
      out += kHidden;
      if (close < text.size()) out += quote;
      at = close < text.size() ? close + 1 : close;
      continue;
    }
    if (text[at] == '[' || text[at] == '{') {
      out += kHidden;
      at = end_of_nested(text, at);
      continue;
    }
    std::size_t close = end_of_plain(text, at);
    // "Authorization: Bearer abc": the scheme is not the secret.
    while (close < text.size() && is_auth_scheme(text.substr(at, close - at))) {
      const std::size_t value = skip_spaces(text, close);
      out += text.substr(at, value - at);
      at = value;
      close = end_of_plain(text, at);
    }
    if (close > at) out += kHidden;
    at = close;
  }
  return out;
}

std::string redact_url(std::string_view url) {
  std::string out;
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) {
    const std::size_t authority = scheme + 3;
    const std::size_t end = url.find_first_of("/?#", authority);
    const std::string_view host = url.substr(authority, end - authority);
    const std::size_t user_end = host.rfind('@');
    out += url.substr(0, authority);
    out += user_end == std::string_view::npos ? host : host.substr(user_end + 1);
    url = end == std::string_view::npos ? std::string_view() : url.substr(end);
  }
  const std::size_t query = url.find_first_of("?#");
  const std::string_view path = url.substr(0, query);
  const std::size_t marked = ascii_lower(path).find(kSecretPath);
  if (marked == std::string::npos) {
    out += path;
  } else {
    const std::size_t secret = marked + kSecretPath.size();
    const std::size_t end = std::min(path.find('/', secret), path.size());
    out += path.substr(0, secret);
    if (end > secret) out += kHidden;
    out += path.substr(end);
  }
  if (query == std::string_view::npos) return out;
  std::size_t at = query;
  while (at < url.size()) {
    out += url[at++];  // '?', '&', ';' or '#'
    std::size_t end = url.find_first_of("?&;#", at);
    if (end == std::string_view::npos) end = url.size();
    const std::string_view pair = url.substr(at, end - at);
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && is_secret_name(pair.substr(0, equals))) {
      out += pair.substr(0, equals + 1);
      out += kHidden;
    } else {
      out += pair;
    }
    at = end;
  }
  return out;
}

std::string redact_header(std::string_view name, std::string_view value) {
  if (is_secret_name(name)) return std::string(kHidden);
  const std::string lowered = ascii_lower(name);
  if (lowered == "location" || lowered == "referer" || lowered == "content-location" ||
      lowered.ends_with("-location")) {
    return redact_url(value);
  }
  return redact_text(value);
}

}  // namespace cabinetfs
