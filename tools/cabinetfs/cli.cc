#include "tools/cabinetfs/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <memory>

#include "backend/base/text.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/nearest.h"
#include "tools/cabinetfs/options.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/units.h"

namespace cabinetfs {
namespace {

using Names = std::vector<std::string>;

// CLI11 wants references that live as long as the parser.
struct Arguments {
  MountCommand mount;
  UmountCommand umount;
  RemoteAddCommand remote_add;
  LoginCommand login;
  StatusCommand status;
  SendCommand send;
  ShareCommand share;
  SequenceCommand sequence;
  std::string name, file, who, level, comment, directory = ".", program = "diff", target, shell,
                                               timeout;
  Names files;
  unsigned version = 0;
  bool json = false, names_only = false, force = false, yes = false, inherit = false,
       no_browser = false, all = false;
};

class Cli {
 public:
  explicit Cli(const Paths& paths) : paths_(paths) {
    app_.require_subcommand(1);
    app_.set_version_flag("-V,--version", "cabinetfs " CABINETFS_VERSION);
    app_.footer(
        "Exit codes: 0 done, 1 failed, 2 usage, 3 not logged in, 4 remote unreachable, 5 unsent "
        "data remains.\n"
        "Configuration: " +
        paths.config_file);
    add_mount();
    add_remote();
    add_login();
    add_status();
    add_unsent();
    add_versions();
    add_sharing();
    add_offline();
    add_send();
    add_upkeep();
  }

  ExitCode run(Names arguments) {
    try {
      // CLI11 takes them from the back.
      std::reverse(arguments.begin(), arguments.end());
      app_.parse(arguments);
    } catch (const CLI::ParseError& error) {
      return report(error);
    }
    return action_();
  }

 private:
  CLI::App* command(CLI::App& parent, const char* name, const char* help,
                    std::function<ExitCode()> action) {
    CLI::App* out = parent.add_subcommand(name, help);
    out->callback([this, action] { action_ = action; });
    return out;
  }
  CLI::App* command(const char* name, const char* help, std::function<ExitCode()> action) {
    return command(app_, name, help, std::move(action));
  }
  void files_of(CLI::App* app, const char* help = "files or folders on a mount") {
    app->add_option("PATH", a_.files, help)->required();
  }
  void file_of(CLI::App* app) { app->add_option("FILE", a_.file, "file on a mount")->required(); }

  // May be given several times, and takes one word each time: those behind it are arguments.
  CLI::Option* repeated(CLI::App* app, const char* option_names, Names& to, const char* help = "") {
    return app
        ->add_option_function<std::string>(
            option_names, [&to](const std::string& value) { to.push_back(value); }, help)
        ->trigger_on_parse();
  }
  // The same, of words with commas between them.
  CLI::Option* addresses(CLI::App* app, const char* option_names, Names& to) {
    return app
        ->add_option_function<std::string>(option_names,
                                           [&to](const std::string& value) {
                                             for (const std::string& each : split(value, ','))
                                               if (!each.empty()) to.push_back(each);
                                           })
        ->trigger_on_parse();
  }

  // --name and --na_me, for each row of the table.
  void add_table_options(CLI::App* app, std::vector<std::pair<std::string, std::string>>& to,
                         bool remote_only) {
    for (const OptionInfo& option : option_table()) {
      if (remote_only && !option.about_remote) continue;
      const std::string name = option.name;
      std::string dashed = name;
      std::replace(dashed.begin(), dashed.end(), '_', '-');
      std::string names = "--" + dashed;
      if (dashed != name) names += ",--" + name;
      const auto store = [&to, name](const std::string& value) { to.emplace_back(name, value); };
      CLI::Option* added = nullptr;
      if (std::string_view(option.kind) == "yes or no") {
        // "--read-only" and "--read-only=no"; what stands behind it is another argument.
        added = app->add_option_function<std::string>(names, store, option.help)->expected(0);
      } else {
        added = app->add_option_function<std::string>(names, store, option.help);
      }
      added->group(option.about_remote ? "Remote (also in config.toml and -o)"
                                       : "Mount (also in config.toml and -o)");
      added->type_name(option.kind);
      added->trigger_on_parse();
    }
  }

  std::optional<std::chrono::milliseconds> timeout(ExitCode& wrong) const {
    if (a_.timeout.empty()) return std::nullopt;
    const auto span = parse_duration(a_.timeout);
    if (!span) wrong = usage_error("--timeout: '" + a_.timeout + "' is not a time (such as 30s)");
    return span;
  }

