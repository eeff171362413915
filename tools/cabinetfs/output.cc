#include "tools/cabinetfs/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "backend/base/text.h"

namespace cabinetfs {

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const bool utf8 = is_valid_utf8(text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // C1 control characters are C2 80 to C2 9F in UTF-8.
    const bool c1 =
        utf8 && c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (c1) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(text[++i])));
    } else if (c < 0x20 || c == 0x7f || (!utf8 && c >= 0x80)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      out += text[i];
    }
  }
  return out;
}

void say(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

void complain(std::string_view line) {
  std::fflush(stdout);
  fmt::print(stderr, "cabinetfs: {}\n", line);
}

std::string advice_for(ErrorCode code, std::string_view remote) {
  switch (code) {
    case ErrorCode::kUnauthenticated:
      return fmt::format("log in with: cabinetfs login {}", remote.empty() ? "REMOTE" : remote);
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
      return remote.empty() ? "check the network and try again"
                            : fmt::format(
                                  "check the network and the address; "
                                  "`cabinetfs doctor {}` looks closer",
                                  remote);
    case ErrorCode::kNoSpace:
      return "make room on the disk, or lower cache_size";
    case ErrorCode::kBusy:
      return {};
    default:
      return {};
  }
}

ExitCode fail_with(const Error& error, std::string_view remote) {
  complain(printable(error.context.empty() ? std::string(to_string(error.code)) : error.context));
  const std::string advice = advice_for(error.code, remote);
  // The message may have said it already.
  if (!advice.empty() && error.context.find("cabinetfs login") == std::string::npos)
    complain(advice);
  return exit_code_for(error.code);
}

ExitCode usage_error(std::string_view message) {
  complain(printable(message));
  return ExitCode::kUsage;
}

bool output_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool errors_are_terminal() { return ::isatty(STDERR_FILENO) == 1; }

unsigned terminal_width() {
  struct winsize size;
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO})
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) return size.ws_col;
  return 80;
}

std::string count_of(std::uint64_t number, std::string_view thing) {
  return fmt::format("{} {}{}", number, thing, number == 1 ? "" : "s");
}

std::string format_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    if (widths.size() < row.size()) widths.resize(row.size());
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], utf8_length(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - utf8_length(row[i]) + 2, ' ');
    }
    while (line.ends_with(' ')) line.pop_back();
    out += line + '\n';
  }
  return out;
}

}  // namespace cabinetfs
