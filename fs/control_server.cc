#include "fs/control_server.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <list>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "backend/base/cancel.h"
#include "backend/base/clock.h"
#include "backend/base/log.h"
#include "backend/base/mutex.h"
#include "fs/control_commands.h"
#include "fs/status_json.h"

namespace cabinetfs {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxConnections = 32;
constexpr std::size_t kMaxLine = 1u << 20;
// A client that does not read its answer for so long is cut off.
constexpr timeval kSendPatience{10, 0};
// How long nobody is let in once there was no descriptor for it.
constexpr std::chrono::milliseconds kAcceptPause{200};

std::string system_error(const std::string& what) {
  return fmt::format("{}: {}", what, std::strerror(errno));
}

bool peer_may(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

bool send_line(int fd, const json& value) {
  const std::string text = to_line(value) + "\n";
  std::string_view rest(text);
  while (!rest.empty()) {
    const ssize_t sent = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

json error_line(const Error& error) {
  return {{"ok", false}, {"error", {{"code", to_string(error.code)}, {"message", error.context}}}};
}

Result<int> listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::kNameTooLong, "control socket " + path);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  const std::string directory = path.substr(0, path.rfind('/'));
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(ErrorCode::kIo, system_error(directory));
  }
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(ErrorCode::kIo, system_error("control socket"));
  // What is in the way is dead unless somebody answers.
  if (::connect(fd, name, sizeof(address)) == 0) {
    ::close(fd);
    return fail(ErrorCode::kBusy, path + ": another mount listens there");
  }
  ::unlink(path.c_str());
  // The mode of the socket is that of its birth, so that nobody gets in between.
  const mode_t old_mask = ::umask(0177);
  const bool bound = ::bind(fd, name, sizeof(address)) == 0;
  ::umask(old_mask);
  if (!bound || ::listen(fd, 16) != 0) {
    const std::string why = system_error("control socket " + path);
    ::close(fd);
    return fail(ErrorCode::kIo, why);
  }
  return fd;
}

}  // namespace

class ControlServer::Impl {
 public:
  Impl(std::string path, int listener, int wake, ControlServices services)
      : path_(std::move(path)),
        listener_(listener),
        wake_(wake),
        services_(std::move(services)),
        thread_([this] { accept_loop(); }) {}

  ~Impl() {
    stopping_ = true;
    wake();
    thread_.join();
    for (Connection& connection : connections_) {
      connection.cancel.cancel();
      ::shutdown(connection.fd, SHUT_RDWR);
    }
    for (Connection& connection : connections_) {
      connection.thread.join();
      ::close(connection.fd);
    }
    ::close(listener_);
    ::close(wake_);
    ::unlink(path_.c_str());
  }

 private:
  // Made, joined and closed by the accepting thread; the connection's own thread reads `fd` and
  // sets `ended`.
  struct Connection {
    int fd = -1;
    CancelSource cancel;
    std::atomic<bool> ended{false};
    bool gone = false;
    std::thread thread;
  };

  void wake() {
    const std::uint64_t one = 1;
    if (::write(wake_, &one, sizeof(one)) < 0) log_debug("control socket: a wake-up is on its way");
  }

