// How an upload travels: in one request, as a stream, or in the chunks of a session.
#include <algorithm>
#include <future>
#include <system_error>
#include <vector>

#include "backend/base/log.h"
#include "cache/digest.h"
#include "cache/upload_task.h"

namespace cabinetfs {
namespace {

constexpr int kChunkTries = 5;
// Of a content that the server keeps changing.
constexpr std::uint32_t kAlteredTries = 3;
// Bytes per second that a line must reach for a stream to end within its deadline.
constexpr std::uint64_t kSlowestLine = 32u << 10;

}  // namespace

Result<RemoteEntry> UploadTask::send(const UploadTarget& target, const Validator& before,
                                     std::uint32_t versions_before) {
  const Capabilities& able = core_.remote.capabilities();
  if (size_ > able.max_file_size)
    return fail(ErrorCode::kTooLarge, "the server takes no file as large as this");
  Intent intent;
  intent.generation = generation_;
  intent.before = before;
  intent.versions_before = versions_before;
  intent.size = size_;
  intent.modified = target.modified;
  if (session_) {
    // A session goes on to where it began, whatever the node is called by now.
    intent.folder = node_.intent.folder;
    intent.name = node_.intent.name;
    intent.modified = node_.intent.modified;
  } else if (target.file.empty()) {
    intent.folder = node_.parent;
    intent.name = target.name;
  }
  const bool small = size_ <= able.put_max && able.put_max > 0;
  Result<RemoteEntry> sent = small             ? send_small(target, std::move(intent))
                             : able.stream_put ? send_stream(target, std::move(intent))
                                               : send_session(target, std::move(intent));
  if (!sent) return sent;
  TRY(check_stored(*sent));
  return sent;
}

Result<RemoteEntry> UploadTask::send_small(const UploadTarget& target, Intent intent) {
  std::vector<std::byte> content(size_);
  TRY(read_exactly(*snapshot_, call(), 0, content));
  Md5 md5;
  md5.update(content);
  md5_ = md5.finish();
  intent.kind = Intent::Kind::kPut;
  intent.md5 = md5_;
  TRY(store_intent(intent));
  Result<RemoteEntry> sent = core_.seen(core_.remote.put(call(), target, content));
  if (sent) core_.sent_bytes += size_;
  // Refused for certain: there is nothing to look for.
  if (!sent && !may_have_happened(sent.error().code)) TRY(store_intent(Intent{}));
  return sent;
}

// What has been read once is not on this disk when the disk had no room for it.
Result<void> UploadTask::check_readable(CallContext local) {
  if (!node_.base || !shows_base_) return {};
  TRY_ASSIGN(const std::shared_ptr<CachedContent> base, core_.contents.open_cached(*node_.base));
  if (base->complete()) return {};
  std::vector<std::byte> buffer(std::min<std::uint64_t>(size_, 1u << 20));
  for (std::uint64_t at = 0; at < size_;) {
    const MutableBytes part(buffer.data(), std::min<std::uint64_t>(buffer.size(), size_ - at));
    local.deadline = call().deadline;
    const Result<void> got = read_exactly(*snapshot_, local, at, part);
    if (!got && got.error().code == ErrorCode::kWouldBlock)
      return fail(ErrorCode::kNoSpace,
                  "the cache has no room for the part of the file that was not changed");
    TRY(got);
    at += part.size();
  }
  return {};
}

Result<RemoteEntry> UploadTask::send_stream(const UploadTarget& target, Intent intent) {
  intent.kind = Intent::Kind::kPut;
  // Reads all of it once, so that what is missing of the base is here when the request runs.
  TRY_ASSIGN(intent.md5, content_md5());
  CallContext local = call();
  local.may_block = false;
  TRY(check_readable(local));
  TRY(store_intent(intent));
  std::optional<Error> unread;
  ContentSource source;
  source.size = size_;
  // On the thread that serves all requests: it must not wait for the network.
  source.read = [&](std::uint64_t offset, MutableBytes out) {
    local.deadline = call().deadline;
    const Result<void> got = read_exactly(*snapshot_, local, offset, out);
    if (!got) {
      unread = got.error();
      return false;
    }
    reconciler_.set_progress(ino_, std::min(offset + out.size(), size_));
    return true;
  };
  CallContext sending = call();
  sending.deadline += std::chrono::seconds(size_ / kSlowestLine);
  Result<RemoteEntry> sent = core_.seen(core_.remote.put_stream(sending, target, source));
  if (sent) {
    core_.sent_bytes += size_;
    return sent;
  }
  // A source that broke off has sent its beginning, which some servers keep.
  const bool begun = unread || sent.error().code == ErrorCode::kIo;
  if (!begun && !may_have_happened(sent.error().code)) TRY(store_intent(Intent{}));
  if (!unread) return sent;
  return fail(ErrorCode::kTryAgain, "a part of the content could not be read while it was sent (" +
                                        to_string(*unread) + "); it is read again");
}

Result<RemoteEntry> UploadTask::send_session(const UploadTarget& target, Intent intent) {
  intent.kind = Intent::Kind::kUpload;
  if (!session_) {
    TRY_ASSIGN(session_, core_.seen(core_.remote.upload_begin(call(), target, size_)));
  }
  // Of an earlier try, or of an earlier run: what it is compared with is what the look before this
  // try saw.
  session_->target.before = target.before;
  intent.session = session_;
  if (const Result<void> stored = store_intent(intent); !stored) {
    const Result<void> aborted = core_.remote.upload_abort(call(), *session_);
    if (!aborted) log_debug("giving up a session: {}", to_string(aborted.error()));
    return fail(stored.error());
  }
  if (session_->chunk_size == 0)
    return fail(ErrorCode::kInternal, "an upload session without a chunk size");

  Md5 md5;
  std::uint64_t hashed = 0;
  struct Chunk {
    std::uint64_t offset;
    std::vector<std::byte> bytes;
    Result<void> read;
  };
  // One at a time. Reading, opening and hashing the next chunk takes as long as a round trip.
  const auto read_chunk = [&](std::uint64_t offset, std::uint64_t length) {
    Chunk chunk{offset, std::vector<std::byte>(length), {}};
    chunk.read = read_exactly(*snapshot_, call(), offset, chunk.bytes);
    if (chunk.read && offset == hashed) {
      md5.update(chunk.bytes);
      hashed += chunk.bytes.size();
    }
    return chunk;
  };
  std::future<Chunk> ahead;  // last, so that it ends before what it uses
  int tries = 0;
  while (true) {
    const std::uint64_t offset = session_->next_chunk * session_->chunk_size;
    const std::uint64_t length =
        offset < size_ ? std::min(session_->chunk_size, size_ - offset) : 0;
    Chunk chunk = ahead.valid() ? ahead.get() : read_chunk(offset, length);
    if (chunk.offset != offset || chunk.bytes.size() != length) chunk = read_chunk(offset, length);
    TRY(chunk.read);
    if (offset + length == size_ && intent.md5.empty()) {
      // By this it is known again, should the answer to the last chunk get lost. Resumed sessions
      // have hashed their beginning in another life.
      if (hashed == size_) md5_ = md5.finish();
      TRY_ASSIGN(intent.md5, content_md5());
      intent.session = session_;
      TRY(store_intent(intent));
    }
    if (const std::uint64_t next = offset + length; next < size_) {
      try {
        ahead = std::async(std::launch::async, read_chunk, next,
                           std::min(session_->chunk_size, size_ - next));
      } catch (const std::system_error&) {
        // No thread to be had: it is read when its turn comes.
      }
    }
    Result<std::optional<RemoteEntry>> sent =
        core_.seen(core_.remote.upload_chunk(call(), *session_, chunk.bytes));
    if (sent) {
      tries = 0;
      core_.sent_bytes += length;
      reconciler_.set_progress(ino_, std::min(offset + length, size_));
      if (!*sent) continue;
      return std::move(**sent);
    }
    if (ahead.valid()) ahead.wait();
    const Error error = sent.error();
    if (error.code == ErrorCode::kCancelled) return fail(error);
    if (!is_transient(error.code) && error.code != ErrorCode::kNotFound &&
        error.code != ErrorCode::kConflict) {
      // Refused for certain: nothing of it is waited or looked for.
      const Result<void> aborted = core_.remote.upload_abort(call(), *session_);
      if (!aborted) log_debug("giving up a session: {}", to_string(aborted.error()));
      TRY(store_intent(Intent{}));
      return fail(error);
    }
    // kConflict: the server stands at another chunk, or has no such session any more.
    if (++tries > kChunkTries) return fail(error);
    Result<UploadSession> there = core_.seen(core_.remote.upload_resume(call(), *session_));
    if (there) {
      there->target = session_->target;
      session_ = std::move(*there);
      continue;
    }
    if (there.error().code != ErrorCode::kNotFound) return fail(error);
    // Finished, or expired: the file tells which.
    session_.reset();
    TRY_ASSIGN(const std::optional<RemoteEntry> landed, look());
    if (landed) return *landed;
    Intent none;
    TRY(store_intent(none));
    return fail(ErrorCode::kTryAgain, "the upload session is gone; starting again");
  }
}

Result<void> UploadTask::check_stored(const RemoteEntry& entry) {
  const bool wrong_size = entry.size != size_;
  const bool wrong_hash = !entry.hashes.md5.empty() && !md5_.empty() && entry.hashes.md5 != md5_;
  if (!wrong_size && !wrong_hash) return {};
  // Fingerprints may lag behind: ask once more before believing it.
  TRY_ASSIGN(const RemoteEntry again,
             core_.seen(core_.remote.stat(call(), NodeKind::kFile, entry.id)));
  if (again.size == size_ && (again.hashes.md5.empty() || md5_.empty() || again.hashes.md5 == md5_))
    return {};
  return stored_otherwise(again);
}

Result<void> UploadTask::stored_otherwise(const RemoteEntry& entry) {
  {
    // What is sent next replaces it, as the next version of the same object.
    Tree::Txn txn(core_.tree);
    core_.recent.wrote(entry.id, core_.clock.steady());
    TRY_ASSIGN(const NodePtr now, txn.find(ino_));
    TRY_ASSIGN(const NodePtr other, txn.find_remote(entry.id));
    if (now != nullptr && (other == nullptr || other->ino == ino_) &&
        (!now->remote || now->remote->id == entry.id)) {
      NodeRecord next = *now;
      if (!next.remote) next.remote_parent = node_.intent.folder;
      next.remote = entry;
      next.base_validator = entry.validator;
      next.intent = Intent{};
      next.renamed = !core_.shows_remote_name(next);
      txn.put(std::move(next));
      TRY(txn.commit());
    }
  }
  const bool again = !node_.failure || node_.failure->attempts < kAlteredTries;
  return fail(again ? ErrorCode::kTryAgain : ErrorCode::kCorrupt,
              "the server holds other bytes than were sent");
}

}  // namespace cabinetfs
