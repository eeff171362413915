// cache stats, verify, gc, clear: through the mount where there is one, else on the disk.

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "backend/auth/secret_store.h"
#include "backend/remote_store.h"
#include "cache/content.h"
#include "cache/posix_env.h"
#include "cache/sealer.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/config.h"
#include "tools/cabinetfs/connection.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/offline_store.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/store_info.h"
#include "tools/cabinetfs/store_sealer.h"
#include "tools/cabinetfs/units.h"

namespace cabinetfs {

using nlohmann::json;

namespace {

// Nothing there but copies of what the server has; needs no key.
Result<json> remove_all_cached(const StorePaths& store) {
  std::error_code error;
  std::filesystem::directory_iterator entries(store.cache, error);
  if (error == std::errc::no_such_file_or_directory) return json::object();
  std::error_code first = error;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    std::error_code failed;
    std::filesystem::remove_all(entries->path(), failed);
    if (!first) first = failed;
  }
  if (!first) first = error;
  if (first) return fail(ErrorCode::kIo, fmt::format("{}: {}", store.cache, first.message()));
  return json::object();
}

// A store that is not mounted. `force`: "clear" asks nobody what is pinned.
Result<json> work_on_disk(const Paths& paths, const StorePaths& store, const std::string& what,
                          bool force) {
  TRY_ASSIGN(const DirLock lock, DirLock::acquire(store.state));
  if (what == "clear" && force) return remove_all_cached(store);
  TRY_ASSIGN(const auto info, read_store_info(store));
  if (!info) return fail(ErrorCode::kNotFound, fmt::format("{} holds no store", store.state));
  Options options;
  if (const auto config = Config::load(paths.config_file))
    if (auto known = config->options_for(info->remote)) options = *known;
  options.content.cache_dir = store.cache;
  options.content.staged_dir = store.staged_dir();
  TRY_ASSIGN(const auto secrets, open_secrets(paths, options));
  const auto sealer = open_store_sealer(*secrets, store, info->encrypted);
  if (!sealer) {
    // Without its key nobody will ever read it, nor say what of it is pinned.
    const bool key_is_gone =
        sealer.error().code == ErrorCode::kDenied && !file_exists(store.state + "/store.key");
    if (what == "clear" && key_is_gone) return remove_all_cached(store);
    return fail(sealer.error());
  }
  const auto offline = make_offline_store();
  TRY_ASSIGN(const auto contents, ContentStore::open(options.content, **sealer, *offline));
  json out = json::object();
  if (what == "verify") {
    const auto report = contents->verify();
    out = {{"files", report.files}, {"blocks", report.blocks}, {"bad_blocks", report.bad_blocks}};
  } else if (what == "gc") {
    contents->collect_garbage();
  } else if (what == "clear") {
    contents->clear_cache();
  }
  if (what != "verify") {
    const ContentStats stats = contents->stats();
    out = {{"cache_bytes", stats.cache_bytes},
           {"staged_bytes", stats.staged_bytes},
           {"cached_files", stats.cached_files}};
  }
  contents->shutdown();
  return out;
}

void print_answer(const std::string& name, const std::string& what, const json& answer) {
  if (what == "verify") {
    const std::uint64_t bad = number_field(answer, "bad_blocks");
    say(fmt::format("{}: {} files, {} blocks, {}", name, number_field(answer, "files"),
                    number_field(answer, "blocks"),
                    bad == 0 ? std::string("all good")
                             : fmt::format("{} bad ones dropped; they are fetched again", bad)));
  } else if (what == "clear") {
    const std::uint64_t left = number_field(answer, "cache_bytes");
    say(left == 0 ? fmt::format("{}: cleared", name)
                  : fmt::format("{}: cleared; {} are pinned or open", name, format_size(left)));
  } else {
    std::string line =
        fmt::format("{}: {} in {} files", name, format_size(number_field(answer, "cache_bytes")),
                    number_field(answer, "cached_files"));
    const std::uint64_t staged = number_field(answer, "staged_bytes");
    if (staged > 0) line += fmt::format("; unsent: {}", format_size(staged));
    const std::uint64_t hits = number_field(answer, "hits");
    const std::uint64_t all = hits + number_field(answer, "misses");
    if (all > 0)
      line += fmt::format(
          "; {:.0f} % of blocks read from it; fetched {}, ahead of reading {} "
          "(unused {})",
          100.0 * static_cast<double>(hits) / static_cast<double>(all),
          format_size(number_field(answer, "fetched_bytes")),
          format_size(number_field(answer, "prefetched_bytes")),
          format_size(number_field(answer, "prefetched_unused_bytes")));
    say(line);
  }
}

}  // namespace

ExitCode run_cache(const Paths& paths, const std::string& what, const std::string& target,
                   bool as_json, bool force) {
  const auto volumes = mounted_volumes();
  if (!volumes) return fail_with(volumes.error());
  ExitCode worst = ExitCode::kOk;
  json all = json::array();
  bool any = false;
  const auto done = [&](const std::string& name, const Result<json>& answer) {
    any = true;
    if (!answer) {
      worst = fail_with(answer.error());
      return;
    }
    if (what == "verify" && number_field(*answer, "bad_blocks") > 0) worst = ExitCode::kFailed;
    json entry = *answer;
    entry["store"] = name;
    all.push_back(std::move(entry));
    if (!as_json) print_answer(printable(name), what, *answer);
  };
  std::optional<Error> elsewhere;
  const std::string as_path = target.empty() ? "" : absolute_path(target);
  for (const MountedVolume& volume : *volumes) {
    if (!volume.alive) continue;
    if (!target.empty() && volume.remote != target && volume.mount_point != as_path) continue;
    const auto answer = ask_mount(paths, volume, {{"cmd", "cache-" + what}});
    // Of that name there may be another user's, or another session's, with a store of its own.
    if (!answer && volume.mount_point != as_path &&
        answer.error().code == ErrorCode::kNotPermitted) {
      if (!target.empty()) elsewhere = answer.error();
      continue;
    }
    done(volume.mount_point, answer);
  }
  for (const StorePaths& store : all_stores(paths)) {
    const auto info = read_store_info(store);
    if (!info || !*info) continue;
    if (!target.empty() && (*info)->remote != target && store.name != target) continue;
    const auto answer = work_on_disk(paths, store, what, force);
    // Mounted: that has been asked above.
    if (!answer && answer.error().code == ErrorCode::kBusy) continue;
    done(store.name, answer);
  }
  if (as_json) say(all.dump(2));
  if (!any && elsewhere) return fail_with(*elsewhere);
  if (!any && !target.empty()) {
    complain(
        printable(fmt::format("{}: neither mounted, nor is anything of it on this disk", target)));
    return ExitCode::kFailed;
  }
  if (!any && !as_json) say("nothing is cached");
  return worst;
}

}  // namespace cabinetfs
