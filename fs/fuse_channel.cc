#include "fs/fuse_channel.h"

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "backend/base/log.h"
#include "fs/fuse_internal.h"

namespace cabinetfs {
namespace {

// Read-ahead and direct I/O that may be under way at once. The kernel's default of 12 would leave a
// fast connection idle.
constexpr unsigned kMaxBackground = 128;
constexpr unsigned kCongestion = 96;

// Wakes a thread out of its read of the device; libfuse has no other way than unmounting first.
int wake_signal() { return SIGRTMIN + 5; }

void install_wake_signal() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  // Without SA_RESTART: the read must return.
  ::sigaction(wake_signal(), &action, nullptr);
}

void want(fuse_conn_info& conn, unsigned capability, bool on) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
  if (on) {
    fuse_set_feature_flag(&conn, capability);
  } else {
    fuse_unset_feature_flag(&conn, capability);
  }
#else
  if (on && (conn.capable & capability) != 0) {
    conn.want |= capability;
  } else {
    conn.want &= ~capability;
  }
#endif
}

void op_init(void* data, fuse_conn_info* conn) {
  Shell& shell = *static_cast<Shell*>(data);
  want(*conn, FUSE_CAP_ASYNC_READ, true);
  want(*conn, FUSE_CAP_ASYNC_DIO, true);
  want(*conn, FUSE_CAP_PARALLEL_DIROPS, true);
  want(*conn, FUSE_CAP_READDIRPLUS, true);
  want(*conn, FUSE_CAP_READDIRPLUS_AUTO, true);
  want(*conn, FUSE_CAP_ATOMIC_O_TRUNC, true);
  // Pages go when this process says so or at an open without keep_cache, not whenever a time stamp
  // of the server's differs by its rounding.
  want(*conn, FUSE_CAP_AUTO_INVAL_DATA, false);
  want(*conn, FUSE_CAP_EXPLICIT_INVAL_DATA, true);
  // Every write reaches this process before write(2) returns: what a program was told is saved is.
  want(*conn, FUSE_CAP_WRITEBACK_CACHE, false);
  // The kernel clears set-id bits itself, by a setattr.
  want(*conn, FUSE_CAP_HANDLE_KILLPRIV, false);
  want(*conn, FUSE_CAP_EXPORT_SUPPORT, false);
  want(*conn, FUSE_CAP_POSIX_ACL, false);
  // Locks stay inside this machine: the kernel keeps them.
  want(*conn, FUSE_CAP_POSIX_LOCKS, false);
  want(*conn, FUSE_CAP_FLOCK_LOCKS, false);
  // Bytes are sealed on their way in and opened on their way out, so they must be in memory.
  want(*conn, FUSE_CAP_SPLICE_READ, false);
  want(*conn, FUSE_CAP_SPLICE_WRITE, false);
  want(*conn, FUSE_CAP_SPLICE_MOVE, false);
  conn->max_read = kMaxTransfer;
  conn->max_write = kMaxTransfer;
  conn->max_background = kMaxBackground;
  conn->congestion_threshold = kCongestion;
  MutexLock lock(shell.ready_mutex);
  shell.ready = true;
  shell.ready_changed.notify_all();
}

fuse_lowlevel_ops make_ops() {
  fuse_lowlevel_ops ops{};
  ops.init = op_init;
  add_lookup_ops(ops);
  add_open_ops(ops);
  add_data_ops(ops);
  add_dir_ops(ops);
  add_rename_ops(ops);
  add_xattr_ops(ops);
  return ops;
}

// A comma would begin another option.
std::string option_value(std::string text) {
  for (char& c : text) {
    if (c == ',' || c == '\\' || static_cast<unsigned char>(c) < 0x20) c = '_';
  }
  return text;
}

std::string mount_option_text(const ChannelOptions& options) {
  std::string text =
      fmt::format("default_permissions,nosuid,nodev,subtype=cabinetfs,fsname={},max_read={}",
                  option_value(options.source), kMaxTransfer);
  if (options.allow_other) text += ",allow_other";
  if (options.read_only) text += ",ro";
  for (const std::string& extra : options.extra) text += fmt::format(",{}", option_value(extra));
  return text;
}

ErrorCode mount_error(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return ErrorCode::kDenied;
    case ENODEV:
      return ErrorCode::kNotSupported;
    case EBUSY:
      return ErrorCode::kBusy;
    default:
      return ErrorCode::kIo;
  }
}

// libfuse's own messages, as log lines.
void log_libfuse(fuse_log_level level, const char* format, va_list arguments) {
  char line[512];
  std::vsnprintf(line, sizeof(line), format, arguments);
  std::string_view text(line);
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  log_message(level <= FUSE_LOG_ERR    ? LogLevel::kError
              : level <= FUSE_LOG_INFO ? LogLevel::kInfo
                                       : LogLevel::kDebug,
              text);
}

