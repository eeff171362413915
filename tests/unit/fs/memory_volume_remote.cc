// MemoryVolume: attributes, and what is asked about the server.
#include <fmt/format.h>

#include "tests/unit/fs/memory_volume_state.h"

namespace cabinetfs {

Result<std::string> MemoryVolume::get_xattr(InodeNumber ino, const std::string& name) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  const auto found = node->xattrs.find(name);
  if (found == node->xattrs.end()) return fail(ErrorCode::kNoData, name);
  return found->second;
}

Result<std::vector<std::string>> MemoryVolume::list_xattrs(InodeNumber ino) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  std::vector<std::string> names;
  for (const auto& [name, value] : node->xattrs) names.push_back(name);
  return names;
}

Result<void> MemoryVolume::set_xattr(InodeNumber ino, const std::string& name,
                                     const std::string& value, XattrMode mode) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  const bool there = node->xattrs.contains(name);
  if (mode == XattrMode::kCreate && there) return fail(ErrorCode::kExists, name);
  if (mode == XattrMode::kReplace && !there) return fail(ErrorCode::kNoData, name);
  node->xattrs[name] = value;
  return {};
}

Result<void> MemoryVolume::remove_xattr(InodeNumber ino, const std::string& name) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  if (node->xattrs.erase(name) == 0) return fail(ErrorCode::kNoData, name);
  return {};
}

Result<RemoteAccount> MemoryVolume::account(const CallContext& /*call*/) {
  return RemoteAccount{"1", "me@example.com", "Me"};
}

Result<NodeInfo> MemoryVolume::info(InodeNumber ino) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  NodeInfo out;
  out.record.ino = node->ino;
  out.record.kind = node->kind;
  out.record.parent = node->parent;
  out.record.name = node->name;
  out.record.size = node->content.size();
  out.record.mtime = node->mtime;
  out.record.pin = node->pin;
  out.record.sync = node->sync;
  out.edited = node->edited;
  RemoteEntry remote;
  remote.id.value = fmt::format("id-{}", node->ino.value);
  remote.name = node->name;
  remote.kind = node->kind;
  remote.size = node->content.size();
  remote.rights = Rights::all();
  remote.mime = "text/plain";
  remote.description = node->description;
  remote.hashes.md5 = "d41d8cd98f00b204e9800998ecf8427e";
  remote.lock = node->locked                ? LockState::kHeldByUs
                : node->lock_holder.empty() ? LockState::kFree
                                            : LockState::kHeldByOther;
  remote.lock_holder = node->lock_holder;
  remote.version_count = static_cast<std::uint32_t>(node->versions.size() + 1);
  out.record.remote = remote;
  out.path = path_locked(*node);
  out.state = "clean";
  out.cached_bytes = node->content.size();
  return out;
}

Result<InodeNumber> MemoryVolume::find_path(const CallContext& /*call*/, const std::string& path) {
  MutexLock lock(mutex_);
  const NodePtr node = at_path_locked(path);
  if (!node) return fail(ErrorCode::kNotFound, path);
  return node->ino;
}

Result<std::vector<RemoteVersion>> MemoryVolume::versions(const CallContext& call,
                                                          InodeNumber ino) {
  TRY(enter("versions"));
  NodePtr node;
  {
    MutexLock lock(mutex_);
    TRY_ASSIGN(node, find_locked(ino));
  }
  TRY(pass(call, node->remote));
  MutexLock lock(mutex_);
  std::vector<RemoteVersion> out;
  for (std::size_t i = node->versions.size() + 1; i > 0; --i) {
    RemoteVersion version;
    version.number = static_cast<std::uint32_t>(i);
    version.id.value = fmt::format("v{}", i);
    version.current = i == node->versions.size() + 1;
    version.size = version.current ? node->content.size() : node->versions[i - 1].size();
    version.modified = WallTime(std::chrono::hours(1000 * i));
    version.author = "me@example.com";
    out.push_back(version);
  }
  return out;
}

Result<std::shared_ptr<CachedContent>> MemoryVolume::open_version(const CallContext& call,
                                                                  InodeNumber ino,
                                                                  std::uint32_t number) {
  NodePtr node;
  {
    MutexLock lock(mutex_);
    TRY_ASSIGN(node, find_locked(ino));
  }
  TRY(pass(call, node->remote));
  MutexLock lock(mutex_);
  if (number == 0 || number > node->versions.size() + 1) {
    return fail(ErrorCode::kNotFound, "version");
  }
  return std::shared_ptr<CachedContent>(std::make_shared<Version>(
      number == node->versions.size() + 1 ? node->content : node->versions[number - 1]));
}

