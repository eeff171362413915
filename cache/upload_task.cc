#include "cache/upload_task.h"

#include <algorithm>
#include <vector>

#include "backend/base/log.h"
#include "cache/base_version.h"
#include "cache/digest.h"
#include "cache/write_lock.h"

namespace cabinetfs {
namespace {

// One chunk may be large and the line slow.
constexpr std::chrono::minutes kChunkTimeout{10};
// A version that the server refuses because it has another one by now, though it shows none, is not
// sent for ever.
constexpr std::uint32_t kConflictTries = 5;
constexpr std::uint64_t kCopied = 1u << 20;  // at a time
// Of a content that is compared as a whole, in bytes per second.
constexpr std::uint64_t kSlowestCompared = 32u << 10;
// A version that was made while its file is written on, and is kept here in one piece.
constexpr std::uint64_t kKeptWhole = 64u << 20;

// The server keeps whole seconds.
bool same_second(WallTime a, WallTime b) {
  return std::chrono::floor<std::chrono::seconds>(a) == std::chrono::floor<std::chrono::seconds>(b);
}

}  // namespace

Result<void> read_exactly(ReadableContent& content, const CallContext& call, std::uint64_t offset,
                          MutableBytes out) {
  std::size_t done = 0;
  while (done < out.size()) {
    TRY_ASSIGN(const std::size_t got, content.read(call, offset + done, out.subspan(done)));
    if (got == 0) return fail(ErrorCode::kIo, "unsent content is shorter than its row says");
    done += got;
  }
  return {};
}

Result<std::string> remote_md5(VolumeCore& core, const CallContext& call,
                               const RemoteEntry& entry) {
  Md5 digest;
  if (entry.size > 0) {
    const ReadRequest whole{entry.id, VersionId{}, 0, entry.size, entry.size, entry.validator};
    CallContext reading = call;
    reading.deadline += std::chrono::seconds(entry.size / kSlowestCompared);
    const Result<void> read = core.seen(core.remote.read(reading, whole, [&digest](Bytes part) {
      digest.update(part);
      return true;
    }));
    // Changed, cut short or taken away while it was read: what it is now is seen by the next look.
    const auto changing = [](ErrorCode code) {
      return code == ErrorCode::kConflict || code == ErrorCode::kCorrupt ||
             code == ErrorCode::kStale || is_gone(code);
    };
    if (!read && changing(read.error().code))
      return fail(ErrorCode::kTryAgain, read.error().context);
    TRY(read);
  }
  return digest.finish();
}

UploadTask::UploadTask(VolumeCore& core, Reconciler& reconciler, InodeNumber ino)
    : core_(core), reconciler_(reconciler), ino_(ino), file_(core.files.acquire(ino)) {}

CallContext UploadTask::call() const {
  return {core_.clock.steady() + kChunkTimeout, core_.stopping.token(), Priority::kUpload, true};
}

Result<void> UploadTask::run() { return on_base(&UploadTask::run_one); }

Result<void> UploadTask::detach() { return on_base(&UploadTask::detach_one); }

Result<void> UploadTask::on_base(Result<void> (UploadTask::*step)()) {
  Result<void> done = (this->*step)();
  if (!done && done.error().code == ErrorCode::kStale) {
    // What it stands on is not the server's current version any more.
    done = stand_on_old_version(core_, call(), ino_);
    if (done) {
      snapshot_.reset();
      session_.reset();
      md5_.clear();
      conflict_.clear();
      done = (this->*step)();
    }
    if (!done && done.error().code == ErrorCode::kStale)
      done = fail(ErrorCode::kConflict, done.error().context);
  }
  notices_.send(core_.notifier);
  return done;
}

Result<void> UploadTask::run_one() {
  TRY(take_snapshot());
  if (snapshot_ == nullptr) return {};
  // Sent already; what was written after it was lost with its process.
  if (node_.remote && generation_ != 0 && node_.uploaded_generation == generation_)
    return node_.remote->validator == node_.base_validator ? settle(*node_.remote, generation_)
                                                           : follow_newer_version();
  if (node_.intent.kind == Intent::Kind::kPut || node_.intent.kind == Intent::Kind::kUpload) {
    TRY_ASSIGN(const std::optional<RemoteEntry> landed, look());
    if (landed) return settle(*landed, node_.intent.generation);
    // It is not there; its place may have been taken, renamed or removed since: planned again.
    if (!node_.remote && !session_) return reconciler_.store_intent(node_, Intent{});
  }
  return node_.remote ? send_version() : send_new();
}

Result<void> UploadTask::detach_one() {
  TRY(take_snapshot());
  if (snapshot_ == nullptr || !node_.base) return {};
  TRY(check_base(std::nullopt));
  TRY_ASSIGN(const std::shared_ptr<StagedContent> own, core_.contents.create_staged(std::nullopt));
  std::vector<std::byte> buffer(std::min<std::uint64_t>(size_, kCopied));
  for (std::uint64_t at = 0; at < size_;) {
    const MutableBytes part(buffer.data(), std::min<std::uint64_t>(buffer.size(), size_ - at));
    TRY(read_exactly(*snapshot_, call(), at, part));
    TRY(own->write(at, part));
    at += part.size();
  }
  // From its first record on its bytes are on the disk before a row names them: another's fsync may
  // make that row outlive a power loss at any time.
  TRY(own->sync());
  TRY_ASSIGN(const std::string record, own->prepare());
  std::shared_ptr<StagedContent> old;
  {
    MutexLock lock(file_->mutex);
    old = file_->staged;
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr now, txn.find(ino_));
    const bool edited = now == nullptr || now->deleted || !now->content_dirty ||
                        now->generation != generation_ || now->staged != node_.staged ||
                        file_->live || file_->fresh_edit;
    if (edited) {
      core_.contents.discard_staged(own);
      return {};  // planned again
    }
    NodeRecord next = *now;
    next.staged = record;
    next.base.reset();
    next.base_modified = WallTime{};
    next.base_version = 0;
    txn.put(std::move(next));
    TRY(txn.commit());
    own->committed(record);
    file_->staged = own;
    file_->base.reset();
    file_->base_modified = WallTime{};
    file_->base_version = 0;
  }
  // The old bytes may have been promised to outlive a power loss: they go when the new row is safe.
  TRY_ASSIGN(const std::uint64_t state, own->sync());
  TRY(core_.meta.sync());
  own->row_synced(state);
  snapshot_.reset();
  if (old != nullptr) core_.contents.discard_staged(old);
  log_debug("node {} has its own bytes", ino_.value);
  return {};
}

