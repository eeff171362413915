#include "backend/auth/loopback_redirect.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "backend/auth/oauth.h"
#include "backend/base/descriptor.h"
#include "backend/base/text.h"

namespace cabinetfs {
namespace {

constexpr std::size_t kMaxRequest = 64u << 10;
// A browser sends its request at once; a connection that stays silent (browsers open spare ones)
// must not keep the real one waiting for long.
constexpr std::chrono::milliseconds kReadTimeout{2000};

std::string page(int status, std::string_view text) {
  const std::string body = fmt::format(
      "<!doctype html><meta charset=\"utf-8\"><title>cabinetfs</title><p>{}</p>\n", text);
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n"
      "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{}",
      status, status == 200 ? "OK" : "Error", body.size(), body);
}

// False when the deadline passed or `stop` became readable.
bool wait_readable(int fd, int stop, SteadyTime until) {
  while (true) {
    const SteadyTime now = Clock::system().steady();
    if (now >= until) return false;
    const auto left = std::min<std::chrono::milliseconds>(
        std::chrono::ceil<std::chrono::milliseconds>(until - now), std::chrono::minutes(1));
    pollfd fds[2] = {{fd, POLLIN, 0}, {stop, POLLIN, 0}};
    const int ready = ::poll(fds, 2, static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) return false;
    if (ready <= 0) continue;
    if (fds[1].revents != 0) return false;
    if (fds[0].revents != 0) return true;
  }
}

void send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the page is a courtesy
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// The target of "GET target HTTP/1.1".
std::optional<std::string> read_target(int fd, int stop, SteadyTime until) {
  std::string text;
  while (text.find("\r\n\r\n") == std::string::npos) {
    if (text.size() > kMaxRequest || !wait_readable(fd, stop, until)) return std::nullopt;
    char buffer[4096];
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return std::nullopt;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  std::optional<std::string> target;
  const std::size_t end = text.find(' ', 4);
  if (text.starts_with("GET ") && end != std::string::npos) target = text.substr(4, end - 4);
  SecretString::wipe(text);
  return target;
}

bool same(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

LoopbackRedirect::LoopbackRedirect(int listener, std::uint16_t port, std::string path)
    : listener_(listener), port_(port), path_(std::move(path)) {}

LoopbackRedirect::LoopbackRedirect(LoopbackRedirect&& other) noexcept
    : listener_(std::exchange(other.listener_, -1)),
      port_(other.port_),
      path_(std::move(other.path_)) {}

LoopbackRedirect::~LoopbackRedirect() {
  if (listener_ >= 0) ::close(listener_);
}

Result<LoopbackRedirect> LoopbackRedirect::listen(std::uint16_t port, std::string path) {
  Descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const int one = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (socket.get() < 0 ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
      ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::listen(socket.get(), 16) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    const int error = errno;
    return fail(error == EADDRINUSE ? ErrorCode::kBusy : ErrorCode::kIo,
                fmt::format("127.0.0.1:{}: {}", port, errno_text(error)));
  }
  return LoopbackRedirect(socket.release(), ntohs(address.sin_port), std::move(path));
}

std::string LoopbackRedirect::redirect_uri() const {
  return fmt::format("http://localhost:{}{}", port_, path_);
}

Result<SecretString> LoopbackRedirect::wait(const CallContext& call, const std::string& state) {
  const Descriptor stop{::eventfd(0, EFD_CLOEXEC)};
  if (stop.get() < 0) return fail(ErrorCode::kIo, "eventfd");
  const auto registration = call.cancel.on_cancel([fd = stop.get()] { ::eventfd_write(fd, 1); });
  while (true) {
    if (!wait_readable(listener_, stop.get(), call.deadline)) {
      if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "login");
      return fail(ErrorCode::kTimeout, "login: the browser did not come back in time");
    }
    const Descriptor client{::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)};
    if (client.get() < 0) continue;
    std::optional<std::string> target = read_target(
        client.get(), stop.get(), std::min(call.deadline, Clock::system().steady() + kReadTimeout));
    if (!target) {
      send_all(client.get(), page(400, "This is not the answer of a login."));
      continue;
    }
    std::map<std::string, std::string> query = parse_query(*target);
    const std::string path = target->substr(0, target->find('?'));
    SecretString::wipe(*target);
    if (path != path_) {
      send_all(client.get(), page(404, "There is nothing here."));
      continue;
    }
    if (!same(query["state"], state)) {
      send_all(client.get(),
               page(400, "This answer belongs to another login. Please start again."));
      continue;
    }
    if (!query["error"].empty()) {
      send_all(client.get(), page(200, "The login was refused. You can close this page."));
      std::string said = query["error"];
      if (!query["error_description"].empty()) said += ": " + query["error_description"];
      return fail(ErrorCode::kDenied, "login: the server answered " + said.substr(0, 300));
    }
    if (query["code"].empty()) {
      send_all(client.get(), page(400, "The answer holds no code."));
      continue;
    }
    send_all(client.get(), page(200, "Logged in. You can close this page."));
    return SecretString(std::move(query["code"]));
  }
}

}  // namespace cabinetfs
