// Volume: contents of files.
#include <algorithm>
#include <cstring>

#include "backend/base/pause.h"
#include "cache/base_version.h"
#include "cache/path_ids.h"
#include "cache/volume_impl.h"

namespace cabinetfs {
namespace {

constexpr std::uint64_t kMaxFileSize = static_cast<std::uint64_t>(INT64_MAX);
constexpr std::size_t kCopyBuffer = 1u << 20;
// Between two looks at a content that the server's virus scan holds back.
constexpr std::chrono::milliseconds kFirstScanPause{100};
constexpr std::chrono::milliseconds kLongestScanPause{2'000};

OpenFileImpl& impl(OpenFile& file) { return static_cast<OpenFileImpl&>(file); }

}  // namespace

Result<std::shared_ptr<OpenFileImpl>> VolumeImpl::make_handle(InodeNumber ino, OpenFlags flags) {
  constexpr std::uint64_t kWindow = 64u << 20;
  const std::shared_ptr<FileState> state = core_.files.acquire(ino);
  auto handle = std::make_shared<OpenFileImpl>(state, flags, kWindow);
  {
    MutexLock lock(state->mutex);
    TRY_ASSIGN(const NodePtr node, core_.tree.find(ino));
    if (node == nullptr || node->deleted) return fail(ErrorCode::kNotFound, "no such file");
    state->orphan = node;
    TRY_ASSIGN(const std::shared_ptr<StagedContent> staged, core_.staged_of(*state));
    handle->epoch = state->epoch;
    if (staged == nullptr) {
      if (!node->remote) return fail(ErrorCode::kInternal, "a file without a content");
      TRY_ASSIGN(std::shared_ptr<CachedContent> clean,
                 core_.contents.open_cached(VolumeCore::content_key(*node->remote)));
      MutexLock inner(handle->mutex);
      handle->clean = std::move(clean);
    }
    // What the kernel's pages of a file hold changes with the server's version, or through the
    // kernel itself.
    const std::string pages = node->remote ? node->remote->validator.value : std::string("new");
    state->opened = pages;
    state->mixed = false;
    MutexLock leaf(mutex_);
    std::string& opened = opened_content_[ino];
    handle->keep_cache_ = opened == pages;
    opened = pages;
    constexpr std::size_t kMaxOpened = 200'000;
    if (opened_content_.size() > kMaxOpened) opened_content_.clear();
  }
  return handle;
}

Result<std::shared_ptr<OpenFile>> VolumeImpl::open_file(const CallContext& call, InodeNumber ino,
                                                        OpenFlags flags) {
  TRY_ASSIGN(NodePtr node, existing(ino));
  if (node->kind != NodeKind::kFile) return fail(ErrorCode::kIsDirectory, node->name);
  const Rights rights = VolumeCore::rights(*node);
  if (flags.read && !rights.has(Right::kRead))
    return fail(ErrorCode::kDenied, node->name + ": no right to read");
  if (flags.write || flags.truncate) {
    if (core_.options.read_only) return fail(ErrorCode::kReadOnly, "mounted read-only");
    if (!rights.has(Right::kWrite))
      return fail(ErrorCode::kDenied, node->name + ": no right to write");
  }
  TRY_ASSIGN(node, fresh_file(call, node));
  if (flags.read && !node->content_dirty && node->remote &&
      node->remote->scan == ScanState::kRefused) {
    return fail(ErrorCode::kDenied, node->name + ": refused by the server's scan");
  }
  TRY_ASSIGN(const std::shared_ptr<OpenFileImpl> handle, make_handle(ino, flags));
  if (flags.truncate) {
    if (node->size > 0) TRY(lock_for_change(call, ino));
    FileState& state = *handle->file;
    MutexLock lock(state.mutex);
    TRY_ASSIGN(const std::shared_ptr<StagedContent> staged, stage(state, handle.get()));
    if (staged->size() > 0) {
      TRY(staged->truncate(0));
      mark_written(state, *staged);
      handle->wrote = true;
      // A handle that is no writer has nobody to do it later.
      if (!flags.write) TRY(core_.commit(state));
    } else {
      // Empty before and after: nothing to send unless something is written.
    }
  } else if (flags.read && !node->content_dirty) {
    walk_.opened(*node);
  }
  return std::static_pointer_cast<OpenFile>(handle);
}

Result<std::shared_ptr<StagedContent>> VolumeImpl::stage(FileState& file, OpenFileImpl* through) {
  TRY_ASSIGN(std::shared_ptr<StagedContent> staged, core_.staged_of(file));
  if (staged != nullptr) return staged;
  std::optional<ContentKey> base;
  if (through != nullptr) {
    MutexLock inner(through->mutex);
    // Unless an upload of ours has made a newer version since.
    if (through->clean != nullptr && through->epoch == file.epoch) base = through->clean->key();
  }
  // What our last upload made of it. A path means the version that is shown.
  if (!base && through != nullptr && file.clean != nullptr) base = file.clean->key();
  TRY_ASSIGN(const NodePtr node, core_.tree.find(file.ino));
  if (!base) {
    const NodePtr source = node != nullptr ? node : file.orphan;
    if (source != nullptr && source->remote) base = VolumeCore::content_key(*source->remote);
  } else {
    TRY_ASSIGN(base, current_key(*base, file));
  }
  // Only what was told of this very version helps to find it again.
  const bool told = base && node != nullptr && node->remote &&
                    node->remote->validator == base->validator && node->remote->id == base->file;
  file.base_modified = told ? node->remote->modified : WallTime{};
  file.base_version = told ? node->remote->version_count : 0;
  TRY_ASSIGN(staged, core_.contents.create_staged(base));
  file.staged = staged;
  file.base = base;
  file.base_validator = base ? base->validator : Validator{};
  file.fresh_edit = true;
  return staged;
}

void VolumeImpl::mark_written(FileState& file, StagedContent& staged) {
  file.live_size = staged.size();
  file.live_mtime = core_.now().time_since_epoch().count();
  file.live = true;
}

Result<VolumeImpl::Created> VolumeImpl::create(const CallContext& call, InodeNumber parent,
                                               const std::string& name, std::uint32_t mode,
                                               OpenFlags flags, bool exclusive) {
  TRY(check_name(name));
  TRY_ASSIGN(const NodePtr folder, existing_folder(parent));
  TRY(listings_.ensure(call, parent, core_.options.fresh));
  TRY_ASSIGN(const NodePtr there, core_.tree.child(parent, name));
  if (there != nullptr) {
    if (exclusive) return fail(ErrorCode::kExists, name);
    TRY_ASSIGN(std::shared_ptr<OpenFile> opened, open_file(call, there->ino, flags));
    TRY_ASSIGN(const Attributes attributes, getattr(call, there->ino));
    return Created{attributes, std::move(opened)};
  }
  TRY(may_change_folder(*folder, NodeKind::kFile));
  TRY(core_.codec.to_remote(name));
  NodeRecord node;
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr above, txn.find(parent));
    if (above == nullptr || above->deleted) return fail(ErrorCode::kNotFound, "the folder is gone");
    TRY_ASSIGN(const NodePtr taken, core_.same_named(txn, parent, name));
    if (taken != nullptr) return fail(ErrorCode::kExists, name);
    TRY_ASSIGN(node.ino, txn.new_inode());
    node.kind = NodeKind::kFile;
    node.parent = parent;
    node.name = name;
    node.mode = mode & 07777u;
    node.mtime = node.atime = node.ctime = node.btime = node.changed_at = core_.now();
    node.times_local = true;
    node.content_dirty = true;
    node.generation = 1;
    txn.put(node);
    // Deleted and made again (`rm`, or an editor that moves the old one away): the new one goes on
    // with the old one's history.
    TRY_ASSIGN(const std::string remote_name, core_.codec.to_remote(name));
    TRY_ASSIGN(const NodePtr before, txn.displaced_at(parent, remote_name, node.ino));
    if (before != nullptr && before->deleted) TRY(hand_on_identity(core_, txn, before->ino));
    touch_folder(txn, parent);
    TRY(txn.commit());
  }
  flags.write = true;
  TRY_ASSIGN(const std::shared_ptr<OpenFileImpl> handle, make_handle(node.ino, flags));
  TRY_ASSIGN(const Attributes attributes, getattr(call, node.ino));
  return Created{attributes, handle};
}