Result<void> UploadTask::take_snapshot() {
  MutexLock lock(file_->mutex);
  TRY_ASSIGN(const NodePtr node, core_.tree.find(ino_));
  if (node == nullptr || node->deleted || !node->content_dirty) return {};
  TRY_ASSIGN(const std::shared_ptr<StagedContent> staged, core_.staged_of(*file_));
  if (staged == nullptr) return {};
  node_ = *node;
  if (node_.staged.empty() || file_->fresh_edit) {
    // An empty new file, one that took another's identity over, or a content that has just been
    // exchanged: there is no committed record of it yet.
    if (file_->live) {
      TRY(core_.commit(*file_));
      TRY_ASSIGN(const NodePtr now, core_.tree.find(ino_));
      if (now == nullptr || now->deleted) return {};
      node_ = *now;
    }
  }
  if (node_.staged.empty()) {
    TRY_ASSIGN(const std::string record, staged->prepare());
    {
      Tree::Txn txn(core_.tree);
      TRY_ASSIGN(const NodePtr now, txn.find(ino_));
      if (now == nullptr || now->deleted || !now->content_dirty) return {};
      node_ = *now;
      node_.staged = record;
      txn.put(node_);
      TRY(txn.commit());
    }
    staged->committed(record);
  }
  TRY_ASSIGN(snapshot_, staged->snapshot());
  generation_ = node_.generation;
  size_ = snapshot_->size();
  shows_base_ = staged->shows_base();
  is_whole_base_ = node_.base && size_ > 0 && staged->is_base();
  return {};
}

