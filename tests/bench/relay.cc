// A TCP relay that behaves like a longer line: a round-trip time, a rate for each connection and
// one for all together, in each direction.
//
//   bench-relay --to PORT [--to PORT ...] --rtt MS --connection-rate BYTES --total-rate BYTES
//               --port-file FILE
//
// Listens on a free loopback port for each of the servers, which share the line, and writes these
// ports to FILE, one a line, in the same order. One thread, epoll; ends with SIGTERM, or with its
// parent.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <fstream>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

constexpr std::size_t kPiece = 64u << 10;
// How far a sender may run ahead of the line before it is not read any more: the line's own buffer.
constexpr std::chrono::milliseconds kBuffer{60};

volatile std::sig_atomic_t stop_asked = 0;

struct Options {
  std::vector<std::uint16_t> to;
  double rtt_ms = 30;
  double connection_rate = 12.5e6;  // bytes a second; 0 = no limit
  double total_rate = 125e6;
  std::string port_file;
};

// When the last byte of what was sent so far has left: a line takes one piece after the other.
class Line {
 public:
  explicit Line(double rate) : rate_(rate) {}
  Time send(Time now, std::size_t bytes) {
    if (rate_ <= 0) return now;
    free_ = std::max(free_, now) +
            std::chrono::duration_cast<Clock::duration>(
                std::chrono::duration<double>(static_cast<double>(bytes) / rate_));
    return free_;
  }
  Time free_at() const { return free_; }

 private:
  double rate_;
  Time free_{};
};

struct Piece {
  Time release;
  std::vector<char> bytes;
  std::size_t sent = 0;
};

// One direction of one connection.
struct Flow {
  explicit Flow(double rate) : line(rate) {}
  int from = -1, to = -1;
  Line line;
  std::deque<Piece> pieces;
  bool ended = false;    // the sender has closed
  bool closed = false;   // and the receiver knows
  bool blocked = false;  // the receiver takes no more just now
};

struct Connection {
  explicit Connection(double rate) : up(rate), down(rate) {}
  int client = -1, server = -1;
  Flow up, down;
};

class Relay {
 public:
  explicit Relay(const Options& options)
      : options_(options),
        one_way_(std::chrono::duration_cast<Clock::duration>(
            std::chrono::duration<double, std::milli>(options.rtt_ms / 2))),
        total_up_(options.total_rate),
        total_down_(options.total_rate) {}

