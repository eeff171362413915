#include "tools/cabinetfs/serve_mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "backend/auth/secret_store.h"
#include "backend/base/descriptor.h"
#include "backend/base/log.h"
#include "backend/base/pause.h"
#include "backend/base/times.h"
#include "backend/remote_store.h"
#include "cache/content.h"
#include "cache/meta_store.h"
#include "cache/posix_env.h"
#include "cache/sealer.h"
#include "cache/volume.h"
#include "fs/control_server.h"
#include "fs/mount.h"
#include "tools/cabinetfs/connection.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/mount_status.h"
#include "tools/cabinetfs/mount_table.h"
#include "tools/cabinetfs/offline_store.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/store_info.h"
#include "tools/cabinetfs/store_sealer.h"
#include "tools/cabinetfs/transfer_rates.h"

namespace cabinetfs {

using nlohmann::json;

namespace {

// With a store on this disk the server is asked only to greet it; without one there is nothing to
// show until it has answered.
constexpr std::chrono::seconds kGreetingPatience{5};
constexpr std::chrono::seconds kFirstPatience{30};

// For a process that has just been unmounted to close its store, or a command that looks into it.
constexpr std::chrono::seconds kStorePatience{20};

// For a mount to say which store it has.
constexpr std::chrono::seconds kAskPatience{2};

// As long as a mount is starting: one of the signals that end it, or the end of the command that
// waits for it, cancels what is being waited for. The signals are blocked; they stay pending for
// whoever serves the mount.
class StartWatch {
 public:
  explicit StartWatch(int ready)
      : signals_(make_signals()),
        done_(::eventfd(0, EFD_CLOEXEC)),
        thread_([this, ready] { watch(ready); }) {}
  ~StartWatch() { end(); }
  StartWatch(const StartWatch&) = delete;
  StartWatch& operator=(const StartWatch&) = delete;

  CancelToken token() const { return source_.token(); }
  // From here on nothing is cancelled any more.
  void end() {
    if (!thread_.joinable()) return;
    const std::uint64_t one = 1;
    (void)!::write(done_.get(), &one, sizeof one);
    thread_.join();
  }

 private:
  static int make_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int each : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, each);
    return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  void watch(int ready) {
    struct pollfd fds[3] = {
        {signals_.get(), POLLIN, 0}, {done_.get(), POLLIN, 0}, {ready, 0 /* POLLERR */, 0}};
    while (::poll(fds, 3, -1) < 0 && errno == EINTR) {
    }
    if (fds[1].revents == 0) source_.cancel();
  }

