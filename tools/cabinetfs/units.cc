#include "tools/cabinetfs/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

namespace cabinetfs {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

struct Quantity {
  double value = 0;
  std::string unit;  // lower case
};

// A number that is not negative, optional spaces, a unit.
std::optional<Quantity> parse_quantity(std::string_view text) {
  const auto digits_end = text.find_first_not_of("0123456789.");
  const std::string_view number = text.substr(0, digits_end);
  if (number.empty()) return std::nullopt;
  Quantity out;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), out.value);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  if (digits_end != std::string_view::npos) {
    std::string_view unit = text.substr(digits_end);
    while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
    if (unit.empty()) return std::nullopt;
    out.unit = lower(unit);
  }
  return out;
}

std::optional<double> size_unit(std::string_view unit) {
  if (unit.empty() || unit == "b") return 1.0;
  const auto power = std::string_view("kmgt").find(unit.front());
  if (power == std::string_view::npos) return std::nullopt;
  const std::string_view rest = unit.substr(1);
  const double exponent = static_cast<double>(power) + 1;
  if (rest.empty() || rest == "i" || rest == "ib") return std::pow(1024.0, exponent);
  if (rest == "b") return std::pow(1000.0, exponent);
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  // Whole numbers of bytes go without the detour through a double, which ends at 2^53.
  if (auto exact = parse_count(text)) return exact;
  const auto quantity = parse_quantity(text);
  if (!quantity) return std::nullopt;
  const auto factor = size_unit(quantity->unit);
  if (!factor) return std::nullopt;
  const double bytes = quantity->value * *factor;
  if (!(bytes < 9.0e18)) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(bytes));
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto quantity = parse_quantity(text);
  if (!quantity) return std::nullopt;
  static constexpr std::array<std::pair<std::string_view, double>, 14> kUnits = {{
      {"", 1e3},
      {"ms", 1},
      {"s", 1e3},
      {"sec", 1e3},
      {"second", 1e3},
      {"seconds", 1e3},
      {"m", 6e4},
      {"min", 6e4},
      {"minutes", 6e4},
      {"h", 3.6e6},
      {"hour", 3.6e6},
      {"hours", 3.6e6},
      {"d", 8.64e7},
      {"days", 8.64e7},
  }};
  for (const auto& [name, factor] : kUnits) {
    if (name != quantity->unit) continue;
    const double milliseconds = quantity->value * factor;
    // A century is more than any timeout means, and keeps nanosecond arithmetic from overflowing.
    if (!(milliseconds < 3.2e12)) return std::nullopt;
    return std::chrono::milliseconds(std::llround(milliseconds));
  }
  return std::nullopt;
}

std::optional<double> parse_fraction(std::string_view text) {
  const auto quantity = parse_quantity(text);
  if (!quantity) return std::nullopt;
  double value = quantity->value;
  if (quantity->unit == "%")
    value /= 100;
  else if (!quantity->unit.empty())
    return std::nullopt;
  if (!(value >= 0 && value < 1)) return std::nullopt;
  return value;
}

std::optional<bool> parse_bool(std::string_view text) {
  const std::string word = lower(text);
  if (word == "true" || word == "yes" || word == "on" || word == "1") return true;
  if (word == "false" || word == "no" || word == "off" || word == "0") return false;
  return std::nullopt;
}

std::string format_size(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  static constexpr std::array<const char*, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  value /= 1024;
  // 1023.95 would be printed as 1024.0.
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::string number = fmt::format("{:.1f}", value);
  if (number.ends_with(".0")) number.resize(number.size() - 2);
  return fmt::format("{} {}", number, kUnits[unit]);
}

std::string format_size_exact(std::uint64_t bytes) {
  static constexpr std::array<std::pair<int, const char*>, 4> kUnits = {
      {{40, "TiB"}, {30, "GiB"}, {20, "MiB"}, {10, "KiB"}}};
  for (const auto& [shift, name] : kUnits) {
    if (bytes >> shift != 0 && (bytes >> shift) << shift == bytes)
      return fmt::format("{}{}", bytes >> shift, name);
  }
  return std::to_string(bytes);
}

std::string format_duration_exact(std::chrono::milliseconds span) {
  const auto ms = span.count();
  if (ms == 0) return "0s";
  if (ms % 1000 != 0) return fmt::format("{}ms", ms);
  const auto seconds = ms / 1000;
  if (seconds % 3600 == 0) return fmt::format("{}h", seconds / 3600);
  if (seconds % 60 == 0 && seconds > 60) return fmt::format("{}m", seconds / 60);
  return fmt::format("{}s", seconds);
}

std::string format_duration(std::chrono::seconds span) {
  const auto s = std::max<long long>(0, span.count());
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
  return fmt::format("{} d {} h", s / 86400, s % 86400 / 3600);
}

}  // namespace cabinetfs
