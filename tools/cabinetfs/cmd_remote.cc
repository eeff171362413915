// remote add, list, show, remove, test.

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "backend/auth/secret_store.h"
#include "backend/remote_store.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/config.h"
#include "tools/cabinetfs/connection.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/mount_table.h"
#include "tools/cabinetfs/offline_store.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/store_info.h"
#include "tools/cabinetfs/units.h"
#include "tools/cabinetfs/vendors/vendor.h"

namespace cabinetfs {

using nlohmann::json;

namespace {

ExitCode config_error(const Error& error) {
  return error.code == ErrorCode::kInvalid ? usage_error(error.context) : fail_with(error);
}

std::string value_of(const RemoteConfig& remote, const char* name) {
  for (const auto& [key, value] : remote.values)
    if (key == name) return value;
  return {};
}

}  // namespace

ExitCode run_remote_add(const Paths& paths, const RemoteAddCommand& command) {
  RemoteConfig remote{command.name, {}};
  const std::string here = working_directory();
  for (const auto& [name, value] : command.values) {
    // Given twice, the later one counts, as everywhere.
    std::erase_if(remote.values, [&n = name](const auto& earlier) { return earlier.first == n; });
    remote.values.emplace_back(name, resolve_value(name, value, here));
  }
  if (value_of(remote, "vendor").empty())
    remote.values.insert(remote.values.begin(), {"vendor", "kiteworks"});
  if (value_of(remote, "url").empty())
    return usage_error("remote add: --url is missing (such as --url https://content.example.com)");
  if (const auto added = add_remote(paths.config_file, remote); !added)
    return config_error(added.error());
  say(printable(fmt::format("{} is in {} now", command.name, paths.config_file)));
  const auto written = Config::load(paths.config_file);
  if (!written) return config_error(written.error());
  if (const auto options = written->options_for(remote.name)) {
    if (const auto good = vendor_of(*options).check_options(remote.name, *options); !good)
      say("before you log in: " + printable(good.error().context));
  }
  say(fmt::format("next: cabinetfs login {}", command.name));
  return ExitCode::kOk;
}

ExitCode run_remote_list(const Paths& paths, bool as_json, bool names_only) {
  const auto config = Config::load(paths.config_file);
  if (!config) return config_error(config.error());
  if (names_only) {
    for (const RemoteConfig& remote : config->remotes()) say(remote.name);
    return ExitCode::kOk;
  }
  json list = json::array();
  std::vector<std::vector<std::string>> rows = {{"NAME", "VENDOR", "URL", "LOGIN", "MOUNTED ON"}};
  const auto volumes = mounted_volumes();
  for (const RemoteConfig& remote : config->remotes()) {
    const auto options = config->options_for(remote.name);
    if (!options) return config_error(options.error());
    bool logged_in = false;
    if (const auto secrets = open_secrets(paths, *options, {kNoUnlock, {}}))
      logged_in = check_credentials(**secrets, remote.name, *options).has_value();
    std::string places;
    json mounts = json::array();
    if (volumes) {
      for (const MountedVolume& volume : *volumes) {
        // Other users have remotes of that name too.
        if (volume.remote != remote.name || !has_control_socket(paths, volume.mount_point))
          continue;
        places += (places.empty() ? "" : ", ") + printable(volume.mount_point);
        mounts.push_back(volume.mount_point);
      }
    }
    list.push_back({{"name", remote.name},
                    {"vendor", options->remote.vendor},
                    {"url", options->remote.url},
                    {"logged_in", logged_in},
                    {"mounts", mounts}});
    rows.push_back({remote.name, options->remote.vendor, options->remote.url,
                    logged_in ? "yes" : "no", places});
  }
  if (as_json)
    say(list.dump(2));
  else if (config->remotes().empty())
    say("no remotes yet; add one with: cabinetfs remote add NAME --url https://... --client-id "
        "...");
  else
    fmt::print("{}", format_table(rows));
  return ExitCode::kOk;
}

ExitCode run_remote_show(const Paths& paths, const std::string& name, bool as_json) {
  const auto config = Config::load(paths.config_file);
  if (!config) return config_error(config.error());
  const auto options = config->options_for(name);
  if (!options) return config_error(options.error());
  if (as_json) {
    json out = json::object();
    for (const OptionInfo& option : option_table())
      out[option.name] = show_option(option, *options);
    say(out.dump(2));
    return ExitCode::kOk;
  }
  const auto remote = config->find(name);
  std::vector<std::vector<std::string>> rows;
  for (const OptionInfo& option : option_table()) {
    bool set = false;
    for (const auto& [key, value] : (*remote)->values) set = set || key == option.name;
    rows.push_back({option.name, printable(show_option(option, *options)), set ? "" : "(default)"});
  }
  fmt::print("{}", format_table(rows));
  return ExitCode::kOk;
}

ExitCode run_remote_remove(const Paths& paths, const std::string& name, bool force) {
  const auto config = Config::load(paths.config_file);
  if (!config) return config_error(config.error());
  const auto options = config->options_for(name);
  if (!options) return config_error(options.error());
  if (const auto volumes = mounted_volumes()) {
    for (const MountedVolume& volume : *volumes) {
      // Other users have remotes of that name too.
      if (volume.remote != name || !has_control_socket(paths, volume.mount_point)) continue;
      complain(printable(
          fmt::format("{} is mounted on {}; unmount it first", name, volume.mount_point)));
      return ExitCode::kFailed;
    }
  }
  for (const IdleStore& store : idle_stores_with_unsent(paths)) {
    if (store.remote != name || force) continue;
    if (store.error) {
      complain(printable(
          fmt::format("what of {} is unsent cannot be told ({}). --force keeps it on this disk and "
                      "removes the remote",
                      name, store.error->context)));
      return ExitCode::kUnsentRemains;
    }
    complain(
        fmt::format("{} of {} not on the server yet; mount it to send or export that. --force "
                    "keeps it on this disk and removes the remote",
                    count_of(store.unsent, "change"), name));
    return ExitCode::kUnsentRemains;
  }
  const auto secrets = open_secrets(paths, *options);
  Result<void> forgotten;
  if (!secrets)
    forgotten = fail(secrets.error());
  else
    forgotten = forget_credentials(paths, **secrets, name, *options);
  if (!forgotten && !force) return fail_with(forgotten.error());
  if (const auto removed = remove_remote(paths.config_file, name); !removed)
    return config_error(removed.error());
  say(fmt::format("{} is removed from the configuration{}", name,
                  forgotten ? ", its credentials are forgotten" : ""));
  if (!forgotten)
    complain(printable(fmt::format("its credentials are kept: {}", forgotten.error().context)));
  return ExitCode::kOk;
}

ExitCode run_remote_test(const Paths& paths, const std::string& name, bool as_json) {
  const auto config = Config::load(paths.config_file);
  if (!config) return config_error(config.error());
  const auto options = config->options_for(name);
  if (!options) return config_error(options.error());
  InterruptScope interrupt;
  auto connection = Connection::open(paths, name, *options);
  if (!connection) return fail_with(connection.error(), name);
  const auto call =
      CallContext::within(std::chrono::seconds(30), Priority::kForeground, interrupt.token());
  const auto failed = [&](const Error& error) {
    if (!interrupt.interrupted()) return fail_with(error, name);
    complain("interrupted");
    return ExitCode::kFailed;
  };
  RemoteStore& store = (*connection)->store();
  const auto account = store.account(call);
  if (!account) return failed(account.error());
  const auto root = store.root(call);
  if (!root) return failed(root.error());
  const auto entries = store.list(call, root->id);
  if (!entries) return failed(entries.error());
  const auto quota = store.quota(call);
  if (as_json) {
    json out = {
        {"remote", name},
        {"url", options->remote.url},
        {"account", {{"id", account->id}, {"email", account->email}, {"name", account->name}}},
        {"folders", entries->size()}};
    if (quota) {
      out["quota"] = {{"used", quota->used}, {"total", nullptr}};
      if (quota->total) out["quota"]["total"] = *quota->total;
    }
    say(out.dump(2, ' ', false, json::error_handler_t::replace));
    return ExitCode::kOk;
  }
  say(printable(fmt::format("{} answers; logged in as {} ({})", options->remote.url, account->email,
                            account->name)));
  say(fmt::format("{} entries at the top", entries->size()));
  if (quota)
    say(fmt::format("{} used{}", format_size(quota->used),
                    quota->total ? " of " + format_size(*quota->total) : std::string()));
  return ExitCode::kOk;
}

}  // namespace cabinetfs
