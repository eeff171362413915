#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cabinetfs {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError, kOff };

struct LogOptions {
  LogLevel level = LogLevel::kWarn;
  std::string file;  // empty: standard error. A file is created 0600 and rotated at 10 MiB, 3 kept.
};

// Called once by main, before threads start. Without it, warnings and errors go to standard error.
void configure_log(const LogOptions& options);
bool log_enabled(LogLevel level);
// Thread safe. Control characters in the message are escaped, since names from a server may hold
// them.
void log_message(LogLevel level, std::string_view message);
// The last lines logged at info and above, oldest first (at most 1,000): `.cabinet/log`.
std::vector<std::string> recent_log();

template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kDebug))
    log_message(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warn(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::kWarn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace cabinetfs