Result<std::shared_ptr<ReadableContent>> VolumeImpl::content_of(OpenFileImpl& file) {
  FileState& state = *file.file;
  MutexLock lock(state.mutex);
  if (state.staged != nullptr && (state.live || !state.fresh_edit))
    return std::static_pointer_cast<ReadableContent>(state.staged);
  MutexLock inner(file.mutex);
  if (file.clean == nullptr || state.epoch != file.epoch) {
    // An upload has made a new version of what this handle was reading.
    if (state.clean == nullptr) {
      TRY_ASSIGN(const NodePtr node, core_.tree.find(state.ino));
      const NodePtr source = node != nullptr ? node : state.orphan;
      if (source == nullptr || !source->remote)
        return fail(ErrorCode::kStale, "the file's content is gone");
      TRY_ASSIGN(state.clean, core_.contents.open_cached(VolumeCore::content_key(*source->remote)));
    }
    file.clean = state.clean;
    file.epoch = state.epoch;
  }
  if (!state.mixed && file.clean->key().validator.value != state.opened) {
    // Through this older handle pages of another version come to the kernel than the last open was
    // told of: the next one begins without them.
    state.mixed = true;
    MutexLock leaf(mutex_);
    opened_content_.erase(state.ino);
  }
  return std::static_pointer_cast<ReadableContent>(file.clean);
}

