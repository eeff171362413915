#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cabinetfs {

// How many single-character insertions, deletions, substitutions and swaps of neighbours turn one
// word into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate that the word was probably meant to be; empty when none is close.
std::string nearest_name(std::string_view word, const std::vector<std::string>& candidates);

// "; did you mean 'x'?" or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace cabinetfs