  void accept_loop() {
    while (!stopping_) {
      reap();
      const bool full = Clock::system().steady() < accept_again_;
      std::vector<pollfd> waits{{full ? -1 : listener_, POLLIN, 0}, {wake_, POLLIN, 0}};
      std::vector<Connection*> watched;
      for (Connection& connection : connections_) {
        if (connection.gone) continue;
        waits.push_back({connection.fd, POLLRDHUP, 0});
        watched.push_back(&connection);
      }
      const int patience = full ? static_cast<int>(kAcceptPause.count()) : -1;
      if (::poll(waits.data(), waits.size(), patience) < 0 && errno != EINTR) {
        log_error("{}", system_error("control socket"));
        return;
      }
      if ((waits[1].revents & POLLIN) != 0) {
        std::uint64_t count = 0;
        if (::read(wake_, &count, sizeof(count)) < 0) continue;
      }
      // Who hangs up gives up what is running for them.
      for (std::size_t i = 0; i < watched.size(); ++i) {
        if ((waits[i + 2].revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0) continue;
        watched[i]->gone = true;
        watched[i]->cancel.cancel();
      }
      if ((waits[0].revents & POLLIN) != 0) take_connection();
    }
  }

  void take_connection() {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      // The caller stays in the queue, and poll() would tell of it at once, again and again.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        if (accept_again_ == SteadyTime{}) log_warn("{}", system_error("control socket"));
        accept_again_ = Clock::system().steady() + kAcceptPause;
      }
      return;
    }
    accept_again_ = {};
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kSendPatience, sizeof(kSendPatience));
    if (!peer_may(fd) || connections_.size() >= kMaxConnections) {
      send_line(fd, error_line({peer_may(fd) ? ErrorCode::kBusy : ErrorCode::kDenied,
                                "the control socket does not take this connection"}));
      ::close(fd);
      return;
    }
    Connection& connection = connections_.emplace_back();
    connection.fd = fd;
    try {
      connection.thread = std::thread([this, &connection] {
        serve(connection);
        connection.ended = true;
        wake();
      });
    } catch (const std::system_error& error) {
      log_warn("control socket: no thread for a caller: {}", error.what());
      ::close(fd);
      connections_.pop_back();
    }
  }

  void reap() {
    for (auto it = connections_.begin(); it != connections_.end();) {
      if (!it->ended) {
        ++it;
        continue;
      }
      it->thread.join();
      ::close(it->fd);
      it = connections_.erase(it);
    }
  }

  void serve(Connection& connection) {
    std::string buffer;
    char chunk[4096];
    while (!stopping_) {
      const auto end = buffer.find('\n');
      if (end != std::string::npos) {
        const std::string line = buffer.substr(0, end);
        buffer.erase(0, end + 1);
        if (!answer(connection, line)) return;
        continue;
      }
      if (buffer.size() > kMaxLine) {
        send_line(connection.fd, error_line({ErrorCode::kTooLarge, "the request is too long"}));
        ::shutdown(connection.fd, SHUT_RDWR);
        return;
      }
      const ssize_t got = ::recv(connection.fd, chunk, sizeof(chunk), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return;
      buffer.append(chunk, static_cast<std::size_t>(got));
    }
  }

  bool answer(Connection& connection, const std::string& line) {
    const json request = json::parse(line, nullptr, false);
    if (request.is_discarded()) {
      return send_line(connection.fd, error_line({ErrorCode::kInvalid, "the request is not JSON"}));
    }
    CallContext call;
    call.cancel = connection.cancel.token();
    const auto result =
        run_control_command(services_, request, call, [&connection](const json& step) {
          if (!send_line(connection.fd, {{"progress", step}})) connection.cancel.cancel();
        });
    if (!result) return send_line(connection.fd, error_line(result.error()));
    const bool sent = send_line(connection.fd, {{"ok", true}, {"result", *result}});
    if (request.value("cmd", "") == "unmount") services_.unmount();
    return sent;
  }

  const std::string path_;
  const int listener_;
  const int wake_;
  const ControlServices services_;
  std::atomic<bool> stopping_{false};
  SteadyTime accept_again_{};          // of thread_; set when no descriptor was to be had
  std::list<Connection> connections_;  // of thread_; of the destructor once that has ended
  std::thread thread_;
};

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlServer::~ControlServer() = default;

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::string& socket_path,
                                                            ControlServices services) {
  TRY_ASSIGN(const int listener, listen_at(socket_path));
  const int wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) {
    ::close(listener);
    return fail(ErrorCode::kIo, system_error("eventfd"));
  }
  auto impl = std::make_unique<Impl>(socket_path, listener, wake, std::move(services));
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

}  // namespace cabinetfs