  void add_mount() {
    CLI::App* mount = command("mount", "mount a remote on a directory",
                              [this] { return run_mount(paths_, a_.mount); });
    mount->add_option("REMOTE", a_.mount.remote, "configured remote, or REMOTE:/folder")
        ->required();
    mount->add_option("MOUNTPOINT", a_.mount.mount_point, "an empty directory")->required();
    mount->add_flag("-f,--foreground", a_.mount.foreground, "stay in the foreground");
    repeated(mount, "-o", a_.mount.option_lists, "options: a=b,c,no_d")->type_name("OPT,...");
    add_table_options(mount, a_.mount.long_options, false);

    CLI::App* umount = command("umount", "send what is unsent, then unmount", [this] {
      ExitCode wrong = ExitCode::kOk;
      a_.umount.timeout = timeout(wrong);
      return wrong != ExitCode::kOk ? wrong : run_umount(paths_, a_.umount);
    });
    umount->alias("unmount");
    umount->add_option("MOUNTPOINT", a_.umount.mount_point)->required();
    umount->add_option("--timeout", a_.timeout, "unmount after this time even if data is unsent");
    umount->add_flag("--detach", a_.umount.detach, "do not wait: send the rest at the next mount");
    umount->add_flag("--force", a_.umount.force, "although programs use it");
  }

  void add_remote() {
    CLI::App* remote = app_.add_subcommand("remote", "the configured remotes");
    remote->require_subcommand(1);
    CLI::App* add = command(*remote, "add", "add a remote to the configuration",
                            [this] { return run_remote_add(paths_, a_.remote_add); });
    add->add_option("NAME", a_.remote_add.name)->required();
    add_table_options(add, a_.remote_add.values, false);
    CLI::App* list = command(*remote, "list", "all remotes",
                             [this] { return run_remote_list(paths_, a_.json, a_.names_only); });
    list->add_flag("--json", a_.json);
    list->add_flag("--names", a_.names_only, "only the names");
    CLI::App* show = command(*remote, "show", "what is set for a remote",
                             [this] { return run_remote_show(paths_, a_.name, a_.json); });
    show->add_option("NAME", a_.name)->required();
    show->add_flag("--json", a_.json);
    CLI::App* remove = command(*remote, "remove", "remove a remote and its credentials",
                               [this] { return run_remote_remove(paths_, a_.name, a_.force); });
    remove->add_option("NAME", a_.name)->required();
    remove->add_flag("--force", a_.force, "although unsent data of it is on this disk");
    CLI::App* test = command(*remote, "test", "ask the server who we are",
                             [this] { return run_remote_test(paths_, a_.name, a_.json); });
    test->add_option("NAME", a_.name)->required();
    test->add_flag("--json", a_.json);
  }

  void add_login() {
    CLI::App* login = command("login", "log in to a remote", [this] {
      a_.login.browser = !a_.no_browser;
      ExitCode wrong = ExitCode::kOk;
      if (const auto span = timeout(wrong))
        a_.login.timeout = std::chrono::duration_cast<std::chrono::seconds>(*span);
      return wrong != ExitCode::kOk ? wrong : run_login(paths_, a_.login);
    });
    login->add_option("REMOTE", a_.login.remote)->required();
    login->add_flag("--no-browser", a_.no_browser,
                    "show the address, and take the answer by copy and paste");
    login->add_flag(
        "--secret-stdin", a_.login.secret_stdin,
        "read secrets from standard input, one a line (Kiteworks: client secret, then a "
        "refresh token instead of the browser; Kenesto: access key, password; "
        "PowerFolder and WebDAV: password or token)");
    login->add_flag("--token", a_.login.token,
                    "give a ready token (Kenesto: of a session; PowerFolder: in the password's "
                    "place) instead of the password");
    login->add_option("--timeout", a_.timeout, "for the browser (5m)");
    CLI::App* logout = command("logout", "forget a remote's credentials",
                               [this] { return run_logout(paths_, a_.name); });
    logout->add_option("REMOTE", a_.name)->required();
  }

  void add_status() {
    CLI::App* status = command("status", "what is unsent, uploading, failed, in conflict",
                               [this] { return run_status(paths_, a_.status); });
    status->add_option("MOUNTPOINT", a_.status.path, "all mounts without it");
    status->add_flag("--json", a_.status.json);
    status->add_flag("-w,--watch", a_.status.watch, "again every second, until Ctrl-C");
  }

  void add_unsent() {
    CLI::App* flush = command("flush", "wait until everything there is on the server", [this] {
      ExitCode wrong = ExitCode::kOk;
      const auto span = timeout(wrong);
      if (wrong != ExitCode::kOk) return wrong;
      return run_flush(paths_, a_.files, span);
    });
    files_of(flush);
    flush->add_option("--timeout", a_.timeout, "give up waiting after this time");
    files_of(command("retry", "try refused and failed changes again now",
                     [this] { return run_retry(paths_, a_.files); }));
    CLI::App* discard = command("discard", "go back to what the server has",
                                [this] { return run_discard(paths_, a_.files, a_.yes); });
    files_of(discard);
    discard->add_flag("-y,--yes", a_.yes, "also where many changes would be lost");
    CLI::App* save = command("export", "copy unsent contents to an ordinary directory",
                             [this] { return run_export(paths_, a_.files, a_.directory); });
    files_of(save);
    save->add_option("--to", a_.directory, "directory (here)");
  }

