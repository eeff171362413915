#include "tools/sandbox/kenesto/names.h"

#include <cctype>

#include "tools/sandbox/kenesto/settings.h"
#include "tools/sandbox/kenesto/shared.h"

namespace cabinetfs::sandbox::kenesto {

std::string name_error(std::string_view name, const Settings& settings) {
  if (name.empty()) return "The name is required";
  if (name.find('/') != std::string_view::npos || name.find('\0') != std::string_view::npos) {
    return "The name contains forbidden characters";
  }
  if (settings.name_rules == "none") return {};
  std::size_t characters = 0;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F ||
        std::string_view(";<>:\"/\\|?*").find(c) != std::string_view::npos) {
      return "The name contains forbidden characters";
    }
    if ((byte & 0xC0U) != 0x80) ++characters;
  }
  if (characters > 200) return "The name is longer than 200 characters";
  if (settings.name_rules == "strict" &&
      (name.front() == ' ' || name.back() == ' ' || name.back() == '.')) {
    return "The name begins or ends with a forbidden character";
  }
  if (stored_name(name, settings).empty()) return "The name is required";
  return {};
}

std::string stored_name(std::string_view name, const Settings& settings) {
  if (settings.name_rules != "trim") return std::string(name);
  while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  while (!name.empty() && (name.back() == ' ' || name.back() == '.')) name.remove_suffix(1);
  return std::string(name);
}

std::string parse_guid(std::string_view text) {
  if (text.size() == 38 && text.front() == '{' && text.back() == '}') text = text.substr(1, 36);
  if (text.size() != 36) return {};
  std::string out = fold_name(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? out[i] != '-' : std::isxdigit(static_cast<unsigned char>(out[i])) == 0) return {};
  }
  return out;
}

}  // namespace cabinetfs::sandbox::kenesto