  bool run() {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (epoll_ < 0 || timer_ < 0) {
      std::perror("bench-relay");
      return false;
    }
    watch(timer_, EPOLLIN);
    {
      std::ofstream out(options_.port_file + ".new");
      for (const std::uint16_t to : options_.to) {
        const std::uint16_t port = listen_for(to);
        if (port == 0) return false;
        out << port << '\n';
      }
      if (!out.flush()) return false;
    }
    if (std::rename((options_.port_file + ".new").c_str(), options_.port_file.c_str()) != 0)
      return false;
    std::array<epoll_event, 256> events{};
    while (stop_asked == 0) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 500);
      for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)].data.fd);
      release_due();
      arm();
    }
    return true;
  }

 private:
  // The port; 0: none.
  std::uint16_t listen_for(std::uint16_t to) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (listener < 0 || ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener, 512) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::perror("bench-relay");
      return 0;
    }
    listeners_[listener] = to;
    watch(listener, EPOLLIN);
    return ntohs(address.sin_port);
  }

  void watch(int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) std::perror("epoll_ctl");
  }

  void handle(int fd) {
    if (const auto listener = listeners_.find(fd); listener != listeners_.end()) {
      return accept_all(fd, listener->second);
    }
    if (fd == timer_) {
      std::uint64_t ticks = 0;
      if (::read(timer_, &ticks, sizeof ticks) < 0 && errno != EAGAIN) std::perror("timer");
      return;
    }
    const auto found = by_fd_.find(fd);
    if (found == by_fd_.end()) return;
    const std::shared_ptr<Connection> connection = found->second;
    for (Flow* flow : {&connection->up, &connection->down}) {
      if (flow->from == fd) receive(*connection, *flow);
      if (flow->to == fd) {
        flow->blocked = false;
        deliver(*connection, *flow);
      }
    }
  }

  void accept_all(int listener, std::uint16_t to) {
    while (true) {
      const int client = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (client < 0) return;
      const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(to);
      if (server < 0 ||
          ::connect(server, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        ::close(client);
        if (server >= 0) ::close(server);
        continue;
      }
      ::fcntl(server, F_SETFL, ::fcntl(server, F_GETFL) | O_NONBLOCK);
      const int on = 1;
      ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ::setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto connection = std::make_shared<Connection>(options_.connection_rate);
      connection->client = connection->up.from = connection->down.to = client;
      connection->server = connection->up.to = connection->down.from = server;
      // The handshake of a connection costs a round trip before the first byte.
      connection->up.line.send(Clock::now() + 2 * one_way_, 0);
      by_fd_[client] = by_fd_[server] = connection;
      watch(client, EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP);
      watch(server, EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP);
      receive(*connection, connection->up);
    }
  }

  void receive(Connection& connection, Flow& flow) {
    Line& total = &flow == &connection.up ? total_up_ : total_down_;
    while (!flow.ended) {
      const Time now = Clock::now();
      const Time free = std::max(flow.line.free_at(), total.free_at());
      if (free > now + kBuffer) {
        retry_.emplace(free - kBuffer,
                       &flow == &connection.up ? connection.client : connection.server);
        return;
      }
      std::vector<char> bytes(kPiece);
      const ssize_t got = ::recv(flow.from, bytes.data(), bytes.size(), 0);
      if (got < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        if (errno == EINTR) continue;
        flow.ended = true;
      } else if (got == 0) {
        flow.ended = true;
      } else {
        bytes.resize(static_cast<std::size_t>(got));
        const Time sent =
            std::max(flow.line.send(now, bytes.size()), total.send(now, bytes.size()));
        flow.pieces.push_back({sent + one_way_, std::move(bytes), 0});
        due_.emplace(flow.pieces.back().release, flow.to);
      }
    }
    due_.emplace(Clock::now() + one_way_, flow.to);
    deliver(connection, flow);
  }

  void deliver(Connection& connection, Flow& flow) {
    const Time now = Clock::now();
    while (!flow.pieces.empty() && flow.pieces.front().release <= now && !flow.blocked) {
      Piece& piece = flow.pieces.front();
      const ssize_t put = ::send(flow.to, piece.bytes.data() + piece.sent,
                                 piece.bytes.size() - piece.sent, MSG_NOSIGNAL);
      if (put < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
          flow.blocked = true;
          return;
        }
        return drop(connection);
      }
      piece.sent += static_cast<std::size_t>(put);
      if (piece.sent == piece.bytes.size()) flow.pieces.pop_front();
    }
    if (flow.ended && flow.pieces.empty() && !flow.closed) {
      flow.closed = true;
      ::shutdown(flow.to, SHUT_WR);
      if (connection.up.closed && connection.down.closed) drop(connection);
    }
  }

  void drop(Connection& connection) {
    const int client = connection.client;
    const int server = connection.server;
    if (client < 0) return;
    connection.client = connection.server = -1;
    ::close(client);
    ::close(server);
    by_fd_.erase(client);
    by_fd_.erase(server);
  }

  void release_due() {
    const Time now = Clock::now();
    while (!due_.empty() && due_.top().first <= now) {
      const int to = due_.top().second;
      due_.pop();
      const auto found = by_fd_.find(to);
      if (found == by_fd_.end()) continue;
      const std::shared_ptr<Connection> connection = found->second;
      deliver(*connection, connection->up.to == to ? connection->up : connection->down);
    }
    while (!retry_.empty() && retry_.top().first <= now) {
      const int from = retry_.top().second;
      retry_.pop();
      const auto found = by_fd_.find(from);
      if (found == by_fd_.end()) continue;
      const std::shared_ptr<Connection> connection = found->second;
      receive(*connection, connection->up.from == from ? connection->up : connection->down);
    }
  }

  void arm() {
    Time next = Time::max();
    if (!due_.empty()) next = due_.top().first;
    if (!retry_.empty()) next = std::min(next, retry_.top().first);
    itimerspec spec{};
    if (next != Time::max()) {
      const auto left =
          std::max<std::chrono::nanoseconds>(next - Clock::now(), std::chrono::microseconds(20));
      spec.it_value.tv_sec = left.count() / 1'000'000'000;
      spec.it_value.tv_nsec = left.count() % 1'000'000'000;
    }
    ::timerfd_settime(timer_, 0, &spec, nullptr);
  }

  using Due = std::pair<Time, int>;
  const Options options_;
  const Clock::duration one_way_;
  Line total_up_, total_down_;
  int epoll_ = -1, timer_ = -1;
  std::unordered_map<int, std::uint16_t> listeners_;  // and the port behind each
  std::unordered_map<int, std::shared_ptr<Connection>> by_fd_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_, retry_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("a TCP relay with delay and rate limits");
  app.add_option("--to", options.to, "ports on loopback")->required();
  app.add_option("--rtt", options.rtt_ms, "round-trip time in milliseconds");
  app.add_option("--connection-rate", options.connection_rate,
                 "bytes a second of one connection and direction, 0 = no limit");
  app.add_option("--total-rate", options.total_rate,
                 "bytes a second of all connections and one direction, 0 = no limit");
  app.add_option("--port-file", options.port_file, "where the port is written")->required();
  CLI11_PARSE(app, argc, argv);
  // Whoever started it needs it until the end.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTERM, [](int) { stop_asked = 1; });
  std::signal(SIGINT, [](int) { stop_asked = 1; });
  return Relay(options).run() ? 0 : 1;
}
