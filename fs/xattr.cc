#include "fs/xattr.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "backend/base/times.h"
#include "fs/status_json.h"

namespace cabinetfs {
namespace {

constexpr std::string_view kPrefix = "user.cabinet.";
constexpr std::string_view kPermissionOf = "permission.";
constexpr std::string_view kReleaseWith = "release:";
// Long enough for the pair "how large, give me" and for a script's second look.
constexpr std::chrono::seconds kKeepAnswers{2};
constexpr std::size_t kMaxAnswers = 256;
// The kernel passes on no longer value (XATTR_SIZE_MAX): the program gets E2BIG.
constexpr std::size_t kMaxValue = 64u << 10;

// What is known of every object; the others depend on its kind and on the vendor.
constexpr std::array kKnown = {
    "vendor",  "remote",        "account",  "id",      "path",    "link",         "mime",
    "created", "creator",       "modifier", "tags",    "expires", "scan",         "hash.md5",
    "version", "hash.sha3-256", "versions", "history", "access",  "permissions",  "lock",
    "state",   "cached",        "pin",      "sync",    "quota",   "capabilities", "description"};

bool is_known(std::string_view key) {
  return std::find(kKnown.begin(), kKnown.end(), key) != kKnown.end() ||
         (key.starts_with(kPermissionOf) && key.size() > kPermissionOf.size());
}

// What mv and cp -a read from one file and set on its copy: no mistake, and nothing to be set. They
// pass over what is not supported in silence.
bool is_told_state(std::string_view value) {
  return value == "clean" || value == "dirty" || value == "offline" ||
         value.starts_with("uploading:") || value.starts_with("failed:") ||
         value.starts_with("conflict:");
}
bool is_told_lock(std::string_view value) {
  return value == "free" || value == "held" || value.starts_with("held-by:");
}

// Attributes by which the kernel or libraries would do something that this file system does not.
bool is_refused(std::string_view name) {
  return name == "security.capability" || name.starts_with("system.");
}

Result<std::string> no_data(std::string_view key) {
  return fail(ErrorCode::kNoData, std::string(key));
}

Result<std::string> text_or_none(const std::string& text, std::string_view key) {
  if (text.empty()) return no_data(key);
  return text;
}

// Newest first, and of these as many as the kernel lets through.
std::string list_to_value(const nlohmann::json& list) {
  std::string out = "[";
  for (const nlohmann::json& item : list) {
    const std::string text = to_line(item);
    if (out.size() + text.size() + 2 > kMaxValue) break;  // with the comma and the bracket
    if (out.size() > 1) out += ',';
    out += text;
  }
  return out + "]";
}

// Before the server knows the object, its maker may do everything that needs no server.
Rights rights_of(const NodeRecord& record) {
  if (record.remote && record.remote->rights) return *record.remote->rights;
  Rights rights;
  rights.add(Right::kRead).add(Right::kDelete).add(Right::kRename);
  if (record.kind == NodeKind::kFolder) return rights.add(Right::kList).add(Right::kCreate);
  return rights.add(Right::kWrite);
}

bool content_is_remote(const NodeRecord& record) {
  return record.kind == NodeKind::kFile && record.remote.has_value() && !record.content_dirty;
}

}  // namespace

CabinetXattrs::CabinetXattrs(Volume& volume, std::string remote_name, Clock& clock)
    : volume_(volume), remote_name_(std::move(remote_name)), clock_(clock) {}

Result<std::string> CabinetXattrs::get(const CallContext& call, InodeNumber ino,
                                       const std::string& name) {
  if (!name.starts_with(kPrefix)) {
    // Asked for by the kernel before every write.
    if (is_refused(name)) return no_data(name);
    return volume_.get_xattr(ino, name);
  }
  return get_ours(call, ino, std::string_view(name).substr(kPrefix.size()));
}

Result<std::string> CabinetXattrs::get_ours(const CallContext& call, InodeNumber ino,
                                            std::string_view key) {
  if (!is_known(key)) return no_data(key);
  const Capabilities& can = volume_.capabilities();
  const bool root = ino == kRootInode;
  if (key == "vendor") return text_or_none(can.vendor, key);
  if (key == "remote") return text_or_none(remote_name_, key);
  if (key == "account") {
    TRY_ASSIGN(const RemoteAccount account, volume_.account(call));
    return text_or_none(account.email.empty() ? account.id : account.email, key);
  }
  if (key == "capabilities") return root ? to_line(capabilities_to_json(can)) : no_data(key);
  if (key == "quota") {
    if (!root || !can.quota) return no_data(key);
    TRY_ASSIGN(const Quota quota, volume_.quota(call));
    return to_line(quota_to_json(quota));
  }
  TRY_ASSIGN(const NodeInfo info, volume_.info(ino));
  const NodeRecord& record = info.record;
  const bool folder = record.kind == NodeKind::kFolder;
  if (key == "path") return info.path;
  if (key == "state") return info.state;
  if (key == "access") return to_string(rights_of(record));
  if (key == "pin") return std::string(to_word(record.pin));
  if (key == "sync") return folder ? std::string(to_word(record.sync)) : no_data(key);
  if (key == "cached") return folder ? no_data(key) : fmt::format("{}", info.cached_bytes);
  if (key == "description" && record.description) return text_or_none(*record.description, key);
  if (!record.remote) return no_data(key);
  return get_remote(call, info, key);
}

Result<std::string> CabinetXattrs::get_remote(const CallContext& call, const NodeInfo& info,
                                              std::string_view key) {
  const NodeRecord& record = info.record;
  const RemoteEntry& remote = *record.remote;
  const Capabilities& can = volume_.capabilities();
  const bool file = record.kind == NodeKind::kFile;
  if (key == "id") return text_or_none(remote.id.value, key);
  if (key == "link") return text_or_none(remote.link, key);
  if (key == "mime") return file ? text_or_none(remote.mime, key) : no_data(key);
  if (key == "creator") return text_or_none(remote.creator, key);
  if (key == "modifier") return text_or_none(remote.modifier, key);
  if (key == "description") return text_or_none(remote.description, key);
  if (key == "created") {
    return remote.created == WallTime{} ? no_data(key) : format_rfc3339(remote.created);
  }
  if (key == "expires") return remote.expires ? format_rfc3339(*remote.expires) : no_data(key);
  if (key == "tags") {
    return remote.tags.empty() ? no_data(key) : to_line(nlohmann::json(remote.tags));
  }
  if (key == "scan") {
    if (!file || remote.scan == ScanState::kUnknown) return no_data(key);
    return std::string(to_string(remote.scan));
  }
  // Of an edited file the server's hash is not the hash of what is shown.
  if (key == "hash.md5") {
    return content_is_remote(record) ? text_or_none(remote.hashes.md5, key) : no_data(key);
  }
  if (key == "hash.sha3-256") {
    return content_is_remote(record) ? text_or_none(remote.hashes.sha3_256, key) : no_data(key);
  }
  if (key == "lock") {
    if (!file || !can.locks || remote.lock == LockState::kUnknown) return no_data(key);
    if (remote.lock == LockState::kFree) return std::string("free");
    if (remote.lock == LockState::kHeldByUs) return std::string("held");
    return "held-by:" + remote.lock_holder;
  }
  if (key == "versions" || key == "version") {
    if (!file || !can.versions) return no_data(key);
    const auto versions = volume_.versions(call, record.ino);
    if (key == "versions") {
      TRY(versions);
      return list_to_value(versions_to_json(*versions));
    }
    if (versions) {
      for (const RemoteVersion& version : *versions) {
        if (version.current) return fmt::format("{}", version.number);
      }
    } else if (versions.error().code == ErrorCode::kWouldBlock || remote.version_count == 0) {
      return fail(versions.error());
    }
    // Offline: what the last listing told.
    return remote.version_count == 0 ? no_data(key) : fmt::format("{}", remote.version_count);
  }
  if (key == "history") return can.history ? history(call, record.ino) : no_data(key);
  if (key == "permissions" || key.starts_with(kPermissionOf)) {
    if (!can.permissions) return no_data(key);
    if (key != "permissions") {
      return get_level(call, record.ino, key.substr(kPermissionOf.size()));
    }
    TRY_ASSIGN(const auto list, permissions(call, record.ino));
    return list_to_value(permissions_to_json(list));
  }
  return no_data(key);
}

Result<std::string> CabinetXattrs::get_level(const CallContext& call, InodeNumber ino,
                                             std::string_view who) {
  TRY_ASSIGN(const auto list, permissions(call, ino));
  for (const RemotePermission& permission : list) {
    if (permission.who == who) return std::string(to_string(permission.level));
  }
  // Not in the list that the vendor gives, but perhaps known by his id.
  auto one = volume_.permission_of(call, ino, std::string(who));
  if (one) return std::string(to_string(one->level));
  if (one.error().code == ErrorCode::kNotSupported || one.error().code == ErrorCode::kNotFound)
    return no_data(who);
  return fail(one.error());
}

Result<std::vector<std::string>> CabinetXattrs::list(InodeNumber ino) {
  TRY_ASSIGN(std::vector<std::string> names, volume_.list_xattrs(ino));
  TRY_ASSIGN(const NodeInfo info, volume_.info(ino));
  const Capabilities& can = volume_.capabilities();
  const NodeRecord& record = info.record;
  const bool file = record.kind == NodeKind::kFile;
  const auto add = [&names](std::string_view key) {
    names.push_back(std::string(kPrefix) + std::string(key));
  };
  add("account");
  if (ino == kRootInode) {
    add("capabilities");
    if (can.quota) add("quota");
  }
  if (record.remote) {
    // These need the network to be told, but not to be known to be there.
    if (file && can.versions) add("version"), add("versions");
    if (can.history) add("history");
    if (can.permissions) add("permissions");
  }
  // All others are answered from memory: there when they have a value.
  CallContext local;
  local.may_block = false;
  for (const std::string_view key :
       {"vendor",        "remote",   "id",          "path",  "link",    "mime", "created",
        "creator",       "modifier", "description", "tags",  "expires", "scan", "hash.md5",
        "hash.sha3-256", "access",   "lock",        "state", "cached",  "pin",  "sync"}) {
    if (get_ours(local, ino, key)) add(key);
  }
  return names;
}

Result<void> CabinetXattrs::set(const CallContext& call, InodeNumber ino, const std::string& name,
                                const std::string& value, Volume::XattrMode mode) {
  if (!name.starts_with(kPrefix)) {
    if (is_refused(name)) return fail(ErrorCode::kNotSupported, name);
    return volume_.set_xattr(ino, name, value, mode);
  }
  const std::string_view key = std::string_view(name).substr(kPrefix.size());
  if (!is_known(key)) return fail(ErrorCode::kNotSupported, name);
  if (mode == Volume::XattrMode::kCreate && !key.starts_with(kPermissionOf)) {
    return fail(ErrorCode::kExists, name);
  }
  return set_ours(call, ino, key, value);
}

Result<void> CabinetXattrs::set_ours(const CallContext& call, InodeNumber ino, std::string_view key,
                                     const std::string& value) {
  const Capabilities& can = volume_.capabilities();
  const auto bad = [&] {
    return fail(ErrorCode::kInvalid, fmt::format("user.cabinet.{}={}", key, value));
  };
  const auto unsupported = [&] {
    return fail(ErrorCode::kNotSupported, fmt::format("user.cabinet.{}", key));
  };
  if (key == "pin") {
    const auto state = parse_pin_state(value);
    if (!state) return bad();
    return volume_.set_pin(ino, *state);
  }
  if (key == "state") {
    if (value == "retry") return volume_.retry(ino);
    if (value == "discard") return volume_.discard(call, ino);
    return is_told_state(value) ? unsupported() : bad();
  }
  if (key == "description") {
    if (!can.description) return unsupported();
    if (!is_valid_utf8(value)) return bad();
    return volume_.set_description(ino, value);
  }
  if (key.starts_with(kPermissionOf)) {
    if (!can.permissions) return unsupported();
    const auto level = parse_access_level(value);
    if (!level) return bad();
    const std::string who(key.substr(kPermissionOf.size()));
    auto done = *level == AccessLevel::kNone ? volume_.unshare(call, ino, who)
                                             : volume_.share(call, ino, who, *level);
    if (done) forget_answers(ino);
    return done;
  }
  TRY_ASSIGN(const NodeInfo info, volume_.info(ino));
  const bool file = info.record.kind == NodeKind::kFile;
  if (key == "sync") {
    if (file) return unsupported();
    const auto mode = parse_sync_mode(value);
    if (!mode) return bad();
    return volume_.set_sync(ino, *mode);
  }
  if (key == "version") {
    if (!file || !can.promote) return unsupported();
    std::uint32_t number = 0;
    const char* const end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, number);
    if (error != std::errc() || stop != end || number == 0) return bad();
    auto done = volume_.promote(call, ino, number);
    if (done) forget_answers(ino);
    // mv and cp -a set it on a copy that they are still writing: of the file that they read it was
    // the number, and of this one it says nothing.
    if (!done && done.error().code == ErrorCode::kBusy && info.edited) return unsupported();
    return done;
  }
  if (key == "lock") {
    if (!file || !can.locks) return unsupported();
    if (value == "hold") return volume_.lock(call, ino);
    if (value == "release") return volume_.unlock(call, ino, "");
    if (std::string_view(value).starts_with(kReleaseWith)) {
      return volume_.unlock(call, ino, value.substr(kReleaseWith.size()));
    }
    // Gives up the local changes, then the lock.
    if (value == "discard") return volume_.discard_lock(call, ino);
    return is_told_lock(value) ? unsupported() : bad();
  }
  return unsupported();
}