  void add_versions() {
    const auto listing = [this](const char* name, const char* help,
                                ExitCode (*list)(const Paths&, const std::string&, bool)) {
      CLI::App* app = command(name, help, [this, list] { return list(paths_, a_.file, a_.json); });
      file_of(app);
      app->add_flag("--json", a_.json);
    };
    listing("versions", "the versions of a file", run_versions);
    listing("history", "who did what with a file or folder", run_history);
    listing("permissions", "with whom it is shared", run_permissions);
    CLI::App* restore = command("restore", "make an old version the current one",
                                [this] { return run_restore(paths_, a_.file, a_.version); });
    file_of(restore);
    restore->add_option("VERSION", a_.version)->required();
    CLI::App* diff = command("diff", "compare a file with an old version",
                             [this] { return run_diff(paths_, a_.file, a_.version, a_.program); });
    file_of(diff);
    diff->add_option("VERSION", a_.version)->required();
    diff->add_option("--with", a_.program, "program that gets the two file names (diff -u)");
  }

  void add_sharing() {
    CLI::App* share = command("share", "share with people", [this] {
      a_.share.files.insert(a_.share.files.begin(), a_.file);
      for (const std::string& person : split(a_.who, ','))
        if (!person.empty()) a_.share.people.push_back(person);
      if (a_.share.people.empty()) return usage_error("share takes a USER");
      return run_share(paths_, a_.share);
    });
    file_of(share);
    share->add_option("USER", a_.who, "e-mail address, or several with commas")->required();
    share->add_option("LEVEL", a_.share.level)
        ->required()
        ->check(CLI::IsMember({"view", "read", "write", "manage", "owner"}));
    repeated(share, "--also", a_.share.files, "another file or folder, with the same people");
    CLI::App* unshare = command("unshare", "end sharing with a person", [this] {
      if (a_.all == a_.who.empty()) {
        if (a_.all) return run_unshare_all(paths_, a_.file, a_.yes);
        return run_unshare(paths_, a_.file, a_.who);
      }
      return usage_error("unshare takes a USER, or --all");
    });
    file_of(unshare);
    unshare->add_option("USER", a_.who, "e-mail address");
    unshare->add_flag("--all", a_.all, "everybody, yourself too (PowerFolder)");
    unshare->add_flag("-y,--yes", a_.yes, "do not ask (with --all)");
    for (const char* name : {"lock", "checkout"})
      files_of(command(name, "keep others from changing files",
                       [this] { return run_lock(paths_, a_.files); }));
    for (const char* name : {"unlock", "checkin"}) {
      CLI::App* unlock = command(name, "give locks back",
                                 [this] { return run_unlock(paths_, a_.files, a_.comment); });
      files_of(unlock);
      unlock->add_option("-m,--message", a_.comment, "comment, where the vendor keeps one");
    }
    files_of(command("discard-checkout", "give up local changes and the lock",
                     [this] { return run_discard_lock(paths_, a_.files); }));
    add_sequence();
  }

  void add_sequence() {
    CLI::App* sequence = command("sequence", "numbers for documents (Kenesto)", [this] {
      if (a_.sequence.what != "list" && a_.sequence.name.empty())
        return usage_error("sequence " + a_.sequence.what + " takes the NAME of a sequence");
      return run_sequence(paths_, a_.sequence);
    });
    sequence->add_option("WHAT", a_.sequence.what)
        ->required()
        ->check(CLI::IsMember({"list", "create", "next", "current", "release", "remove"}));
    sequence->add_option("NAME", a_.sequence.name, "of the sequence");
    sequence->add_option("--prefix", a_.sequence.prefix);
    sequence->add_option("--number", a_.sequence.number, "the first one, or a replacement");
    sequence->add_flag("--lock", a_.sequence.lock, "nobody gets another one until release");
    sequence->add_option("--on", a_.sequence.mount_point, "a path on the mount (here)");
    sequence->add_flag("--json", a_.sequence.json);
  }

  void add_offline() {
    files_of(command("pin", "keep contents on this disk",
                     [this] { return run_pin(paths_, a_.files, "pinned"); }));
    CLI::App* unpin = command("unpin", "let contents leave this disk again", [this] {
      return run_pin(paths_, a_.files, a_.inherit ? "inherit" : "unpinned");
    });
    files_of(unpin);
    unpin->add_flag("--inherit", a_.inherit, "as the folder above says");
    files_of(command("prefetch", "fetch contents now",
                     [this] { return run_prefetch(paths_, a_.files); }));
  }