  CancelSource source_;
  const Descriptor signals_, done_;
  std::thread thread_;  // last: it uses the others
};

Error interrupted() { return {ErrorCode::kCancelled, "interrupted; nothing is mounted"}; }

// Where this store is mounted by a living process: other stores of the remote are in nobody's way.
std::string mounted_on(const Paths& paths, const MountPlan& plan) {
  const auto volumes = mounted_volumes();
  if (!volumes) return {};
  for (const MountedVolume& volume : *volumes) {
    if (volume.remote != plan.remote || !volume.alive ||
        !has_control_socket(paths, volume.mount_point))
      continue;
    const auto status = ask_mount(paths, volume, {{"cmd", "status"}}, kAskPatience);
    if (status && text_field(*status, "store") == plan.store.state) return volume.mount_point;
  }
  return {};
}

Result<DirLock> lock_store(const Paths& paths, const MountPlan& plan, const CancelToken& cancel) {
  const auto call = CallContext::within(kStorePatience, Priority::kForeground, cancel);
  for (;;) {
    auto lock = DirLock::acquire(plan.store.state);
    if (lock || lock.error().code != ErrorCode::kBusy) return lock;
    const std::string where = mounted_on(paths, plan);
    if (where.empty() && pause(call, std::chrono::milliseconds(100))) continue;
    if (cancel.cancelled()) return fail(interrupted());
    return fail(ErrorCode::kBusy,
                fmt::format("{} is mounted already{}{} ({}); -o instance=NAME mounts it a second "
                            "time, with a store of its own",
                            plan.remote, where.empty() ? "" : " on ", where, lock.error().context));
  }
}

// A store that was sealed otherwise than asked for now is made anew, if nothing in it is unsent.
Result<void> change_sealing(const MountPlan& plan, const StoreInfo& info, SecretStore& secrets) {
  TRY_ASSIGN(const auto sealer, open_store_sealer(secrets, plan.store, info.encrypted));
  TRY_ASSIGN(const auto meta, MetaStore::open(plan.store.meta_file(), *sealer));
  TRY_ASSIGN(const UnsentCount unsent, count_unsent(*meta));
  if (unsent.items > 0)
    return fail(
        ErrorCode::kBusy,
        fmt::format("cache_encryption cannot change with {} of {} unsent; mount once without "
                    "the option and let that be sent",
                    count_of(unsent.items, "change"), plan.remote));
  log_info("the store of {} is made anew: cache_encryption has changed", plan.remote);
  return {};
}

// Checks that the store belongs to this remote's server; makes it if it is new. True: it was there.
Result<bool> prepare_store(const MountPlan& plan, SecretStore& secrets, StoreInfo& info) {
  TRY(make_dirs(plan.store.state));
  TRY(make_dirs(plan.store.cache));
  TRY(make_dirs(plan.store.staged_dir()));
  TRY_ASSIGN(auto known, read_store_info(plan.store));
  const bool encrypted = plan.options.mount.cache_encryption;
  if (known && known->url != plan.options.remote.url)
    return fail(ErrorCode::kConflict,
                fmt::format("the store of {} belongs to {}, and the configuration says {} now. If "
                            "that is the same server, put the old address back, let everything be "
                            "sent, and remove {}; else choose another name for the remote",
                            plan.remote, known->url, plan.options.remote.url, plan.store.state));
  if (known && known->encrypted != encrypted) {
    if (file_exists(plan.store.meta_file())) TRY(change_sealing(plan, *known, secrets));
    TRY(remove_store_files(plan.store));
    known.reset();
  }
  const bool existed = known.has_value() && file_exists(plan.store.meta_file());
  if (known) {
    info = *known;
  } else {
    TRY(make_dirs(plan.store.cache));
    TRY(make_dirs(plan.store.staged_dir()));
    info = {};
    info.remote = plan.remote;
    info.root = plan.options.mount.root;
    info.instance = plan.options.mount.instance;
    info.url = plan.options.remote.url;
    info.encrypted = encrypted;
    TRY(write_store_info(plan.store, info));
  }
  return existed;
}

// Asks the server who we are. An existing store can do without an answer, but not with another
// account's.
Result<void> greet(const MountPlan& plan, RemoteStore& remote, bool existed, StoreInfo& info,
                   const CancelToken& cancel) {
  const auto call = CallContext::within(existed ? kGreetingPatience : kFirstPatience,
                                        Priority::kForeground, cancel);
  const auto account = remote.account(call);
  if (cancel.cancelled()) return fail(interrupted());
  if (!account) {
    const Error& error = account.error();
    // Without a login the command to run says more than a mount that cannot be used for long.
    if (!existed || !is_unreachable(error.code) || error.code == ErrorCode::kUnauthenticated)
      return fail(error);
    complain(
        printable(fmt::format("{} cannot be used ({}); mounted offline, from what is on "
                              "this disk",
                              plan.remote, error.context)));
    return {};
  }
  if (!info.account.empty() && info.account != account->id)
    return fail(ErrorCode::kConflict,
                fmt::format("{} is logged in as {} now, and its store belongs to another account; "
                            "log in as that one, or use -o instance=NAME for a new store",
                            plan.remote, account->email));
  if (info.account != account->id || info.email != account->email) {
    info.account = account->id;
    info.email = account->email;
    TRY(write_store_info(plan.store, info));
  }
  if (!existed) TRY(remote.root(call));
  return {};
}

json mount_facts(const MountPlan& plan, const StoreInfo& info, const std::string& since) {
  return {{"mount_point", plan.mount_point},
          {"remote", plan.remote},
          {"root", plan.options.mount.root},
          {"vendor", plan.options.remote.vendor},
          {"url", plan.options.remote.url},
          {"account", {{"id", info.account}, {"email", info.email}}},
          {"store", plan.store.state},
          {"pid", ::getpid()},
          {"since", since},
          {"version", CABINETFS_VERSION},
          {"cache_limit", plan.options.content.cache_max_bytes}};
}

// Watches the counters of a connection for as long as it lives.
class RateKeeper {
 public:
  explicit RateKeeper(const Connection& connection)
      : connection_(connection), thread_([this] { run(); }) {}
  ~RateKeeper() {
    stopping_.cancel();
    thread_.join();
  }
  json to_json() const {
    const auto rates = rates_.per_second(totals(), Clock::system().steady());
    return {{"down", rates.down}, {"up", rates.up}};
  }

 private:
  TransferRates::Totals totals() const {
    const HttpStats stats = connection_.http_stats();
    return {stats.bytes_in, stats.bytes_out};
  }
  void run() {
    CallContext forever;
    forever.cancel = stopping_.token();
    do rates_.note(totals(), Clock::system().steady());
    while (pause(forever, TransferRates::kEvery));
  }

