#include "cache/name_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "backend/base/times.h"
#include "cache/crc32c.h"

namespace cabinetfs {
namespace {

constexpr std::size_t kMaxLocalBytes = 255;  // NAME_MAX
// What is longer is no extension but a sentence with a full stop.
constexpr std::size_t kMaxExtensionBytes = 20;
constexpr std::size_t kMaxHostBytes = 63;

unsigned char byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

bool is_continuation(unsigned char c) { return (c & 0xc0) == 0x80; }

// Bytes of the character at `at`; 0 when that is not the beginning of a valid one.
std::size_t character_bytes(std::string_view text, std::size_t at) {
  const unsigned char first = byte_at(text, at);
  const std::size_t bytes = first < 0x80    ? 1
                            : first < 0xc2  ? 0
                            : first < 0xe0  ? 2
                            : first < 0xf0  ? 3
                            : first <= 0xf4 ? 4
                                            : 0;
  if (bytes == 0 || at + bytes > text.size()) return 0;
  return is_valid_utf8(text.substr(at, bytes)) ? bytes : 0;
}

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

void append_escape(std::string& out, unsigned char c) {
  constexpr char kHex[] = "0123456789ABCDEF";
  out += '%';
  out += kHex[c >> 4];
  out += kHex[c & 15];
}

// The byte of an escape (upper-case digits) at `at`, which holds '%'.
std::optional<unsigned char> escape_at(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size()) return std::nullopt;
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  const int high = digit(text[at + 1]);
  const int low = digit(text[at + 2]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<unsigned char>(high * 16 + low);
}

bool is_posix_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

// The escapes of one set of rules. Reading and writing see the same tables, so that they agree.
class Escapes {
 public:
  explicit Escapes(const NameRules& rules) : rules_(rules) {}

  // The server takes no such byte at this place.
  bool needed(std::string_view name, std::size_t at) const {
    const unsigned char c = byte_at(name, at);
    if (rules_.forbidden.find(name[at]) != std::string::npos) return true;
    if (rules_.control_forbidden && is_control(c)) return true;
    if (at == 0 && c == '.' && rules_.leading_dot_forbidden) return true;
    if (at == 0 && c == ' ' && rules_.leading_space_forbidden) return true;
    if (at + 1 == name.size())
      return (c == '.' && rules_.trailing_dot_forbidden) ||
             (c == ' ' && rules_.trailing_space_forbidden);
    return false;
  }

  // Some place of some name has this byte as an escape.
  bool possible(unsigned char c) const {
    if (c == 0 || c == '/') return false;
    if (c == '%' || c >= 0x80) return true;
    if (rules_.forbidden.find(static_cast<char>(c)) != std::string::npos) return true;
    if (c == '.') return rules_.leading_dot_forbidden || rules_.trailing_dot_forbidden;
    if (c == ' ') return rules_.leading_space_forbidden || rules_.trailing_space_forbidden;
    return rules_.control_forbidden && is_control(c);
  }

  bool any_needed(std::string_view name) const {
    for (std::size_t at = 0; at < name.size();) {
      const std::size_t bytes = character_bytes(name, at);
      if (bytes == 0 || needed(name, at)) return true;
      at += bytes;
    }
    return false;
  }

  // decode(encode(name)) is always the name.
  std::string encode(std::string_view name) const {
    std::string out;
    for (std::size_t at = 0; at < name.size();) {
      const std::size_t bytes = character_bytes(name, at);
      const bool reads_as_escape =
          name[at] == '%' && escape_at(name, at) && possible(*escape_at(name, at));
      if (bytes == 0 || needed(name, at) || reads_as_escape) {
        append_escape(out, byte_at(name, at));
        ++at;
      } else {
        out += name.substr(at, bytes);
        at += bytes;
      }
    }
    return out;
  }

  // The name that `encode` made `remote` of, where it did make it of a different one.
  std::optional<std::string> origin(const std::string& remote) const {
    std::string name = decode(remote);
    if (name == remote || !is_posix_name(name) || encode(name) != remote) return std::nullopt;
    return name;
  }

 private:
  std::string decode(std::string_view remote) const {
    std::string out;
    for (std::size_t at = 0; at < remote.size();) {
      const auto escaped = remote[at] == '%' ? escape_at(remote, at) : std::nullopt;
      if (escaped && possible(*escaped)) {
        out += static_cast<char>(*escaped);
        at += 3;
      } else {
        out += remote[at++];
      }
    }
    return out;
  }