Result<ContentKey> VolumeImpl::current_key(ContentKey key, FileState& file) {
  if (!key.version.empty()) return key;
  TRY_ASSIGN(const NodePtr node, core_.tree.find(file.ino));
  // Unsent content may stand on another object: its row knows which.
  if (node == nullptr || !node->remote || node->content_dirty) return key;
  if (core_.remote.capabilities().ids_follow_path) key.file = node->remote->id;
  for (std::size_t hops = 0; hops < file.validators.size(); ++hops) {
    const auto next = file.validators.find(key.validator.value);
    if (next == file.validators.end() || key.validator == node->remote->validator) break;
    key.validator = next->second;
  }
  return key;
}

Result<bool> VolumeImpl::look_elsewhere(const CallContext& call, OpenFileImpl& file,
                                        const ContentKey* key) {
  if (key == nullptr) {
    if (core_.remote.capabilities().ids_follow_path) {
      // Perhaps only our own rename, which is on its way.
      InodeNumber moving;
      {
        Tree::Txn txn(core_.tree);
        TRY_ASSIGN(const NodePtr node, txn.find(file.ino()));
        if (node != nullptr) {
          TRY_ASSIGN(moving, moving_for(core_, txn, *node));
        }
      }
      if (moving) {
        TRY(core_.in_flight->wait_landed(core_.bounded(call), moving));
        return true;
      }
    }
    // Unsent, on a version that others have replaced.
    TRY(stand_on_old_version(core_, core_.bounded(call), file.ino()));
    return true;
  }
  InodeNumber moving;
  if (core_.remote.capabilities().ids_follow_path) {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(moving, moving_at(core_, txn, file.ino()));
  }
  if (moving) TRY(core_.in_flight->wait_landed(core_.bounded(call), moving));
  ContentKey now;
  {
    MutexLock lock(file.file->mutex);
    TRY_ASSIGN(now, current_key(*key, *file.file));
  }
  if (now == *key) return false;
  TRY_ASSIGN(std::shared_ptr<CachedContent> content, core_.contents.open_cached(now));
  MutexLock lock(file.mutex);
  file.clean = std::move(content);
  return true;
}

Result<std::size_t> VolumeImpl::read(const CallContext& call, OpenFile& open, std::uint64_t offset,
                                     MutableBytes out) {
  const CallContext bounded = core_.bounded(call);
  std::chrono::milliseconds wait = kFirstScanPause;
  while (true) {
    Result<std::size_t> got = read_once(call, open, offset, out);
    // The server's virus scan has not let the content go yet: it does in a moment, or the call's
    // deadline ends the wait.
    if (got || !call.may_block || got.error().code != ErrorCode::kTryAgain) return got;
    if (!pause(bounded, wait)) {
      if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "reading");
      return got;
    }
    wait = std::min(wait * 2, kLongestScanPause);
  }
}

