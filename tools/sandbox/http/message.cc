#include "tools/sandbox/http/message.h"

#include <cctype>

namespace cabinetfs::sandbox {

std::string_view Request::header(std::string_view lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

std::optional<std::string> Request::arg(std::string_view name) const {
  for (const auto& entry : query) {
    if (entry.first == name) return entry.second;
  }
  return std::nullopt;
}

std::string Request::arg_or(std::string_view name, std::string_view fallback) const {
  auto value = arg(name);
  return value ? *std::move(value) : std::string(fallback);
}

bool Request::flag(std::string_view name) const {
  const auto value = arg(name);
  return value && (*value == "true" || *value == "True" || *value == "1");
}

std::optional<std::string> Request::field(std::string_view name) const {
  const auto found = form.find(name);
  if (found == form.end()) return std::nullopt;
  return found->second->text();
}

Response Response::json_text(int status, std::string text) {
  return Response::text(status, "application/json", std::move(text));
}

Response Response::text(int status, std::string content_type, std::string body) {
  Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", std::move(content_type));
  response.body = std::move(body);
  return response;
}

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    out += text[i] == '+' && plus_is_space ? ' ' : text[i];
  }
  return out;
}

std::string percent_encode(std::string_view text, std::string_view keep) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x80 && std::isalnum(byte) != 0) || keep.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
    }
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view raw) {
  std::vector<std::pair<std::string, std::string>> out;
  while (!raw.empty()) {
    const auto end = raw.find('&');
    const std::string_view pair = raw.substr(0, end);
    raw = end == std::string_view::npos ? std::string_view() : raw.substr(end + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    out.emplace_back(percent_decode(pair.substr(0, equals), true), percent_decode(value, true));
  }
  return out;
}

std::vector<std::string> split_path(std::string_view raw) {
  std::vector<std::string> out;
  while (!raw.empty()) {
    const auto end = raw.find('/');
    const std::string_view part = raw.substr(0, end);
    raw = end == std::string_view::npos ? std::string_view() : raw.substr(end + 1);
    if (!part.empty()) out.push_back(percent_decode(part, false));
  }
  return out;
}

}  // namespace cabinetfs::sandbox
