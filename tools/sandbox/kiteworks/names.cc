#include "tools/sandbox/kiteworks/names.h"

#include <fmt/format.h>
#include <locale.h>
#include <wctype.h>

#include <cstdint>
#include <map>
#include <optional>

#include "tools/sandbox/kiteworks/settings.h"

namespace cabinetfs::sandbox::kiteworks {
namespace {

// The next code point, or nothing if the text is not UTF-8 at this place.
std::optional<std::uint32_t> next_code_point(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  std::size_t length = 1;
  std::uint32_t code = first;
  if (first >= 0xF0 && first < 0xF5) {
    length = 4;
    code = first & 0x07U;
  } else if (first >= 0xE0) {
    length = 3;
    code = first & 0x0FU;
  } else if (first >= 0xC2) {
    length = 2;
    code = first & 0x1FU;
  } else if (first >= 0x80) {
    return std::nullopt;
  }
  if (first >= 0xF5 || text.size() < length) return std::nullopt;
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0U) != 0x80) return std::nullopt;
    code = code << 6U | (byte & 0x3FU);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  if (overlong || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return std::nullopt;
  text.remove_prefix(length);
  return code;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0U | code >> 6U);
    put(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    put(0xE0U | code >> 12U);
    put(0x80U | (code >> 6U & 0x3FU));
    put(0x80U | (code & 0x3FU));
  } else {
    put(0xF0U | code >> 18U);
    put(0x80U | (code >> 12U & 0x3FU));
    put(0x80U | (code >> 6U & 0x3FU));
    put(0x80U | (code & 0x3FU));
  }
}

locale_t utf8_locale() {
  static const locale_t kLocale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return kLocale;
}

}  // namespace

std::string fold_name(std::string_view name) {
  std::string out;
  out.reserve(name.size());
  while (!name.empty()) {
    const auto code = next_code_point(name);
    if (!code) {  // cannot be stored anyway, but looked up
      out += name.front();
      name.remove_prefix(1);
    } else if (*code < 0x80) {
      out +=
          *code >= 'A' && *code <= 'Z' ? static_cast<char>(*code + 32) : static_cast<char>(*code);
    } else if (utf8_locale() != nullptr) {
      append_utf8(
          out, static_cast<std::uint32_t>(towlower_l(static_cast<wint_t>(*code), utf8_locale())));
    } else {
      append_utf8(out, *code);
    }
  }
  return out;
}

const char* name_error(std::string_view name, const Settings& settings) {
  if (name.empty()) return "ERR_INPUT_REQUIRED";
  const bool dots_only = name == "." || name == "..";
  if (dots_only || (name.front() == '.' && settings.leading_dot == "refuse") ||
      (name.back() == '.' && settings.trailing_dot == "refuse") ||
      (name.back() == ' ' && settings.trailing_space == "refuse")) {
    return "ERR_INPUT_INVALID_FORMAT";
  }
  std::size_t count = 0;
  for (std::string_view rest = name; !rest.empty(); ++count) {
    const auto code = next_code_point(rest);
    if (!code || *code < 0x20 || (*code >= 0x7F && *code < 0xA0)) return "ERR_INPUT_INVALID_FORMAT";
    if (*code < 0x80 &&
        std::string_view("/\\:*\"<>|").find(static_cast<char>(*code)) != std::string_view::npos) {
      return "ERR_INPUT_INVALID_FORMAT";
    }
    if (*code == '?' && settings.question_mark == "refuse") return "ERR_INPUT_INVALID_FORMAT";
  }
  return count > 255 ? "ERR_INPUT_MAX_LENGTH" : nullptr;
}

std::string extension_of(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? std::string()
                                                   : fold_name(name.substr(dot + 1));
}

std::string mime_of(std::string_view name) {
  static const std::map<std::string, std::string> kTypes = {
      {"txt", "text/plain"},
      {"md", "text/markdown"},
      {"csv", "text/csv"},
      {"html", "text/html"},
      {"json", "application/json"},
      {"pdf", "application/pdf"},
      {"png", "image/png"},
      {"jpg", "image/jpeg"},
      {"jpeg", "image/jpeg"},
      {"zip", "application/zip"},
      {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
      {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
  };
  const auto found = kTypes.find(extension_of(name));
  return found == kTypes.end() ? "application/octet-stream" : found->second;
}

std::string numbered_name(const std::string& name, int number) {
  const auto dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0) return fmt::format("{} ({})", name, number);
  return fmt::format("{} ({}){}", name.substr(0, dot), number, name.substr(dot));
}

}  // namespace cabinetfs::sandbox::kiteworks
