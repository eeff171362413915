// FakeRemoteStore: locks, permissions, history, the change feed and mail.

#include <fmt/format.h>

#include <charconv>

#include "tests/support/fake_remote_state.h"

namespace cabinetfs {

Result<RemoteEntry> FakeRemoteStore::lock(const CallContext& call, const RemoteId& file) {
  Running running(*this, "lock", file.value);
  TRY(running.arrive(call));
  if (!options_.capabilities.locks) return RemoteStore::lock(call, file);
  MutexLock lock(mutex_);
  TRY_ASSIGN(Node* const node, get_locked("lock", NodeKind::kFile, file));
  TRY(check_change_locked("lock", *node, Right::kLock));
  if (node->lock_holder.empty()) note_locked(*node, options_.user, "lock_file");
  node->lock_holder = options_.user;
  return entry_locked(*node);
}

Result<RemoteEntry> FakeRemoteStore::unlock(const CallContext& call, const RemoteId& file,
                                            const std::string& comment) {
  Running running(*this, "unlock", file.value);
  TRY(running.arrive(call));
  if (!options_.capabilities.locks) return RemoteStore::unlock(call, file, comment);
  MutexLock lock(mutex_);
  TRY_ASSIGN(Node* const node, get_locked("unlock", NodeKind::kFile, file));
  TRY(check_change_locked("unlock", *node, Right::kLock));
  if (!node->lock_holder.empty()) note_locked(*node, options_.user, "unlock_file", comment);
  node->lock_holder.clear();
  return entry_locked(*node);
}

Result<RemoteEntry> FakeRemoteStore::discard_lock(const CallContext& call, const RemoteId& file) {
  Running running(*this, "discard_lock", file.value);
  TRY(running.arrive(call));
  if (!options_.capabilities.locks) return RemoteStore::discard_lock(call, file);
  MutexLock lock(mutex_);
  TRY_ASSIGN(Node* const node, get_locked("discard_lock", NodeKind::kFile, file));
  if (!node->rights.has(Right::kLock)) return fail(ErrorCode::kDenied, "discard_lock: no right");
  if (!node->lock_holder.empty()) note_locked(*node, options_.user, "discard_lock");
  node->lock_holder.clear();
  return entry_locked(*node);
}

Result<std::vector<RemotePermission>> FakeRemoteStore::permissions(const CallContext& call,
                                                                   NodeKind kind,
                                                                   const RemoteId& id) {
  Running running(*this, "permissions", id.value);
  TRY(running.arrive(call));
  if (!options_.capabilities.permissions) return RemoteStore::permissions(call, kind, id);
  MutexLock lock(mutex_);
  TRY_ASSIGN(const Node* const node, get_locked("permissions", kind, id));
  std::vector<RemotePermission> all;
  for (const auto& [who, level] : node->members) {
    all.push_back({who, level, fmt::format("fake-{}", to_string(level))});
  }
  return all;
}

Result<void> FakeRemoteStore::share(const CallContext& call, NodeKind kind, const RemoteId& id,
                                    const std::string& who, AccessLevel level) {
  Running running(*this, "share", id.value + " " + who);
  TRY(running.arrive(call));
  if (!options_.capabilities.permissions) return RemoteStore::share(call, kind, id, who, level);
  if (who.find('@') == std::string::npos || level == AccessLevel::kNone) {
    return fail(ErrorCode::kInvalid, "share: not an address, or no level");
  }
  MutexLock lock(mutex_);
  TRY_ASSIGN(Node* const node, get_locked("share", kind, id));
  TRY(check_change_locked("share", *node, Right::kShare));
  const auto found = node->members.find(who);
  if (level == AccessLevel::kOwner ||
      (found != node->members.end() && found->second == AccessLevel::kOwner)) {
    return fail(ErrorCode::kNotPermitted, "share: the owner stays the owner");
  }
  node->members[who] = level;
  note_locked(*node, options_.user, "add_permission", who);
  return {};
}

Result<void> FakeRemoteStore::unshare(const CallContext& call, NodeKind kind, const RemoteId& id,
                                      const std::string& who) {
  Running running(*this, "unshare", id.value + " " + who);
  TRY(running.arrive(call));
  if (!options_.capabilities.permissions) return RemoteStore::unshare(call, kind, id, who);
  MutexLock lock(mutex_);
  TRY_ASSIGN(Node* const node, get_locked("unshare", kind, id));
  TRY(check_change_locked("unshare", *node, Right::kShare));
  const auto found = node->members.find(who);
  if (found == node->members.end()) return fail(ErrorCode::kNoData, "unshare: not a member");
  if (found->second == AccessLevel::kOwner) {
    return fail(ErrorCode::kNotPermitted, "unshare: the owner stays the owner");
  }
  node->members.erase(found);
  note_locked(*node, options_.user, "delete_permission", who);
  return {};
}

Result<std::vector<RemoteEvent>> FakeRemoteStore::history(const CallContext& call, NodeKind kind,
                                                          const RemoteId& id) {
  Running running(*this, "history", id.value);
  TRY(running.arrive(call));
  if (!options_.capabilities.history) return RemoteStore::history(call, kind, id);
  MutexLock lock(mutex_);
  TRY_ASSIGN(const Node* const node, get_locked("history", kind, id));
  return std::vector<RemoteEvent>(node->events.rbegin(), node->events.rend());
}

Result<void> FakeRemoteStore::set_description(const CallContext& call, NodeKind kind,
                                              const RemoteId& id, const std::string& text) {
  Running running(*this, "set_description", id.value);
  TRY(running.arrive(call));
  if (!options_.capabilities.description) {
    return RemoteStore::set_description(call, kind, id, text);
  }
  MutexLock lock(mutex_);
  TRY_ASSIGN(Node* const node, get_locked("set_description", kind, id));
  TRY(check_change_locked("set_description", *node, Right::kRename));
  node->description = text;
  note_locked(*node, options_.user, "update");
  return {};
}

Result<Quota> FakeRemoteStore::quota(const CallContext& call) {
  Running running(*this, "quota", "");
  TRY(running.arrive(call));
  if (!options_.capabilities.quota) return RemoteStore::quota(call);
  MutexLock lock(mutex_);
  return Quota{used_locked(), state_->quota};
}

Result<ChangeSet> FakeRemoteStore::changes(const CallContext& call, const std::string& cursor) {
  Running running(*this, "changes", cursor);
  TRY(running.arrive(call));
  if (!options_.capabilities.change_feed) return RemoteStore::changes(call, cursor);
  MutexLock lock(mutex_);
  ChangeSet set;
  set.cursor = fmt::format("c{}", state_->feed.size());
  if (cursor.empty()) return set;
  std::size_t from = 0;
  const char* const end = cursor.data() + cursor.size();
  if (cursor.front() != 'c' || std::from_chars(cursor.data() + 1, end, from).ptr != end) {
    return fail(ErrorCode::kInvalid, "changes: not a cursor of this store");
  }
  if (state_->feed_broken || from > state_->feed.size()) {
    state_->feed_broken = false;
    set.complete = false;
    return set;
  }
  set.changes.assign(state_->feed.begin() + static_cast<std::ptrdiff_t>(from), state_->feed.end());
  return set;
}

Result<void> FakeRemoteStore::send_mail(const CallContext& call, const Mail& mail) {
  Running running(*this, "send_mail", mail.subject);
  TRY(running.arrive(call));
  if (!options_.capabilities.mail) return RemoteStore::send_mail(call, mail);
  if (mail.to.empty() && !mail.draft) return fail(ErrorCode::kInvalid, "send_mail: nobody to");
  Mail kept = mail;
  for (Mail::Attachment& attachment : kept.attachments) {
    auto content = std::make_shared<std::string>(attachment.size, '\0');
    if (!attachment.read(0, std::as_writable_bytes(std::span(*content)))) {
      return fail(ErrorCode::kIo, "send_mail: cannot read " + attachment.name);
    }
    attachment.read = [content](std::uint64_t offset, MutableBytes out) {
      if (offset > content->size() || out.size() > content->size() - offset) return false;
      const Bytes from = as_bytes(*content).subspan(offset, out.size());
      std::copy(from.begin(), from.end(), out.begin());
      return true;
    };
  }
  MutexLock lock(mutex_);
  state_->mails.push_back(std::move(kept));
  return {};
}

}  // namespace cabinetfs
