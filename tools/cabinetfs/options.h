#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/base/log.h"
#include "backend/base/result.h"
#include "cache/content.h"
#include "cache/volume.h"

namespace cabinetfs {

// How to reach an account.
struct RemoteOptions {
  std::string vendor = "kiteworks";
  std::string url;
  std::string user;
  // kAutomatic: the vendor's usual way. kToken: a token in the password's place; kBearer: an access
  // token as it is.
  enum class Auth { kAutomatic, kCode, kJwt, kPassword, kToken, kBearer };
  Auth auth = Auth::kAutomatic;
  std::string client_id;
  std::string scope;
  unsigned api_version = 28;
  unsigned redirect_port = 9999;  // 0: any free port
  std::string redirect_uri;       // empty: http://localhost:PORT/callback
  std::string jwt_key_file, jwt_issuer, jwt_audience, jwt_subject;
  std::string ca_file;
  std::string proxy;
  bool allow_http = false;
  double rate_limit = -1;  // requests per second; 0 = no limit, -1 = what the vendor asks for
  double rate_burst = 0;
  unsigned connections = 0;  // 0 = what suits the vendor
  // Kiteworks
  bool secure_top_folders = false, syncable_top_folders = false;
  bool shared_files = false;
  enum class VersionHeaders { kBoth, kFirst };
  VersionHeaders version_headers = VersionHeaders::kBoth;
  std::uint64_t chunk_size = 32u << 20;
  // Kenesto
  std::string organization, tenant;
  enum class Undocumented { kProbe, kOn, kOff };
  Undocumented undocumented_calls = Undocumented::kProbe;
  // PowerFolder
  std::string folder;
  bool create_top_folders = false, rename_top_folders = false;
  enum class RemoveTop { kOff, kKeep, kPurge };
  RemoveTop remove_top_folders = RemoveTop::kOff;
  // PowerFolder and WebDAV
  bool case_sensitive = true;
  enum class Locks { kAutomatic, kOn, kOff };  // kAutomatic: WebDAV only
  Locks dav_locks = Locks::kAutomatic;
  std::uint64_t download_limit = 0, upload_limit = 0;  // bytes per second
  std::chrono::milliseconds connect_timeout{10'000}, stall_timeout{30'000};
  enum class Secrets { kAutomatic, kFile, kKeyring };
  Secrets secret_store = Secrets::kAutomatic;
};

// How the mount itself behaves.
struct MountChoices {
  std::string root;      // remote folder that stands at the mount point
  std::string instance;  // an own store, so that one account can be mounted twice
  bool allow_other = false;
  bool cache_encryption = true;
  unsigned threads = 8;
  LogLevel log_level = LogLevel::kInfo;
  std::string log_file;                  // empty: in the store's state directory; stderr with -f
  bool noexec = false, noatime = false;  // mount(8)'s, for the kernel; with -o only
};

// Everything that can be set in config.toml, with `-o name=value` and with `--name value`.
struct Options {
  RemoteOptions remote;
  VolumeOptions volume;
  ContentOptions content;
  MountChoices mount;
};

// One row of the table of options: the only place where an option is named, described, read and
// printed.
struct OptionInfo {
  const char* name;
  const char* kind;  // for messages and help: "size", "time", "yes or no", "a | b"
  const char* help;
  bool about_remote;  // stands in config.toml for what connects (also used without a mount)
  std::optional<std::string> (*set)(Options&, std::string_view);  // nullopt, or what is wrong
  std::string (*get)(const Options&);                             // reads back with set()
};
const std::vector<OptionInfo>& option_table();
const OptionInfo* find_option(std::string_view name);  // '-' counts as '_'
std::vector<std::string> option_names();
// What this build can talk to.
std::vector<std::string> vendor_names();

// kInvalid with a message for the user, naming the nearest option or the values that would do.
Result<void> set_option(Options& options, std::string_view name, std::string_view value);

// A file of this machine (kind "file") as an absolute name: "~/" is the home directory, and what is
// relative counts from `directory`. The values of all other options as they are.
std::string resolve_value(std::string_view name, std::string_view value,
                          const std::string& directory);
// Where names on the command line count from.
std::string working_directory();

// "a=b,c,no_d": a name alone means yes (no_NAME: no). What mount(8) and fstab pass that is not ours
// (noauto, _netdev, x-systemd.*, ...) is skipped, but for what the kernel must be told: ro is
// read_only, until rw comes later (which alone says nothing, since mount(8) always does), noexec
// and noatime are the mount's, until exec or atime comes later. A comma in a value is written "\,".
// Files count from the working directory.
Result<void> set_mount_options(Options& options, std::string_view list);
// The same, only taken apart.
Result<std::vector<std::pair<std::string, std::string>>> split_mount_options(std::string_view list);

// Without fstab's "user" and "user=NAME", which mount(8) passes on to its helpers; an account (with
// an
// '@') stays.
std::string without_fstab_user(std::string_view list);

// An option's value for eyes: without the name and password that an address may hold.
std::string show_option(const OptionInfo& option, const Options& options);
// The options that differ from the defaults, as TOML lines, as show_option() has them: there are no
// secrets in it.
std::string describe_options(const Options& options);

}  // namespace cabinetfs
