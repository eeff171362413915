#include "tools/cabinetfs/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <thread>

namespace cabinetfs {

namespace {
// Written by the signal handler, which may only touch lock-free things.
std::atomic<int> interrupt_event{-1};
extern "C" void on_interrupt(int) {
  const int saved = errno;
  const std::uint64_t one = 1;
  const int fd = interrupt_event.load();
  if (fd >= 0) (void)!::write(fd, &one, sizeof one);
  errno = saved;
}
}  // namespace

// The handler cannot cancel by itself (callbacks take locks), so a thread does.
struct InterruptScope::State {
  CancelSource source;
  std::atomic<bool> interrupted{false};
  int event = -1;  // from the handler
  int stop = -1;   // from the destructor
  int outer = -1;  // of the scope that this one stands in
  struct sigaction old_int {
  }, old_term{};
  std::thread thread;
};

InterruptScope::InterruptScope() : state_(new State) {
  state_->event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  state_->stop = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  state_->outer = interrupt_event.exchange(state_->event);
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, &state_->old_int);
  ::sigaction(SIGTERM, &action, &state_->old_term);
  State* state = state_;
  state_->thread = std::thread([state] {
    struct pollfd fds[2] = {{state->event, POLLIN, 0}, {state->stop, POLLIN, 0}};
    while (::poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    if ((fds[0].revents & POLLIN) != 0) {
      state->interrupted = true;
      state->source.cancel();
    }
  });
}

InterruptScope::~InterruptScope() {
  const std::uint64_t one = 1;
  (void)!::write(state_->stop, &one, sizeof one);
  state_->thread.join();
  ::sigaction(SIGINT, &state_->old_int, nullptr);
  ::sigaction(SIGTERM, &state_->old_term, nullptr);
  interrupt_event = state_->outer;
  ::close(state_->event);
  ::close(state_->stop);
  delete state_;
}

CancelToken InterruptScope::token() const { return state_->source.token(); }
bool InterruptScope::interrupted() const { return state_->interrupted; }

}  // namespace cabinetfs
