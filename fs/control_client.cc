#include "fs/control_client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

namespace cabinetfs {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;

// A server that answers with more than this in one line is not ours.
constexpr std::size_t kMaxLine = 64u << 20;
// How soon a cancellation is noticed.
constexpr int kLookMilliseconds = 100;

Result<void> send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) {
      return fail(ErrorCode::kIo, fmt::format("control socket: {}", std::strerror(errno)));
    }
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

}  // namespace

Result<ControlClient> ControlClient::connect(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::kNameTooLong, "control socket " + socket_path);
  }
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return fail(ErrorCode::kIo, fmt::format("control socket: {}", std::strerror(errno)));
  }
  ControlClient client(fd);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const bool denied = errno == EACCES || errno == EPERM;
    return fail(denied ? ErrorCode::kDenied : ErrorCode::kUnavailable,
                fmt::format("control socket {}: {}", socket_path, std::strerror(errno)));
  }
  return client;
}

ControlClient::ControlClient(ControlClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}

ControlClient& ControlClient::operator=(ControlClient&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    buffer_ = std::move(other.buffer_);
  }
  return *this;
}

ControlClient::~ControlClient() { close(); }

void ControlClient::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<std::string> ControlClient::read_line(steady_clock::time_point until,
                                             const CancelToken& cancel) {
  std::size_t searched = 0;
  while (true) {
    if (const auto end = buffer_.find('\n', searched); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    searched = buffer_.size();
    if (searched > kMaxLine) return fail(ErrorCode::kIo, "control socket: endless line");
    if (cancel.cancelled()) return fail(ErrorCode::kCancelled, "control request");
    const auto now = steady_clock::now();
    if (now >= until)
      return fail(ErrorCode::kIo, "the mount does not answer on its control socket");
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    pollfd poller{fd_, POLLIN, 0};
    const int ready =
        ::poll(&poller, 1, static_cast<int>(std::min<long long>(left, kLookMilliseconds)));
    if (ready < 0 && errno != EINTR) {
      return fail(ErrorCode::kIo, fmt::format("control socket: {}", std::strerror(errno)));
    }
    if (ready <= 0) continue;
    char chunk[16384];
    const ssize_t got = ::recv(fd_, chunk, sizeof(chunk), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail(ErrorCode::kIo, "the mount closed the control socket");
    buffer_.append(chunk, static_cast<std::size_t>(got));
  }
}

Result<json> ControlClient::call(const json& request, std::chrono::milliseconds patience,
                                 const Progress& progress, const CancelToken& cancel) {
  if (fd_ < 0) return fail(ErrorCode::kIo, "control socket is closed");
  const auto until = patience.count() == 0 ? steady_clock::time_point::max() - std::chrono::hours(1)
                                           : steady_clock::now() + patience;
  const std::string text = request.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  if (auto sent = send_all(fd_, text); !sent) {
    close();
    return fail(sent.error());
  }
  while (true) {
    auto line = read_line(until, cancel);
    if (!line) {
      close();
      return fail(line.error());
    }
    json answer = json::parse(*line, nullptr, false);
    if (!answer.is_object()) {
      close();
      return fail(ErrorCode::kIo, "control socket: the answer is not JSON");
    }
    if (const auto step = answer.find("progress"); step != answer.end()) {
      if (progress) progress(*step);
      continue;
    }
    if (answer.value("ok", false)) return answer.value("result", json::object());
    const json error = answer.value("error", json::object());
    return fail(error_code_named(error.value("code", "internal")),
                error.value("message", "no reason"));
  }
}

}  // namespace cabinetfs