Result<std::string> UploadTask::content_md5(bool may_block) {
  if (!md5_.empty()) return md5_;
  CallContext reading = call();
  reading.may_block = may_block;
  Md5 md5;
  std::vector<std::byte> buffer(std::min<std::uint64_t>(size_, 1u << 20));
  for (std::uint64_t at = 0; at < size_;) {
    const MutableBytes part(buffer.data(), std::min<std::uint64_t>(buffer.size(), size_ - at));
    reading.deadline = call().deadline;  // of each part
    TRY(read_exactly(*snapshot_, reading, at, part));
    md5.update(part);
    at += part.size();
  }
  md5_ = md5.finish();
  return md5_;
}

// What is still to be fetched of the base comes from the server's current version, which has to be
// the one that was edited: before, and afterwards too. `told`: what the server says of the base
// just now, where that is known.
Result<void> UploadTask::check_base(const std::optional<RemoteEntry>& told) {
  if (!node_.base || !node_.base->version.empty() || !shows_base_) return {};
  const ContentKey& key = *node_.base;
  TRY_ASSIGN(const std::shared_ptr<CachedContent> content, core_.contents.open_cached(key));
  if (!content->needs_validation()) {
    if (content->complete()) return {};
    const Result<std::string> here = content_md5(false);
    if (here) return {};
    if (here.error().code != ErrorCode::kWouldBlock && here.error().code != ErrorCode::kStale)
      return fail(here.error());
  }
  const auto is_current = [&](const Result<RemoteEntry>& there) -> Result<bool> {
    if (there) return there->validator == key.validator;
    if (is_gone(there.error().code)) return false;
    return fail(there.error());
  };
  Result<RemoteEntry> there =
      told ? Result<RemoteEntry>(*told)
           : core_.seen(core_.remote.stat(call(), NodeKind::kFile, key.file));
  TRY_ASSIGN(bool current, is_current(there));
  if (current) {
    const std::uint64_t mark = content->validation_mark();
    content->validated(true, mark);
    TRY(content_md5());
    if (!content->needs_validation()) return {};
    const std::uint64_t fetched = content->validation_mark();
    there = core_.seen(core_.remote.stat(call(), NodeKind::kFile, key.file));
    TRY_ASSIGN(current, is_current(there));
    content->validated(current, fetched);
    if (current) return {};
  } else if (content->needs_validation()) {
    content->validated(false);
  }
  md5_.clear();
  return fail(ErrorCode::kStale, "others have saved a newer version of what was edited here");
}

Result<bool> UploadTask::is_ours(const RemoteEntry& entry) {
  const Intent& intent = node_.intent;
  if (entry.kind != NodeKind::kFile || entry.size != intent.size) return false;
  if (!intent.before.empty() && entry.validator == intent.before) return false;
  std::string md5 = intent.md5;
  // A copy that was made at the server: its bytes are ours, its time is the server's.
  const bool copied = md5.empty() && !intent.session && intent.generation == generation_;
  if (copied) {
    TRY_ASSIGN(md5, content_md5());
  }
  if (!entry.hashes.md5.empty() && !md5.empty()) return entry.hashes.md5 == md5;
  if (!copied && core_.remote.capabilities().mtime_at_upload &&
      !same_second(entry.modified, intent.modified))
    return false;
  // A session whose last chunk was never sent has left nothing behind.
  if (md5.empty()) return false;
  // No fingerprint yet: another file of that size, which must not be taken for ours, only differs
  // in its bytes. Rare enough to fetch them.
  TRY_ASSIGN(const std::string theirs, remote_md5(core_, call(), entry));
  return theirs == md5;
}

// An upload that broke in the middle may have left its beginning in the file, where the server does
// not put the new content in place only when it is whole. That is nobody's edit.
Result<bool> UploadTask::is_our_fragment(const RemoteEntry& entry) {
  const Intent& intent = node_.intent;
  if (core_.remote.capabilities().versions || intent.kind != Intent::Kind::kPut ||
      intent.generation != generation_ || entry.size >= size_)
    return false;
  Md5 ours;
  std::vector<std::byte> buffer(std::min<std::uint64_t>(entry.size, 1u << 20));
  for (std::uint64_t at = 0; at < entry.size;) {
    const MutableBytes part(buffer.data(), std::min<std::uint64_t>(buffer.size(), entry.size - at));
    TRY(read_exactly(*snapshot_, call(), at, part));
    ours.update(part);
    at += part.size();
  }
  TRY_ASSIGN(const std::string theirs, remote_md5(core_, call(), entry));
  return ours.finish() == theirs;
}