  const NameRules& rules_;
};

// At most `bytes`, cut between characters.
std::string_view cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  // Not valid UTF-8 is cut anywhere.
  for (std::size_t back = 0; back < 4 && back < bytes; ++back) {
    if (!is_continuation(byte_at(text, bytes - back))) return text.substr(0, bytes - back);
  }
  return text.substr(0, bytes);
}

std::pair<std::string_view, std::string_view> split_extension(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || name.size() - dot > kMaxExtensionBytes)
    return {name, {}};
  return {name.substr(0, dot), name.substr(dot)};
}

// `suffix` before the extension, the whole at most 255 bytes.
std::string with_suffix(std::string_view name, std::string_view suffix) {
  const auto parts = split_extension(name);
  const std::size_t room = kMaxLocalBytes - suffix.size() - parts.second.size();
  return fmt::format("{}{}{}", cut(parts.first, room), suffix, parts.second);
}

std::string id_suffix(const RemoteId& id) {
  return fmt::format("~{:08x}", crc32c(as_bytes(id.value)));
}

}  // namespace

NameCodec::NameCodec(NameRules rules, NamePolicy policy)
    : rules_(std::move(rules)), policy_(policy) {
  // The escapes themselves would be refused.
  if (rules_.forbidden.find('%') != std::string::npos) policy_ = NamePolicy::kRefuse;
}

Result<std::string> NameCodec::to_remote(const std::string& local) const {
  if (!is_posix_name(local)) return fail(ErrorCode::kInvalid, "not a file name");
  if (local.size() > kMaxLocalBytes)
    return fail(ErrorCode::kNameTooLong, fmt::format("a name of {} bytes", local.size()));
  const Escapes escapes(rules_);
  std::string remote = local;
  const bool needed = escapes.any_needed(local);
  if (policy_ == NamePolicy::kRefuse) {
    if (needed)
      return fail(ErrorCode::kInvalid,
                  fmt::format("the server does not take the name '{}'", local));
  } else if (needed || escapes.origin(local)) {
    remote = escapes.encode(local);
  }
  if (const std::size_t length = utf8_length(remote); length > rules_.max_characters)
    return fail(ErrorCode::kNameTooLong,
                fmt::format("the name has {} characters on the server, which takes {}", length,
                            rules_.max_characters));
  return remote;
}

std::string NameCodec::to_local(const std::string& remote, const RemoteId& id) const {
  std::string local = remote;
  if (policy_ == NamePolicy::kEncode) {
    if (auto origin = Escapes(rules_).origin(remote)) local = *std::move(origin);
  }
  if (!is_posix_name(local)) {
    const bool dots = local == "." || local == "..";
    std::string shown;
    for (const char c : local) {
      if (dots || c == '/' || c == '\0')
        append_escape(shown, static_cast<unsigned char>(c));
      else
        shown += c;
    }
    local = shown.empty() ? "unnamed" : std::move(shown);
  }
  return local.size() <= kMaxLocalBytes ? local : with_suffix(local, id_suffix(id));
}

std::string NameCodec::twin_name(const std::string& local, const RemoteId& id) const {
  return with_suffix(local, id_suffix(id));
}

std::string NameCodec::conflict_name(const std::string& local, const std::string& host,
                                     WallTime time, int number) {
  // A host name may come from anywhere; these are the characters that host names have.
  std::string safe_host;
  for (const char c : host.substr(0, kMaxHostBytes)) {
    const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.';
    safe_host += safe ? c : '-';
  }
  if (safe_host.empty()) safe_host = "localhost";
  std::string stamp = format_rfc3339(time);  // 2026-01-21T20:43:42Z
  stamp = replace_all(replace_all(stamp, "T", " "), ":", ".");
  if (!stamp.empty() && stamp.back() == 'Z') stamp.pop_back();
  const std::string counter = number > 1 ? fmt::format(" {}", number) : "";
  return with_suffix(local, fmt::format(" (conflict {} {}{})", safe_host, stamp, counter));
}

bool NameCodec::same(const std::string& a, const std::string& b) const {
  return a == b || (!rules_.case_sensitive && fold_name(a) == fold_name(b));
}

}  // namespace cabinetfs