  void add_send() {
    CLI::App* send = command("send", "mail files from the account",
                             [this] { return run_send(paths_, a_.send); });
    send->add_option("FILE", a_.send.files, "on or off a mount");
    addresses(send, "--to", a_.send.to);
    addresses(send, "--cc", a_.send.cc);
    addresses(send, "--bcc", a_.send.bcc);
    send->add_option("-s,--subject", a_.send.subject);
    send->add_option("-m,--body", a_.send.body);
    send->add_flag("--body-stdin", a_.send.body_stdin, "read the text from standard input");
    send->add_flag("--draft", a_.send.draft, "save it, do not send");
    send->add_option("--remote", a_.send.remote, "which account");
  }

  void add_upkeep() {
    CLI::App* cache = app_.add_subcommand("cache", "cached contents on this disk");
    cache->require_subcommand(1);
    for (const auto& [what, help] : std::vector<std::pair<std::string, const char*>>{
             {"stats", "how much is cached"},
             {"verify", "read and check every cached block"},
             {"gc", "shrink to the limits now"},
             {"clear", "remove all that is not pinned or open"}}) {
      CLI::App* app = command(*cache, what.c_str(), help, [this, word = what] {
        return run_cache(paths_, word, a_.target, a_.json, a_.force);
      });
      app->add_option("REMOTE", a_.target, "remote or mount point; all without it");
      app->add_flag("--json", a_.json);
      if (what == "clear")
        app->add_flag("--force", a_.force, "of what is not mounted, also what is pinned");
    }
    CLI::App* doctor = command("doctor", "look for what keeps a mount from working",
                               [this] { return run_doctor(paths_, a_.name); });
    doctor->add_option("REMOTE", a_.name, "all remotes without it");
    CLI::App* completion = command("completion", "completion script for a shell", [this] {
      Names names;
      for (const CLI::App* each : app_.get_subcommands({})) names.push_back(each->get_name());
      return run_completion(a_.shell, names);
    });
    completion->add_option("SHELL", a_.shell, "bash, zsh or fish")->required();
  }

  // The innermost command that was being read.
  CLI::App* reached() {
    CLI::App* out = &app_;
    for (auto chosen = out->get_subcommands(); !chosen.empty(); chosen = out->get_subcommands())
      out = chosen.front();
    return out;
  }

  ExitCode report(const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      app_.exit(error);
      return ExitCode::kOk;
    }
    CLI::App* where = reached();
    std::string message = error.what();
    const Names rest = app_.remaining(true);
    if (!rest.empty()) {
      const bool is_option = rest.front().starts_with('-');
      Names known;
      if (is_option)
        for (const CLI::Option* option : where->get_options())
          for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
      else
        for (const CLI::App* sub : where->get_subcommands({})) known.push_back(sub->get_name());
      const std::string word = rest.front().substr(0, rest.front().find('='));
      message = std::string(is_option       ? "unknown option '"
                            : known.empty() ? "unexpected argument '"
                                            : "unknown command '") +
                word + "'" + suggestion(word, known);
    }
    complain(printable(message));
    std::string name = "cabinetfs";
    if (where != &app_) {
      std::string path;
      for (const CLI::App* app = where; app != nullptr && app != &app_; app = app->get_parent())
        path = " " + app->get_name() + path;
      name += path;
    }
    complain("see: " + name + " --help");
    return ExitCode::kUsage;
  }

  const Paths& paths_;
  CLI::App app_{"Mounts Kiteworks, Kenesto, PowerFolder and WebDAV accounts as directories.",
                "cabinetfs"};
  Arguments a_;
  std::function<ExitCode()> action_;
};

}  // namespace

std::vector<std::string> arguments_of_mount_helper(const std::vector<std::string>& arguments) {
  Names out = {"mount"};
  bool fake = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "-o" || word == "-t") {
      if (i + 1 == arguments.size()) break;
      ++i;
      if (word == "-o") {
        out.push_back("-o");
        out.push_back(without_fstab_user(arguments[i]));
      }
    } else if (word.size() > 1 && word[0] == '-' &&
               word.find_first_not_of("-sfnvwr") == std::string::npos) {
      // sloppy, fake, no mtab, verbose, read-write; "-r" alone is read-only.
      fake = fake || word.find('f') != std::string::npos;
      if (word.find('r') != std::string::npos) {
        out.push_back("-o");
        out.push_back("ro");
      }
    } else {
      out.push_back(word);
    }
  }
  // mount(8): all but the mounting itself.
  if (fake) return {};
  return out;
}

ExitCode run_cli(const Paths& paths, std::vector<std::string> arguments) {
  if (arguments.empty()) arguments.push_back("--help");
  return Cli(paths).run(std::move(arguments));
}

}  // namespace cabinetfs