Result<std::optional<RemoteEntry>> UploadTask::look() {
  const Intent& intent = node_.intent;
  if (intent.session) {
    Result<UploadSession> there = core_.seen(core_.remote.upload_resume(call(), *intent.session));
    if (there) {
      if (intent.generation == generation_ && there->size == size_) {
        session_ = std::move(*there);
        session_->target = intent.session->target;
      } else if (const Result<void> aborted = core_.remote.upload_abort(call(), *intent.session);
                 !aborted) {
        log_debug("aborting an outdated upload session: {}", to_string(aborted.error()));
      }
      return std::optional<RemoteEntry>();
    }
    if (there.error().code != ErrorCode::kNotFound) return fail(std::move(there).error());
  }
  std::vector<RemoteEntry> found;
  if (node_.remote) {
    Result<RemoteEntry> there =
        core_.seen(core_.remote.stat(call(), NodeKind::kFile, node_.remote->id));
    if (!there && !is_gone(there.error().code)) return fail(std::move(there).error());
    if (there) found.push_back(std::move(*there));
  } else {
    TRY_ASSIGN(found, reconciler_.find_created(call(), intent));
  }
  for (RemoteEntry& entry : found) {
    // Known as another node's: an equal content that came to the same place later.
    TRY_ASSIGN(const NodePtr other, core_.tree.find_remote(entry.id));
    if (other != nullptr && other->ino != ino_) continue;
    TRY_ASSIGN(const bool ours, is_ours(entry));
    if (ours) return std::optional<RemoteEntry>(std::move(entry));
  }
  return std::optional<RemoteEntry>();
}

Result<void> UploadTask::store_intent(const Intent& intent) {
  Tree::Txn txn(core_.tree);
  TRY_ASSIGN(const NodePtr now, txn.find(ino_));
  if (now == nullptr) return fail(ErrorCode::kCancelled, "the file is gone");
  // From here on others know where this one is going to stand; until now they did not. A session
  // that goes on is known already.
  const bool known =
      intent.session && now->intent.session && intent.session->id == now->intent.session->id;
  const bool create = !intent.name.empty() && !now->remote && !known;
  if (create && (now->deleted || now->parent != node_.parent || now->name != node_.name))
    return fail(ErrorCode::kCancelled, "renamed or deleted before it was sent");
  NodeRecord next = *now;
  next.intent = intent;
  txn.put(std::move(next));
  TRY(txn.commit());
  node_.intent = intent;
  return {};
}

Result<void> UploadTask::send_new() {
  TRY_ASSIGN(const NodePtr parent, core_.tree.find(node_.parent));
  if (parent == nullptr || !parent->remote)
    return fail(ErrorCode::kTryAgain, "the folder is not at the server yet");
  UploadTarget target;
  target.parent = parent->remote->id;
  TRY_ASSIGN(target.name, core_.codec.to_remote(node_.name));
  target.modified = node_.mtime;
  TRY_ASSIGN(const std::optional<RemoteEntry> copied, copy_at_server(target));
  if (copied) return settle(*copied, generation_);
  TRY(check_base(std::nullopt));
  Result<RemoteEntry> sent = send(target, Validator{}, 0);
  if (sent) return settle(*sent, generation_);
  if (is_gone(sent.error().code)) {
    const Result<RemoteEntry> folder =
        core_.seen(core_.remote.stat(call(), NodeKind::kFolder, target.parent));
    if (!folder && is_gone(folder.error().code))
      return reconciler_.lost(parent->ino, target.parent);
    return fail(ErrorCode::kTryAgain, sent.error().context);
  }
  if (sent.error().code != ErrorCode::kExists) return fail(std::move(sent).error());
  // Before the look: what leaves the place in between is not there any more when it is looked at.
  TRY_ASSIGN(const bool ours, reconciler_.taken_by_ours(node_.parent, target.name, ino_));
  if (ours) return {};  // planned again, behind that one
  TRY_ASSIGN(const std::optional<RemoteEntry> there,
             core_.seen(core_.remote.find_child(call(), target.parent, target.name)));
  if (!there)
    return fail(ErrorCode::kTryAgain,
                "the server says that the name is taken, but does not list it");
  TRY_ASSIGN(const NodePtr known, core_.tree.find_remote(there->id));
  if (known == nullptr && there->kind == NodeKind::kFile && there->size == size_) {
    TRY_ASSIGN(const std::string md5, content_md5());
    std::string theirs = there->hashes.md5;
    if (theirs.empty()) {
      TRY_ASSIGN(theirs, remote_md5(core_, call(), *there));
    }
    // The same bytes under the same name: our own upload whose answer was late, or as good as that.
    if (theirs == md5) return settle(*there, generation_);
  }
  return reconciler_.give_way(ino_, "another file of that name came to the server");
}

