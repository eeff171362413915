// status: what the mounts are doing, and what stores that are not mounted still hold.

#include <fmt/format.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/offline_store.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/status_view.h"

namespace cabinetfs {

using nlohmann::json;

namespace {

// Seconds of --watch: looking into a store opens its database.
constexpr unsigned kStoresEvery = 10;

struct Snapshot {
  json mounts = json::array();
  json stores = json::array();  // not mounted, but with something unsent, or nobody can tell
  ExitCode worst = ExitCode::kOk;
};

Snapshot take_snapshot(const Paths& paths, const std::vector<MountedVolume>& volumes,
                       bool with_stores) {
  Snapshot out;
  for (const MountedVolume& volume : volumes) {
    json entry = {{"mount_point", volume.mount_point}, {"remote", volume.remote}};
    if (!volume.alive) {
      entry["alive"] = false;
      entry["error"] = "the mount has lost its server; mount it again";
      out.worst = ExitCode::kFailed;
    } else {
      auto status =
          ask_mount(paths, volume, {{"cmd", "status"}}, std::chrono::milliseconds(10'000));
      // One that may not be asked is well all the same.
      entry["alive"] = status || status.error().code == ErrorCode::kNotPermitted;
      if (status) {
        entry.update(*status);
      } else {
        entry["error"] = status.error().context;
        // Among all mounts there may be another user's, or another session's.
        if (!with_stores) out.worst = exit_code_for(status.error().code);
      }
    }
    out.mounts.push_back(std::move(entry));
  }
  if (with_stores) {
    for (const IdleStore& store : idle_stores_with_unsent(paths)) {
      json entry = {{"store", store.name}, {"remote", store.remote}};
      if (store.error) {
        entry["error"] = store.error->context;
      } else {
        entry["unsent"] = store.unsent;
        entry["unsent_bytes"] = store.bytes;
      }
      out.stores.push_back(std::move(entry));
    }
  }
  return out;
}

std::string render(const Snapshot& snapshot, unsigned width, std::size_t max_items) {
  std::string out;
  for (const json& mount : snapshot.mounts) {
    if (!out.empty()) out += '\n';
    if (!mount.contains("error"))
      out += render_status(mount, width, max_items);
    else
      out += fmt::format("{}  on {}\n  {}\n", printable(text_field(mount, "remote")),
                         printable(text_field(mount, "mount_point")),
                         printable(text_field(mount, "error")));
  }
  for (const json& store : snapshot.stores) {
    out += fmt::format("{}{}  not mounted\n", out.empty() ? "" : "\n",
                       printable(text_field(store, "remote")));
    if (store.contains("error"))
      out += fmt::format("  what is unsent cannot be told: {}\n",
                         printable(text_field(store, "error")));
    else
      out += fmt::format("  unsent: {}; kept on this disk and sent at the next mount\n",
                         count_of(number_field(store, "unsent"), "change"));
  }
  if (out.empty()) out = "nothing is mounted\n";
  return out;
}

// Waits a second; false when interrupted.
bool wait_a_second(const sigset_t& signals) {
  const struct timespec second = {1, 0};
  return ::sigtimedwait(&signals, nullptr, &second) < 0;
}

}  // namespace

ExitCode run_status(const Paths& paths, const StatusCommand& command) {
  auto volumes = mounted_volumes();
  if (!volumes) return fail_with(volumes.error());
  if (!command.path.empty()) {
    const std::string absolute = absolute_path(command.path);
    // A dead mount is found here too: status is what tells about it.
    const auto where = find_on_mounts(*volumes, absolute);
    if (!where) {
      complain(printable(fmt::format("{} is not on a cabinetfs mount", command.path)));
      return ExitCode::kFailed;
    }
    *volumes = {where->volume};
  }
  const bool with_stores = command.path.empty();
  if (!command.watch) {
    const Snapshot snapshot = take_snapshot(paths, *volumes, with_stores);
    if (command.json)
      say(json({{"mounts", snapshot.mounts}, {"stores", snapshot.stores}})
              .dump(2, ' ', false, json::error_handler_t::replace));
    else
      fmt::print("{}", render(snapshot, terminal_width(), 20));
    return snapshot.worst;
  }

  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  const bool terminal = output_is_terminal();
  json stores = json::array();
  for (unsigned round = 0;; ++round) {
    if (command.path.empty()) {
      if (auto now = mounted_volumes()) *volumes = *now;
    }
    Snapshot snapshot = take_snapshot(paths, *volumes, with_stores && round % kStoresEvery == 0);
    if (round % kStoresEvery == 0) stores = snapshot.stores;
    snapshot.stores = stores;
    if (command.json) {
      say(json({{"mounts", snapshot.mounts}, {"stores", snapshot.stores}})
              .dump(-1, ' ', false, json::error_handler_t::replace));
    } else {
      if (terminal) fmt::print("\x1b[H\x1b[2J");
      fmt::print("{}{}", render(snapshot, terminal_width(), 15), terminal ? "" : "\n");
    }
    // Whoever read this has gone.
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) return ExitCode::kFailed;
    if (!wait_a_second(signals)) return ExitCode::kOk;
  }
}

}  // namespace cabinetfs