Result<void> CabinetXattrs::remove(const CallContext& call, InodeNumber ino,
                                   const std::string& name) {
  if (!name.starts_with(kPrefix)) return volume_.remove_xattr(ino, name);
  const std::string_view key = std::string_view(name).substr(kPrefix.size());
  if (!is_known(key)) return fail(ErrorCode::kNoData, name);
  if (key.starts_with(kPermissionOf)) {
    // Who has no level is kNoData, from the store: it may know of somebody by his address only
    // here.
    return set_ours(call, ino, key, std::string(to_string(AccessLevel::kNone)));
  }
  if (key == "description") return set_ours(call, ino, key, "");
  if (key == "pin" || key == "sync") return set_ours(call, ino, key, "inherit");
  return fail(ErrorCode::kNotSupported, name);
}

template <class T, class Fetch>
Result<T> CabinetXattrs::keep(Answers<T>& answers, InodeNumber ino, Fetch fetch) {
  {
    MutexLock lock(mutex_);
    const auto found = answers.find(ino);
    if (found != answers.end() && clock_.steady() < found->second.until) {
      return found->second.value;
    }
  }
  TRY_ASSIGN(T value, fetch());
  MutexLock lock(mutex_);
  if (answers.size() >= kMaxAnswers) answers.clear();
  answers.insert_or_assign(ino, Kept<T>{clock_.steady() + kKeepAnswers, value});
  return value;
}

// `answers` names a guarded member without reading it; keep() takes the lock.
Result<std::vector<RemotePermission>> CabinetXattrs::permissions(
    const CallContext& call, InodeNumber ino) NO_THREAD_SAFETY_ANALYSIS {
  return keep(permissions_, ino, [&] { return volume_.permissions(call, ino); });
}

Result<std::string> CabinetXattrs::history(const CallContext& call,
                                           InodeNumber ino) NO_THREAD_SAFETY_ANALYSIS {
  return keep(history_, ino, [&]() -> Result<std::string> {
    TRY_ASSIGN(const auto events, volume_.history(call, ino));
    return list_to_value(history_to_json(events));
  });
}

void CabinetXattrs::forget_answers(InodeNumber ino) {
  MutexLock lock(mutex_);
  permissions_.erase(ino);
  history_.erase(ino);
}

}  // namespace cabinetfs