// A content that is all of another file's current version need not travel.
Result<std::optional<RemoteEntry>> UploadTask::copy_at_server(const UploadTarget& target) {
  if (!core_.remote.capabilities().copy || !is_whole_base_) return std::optional<RemoteEntry>();
  const Result<RemoteEntry> source =
      core_.seen(core_.remote.stat(call(), NodeKind::kFile, node_.base->file));
  if (!source || source->validator != node_.base->validator) return std::optional<RemoteEntry>();
  Intent intent;
  intent.kind = Intent::Kind::kPut;
  intent.generation = generation_;
  intent.size = size_;
  intent.modified = source->modified;
  intent.md5 = source->hashes.md5;
  intent.folder = node_.parent;
  intent.name = target.name;
  TRY(store_intent(intent));
  Result<RemoteEntry> copied =
      core_.seen(core_.remote.copy_file(call(), node_.base->file, target.parent, target.name));
  if (!copied && is_transient(copied.error().code)) return fail(std::move(copied).error());
  if (copied && copied->size == size_ && core_.codec.same(copied->name, target.name)) {
    // The source may have got another version between the look and the copy.
    bool right = !copied->hashes.md5.empty() && copied->hashes.md5 == node_.base->hashes.md5;
    if (!right && (copied->hashes.md5.empty() || node_.base->hashes.md5.empty())) {
      const Result<RemoteEntry> after =
          core_.seen(core_.remote.stat(call(), NodeKind::kFile, node_.base->file));
      if (!after && is_transient(after.error().code)) return fail(after.error());
      right = after && after->validator == node_.base->validator;
    }
    if (right) return std::optional<RemoteEntry>(std::move(*copied));
  }
  if (copied) {
    // Of another version, or the server chose another name, because this one is taken.
    TRY(core_.seen(core_.remote.remove(call(), NodeKind::kFile, copied->id)));
  }
  return std::optional<RemoteEntry>();
}

// True: what others have saved since the edit began keeps the place, and ours goes beside it.
Result<bool> UploadTask::give_way_to(const RemoteEntry& there) {
  if (node_.base_validator.empty() || there.validator == node_.base_validator) return false;
  TRY_ASSIGN(const bool fragment, is_our_fragment(there));
  if (fragment) return false;
  ConflictPolicy policy = core_.options.conflict;
  if (policy == ConflictPolicy::kVersions && !core_.remote.capabilities().versions)
    policy = ConflictPolicy::kCopy;
  const std::string who = there.modifier.empty() ? "somebody else" : there.modifier;
  switch (policy) {
    case ConflictPolicy::kFail:
      return fail(ErrorCode::kConflict,
                  "changed on the server by " + who + " since the edit began");
    case ConflictPolicy::kCopy:
      TRY(make_room_for_theirs(there));
      return true;
    case ConflictPolicy::kVersions:
      conflict_ = "also changed by " + who + "; that version is in the history";
      break;
  }
  return false;
}

