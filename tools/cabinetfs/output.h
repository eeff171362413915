#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/error.h"
#include "tools/cabinetfs/exit_code.h"

namespace cabinetfs {

// Text for people. Names come from a server and from other users: control characters in them never
// reach the terminal.
std::string printable(std::string_view text);

// A line on standard output, on standard error ("cabinetfs: ...").
void say(std::string_view line);
void complain(std::string_view line);

// Says what failed, what that means and what to do next; returns the exit code that goes with it.
// `remote` names the remote in the advice, empty where there is none.
ExitCode fail_with(const Error& error, std::string_view remote = {});
ExitCode usage_error(std::string_view message);
// What one may do about an error of this kind; empty when there is nothing to say.
std::string advice_for(ErrorCode code, std::string_view remote);

bool output_is_terminal();
bool errors_are_terminal();
unsigned terminal_width();

// "1 change", "2 changes".
std::string count_of(std::uint64_t number, std::string_view thing);

// Columns as wide as their contents, two spaces apart; the last one is not padded. Widths are
// counted in characters.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace cabinetfs
