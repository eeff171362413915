#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cabinetfs {

// "4096", "64KiB", "10 GiB", "1.5G", "100MB": K, M, G, T are binary with and without "iB", decimal
// with "B" (kB, MB, GB, TB). nullopt for anything else, negative numbers and overflow included.
std::optional<std::uint64_t> parse_size(std::string_view text);

// "30", "30s", "1.5s", "250ms", "5m", "2h", "1d"; a bare number counts seconds.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// "5%" or "0.05": from 0 up to, but not including, 1.
std::optional<double> parse_fraction(std::string_view text);

// true, yes, on, 1 / false, no, off, 0; case does not matter.
std::optional<bool> parse_bool(std::string_view text);

// A whole number without a sign.
std::optional<std::uint64_t> parse_count(std::string_view text);

// For people: "0 B", "1.5 KiB", "10 GiB".
std::string format_size(std::uint64_t bytes);
// Reads back as the same number with parse_size(): "10GiB", "1500".
std::string format_size_exact(std::uint64_t bytes);
// Reads back with parse_duration(): "1500ms", "30s", "5m".
std::string format_duration_exact(std::chrono::milliseconds span);
// For people: "3 s", "2 min 5 s", "3 h 2 min", "4 d 1 h".
std::string format_duration(std::chrono::seconds span);

}  // namespace cabinetfs