Result<void> UploadTask::send_version() {
  Result<RemoteEntry> before =
      core_.seen(core_.remote.stat(call(), NodeKind::kFile, node_.remote->id));
  if (!before) {
    // Where ids are places, a folder may stand there by now.
    if (is_gone(before.error().code)) return reconciler_.lost(ino_, node_.remote->id);
    return fail(std::move(before).error());
  }
  if (before->lock == LockState::kHeldByOther) {
    return fail(
        ErrorCode::kBusy,
        "locked by " + (before->lock_holder.empty() ? "somebody else" : before->lock_holder));
  }
  TRY_ASSIGN(bool given_way, give_way_to(*before));
  if (given_way) return {};
  if (before->lock_to_write && before->lock != LockState::kHeldByUs) {
    const Validator unlocked = before->validator;
    TRY_ASSIGN(*before, take_write_lock(core_, call(), ino_, node_.remote->id));
    node_.lock_taken = true;
    // Somebody may have saved before it was ours.
    if (before->validator != unlocked) {
      TRY_ASSIGN(given_way, give_way_to(*before));
      if (given_way) return {};
    }
  }
  const bool on_itself = node_.base && node_.base->file == before->id;
  TRY(check_base(on_itself ? std::optional<RemoteEntry>(*before) : std::nullopt));
  UploadTarget target;
  target.file = node_.remote->id;
  target.parent = node_.remote->parent;
  target.name = before->name;
  target.modified = node_.mtime;
  target.before = before->validator;
  Result<RemoteEntry> sent = send(target, before->validator, before->version_count);
  if (!sent && is_gone(sent.error().code)) return reconciler_.lost(ino_, node_.remote->id);
  // Somebody was faster; the next look sees what he wrote.
  if (!sent && sent.error().code == ErrorCode::kConflict &&
      (!node_.failure || node_.failure->attempts < kConflictTries))
    return fail(ErrorCode::kTryAgain, sent.error().context);
  if (!sent) return fail(std::move(sent).error());
  return settle(*sent, generation_);
}

Result<void> UploadTask::follow_newer_version() {
  MutexLock lock(file_->mutex);
  if (file_->live) return {};  // edited again: its commit is the next thing to send
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr now, txn.find(ino_));
    if (now == nullptr || now->deleted || !now->remote || now->generation != generation_) return {};
    NodeRecord next = *now;
    next.content_dirty = false;
    next.upload_soon = false;
    next.staged.clear();
    next.base.reset();
    next.intent = Intent{};
    next.failure.reset();
    show_remote(next, true);
    notices_.inode(ino_, true);
    txn.put(std::move(next));
    TRY(txn.commit());
  }
  snapshot_.reset();
  if (file_->staged != nullptr) core_.contents.discard_staged(file_->staged);
  file_->staged.reset();
  file_->clean.reset();
  ++file_->epoch;
  return {};
}

Result<void> UploadTask::make_room_for_theirs(const RemoteEntry& theirs) {
  if (node_.lock_taken) {
    // Taken for a version that is not going to come.
    const Result<RemoteEntry> free = give_up_write_lock(core_, call(), theirs.id);
    if (!free && is_transient(free.error().code)) return fail(free.error());
  }
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr now, txn.find(ino_));
    if (now == nullptr || !now->remote) return {};
    NodeRecord next = *now;
    next.remote.reset();
    next.remote_parent = kNoInode;
    next.renamed = false;
    next.lock_taken = false;
    next.sent_place.reset();
    next.first_place.reset();
    next.intent = Intent{};
    txn.put(std::move(next));
    TRY(txn.commit());
  }
  log_info("{}: changed on both sides", theirs.name);
  return reconciler_.give_way(ino_, "changed on the server since the edit began");
}

// What is written on stands on the version that was just made. All of its bytes are here, and
// others may replace it at the server before what is missing of it is fetched again.
void UploadTask::keep_sent(ReadableContent& snapshot, const ContentKey& key) {
  if (size_ > kKeptWhole) return;
  CallContext local = call();
  local.may_block = false;
  std::string text(size_, '\0');
  const MutableBytes bytes(reinterpret_cast<std::byte*>(text.data()), text.size());
  if (!read_exactly(snapshot, local, 0, bytes)) return;
  const Result<std::shared_ptr<CachedContent>> content = core_.contents.open_cached(key);
  if (!content) return;
  (*content)->fill(text);
  (*content)->validated(true, (*content)->validation_mark());
}

