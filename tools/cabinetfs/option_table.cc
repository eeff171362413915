// The table of options: name, meaning, and how a text becomes a field.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <utility>

#include "tools/cabinetfs/options.h"
#include "tools/cabinetfs/units.h"

namespace cabinetfs {
namespace {

using Wrong = std::optional<std::string>;
constexpr std::nullopt_t kFine = std::nullopt;
const Wrong kWrong = std::string();  // set_option() names the kind

Wrong put(bool& field, std::string_view text) {
  const auto value = parse_bool(text);
  if (!value) return kWrong;
  field = *value;
  return kFine;
}
Wrong put_size(std::uint64_t& field, std::string_view text, std::uint64_t least = 0) {
  const auto value = parse_size(text);
  if (!value) return "a size (such as 512MiB or 10GiB)";
  if (*value < least) return fmt::format("{} or more", format_size(least));
  field = *value;
  return kFine;
}
template <class Duration>
Wrong put_time(Duration& field, std::string_view text,
               std::chrono::milliseconds least = std::chrono::milliseconds(0)) {
  const auto value = parse_duration(text);
  if (!value) return "a time (such as 500ms, 30s, 5m)";
  if (*value < least) return fmt::format("{} or more", format_duration_exact(least));
  field = std::chrono::duration_cast<Duration>(*value);
  return kFine;
}
template <class Number>
Wrong put_number(Number& field, std::string_view text, std::uint64_t least, std::uint64_t most) {
  const auto value = parse_count(text);
  if (!value || *value < least || *value > most)
    return fmt::format("a number from {} to {}", least, most);
  field = static_cast<Number>(*value);
  return kFine;
}
Wrong put_rate(double& field, std::string_view text) {
  try {
    std::size_t used = 0;
    const double value = std::stod(std::string(text), &used);
    if (used == text.size() && value >= 0 && value <= 1e6) {
      field = value;
      return kFine;
    }
  } catch (const std::exception&) {  // stod says so when it is no number
  }
  return "a number of requests per second (0 = no limit)";
}
template <class Enum, std::size_t N>
Wrong put_word(Enum& field, std::string_view text, const std::pair<const char*, Enum> (&words)[N]) {
  std::string all;
  for (const auto& [word, value] : words) {
    if (text == word) {
      field = value;
      return kFine;
    }
    if (!all.empty()) all += ", ";
    all += word;
  }
  return "one of: " + all;
}
template <class Enum, std::size_t N>
std::string word_of(Enum field, const std::pair<const char*, Enum> (&words)[N]) {
  for (const auto& [word, value] : words)
    if (field == value) return word;
  return {};
}
std::string yes_no(bool value) { return value ? "yes" : "no"; }

constexpr std::pair<const char*, RemoteOptions::Auth> kAuth[] = {
    {"auto", RemoteOptions::Auth::kAutomatic}, {"code", RemoteOptions::Auth::kCode},
    {"jwt", RemoteOptions::Auth::kJwt},        {"password", RemoteOptions::Auth::kPassword},
    {"token", RemoteOptions::Auth::kToken},    {"bearer", RemoteOptions::Auth::kBearer}};
constexpr std::pair<const char*, RemoteOptions::Undocumented> kUndocumented[] = {
    {"probe", RemoteOptions::Undocumented::kProbe},
    {"on", RemoteOptions::Undocumented::kOn},
    {"off", RemoteOptions::Undocumented::kOff}};
constexpr std::pair<const char*, RemoteOptions::RemoveTop> kRemoveTop[] = {
    {"off", RemoteOptions::RemoveTop::kOff},
    {"keep", RemoteOptions::RemoveTop::kKeep},
    {"purge", RemoteOptions::RemoveTop::kPurge}};
constexpr std::pair<const char*, RemoteOptions::Locks> kLocks[] = {
    {"auto", RemoteOptions::Locks::kAutomatic},
    {"yes", RemoteOptions::Locks::kOn},
    {"no", RemoteOptions::Locks::kOff}};
constexpr std::pair<const char*, RemoteOptions::VersionHeaders> kVersionHeaders[] = {
    {"both", RemoteOptions::VersionHeaders::kBoth},
    {"first", RemoteOptions::VersionHeaders::kFirst}};
constexpr std::pair<const char*, RemoteOptions::Secrets> kSecrets[] = {
    {"auto", RemoteOptions::Secrets::kAutomatic},
    {"file", RemoteOptions::Secrets::kFile},
    {"keyring", RemoteOptions::Secrets::kKeyring}};
constexpr std::pair<const char*, ConflictPolicy> kConflict[] = {
    {"versions", ConflictPolicy::kVersions},
    {"copy", ConflictPolicy::kCopy},
    {"fail", ConflictPolicy::kFail}};
constexpr std::pair<const char*, NamePolicy> kNames[] = {{"encode", NamePolicy::kEncode},
                                                         {"refuse", NamePolicy::kRefuse}};
constexpr std::pair<const char*, SyncMode> kSync[] = {{"local", SyncMode::kLocal},
                                                      {"remote", SyncMode::kRemote}};
constexpr std::pair<const char*, LogLevel> kLevels[] = {
    {"trace", LogLevel::kTrace}, {"debug", LogLevel::kDebug}, {"info", LogLevel::kInfo},
    {"warn", LogLevel::kWarn},   {"error", LogLevel::kError}, {"off", LogLevel::kOff}};
Wrong put_vendor(std::string& field, std::string_view text) {
  const auto names = vendor_names();
  if (std::find(names.begin(), names.end(), text) == names.end())
    return fmt::format("a vendor that this version can mount ({})", fmt::join(names, ", "));
  field = text;
  return kFine;
}
Wrong put_url(std::string& field, std::string_view text) {
  while (text.ends_with('/')) text.remove_suffix(1);
  const auto scheme = text.find("://");
  const std::string_view host =
      scheme == std::string_view::npos ? std::string_view() : text.substr(scheme + 3);
  if ((!text.starts_with("https://") && !text.starts_with("http://")) || host.empty() ||
      host.find_first_of(" ?#") != std::string_view::npos ||
      host.substr(0, host.find('/')).find('@') != std::string_view::npos)
    return "an address such as https://content.example.com (no user name)";
  field = text;
  return kFine;
}
Wrong put_host(std::string& field, std::string_view text) {
  if (text.empty() || text.size() > 64 || text.find('/') != std::string_view::npos) return kWrong;
  field = text;
  return kFine;
}

#define TEXT(field)                             \
  [](Options& o, std::string_view v) -> Wrong { \
    o.field = v;                                \
    return kFine;                               \
  },                                            \
      [](const Options& o) -> std::string { return o.field; }
#define CHECKED_TEXT(field, check)                                           \
  [](Options& o, std::string_view v) -> Wrong { return check(o.field, v); }, \
      [](const Options& o) -> std::string { return o.field; }
#define YES_NO(field)                                                      \
  [](Options& o, std::string_view v) -> Wrong { return put(o.field, v); }, \
      [](const Options& o) -> std::string { return yes_no(o.field); }
#define SIZE(field, least)                                                             \
  [](Options& o, std::string_view v) -> Wrong { return put_size(o.field, v, least); }, \
      [](const Options& o) -> std::string { return format_size_exact(o.field); }
#define TIME(field, least)                                         \
  [](Options& o, std::string_view v) -> Wrong {                    \
    return put_time(o.field, v, std::chrono::milliseconds(least)); \
  },                                                               \
      [](const Options& o) -> std::string { return format_duration_exact(o.field); }
#define NUMBER(field, least, most)                                                             \
  [](Options& o, std::string_view v) -> Wrong { return put_number(o.field, v, least, most); }, \
      [](const Options& o) -> std::string { return fmt::format("{}", o.field); }
#define RATE(field)                                                             \
  [](Options& o, std::string_view v) -> Wrong { return put_rate(o.field, v); }, \
      [](const Options& o) -> std::string { return fmt::format("{}", o.field); }
#define WORD(field, words)                                                             \
  [](Options& o, std::string_view v) -> Wrong { return put_word(o.field, v, words); }, \
      [](const Options& o) -> std::string { return word_of(o.field, words); }

std::vector<OptionInfo> make_table() {
  return {
      {"vendor", "name", "whose server it is: kiteworks, kenesto, powerfolder, webdav", true,
       CHECKED_TEXT(remote.vendor, put_vendor)},
      {"url", "address", "the server, such as https://content.example.com", true,
       CHECKED_TEXT(remote.url, put_url)},
      {"user", "text", "account; with Kiteworks only shown in the browser at login", true,
       TEXT(remote.user)},
      {"auth", "auto | code | jwt | password | token | bearer",
       "how to log in: in a browser (Kiteworks, PowerFolder), by signed JWT (Kiteworks), with a "
       "password, a token in its place, or an access token",
       true, WORD(remote.auth, kAuth)},
      {"organization", "text", "Kenesto: which one, where an account has several", true,
       TEXT(remote.organization)},
      {"tenant", "text", "Kenesto: tenant id, for used space with a pasted token", true,
       TEXT(remote.tenant)},
      {"undocumented_calls", "probe | on | off",
       "Kenesto: rename, rights and used space by calls that no page describes", true,
       WORD(remote.undocumented_calls, kUndocumented)},
      {"folder", "name", "PowerFolder: this top-level folder alone", true, TEXT(remote.folder)},
      {"create_top_folders", "yes or no", "PowerFolder: mkdir at the top makes a shared folder",
       true, YES_NO(remote.create_top_folders)},
      {"rename_top_folders", "yes or no", "PowerFolder: top-level folders may be renamed", true,
       YES_NO(remote.rename_top_folders)},
      {"remove_top_folders", "off | keep | purge",
       "PowerFolder: rmdir at the top removes an empty folder for all members, its data kept on "
       "the server or not",
       true, WORD(remote.remove_top_folders, kRemoveTop)},
      {"case_sensitive", "yes or no",
       "PowerFolder, WebDAV: no where names that differ by case are the same", true,
       YES_NO(remote.case_sensitive)},
      {"dav_locks", "auto | yes | no",
       "PowerFolder, WebDAV: use the server's locks where it has them; auto: WebDAV only", true,
       WORD(remote.dav_locks, kLocks)},
      {"client_id", "text", "the application that an administrator registered", true,
       TEXT(remote.client_id)},
      {"scope", "text", "OAuth scope; empty leaves it to the registration", true,
       TEXT(remote.scope)},
      {"api_version", "number", "Kiteworks API version", true, NUMBER(remote.api_version, 1, 1000)},
      {"version_headers", "both | first",
       "Kiteworks: say the version in both headers, or in X-Accellion-Version alone", true,
       WORD(remote.version_headers, kVersionHeaders)},
      {"chunk_size", "size",
       "Kiteworks: of the parts of a large upload, up to 64MiB and what the server takes", true,
       SIZE(remote.chunk_size, 1u << 20)},
      {"shared_files", "yes or no", "Kiteworks: files that others share singly stand at the top",
       true, YES_NO(remote.shared_files)},
      {"secure_top_folders", "yes or no", "Kiteworks: new top folders are restricted ones", true,
       YES_NO(remote.secure_top_folders)},
      {"syncable_top_folders", "yes or no",
       "Kiteworks: new top folders are offered to the vendor's desktop client", true,
       YES_NO(remote.syncable_top_folders)},
      {"redirect_port", "number", "port of the login's loopback address; 0 = any free one", true,
       NUMBER(remote.redirect_port, 0, 65535)},
      {"redirect_uri", "text", "address registered for the application, where it is not loopback",
       true, TEXT(remote.redirect_uri)},
      {"jwt_key_file", "file", "private key (PEM) that signs, for auth = jwt", true,
       TEXT(remote.jwt_key_file)},
      {"jwt_issuer", "text", "iss, as registered; empty: client_id", true, TEXT(remote.jwt_issuer)},
      {"jwt_audience", "text", "aud, as registered; empty: the url", true,
       TEXT(remote.jwt_audience)},
      {"jwt_subject", "text", "sub: the account's e-mail; empty: user", true,
       TEXT(remote.jwt_subject)},
      {"ca_file", "file", "certificate authorities (PEM) to trust instead of the system's", true,
       TEXT(remote.ca_file)},
      {"proxy", "address", "http://host:port; none: no proxy; empty: the environment's", true,
       TEXT(remote.proxy)},
      {"allow_http", "yes or no", "allow plain HTTP to other hosts than this one", true,
       YES_NO(remote.allow_http)},
      {"rate_limit", "number", "requests per second; 0 = no limit, auto = what the vendor asks for",
       true,
       [](Options& o, std::string_view v) -> Wrong {
         if (v != "auto") return put_rate(o.remote.rate_limit, v);
         o.remote.rate_limit = -1;
         return kFine;
       },
       [](const Options& o) -> std::string {
         return o.remote.rate_limit < 0 ? "auto" : fmt::format("{}", o.remote.rate_limit);
       }},
      {"rate_burst", "number", "requests at once after a pause; 0 = one second's worth", true,
       RATE(remote.rate_burst)},
      {"connections", "number", "transfers at one time; 0 = what suits the vendor", true,
       NUMBER(remote.connections, 0, 256)},
      {"download_limit", "size", "bytes per second; 0 = no limit", true,
       SIZE(remote.download_limit, 0)},
      {"upload_limit", "size", "bytes per second; 0 = no limit", true,
       SIZE(remote.upload_limit, 0)},
      {"connect_timeout", "time", "for a connection to come up", true,
       TIME(remote.connect_timeout, 100)},
      {"stall_timeout", "time", "without a byte, before a transfer is given up", true,
       TIME(remote.stall_timeout, 100)},
      {"secret_store", "auto | file | keyring",
       "where credentials rest: the session's keyring, or a file", true,
       WORD(remote.secret_store, kSecrets)},

      {"root", "path", "remote folder at the mount point (also REMOTE:/path)", false,
       TEXT(mount.root)},
      {"instance", "name", "an own store, so that one account can be mounted twice", false,
       TEXT(mount.instance)},
      {"read_only", "yes or no", "refuse every change", false, YES_NO(volume.read_only)},
      {"allow_other", "yes or no", "other users of this machine may use the mount", false,
       YES_NO(mount.allow_other)},
      {"uid", "number", "owner of everything shown", false, NUMBER(volume.uid, 0, 0xfffffffe)},
      {"gid", "number", "group of everything shown", false, NUMBER(volume.gid, 0, 0xfffffffe)},
      {"fresh", "time", "a file known for longer is checked when it is opened", false,
       TIME(volume.fresh, 0)},
      {"poll_interval", "time", "how often to ask for changes made elsewhere; 0 = never", false,
       TIME(volume.poll_interval, 0)},
      {"call_timeout", "time", "longest wait of one call of a program", false,
       TIME(volume.call_timeout, 100)},
      {"sync", "local | remote",
       "when close and fsync return: saved on this disk, or on the server", false,
       WORD(volume.sync, kSync)},
      {"conflict", "versions | copy | fail", "what becomes of ours when two change one file", false,
       WORD(volume.conflict, kConflict)},
      {"names", "encode | refuse", "names that the server does not take", false,
       WORD(volume.names, kNames)},
      {"host", "name", "this machine in the names of conflict copies", false,
       CHECKED_TEXT(volume.host, put_host)},
      {"upload_delay", "time", "quiet time after the last change before it is sent", false,
       TIME(volume.upload_delay, 0)},
      {"uploads", "number", "large files sent at one time", false, NUMBER(volume.uploads, 1, 64)},
      {"small_uploads", "number", "other changes sent at one time", false,
       NUMBER(volume.small_uploads, 1, 256)},
      {"parallel_lists", "number", "folders listed at one time", false,
       NUMBER(volume.parallel_lists, 1, 256)},
      {"walk_ahead", "yes or no", "fetch ahead of programs that walk a tree", false,
       YES_NO(volume.walk_ahead)},
      {"loaded_nodes", "number", "entries kept in memory when nobody uses them", false,
       NUMBER(volume.loaded_nodes, 100, 100'000'000)},
      {"cache_size", "size", "ceiling for cached contents on this disk", false,
       SIZE(content.cache_max_bytes, 1u << 20)},
      {"min_free", "percent", "of the disk that the cache leaves free", false,
       [](Options& o, std::string_view v) -> Wrong {
         const auto value = parse_fraction(v);
         if (!value) return "a share of the disk (such as 5%)";
         o.content.min_free_fraction = *value;
         return kFine;
       },
       [](const Options& o) { return fmt::format("{:g}%", o.content.min_free_fraction * 100); }},
      {"memory", "size", "for blocks in memory, transfers and prefetch", false,
       SIZE(content.memory_bytes, 8u << 20)},
      {"parallel_ranges", "number", "requests for one large file at one time", false,
       NUMBER(content.parallel_ranges, 1, 128)},
      {"range_size", "size", "of one such request", false, SIZE(content.range_bytes, 64u << 10)},
      {"read_ahead", "size", "largest read-ahead of one open file; 0 = none", false,
       SIZE(content.max_window, 0)},
      {"fetch_timeout", "time", "of one request for content", false,
       TIME(content.fetch_timeout, 1000)},
      {"cache_encryption", "yes or no", "seal what is kept on this disk", false,
       YES_NO(mount.cache_encryption)},
      {"threads", "number", "threads that answer the kernel", false, NUMBER(mount.threads, 1, 128)},
      {"log_level", "trace | debug | info | warn | error | off", "what is logged", false,
       WORD(mount.log_level, kLevels)},
      {"log_file", "file", "where to; empty: beside the store, or standard error with -f", false,
       TEXT(mount.log_file)},
  };
}

}  // namespace

std::vector<std::string> vendor_names() {
  return {"kiteworks", "kenesto", "powerfolder", "webdav"};
}

const std::vector<OptionInfo>& option_table() {
  static const std::vector<OptionInfo> table = make_table();
  return table;
}

}  // namespace cabinetfs