  const Connection& connection_;
  TransferRates rates_;
  CancelSource stopping_;
  std::thread thread_;  // last: it uses the others
};

// Returns what is unsent when nothing is mounted any more.
Result<UnsentCount> serve(const Paths& paths, MountPlan& plan, ReadyPipe& ready) {
  const Options& options = plan.options;
  StartWatch start(ready.fd());
  TRY(make_dirs(plan.store.state));
  TRY_ASSIGN(const DirLock lock, lock_store(paths, plan, start.token()));

  TRY_ASSIGN(const auto connection, Connection::open(paths, plan.remote, options, start.token()));
  StoreInfo info;
  TRY_ASSIGN(const bool existed, prepare_store(plan, connection->secrets(), info));
  RemoteStore& remote = connection->store();
  TRY(greet(plan, remote, existed, info, start.token()));

  TRY_ASSIGN(const auto sealer,
             open_store_sealer(connection->secrets(), plan.store, info.encrypted));
  TRY_ASSIGN(const auto meta, MetaStore::open(plan.store.meta_file(), *sealer));
  TRY_ASSIGN(const auto contents, ContentStore::open(options.content, *sealer, remote));
  TRY_ASSIGN(const auto volume, Volume::open(options.volume, remote, *meta, *contents));

  MountOptions mount_options;
  mount_options.mount_point = plan.mount_point;
  mount_options.remote = plan.remote;
  mount_options.allow_other = options.mount.allow_other;
  mount_options.read_only = options.volume.read_only;
  if (options.mount.noexec) mount_options.extra.emplace_back("noexec");
  if (options.mount.noatime) mount_options.extra.emplace_back("noatime");
  mount_options.uid = options.volume.uid;
  mount_options.gid = options.volume.gid;
  mount_options.threads = options.mount.threads;
  mount_options.call_timeout = options.volume.call_timeout;
  mount_options.config_text = fmt::format("[remote.{}]\n", plan.remote) + describe_options(options);
  mount_options.extra_metrics = [&connection] { return http_metrics(connection->http_stats()); };
  if (start.token().cancelled()) return fail(interrupted());
  start.end();
  TRY_ASSIGN(auto mount, Mount::create(std::move(mount_options), *volume));

  ControlServices services;
  services.volume = volume.get();
  services.contents = contents.get();
  services.call_timeout = options.volume.call_timeout;
  services.unmount = [&mount] { mount->stop(); };
  const RateKeeper rates(*connection);
  const std::string since = format_rfc3339(Clock::system().wall());
  services.extra_status = [&] {
    json out = mount_facts(plan, info, since);
    out["http"] = http_stats_to_json(connection->http_stats());
    out["rates"] = rates.to_json();
    return out;
  };
  TRY_ASSIGN(auto control, ControlServer::start(control_socket(paths.run_dir, plan.mount_point),
                                                std::move(services)));
  connection->secrets().limit_reads(kUnlockInPassing);
  volume->start();
  const auto served = mount->run(
      [&] {
        if (!ready.report_ready(options.mount.log_file)) {
          log_warn("the mount command was interrupted; unmounting");
          mount->stop();
        }
      },
      true);
  control.reset();
  volume->stop();
  contents->shutdown();
  TRY(served);
  return count_unsent(*meta);
}

// Before anything else is done, and by its name.
Result<void> check_log_file(const std::string& file) {
  TRY(make_dirs(parent_dir(file)));
  const Descriptor opened(::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (opened.get() < 0)
    return fail(ErrorCode::kIo, fmt::format("log_file {}: {}", file, std::strerror(errno)));
  return {};
}

}  // namespace

ExitCode serve_mount(const Paths& paths, MountPlan plan, ReadyPipe& ready) {
  harden_process();
  Mount::block_stop_signals();
  if (plan.options.mount.log_file.empty() && !plan.foreground)
    plan.options.mount.log_file = plan.store.log_file();
  if (!plan.options.mount.log_file.empty()) {
    if (const auto good = check_log_file(plan.options.mount.log_file); !good)
      return fail_with(good.error());
  }
  configure_log({plan.options.mount.log_level, plan.options.mount.log_file});
  const auto served = serve(paths, plan, ready);
  if (served) {
    if (served->items == 0) return ExitCode::kOk;
    const std::string text =
        fmt::format("{} of {} not on the server: kept on this disk and sent at the next mount",
                    count_of(served->items, "change"), plan.remote);
    if (plan.foreground)
      complain(text);
    else
      log_info("{}", text);
    return ExitCode::kUnsentRemains;
  }
  if (!plan.options.mount.log_file.empty()) log_error("{}", to_string(served.error()));
  return fail_with(served.error(), plan.remote);
}

}  // namespace cabinetfs