Result<void> UploadTask::settle(const RemoteEntry& entry, std::uint64_t generation) {
  const SteadyTime now = core_.clock.steady();
  const ContentKey key = VolumeCore::content_key(entry);
  MutexLock lock(file_->mutex);
  bool clean = false;
  bool deleted = false;
  {
    Tree::Txn txn(core_.tree);
    core_.recent.wrote(entry.id, now);
    TRY_ASSIGN(const NodePtr known, txn.find(ino_));
    if (known == nullptr) return {};
    TRY_ASSIGN(const NodePtr other, txn.find_remote(entry.id));
    const bool follows = core_.remote.capabilities().ids_follow_path;
    if (other != nullptr && other->ino != ino_ && (!other->dirty() || (follows && other->deleted)))
      txn.erase(other->ino);
    NodeRecord next = *known;
    const std::optional<RemoteEntry> old = next.remote;
    next.remote = entry;
    if (old && !next.remote->rights) next.remote->rights = old->rights;
    // A session ends where it began, whatever has been renamed here meanwhile; and others may have
    // moved the object.
    NodePtr folder;
    if (!entry.parent.empty()) {
      TRY_ASSIGN(folder, txn.find_remote(entry.parent));
    }
    if (folder != nullptr) {
      next.remote_parent = folder->ino;
    } else if (!old) {
      next.remote_parent = node_.intent.folder ? node_.intent.folder : node_.parent;
    }
    if (old && !next.deleted && !known->moved() && folder != nullptr && !folder->deleted &&
        (next.parent != folder->ino || !core_.shows_remote_name(next))) {
      // Renamed by others, not here.
      notices_.entry(next.parent, next.name);
      notices_.inode(next.parent, true);
      notices_.inode(folder->ino, true);
      TRY_ASSIGN(next.name, free_shown_name(core_, txn, folder->ino, entry, ino_));
      next.parent = folder->ino;
    }
    next.renamed = !core_.shows_remote_name(next);
    if (!next.deleted && !next.moved()) next.first_place.reset();
    next.intent = Intent{};
    next.failure.reset();
    if (!conflict_.empty()) {
      next.conflict = conflict_;
      ++core_.conflicts;
    }
    next.uploaded_generation = generation;
    next.base_validator = entry.validator;
    deleted = next.deleted;
    clean = !deleted && next.content_dirty && next.generation == generation && !file_->live;
    if (clean) {
      next.content_dirty = false;
      next.upload_soon = false;
      next.staged.clear();
      next.base.reset();
    } else if (next.base && generation != 0) {
      // Generation 0 is another content's, which this one has replaced: it stands on its own base.
      next.base = key;
    }
    txn.put(std::move(next));
    TRY(txn.commit());
  }
  log_debug("node {} generation {} is at the server, id={}, {}", ino_.value, generation,
            entry.id.value, clean ? "clean" : "edited since");
  core_.recent.confirmed(ino_, now);
  if (node_.uploaded_generation != generation || generation == 0) ++core_.uploads_done;
  if (deleted) return {};
  const std::shared_ptr<StagedContent> staged = file_->staged;
  std::shared_ptr<ReadableContent> sent = std::move(snapshot_);
  if (!clean) {
    const bool stands_on_it = staged != nullptr && file_->base && generation != 0;
    if (stands_on_it) {
      staged->rebase(key);
      file_->base = key;
    }
    file_->base_validator = entry.validator;
    lock.unlock();
    if (stands_on_it && sent != nullptr && generation == generation_) keep_sent(*sent, key);
    return {};
  }
  sent.reset();
  if (staged != nullptr) core_.contents.adopt(staged, key);
  file_->staged.reset();
  ++file_->epoch;
  Result<std::shared_ptr<CachedContent>> cached = core_.contents.open_cached(key);
  file_->clean = cached && file_->handles > 0 ? *cached : nullptr;
  return {};
}

}  // namespace cabinetfs
