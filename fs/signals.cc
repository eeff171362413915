#include "fs/signals.h"

#include <fmt/format.h>
#include <signal.h>

#include <charconv>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace cabinetfs {
namespace {

constexpr std::uint64_t bit(int signal) { return std::uint64_t{1} << (signal - 1); }

constexpr std::uint64_t kAskToEnd = bit(SIGINT) | bit(SIGQUIT) | bit(SIGTERM) | bit(SIGHUP);
// Without a handler they stop the program, go on with it, or do nothing.
constexpr std::uint64_t kEndNothing = bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU) |
                                      bit(SIGCONT) | bit(SIGCHLD) | bit(SIGWINCH) | bit(SIGURG);

std::optional<std::uint64_t> signals_of(std::string_view status, std::string_view field) {
  const std::string name = fmt::format("\n{}:\t", field);
  const std::size_t at = status.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view digits = status.substr(at + name.size());
  std::uint64_t set = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), set, 16);
  if (read.ec != std::errc()) return std::nullopt;
  return set;
}

}  // namespace

bool tells_of_an_ending_signal(std::string_view status) {
  const auto own = signals_of(status, "SigPnd");
  const auto shared = signals_of(status, "ShdPnd");
  const auto blocked = signals_of(status, "SigBlk");
  const auto ignored = signals_of(status, "SigIgn");
  const auto caught = signals_of(status, "SigCgt");
  if (!own || !shared || !blocked || !ignored || !caught) return true;
  const std::uint64_t waiting = (*own | *shared) & ~*blocked & ~*ignored;
  return (waiting & (kAskToEnd | ~(*caught | kEndNothing))) != 0;
}

bool is_ended_by_signal(pid_t thread) {
  if (thread <= 0) return true;
  std::ifstream file(fmt::format("/proc/{}/status", thread));
  const std::string status((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
  return tells_of_an_ending_signal(status);
}

}  // namespace cabinetfs
