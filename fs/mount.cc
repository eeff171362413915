#include "fs/mount.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "backend/base/descriptor.h"
#include "backend/base/log.h"
#include "cache/volume.h"
#include "fs/control_files.h"
#include "fs/fuse_channel.h"
#include "fs/mount_point.h"
#include "fs/open_handles.h"
#include "fs/request_runner.h"
#include "fs/virtual_nodes.h"
#include "fs/xattr.h"

namespace cabinetfs {
namespace {

// The kernel answers a new mount at once; more means that something is badly wrong.
constexpr std::chrono::seconds kReadyPatience{20};

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

class MountImpl final : public Mount {
 public:
  MountImpl(MountOptions options, Volume& volume)
      : options_(std::move(options)),
        volume_(volume),
        runner_({options_.waiting_threads, 8192, options_.call_timeout}),
        handles_(volume),
        virtual_nodes_(volume, control_files()),
        xattrs_(volume, options_.remote),
        stop_event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  ~MountImpl() override { end(); }

  Result<void> open() {
    if (stop_event_.get() < 0) return fail(ErrorCode::kIo, "eventfd");
    TRY(prepare_mount_point(options_.mount_point));
    ChannelOptions channel;
    channel.mount_point = options_.mount_point;
    channel.source = "cabinetfs#" + options_.remote;
    channel.allow_other = options_.allow_other;
    channel.read_only = options_.read_only;
    channel.extra = options_.extra;
    channel.threads = options_.threads;
    channel.uid = options_.uid;
    channel.gid = options_.gid;
    TRY_ASSIGN(channel_,
               FuseChannel::mount(channel, {volume_, virtual_nodes_, xattrs_, runner_, handles_}));
    notifier_ = std::make_unique<QueueingNotifier>(*channel_);
    volume_.set_notifier(notifier_.get());
    return {};
  }

  Result<void> run(const std::function<void()>& ready, bool on_signals) override {
    auto served = serve(ready, on_signals);
    end();
    return served;
  }

  void stop() override {
    const std::uint64_t one = 1;
    // Only a full counter can refuse, and then the wake-up is already there.
    if (::write(stop_event_.get(), &one, sizeof(one)) < 0) log_debug("stop: already asked for");
  }

 private:
  Result<void> serve(const std::function<void()>& ready, bool on_signals) {
    const sigset_t signals = stop_signals();
    const Descriptor signal_fd(on_signals ? ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)
                                          : -1);
    if (on_signals && signal_fd.get() < 0) return fail(ErrorCode::kIo, "signalfd");
    TRY(channel_->start([this] { stop(); }));
    if (!channel_->wait_until_ready(kReadyPatience)) {
      return fail(ErrorCode::kTimeout, "the kernel did not answer the mount");
    }
    raise_read_ahead(options_.mount_point);
    log_info("{} mounted at {}", options_.remote, options_.mount_point);
    if (ready) ready();
    pollfd waits[] = {{stop_event_.get(), POLLIN, 0}, {signal_fd.get(), POLLIN, 0}};
    while (::poll(waits, on_signals ? 2 : 1, -1) < 0) {
      if (errno != EINTR)
        return fail(ErrorCode::kIo, fmt::format("poll: {}", std::strerror(errno)));
    }
    if (on_signals && (waits[1].revents & POLLIN) != 0) {
      signalfd_siginfo info{};
      if (::read(signal_fd.get(), &info, sizeof(info)) == sizeof(info)) {
        log_info("signal {}: unmounting", info.ssi_signo);
      }
    }
    return {};
  }

  // The order matters: a notification may wait in the kernel for a request in flight, so requests
  // are still read and answered (those that would wait, with an error) until the notifier has
  // ended.
  void end() {
    if (channel_ == nullptr || std::exchange(ended_, true)) return;
    volume_.set_notifier(nullptr);
    runner_.refuse_waiting();
    notifier_->stop();
    channel_->stop_threads();
    runner_.shutdown();
    channel_->unmount();
    handles_.release_all();
    // The notifier stays, deaf, since the volume still runs and may be about to call it.
    log_info("{} unmounted from {}", options_.remote, options_.mount_point);
  }

  std::vector<ControlFile> control_files() {
    return make_control_files({&volume_, options_.remote, options_.mount_point,
                               options_.config_text, [this] { return runner_.stats(); },
                               options_.extra_metrics});
  }

  const MountOptions options_;
  Volume& volume_;
  RequestRunner runner_;
  OpenHandles handles_;
  VirtualNodes virtual_nodes_;
  CabinetXattrs xattrs_;
  const Descriptor stop_event_;
  std::unique_ptr<FuseChannel> channel_;
  std::unique_ptr<QueueingNotifier> notifier_;
  bool ended_ = false;  // run() and the destructor are one thread's
};

}  // namespace

Result<std::unique_ptr<Mount>> Mount::create(MountOptions options, Volume& volume) {
  auto mount = std::make_unique<MountImpl>(std::move(options), volume);
  TRY(mount->open());
  return std::unique_ptr<Mount>(std::move(mount));
}

void Mount::block_stop_signals() {
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace cabinetfs
