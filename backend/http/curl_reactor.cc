#include "backend/http/curl_reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "backend/base/log.h"

namespace cabinetfs {
namespace {

// More wait for the next turn.
constexpr std::size_t kEvents = 64;

Descriptor opened(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return Descriptor(fd);
}

}  // namespace

CurlReactor::CurlReactor(CURLM* multi)
    : multi_(multi),
      epoll_(opened(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wakeup_(opened(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wakeup_.get();
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlReactor::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, static_cast<void*>(this));
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlReactor::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, static_cast<void*>(this));
}

CurlReactor::~CurlReactor() {
  // Idle connections are closed with `multi`, later.
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, static_cast<curl_socket_callback>(nullptr));
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION,
                    static_cast<curl_multi_timer_callback>(nullptr));
}

int CurlReactor::on_socket(CURL*, curl_socket_t socket, int what, void* user, void*) {
  static_cast<CurlReactor*>(user)->watch(socket, what);
  return 0;
}

int CurlReactor::on_timer(CURLM*, long milliseconds, void* user) {
  // Not called from here: libcurl forbids it.
  static_cast<CurlReactor*>(user)->due_ =
      milliseconds < 0 ? SteadyTime::max()
                       : std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  return 0;
}

void CurlReactor::watch(curl_socket_t socket, int what) {
  if (what == CURL_POLL_REMOVE) {
    // Fails where libcurl has closed it already, and with it has taken it out.
    static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, nullptr));
    return;
  }
  epoll_event event{};
  event.data.fd = socket;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) event.events |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) event.events |= EPOLLOUT;
  // Whether libcurl has had it watched before does not matter: its number may be that of one that
  // was closed.
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket, &event) == 0) return;
  if (errno == ENOENT && ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) == 0) return;
  // The transfer gets no event and ends with its stall timeout.
  log_error("http: cannot watch a socket: {}", std::generic_category().message(errno));
}

void CurlReactor::turn(std::chrono::milliseconds longest) {
  SteadyTime now = std::chrono::steady_clock::now();
  if (due_ != SteadyTime::max()) {
    longest = std::min(longest, std::max(std::chrono::ceil<std::chrono::milliseconds>(due_ - now),
                                         std::chrono::milliseconds(0)));
  }
  std::array<epoll_event, kEvents> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(longest.count()));
  int running = 0;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.fd == wakeup_.get()) {
      std::uint64_t drained = 0;
      [[maybe_unused]] const auto got = ::read(wakeup_.get(), &drained, sizeof drained);
      continue;
    }
    int ready = 0;
    if ((event.events & EPOLLIN) != 0) ready |= CURL_CSELECT_IN;
    if ((event.events & EPOLLOUT) != 0) ready |= CURL_CSELECT_OUT;
    if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) ready |= CURL_CSELECT_ERR;
    curl_multi_socket_action(multi_, event.data.fd, ready, &running);
  }
  now = std::chrono::steady_clock::now();
  if (due_ <= now) {
    due_ = SteadyTime::max();  // libcurl sets it again
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
}

void CurlReactor::wake() {
  const std::uint64_t one = 1;
  // Fails only where so many wait already that the next turn ends at once.
  [[maybe_unused]] const auto put = ::write(wakeup_.get(), &one, sizeof one);
}

}  // namespace cabinetfs