// The kernel asks for the name again at its next use, and what it finds unchanged it keeps: a
// directory that was dropped instead would take the working directory of its programs away. libfuse
// 3.14 wants a flag that later versions have taken out.
template <class Session>
int expire_entry(Session* session, fuse_ino_t parent, const std::string& name) {
  if constexpr (requires {
                  fuse_lowlevel_notify_expire_entry(session, parent, name.c_str(), name.size());
                }) {
    return fuse_lowlevel_notify_expire_entry(session, parent, name.c_str(), name.size());
  } else {
    return fuse_lowlevel_notify_expire_entry(session, parent, name.c_str(), name.size(),
                                             FUSE_LL_EXPIRE_ONLY);
  }
}

class Channel final : public FuseChannel {
 public:
  Channel(const ChannelOptions& options, ChannelParts parts)
      : options_(options), shell_(parts, options.uid, options.gid), ops_(make_ops()) {}

  ~Channel() override {
    stop_threads();
    unmount();
    if (session_ != nullptr) fuse_session_destroy(session_);
  }

  Result<void> open() {
    if (::access("/dev/fuse", F_OK) != 0) {
      return fail(ErrorCode::kNotSupported, "there is no /dev/fuse: load the kernel module fuse");
    }
    fuse_set_log_func(log_libfuse);
    const std::string text = mount_option_text(options_);
    std::string program = "cabinetfs", flag = "-o", value = text;
    char* argv[] = {program.data(), flag.data(), value.data(), nullptr};
    fuse_args args = FUSE_ARGS_INIT(3, argv);
    session_ = fuse_session_new(&args, &ops_, sizeof(ops_), &shell_);
    fuse_opt_free_args(&args);
    if (session_ == nullptr) return fail(ErrorCode::kInvalid, "mount options: " + text);
    shell_.session = session_;
    errno = 0;
    if (fuse_session_mount(session_, options_.mount_point.c_str()) != 0) {
      const int error = errno;
      return fail(mount_error(error),
                  fmt::format("mounting at {}: {}", options_.mount_point,
                              error == 0        ? "fusermount3 refused"
                              : error == EACCES ? "Permission denied; may this user open /dev/fuse?"
                                                : std::strerror(error)));
    }
    mounted_ = true;
    return {};
  }

  Result<void> start(std::function<void()> on_end) override {
    install_wake_signal();
    on_end_ = std::move(on_end);
    running_ = options_.threads == 0 ? 1 : options_.threads;
    for (unsigned i = 0; i < running_.load(); ++i) {
      threads_.emplace_back([this] { serve(); });
      pthread_setname_np(threads_.back().native_handle(), "cabinet-fuse");
    }
    return {};
  }

  bool wait_until_ready(std::chrono::milliseconds patience) override {
    const auto until = Clock::system().steady() + patience;
    MutexLock lock(shell_.ready_mutex);
    while (!shell_.ready) {
      if (!shell_.ready_changed.wait_until(shell_.ready_mutex, until)) return shell_.ready;
    }
    return true;
  }

  void stop_threads() override {
    if (session_ != nullptr) fuse_session_exit(session_);
    stopping_ = true;
    // The signal is lost on a thread that is just about to read, so it is repeated until the thread
    // has seen that it should end.
    while (running_.load(std::memory_order_acquire) > 0 && !threads_.empty()) {
      for (std::thread& thread : threads_) pthread_kill(thread.native_handle(), wake_signal());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  void unmount() override {
    if (!std::exchange(mounted_, false)) return;
    fuse_session_unmount(session_);
  }

  void drop_inode(InodeNumber ino, bool data) override {
    // A negative offset leaves the pages; length 0 is "to the end".
    fuse_lowlevel_notify_inval_inode(session_, ino.value, data ? 0 : -1, 0);
  }

  bool drop_entry(InodeNumber parent, const std::string& name) override {
    const int told = expire_entry(session_, parent.value, name);
    if (told != -ENOSYS) return told == 0;
    return fuse_lowlevel_notify_inval_entry(session_, parent.value, name.c_str(), name.size()) == 0;
  }

 private:
  void serve() {
    fuse_buf buffer{};
    while (!stopping_ && fuse_session_exited(session_) == 0) {
      const int got = fuse_session_receive_buf(session_, &buffer);
      if (got == -EINTR || got == -EAGAIN) continue;
      if (got <= 0) break;
      fuse_session_process_buf(session_, &buffer);
    }
    std::free(buffer.mem);
    running_.fetch_sub(1, std::memory_order_release);
    if (!stopping_) on_end_();
  }

  const ChannelOptions options_;
  Shell shell_;
  const fuse_lowlevel_ops ops_;
  fuse_session* session_ = nullptr;
  bool mounted_ = false;
  std::function<void()> on_end_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_{false};
  std::atomic<unsigned> running_{0};
};

}  // namespace

Result<std::unique_ptr<FuseChannel>> FuseChannel::mount(const ChannelOptions& options,
                                                        ChannelParts parts) {
  auto channel = std::make_unique<Channel>(options, parts);
  TRY(channel->open());
  return std::unique_ptr<FuseChannel>(std::move(channel));
}

}  // namespace cabinetfs
