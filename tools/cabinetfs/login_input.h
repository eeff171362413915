#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "backend/auth/secret_string.h"
#include "backend/base/result.h"

namespace cabinetfs {

// Up to `most` lines, one secret each, without their line ends. Blank lines at the end are left
// out. kInvalid when a line is longer than 16 KiB.
Result<std::vector<SecretString>> read_secret_lines(std::istream& in, std::size_t most);

// The code in what a person pasted: the whole redirect address, its query, or only the code.
// kDenied with the server's reason when the answer was a refusal; kInvalid when there is no code in
// it, or the state is not the one that was sent (a mixed up or forged answer).
Result<std::string> code_from_paste(const std::string& pasted, const std::string& state);

// Asks on the terminal (/dev/tty); a secret is not shown while it is typed. kInvalid when there is
// no terminal to ask on, and for more than 16 KiB.
// kCancelled: Ctrl-D, Ctrl-C or SIGTERM while it is hidden, or `stop` (asked a few times a second)
// says so.
Result<SecretString> ask_secret(const std::string& question);
Result<std::string> ask_line(const std::string& question, const std::function<bool()>& stop = {});
// Whether there is a terminal to ask on.
bool can_ask();

}  // namespace cabinetfs
