#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cabinetfs {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Lower-case hex; parsing accepts both cases and fails on an odd length or another character.
std::string to_hex(Bytes bytes);
std::optional<std::vector<std::byte>> from_hex(std::string_view text);

// RFC 4648. The URL form has no padding.
std::string to_base64(Bytes bytes);
std::string to_base64url(Bytes bytes);

// RFC 3986: everything but unreserved characters as %XX.
std::string percent_encode(std::string_view text);

bool is_valid_utf8(std::string_view text);
// Unicode code points; of invalid UTF-8, the bytes.
std::size_t utf8_length(std::string_view text);
// NFC and simple case folding: two names are the same to a case-insensitive server when these
// agree. Invalid UTF-8 comes back unchanged.
std::string fold_name(std::string_view name);

// A-Z only, whatever the locale.
std::string ascii_lower(std::string_view text);

// What the system says about an errno.
std::string errno_text(int error);

// Of a file's name, from its last dot on; empty without one.
std::string_view extension_of(std::string_view name);

// Replaces every occurrence.
std::string replace_all(std::string text, std::string_view from, std::string_view to);
std::vector<std::string> split(std::string_view text, char separator);

}  // namespace cabinetfs
