#include "backend/base/log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <atomic>
#include <deque>
#include <memory>

#include "backend/base/clock.h"
#include "backend/base/log_level.h"
#include "backend/base/mutex.h"
#include "backend/base/times.h"

namespace cabinetfs {
namespace {

constexpr std::size_t kRecentLines = 1000;
constexpr std::size_t kRotateBytes = 10u << 20;

struct LogState {
  Mutex mutex;
  std::shared_ptr<spdlog::logger> logger GUARDED_BY(mutex);
  std::deque<std::string> recent GUARDED_BY(mutex);
  std::atomic<LogLevel> level = LogLevel::kWarn;
};

// Never destroyed: threads may log while the program ends.
LogState& state() {
  static LogState* const instance = new LogState;
  return *instance;
}

std::shared_ptr<spdlog::logger> make_logger(const std::string& file) {
  spdlog::sink_ptr sink;
  if (file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    const mode_t old_mask = ::umask(0077);
    sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file, kRotateBytes, 3);
    ::umask(old_mask);
  }
  auto logger = std::make_shared<spdlog::logger>("cabinetfs", std::move(sink));
  logger->set_level(spdlog::level::trace);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  logger->flush_on(spdlog::level::info);
  return logger;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return "trace";
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warning";
    case LogLevel::kError:
      return "error";
    case LogLevel::kOff:
      return "off";
  }
  return "off";
}

std::string escape_controls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void configure_log(const LogOptions& options) {
  LogState& log = state();
  log.level = options.level;
  MutexLock lock(log.mutex);
  log.logger = make_logger(options.file);
}

void set_log_level(LogLevel level) { state().level = level; }

bool log_enabled(LogLevel level) { return level >= state().level.load(std::memory_order_relaxed); }

void log_message(LogLevel level, std::string_view message) {
  LogState& log = state();
  const bool keep = level >= LogLevel::kInfo;
  const bool write = log_enabled(level);
  if (!keep && !write) return;
  const std::string line = escape_controls(message);
  std::shared_ptr<spdlog::logger> logger;
  {
    MutexLock lock(log.mutex);
    if (log.logger == nullptr) log.logger = make_logger({});
    logger = log.logger;
    if (keep) {
      if (log.recent.size() >= kRecentLines) log.recent.pop_front();
      log.recent.push_back(
          fmt::format("{} {} {}", format_rfc3339(Clock::system().wall()), level_name(level), line));
    }
  }
  if (write) logger->log(to_spdlog(level), "{}", line);
}

std::vector<std::string> recent_log() {
  LogState& log = state();
  MutexLock lock(log.mutex);
  return {log.recent.begin(), log.recent.end()};
}

}  // namespace cabinetfs