Result<std::size_t> VolumeImpl::read_once(const CallContext& call, OpenFile& open,
                                          std::uint64_t offset, MutableBytes out) {
  OpenFileImpl& file = impl(open);
  TRY_ASSIGN(std::shared_ptr<ReadableContent> content, content_of(file));
  {
    MutexLock lock(file.mutex);
    // The same read comes again when it turned out to need the network.
    const bool again = call.may_block && file.ahead_seen == offset;
    file.ahead_seen = offset;
    if (!again && file.clean != nullptr &&
        content == std::static_pointer_cast<ReadableContent>(file.clean)) {
      file.ahead.on_read(*file.clean, offset, out.size());
    }
  }
  Result<std::size_t> got = content->read(core_.bounded(call), offset, out);
  if (!call.may_block) return got;
  if (!got && (got.error().code == ErrorCode::kStale || got.error().code == ErrorCode::kNotFound)) {
    const auto* const cached = dynamic_cast<const CachedContent*>(content.get());
    TRY_ASSIGN(const bool again,
               look_elsewhere(call, file, cached != nullptr ? &cached->key() : nullptr));
    if (again) {
      TRY_ASSIGN(content, content_of(file));
      got = content->read(core_.bounded(call), offset, out);
    }
  }
  // Only what went to the network says something about it, and only that has to be checked against
  // the version.
  if (!got) {
    core_.net.failed(got.error());
    if (got.error().code == ErrorCode::kStale || got.error().code == ErrorCode::kNotFound)
      check_version(file.ino());
    return got;
  }
  bool check = false;
  {
    MutexLock lock(file.mutex);
    const SteadyTime now = core_.clock.steady();
    check = file.clean != nullptr && file.clean->needs_validation() &&
            now - file.validated > core_.options.fresh;
    if (check) file.validated = now;
  }
  if (check) check_version(file.file->ino);
  return got;
}

Result<void> VolumeImpl::write(const CallContext& call, OpenFile& open, std::uint64_t offset,
                               Bytes bytes) {
  TRY(write_at(call, impl(open), offset, bytes, false));
  return {};
}

Result<void> VolumeImpl::append(const CallContext& call, OpenFile& open, std::uint64_t expected,
                                Bytes bytes) {
  OpenFileImpl& file = impl(open);
  TRY_ASSIGN(const std::uint64_t at, write_at(call, file, expected, bytes, true));
  if (at == expected) return {};
  // Others have changed the size: the kernel has put the bytes elsewhere in its pages.
  {
    MutexLock lock(mutex_);
    opened_content_.erase(file.ino());
  }
  Notices notices;
  notices.inode(file.ino(), true);
  notices.send(core_.notifier);
  return {};
}

Result<std::uint64_t> VolumeImpl::write_at(const CallContext& call, OpenFileImpl& file,
                                           std::uint64_t offset, Bytes bytes, bool at_end) {
  if (!file.flags().write) return fail(ErrorCode::kInvalid, "not open for writing");
  FileState& state = *file.file;
  if (!state.live) TRY(lock_for_change(call, file.ino()));
  MutexLock lock(state.mutex);
  TRY_ASSIGN(const std::shared_ptr<StagedContent> staged, stage(state, &file));
  if (at_end) offset = staged->size();
  if (offset > kMaxFileSize - bytes.size())
    return fail(ErrorCode::kTooLarge, "beyond the largest offset");
  const std::uint64_t before = staged->size();
  const Result<void> written = staged->write(offset, bytes);
  // Nothing of it lies behind the end: the next append would go behind a torn piece.
  if (!written && staged->size() > before) static_cast<void>(staged->truncate(before));
  // Also when it failed: a part of it may be there.
  if (written || state.live) mark_written(state, *staged);
  file.wrote = true;
  if (!written) return fail(written.error());
  return offset;
}

Result<void> VolumeImpl::flush(const CallContext& call, OpenFile& open) {
  OpenFileImpl& file = impl(open);
  if (!file.flags().write) return {};
  const bool waits = file.file->borrowed || waits_for_server(file.ino());
  if (!call.may_block && waits) return fail(ErrorCode::kWouldBlock, "sync = remote");
  {
    MutexLock lock(file.file->mutex);
    TRY(core_.commit(*file.file));
  }
  core_.wake(file.ino());
  if (!waits) return {};
  const Result<NodePtr> node = core_.tree.find(file.ino());
  if (!node || *node == nullptr || (*node)->deleted) return {};
  return wait_at_server(call, *file.file);
}

