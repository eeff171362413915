#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "backend/base/clock.h"

namespace cabinetfs {

// "2026-01-21T20:43:42Z": UTC, whole seconds (rounded down).
std::string format_rfc3339(WallTime time);

// Accepts 'T' or a space, optional fraction (to nanoseconds), and the zones Z, +hh:mm, +hhmm, +hh.
// No zone means UTC. nullopt for anything else, impossible dates included.
std::optional<WallTime> parse_rfc3339(std::string_view text);

}  // namespace cabinetfs