Result<void> MemoryVolume::promote(const CallContext& /*call*/, InodeNumber ino,
                                   std::uint32_t number) {
  note(fmt::format("promote {} {}", ino.value, number));
  return enter("promote");
}

Result<void> MemoryVolume::lock(const CallContext& /*call*/, InodeNumber ino) {
  TRY(enter("lock"));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  node->locked = true;
  return {};
}

Result<void> MemoryVolume::unlock(const CallContext& /*call*/, InodeNumber ino,
                                  const std::string& comment) {
  note(fmt::format("unlock {} {}", ino.value, comment));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  node->locked = false;
  return {};
}

Result<std::vector<RemotePermission>> MemoryVolume::permissions(const CallContext& /*call*/,
                                                                InodeNumber ino) {
  TRY(enter("permissions"));
  note("permissions");
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  std::vector<RemotePermission> out{{"me@example.com", AccessLevel::kOwner, "Owner"}};
  for (const auto& [who, level] : node->shares) out.push_back({who, level, "Word"});
  return out;
}

Result<void> MemoryVolume::share(const CallContext& /*call*/, InodeNumber ino,
                                 const std::string& who, AccessLevel level) {
  TRY(enter("share"));
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  node->shares[who] = level;
  return {};
}

Result<void> MemoryVolume::unshare(const CallContext& /*call*/, InodeNumber ino,
                                   const std::string& who) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  if (node->shares.erase(who) == 0) return fail(ErrorCode::kNoData, who);
  return {};
}

Result<std::vector<RemoteEvent>> MemoryVolume::history(const CallContext& /*call*/,
                                                       InodeNumber /*ino*/) {
  TRY(enter("history"));
  MutexLock lock(mutex_);
  if (events_ == 0) {
    return std::vector<RemoteEvent>{
        {WallTime(std::chrono::seconds(1'000'000'000)), "me@example.com", "upload", "first"}};
  }
  std::vector<RemoteEvent> events;
  for (int i = events_; i > 0; --i) {
    events.push_back({WallTime(std::chrono::seconds(1'000'000'000 + i)), "me@example.com", "upload",
                      fmt::format("event {}", i)});
  }
  return events;
}

Result<void> MemoryVolume::set_description(InodeNumber ino, const std::string& text) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  node->description = text;
  return {};
}

Result<void> MemoryVolume::set_pin(InodeNumber ino, PinState state) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  node->pin = state;
  return {};
}

Result<void> MemoryVolume::set_sync(InodeNumber ino, SyncMode mode) {
  MutexLock lock(mutex_);
  TRY_ASSIGN(const NodePtr node, find_locked(ino));
  node->sync = mode;
  return {};
}

Result<void> MemoryVolume::send_mail(const CallContext& /*call*/, const Mail& mail) {
  for (const Mail::Attachment& attachment : mail.attachments) {
    std::string content(attachment.size, '\0');
    if (!attachment.read(0, std::as_writable_bytes(std::span(content)))) {
      return fail(ErrorCode::kIo, attachment.name);
    }
    note(fmt::format("mail {} {}={}", mail.to.empty() ? "" : mail.to[0], attachment.name, content));
  }
  return {};
}

Result<void> MemoryVolume::flush_to_server(
    const CallContext& call, InodeNumber ino,
    const std::function<void(const VolumeStatus&)>& progress) {
  note(fmt::format("flush_to_server {}", ino.value));
  if (progress) progress(status_to_tell);
  TRY(gate_.pass(call));
  return enter("flush_to_server");
}

Result<void> MemoryVolume::retry(InodeNumber ino) {
  note(fmt::format("retry {}", ino.value));
  return {};
}

Result<void> MemoryVolume::discard(const CallContext& /*call*/, InodeNumber ino) {
  note(fmt::format("discard {}", ino.value));
  return {};
}

Result<void> MemoryVolume::prefetch(const CallContext& /*call*/, InodeNumber ino) {
  note(fmt::format("prefetch {}", ino.value));
  return {};
}

Result<void> MemoryVolume::refresh(InodeNumber ino) {
  note(fmt::format("refresh {}", ino.value));
  return {};
}

}  // namespace cabinetfs