Result<void> VolumeImpl::fsync(const CallContext& call, OpenFile& open) {
  OpenFileImpl& file = impl(open);
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "stable storage");
  std::shared_ptr<StagedContent> staged;
  {
    MutexLock lock(file.file->mutex);
    TRY(core_.commit(*file.file));
    // Also what was written through other handles that are closed by now.
    TRY_ASSIGN(staged, core_.staged_of(*file.file));
  }
  std::uint64_t state = 0;
  if (staged != nullptr) {
    TRY_ASSIGN(state, staged->sync());
  }
  const Result<void> soon = update(file.ino(), [](NodeRecord& node) -> Result<void> {
    node.upload_soon = node.upload_soon || node.dirty();
    return {};
  });
  if (!soon && soon.error().code != ErrorCode::kNotFound) return soon;
  TRY(core_.meta.sync());
  if (staged != nullptr) staged->row_synced(state);
  core_.wake(file.ino());
  return wait_at_server(call, *file.file);
}

Result<void> VolumeImpl::wait_at_server(const CallContext& call, FileState& file) {
  if (!file.borrowed) return wait_if_remote(call, file.ino);
  TRY(wait_sent(call, file.ino));
  file.borrowed = false;
  return {};
}

Result<void> VolumeImpl::fsync_folder(const CallContext& call, InodeNumber folder) {
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "stable storage");
  TRY(core_.meta.sync());
  return wait_if_remote(call, folder);
}

void VolumeImpl::release(std::shared_ptr<OpenFile> open) {
  OpenFileImpl& file = impl(*open);
  const std::shared_ptr<FileState> state = file.file;
  bool lost = false;
  if (file.flags().write) {
    // Pages that were mapped and written come after the last flush.
    MutexLock lock(state->mutex);
    if (const Result<void> done = core_.commit(*state); !done) {
      log_error("storing what was written to node {}: {}", state->ino.value,
                to_string(done.error()));
      lost = true;
    } else if (file.wrote) {
      const Result<NodePtr> node = core_.tree.find(state->ino);
      if (node && *node != nullptr) state->closed_generation = (*node)->generation;
    }
  }
  if (lost) {
    // The kernel's pages show it still.
    {
      MutexLock lock(mutex_);
      opened_content_.erase(state->ino);
    }
    Notices notices;
    notices.inode(state->ino, true);
    notices.send(core_.notifier);
  }
  bool check = false;
  {
    MutexLock lock(file.mutex);
    check = file.clean != nullptr && file.clean->needs_validation();
  }
  file.drop();
  // What was stored before is sent all the same.
  if (lost && state->writers == 0) state->live = false;
  if (file.flags().write) core_.wake(state->ino);
  if (check && core_.net.online()) check_version(state->ino);
}

Result<void> VolumeImpl::allocate(const CallContext& call, OpenFile& open, std::uint64_t offset,
                                  std::uint64_t length, AllocateMode mode) {
  OpenFileImpl& file = impl(open);
  if (!file.flags().write) return fail(ErrorCode::kInvalid, "not open for writing");
  if (length == 0) return fail(ErrorCode::kInvalid, "nothing to allocate");
  if (offset > kMaxFileSize - length)
    return fail(ErrorCode::kTooLarge, "beyond the largest offset");
  FileState& state = *file.file;
  if (!state.live) TRY(lock_for_change(call, file.ino()));
  MutexLock lock(state.mutex);
  TRY_ASSIGN(const std::shared_ptr<StagedContent> staged, stage(state, &file));
  const bool punches = mode == AllocateMode::kPunchHole || mode == AllocateMode::kZeroRange ||
                       mode == AllocateMode::kZeroRangeKeepSize;
  const bool grows = mode == AllocateMode::kGrow || mode == AllocateMode::kZeroRange;
  if (!punches) TRY(staged->reserve(length));
  const std::uint64_t size = staged->size();
  if (punches && offset < size) TRY(staged->punch(offset, std::min(length, size - offset)));
  if (grows && offset + length > size) TRY(staged->truncate(offset + length));
  if (punches || (grows && offset + length > size)) mark_written(state, *staged);
  file.wrote = true;
  return {};
}

Result<std::uint64_t> VolumeImpl::seek(const CallContext&, OpenFile& open, std::uint64_t offset,
                                       bool data) {
  OpenFileImpl& file = impl(open);
  {
    MutexLock lock(file.file->mutex);
    if (file.file->staged != nullptr && (file.file->live || !file.file->fresh_edit)) {
      return data ? file.file->staged->seek_data(offset) : file.file->staged->seek_hole(offset);
    }
  }
  TRY_ASSIGN(const std::shared_ptr<ReadableContent> content, content_of(file));
  // A version at the server has no holes.
  if (offset >= content->size()) return fail(ErrorCode::kRange, "beyond the end");
  return data ? offset : content->size();
}

Result<std::uint64_t> VolumeImpl::copy_range(const CallContext& call, OpenFile& in,
                                             std::uint64_t in_offset, OpenFile& out,
                                             std::uint64_t out_offset, std::uint64_t length) {
  if (!out.flags().write || !in.flags().read) return fail(ErrorCode::kInvalid, "not open for this");
  OpenFileImpl& from = impl(in);
  TRY_ASSIGN(const std::shared_ptr<ReadableContent> source, content_of(from));
  const std::uint64_t size = source->size();
  if (in_offset >= size || length == 0) return 0;
  length = std::min(length, size - in_offset);
  if (in_offset == 0 && out_offset == 0 && length == size && size > 0 && in.ino() != out.ino()) {
    // The new content is "all of that version": nothing is read or written here until somebody
    // needs it.
    std::shared_ptr<CachedContent> clean;
    {
      MutexLock lock(from.mutex);
      if (std::static_pointer_cast<ReadableContent>(from.clean) == source) clean = from.clean;
    }
    FileState& state = *impl(out).file;
    if (!state.live) TRY(lock_for_change(call, out.ino()));
    ContentKey key;
    if (clean != nullptr) {
      MutexLock source_lock(from.file->mutex);
      TRY_ASSIGN(key, current_key(clean->key(), *from.file));
    }
    TRY_ASSIGN(const NodePtr origin, core_.tree.find(in.ino()));
    MutexLock lock(state.mutex);
    TRY_ASSIGN(const std::shared_ptr<StagedContent> old, stage(state, nullptr));
    // Not over a state that is on its way to the server: its answer would be taken for this one's.
    // And only where the vendor keeps versions: else the source's next save takes the bytes away
    // that this copy stands on.
    TRY_ASSIGN(const NodePtr row, core_.tree.find(out.ino()));
    const bool sending = core_.is_in_flight(out.ino()) ||
                         (row != nullptr && row->intent.kind != Intent::Kind::kNone);
    const bool kept = core_.remote.capabilities().versions;
    const bool there = origin != nullptr && !origin->deleted;
    // Where its bytes are not all here, the source may be gone before the copy is made. So the copy
    // counts as saved when the server has made it; and where it cannot, they are fetched.
    const bool here = clean != nullptr && clean->complete() && !clean->needs_validation();
    // A copy is a new object there, no version of one.
    const bool copied =
        core_.remote.capabilities().copy && core_.net.online() && (row == nullptr || !row->remote);
    if ((here || copied) && clean != nullptr && there && kept && !sending && old->size() == 0 &&
        old->staged_bytes() == 0) {
      TRY_ASSIGN(const std::shared_ptr<StagedContent> staged, core_.contents.create_staged(key));
      core_.contents.discard_staged(old);
      state.staged = staged;
      state.base = key;
      const bool told =
          origin != nullptr && origin->remote && origin->remote->validator == key.validator;
      state.base_modified = told ? origin->remote->modified : WallTime{};
      state.base_version = told ? origin->remote->version_count : 0;
      state.fresh_edit = true;
      state.borrowed = !here;
      mark_written(state, *staged);
      impl(out).wrote = true;
      // From here on its row says that the source is still needed.
      TRY(core_.commit(state));
      return size;
    }
  }
  std::vector<std::byte> buffer(std::min<std::uint64_t>(length, kCopyBuffer));
  std::uint64_t done = 0;
  while (done < length) {
    const MutableBytes part(buffer.data(), std::min<std::uint64_t>(buffer.size(), length - done));
    Result<std::size_t> got = read(call, in, in_offset + done, part);
    if (!got) {
      if (done > 0) return done;
      return fail(std::move(got).error());
    }
    if (*got == 0) break;
    const Result<void> put = write(call, out, out_offset + done, Bytes(part.data(), *got));
    if (!put) {
      if (done > 0) return done;
      return fail(put.error());
    }
    done += *got;
  }
  return done;
}

}  // namespace cabinetfs
