// FakeRemoteStore: reading, uploading, copying and versions.

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <span>

#include "tests/support/fake_remote_state.h"

namespace cabinetfs {
namespace {

// Odd on purpose: nobody may rely on the size of the pieces.
constexpr std::size_t kPiece = 7001;

}  // namespace

ContentHashes FakeRemoteStore::hashes_of(const std::string& content) {
  const auto digest = [&content](const EVP_MD* kind) {
    std::array<std::byte, EVP_MAX_MD_SIZE> out{};
    unsigned size = 0;
    EVP_Digest(content.data(), content.size(), reinterpret_cast<unsigned char*>(out.data()), &size,
               kind, nullptr);
    return to_hex(Bytes(out.data(), size));
  };
  return {digest(EVP_md5()), digest(EVP_sha3_256())};
}

std::uint64_t FakeRemoteStore::used_locked() const { return state_->used; }

void FakeRemoteStore::add_version_locked(Node& node, std::string content, WallTime modified,
                                         const std::string& who) {
  Version version;
  version.id = VersionId{fmt::format("{}.v{}", node.id.value, state_->next_id++)};
  if (options_.hashes) version.hashes = hashes_of(content);
  state_->used += content.size();
  version.content = std::make_shared<const std::string>(std::move(content));
  version.created = now();
  version.modified = options_.capabilities.mtime_at_upload && modified != WallTime()
                         ? stored_time(modified)
                         : version.created;
  version.author = who;
  version.validator = Validator{fmt::format("w{}", state_->next_validator++)};
  if (!options_.capabilities.versions && !node.versions.empty()) {
    state_->used -= node.versions.back().content->size();
    node.versions.clear();
  }
  node.versions.push_back(std::move(version));
  node.changed = now();
  node.modifier = who;
  node.scan = options_.scan_after_write;
}

Result<void> FakeRemoteStore::read(const CallContext& call, const ReadRequest& request,
                                   const ByteSink& sink) {
  Running running(*this, "read", request.file.value);
  TRY(running.arrive(call));
  std::shared_ptr<const std::string> content;
  {
    MutexLock lock(mutex_);
    TRY_ASSIGN(const Node* const node, get_locked("read", NodeKind::kFile, request.file));
    const std::string where = fmt::format("read id={}", request.file.value);
    if (!node->rights.has(Right::kRead)) return fail(ErrorCode::kDenied, where + ": no right");
    if (node->scan == ScanState::kScanning) return fail(ErrorCode::kTryAgain, where + ": scanning");
    if (node->scan == ScanState::kRefused) return fail(ErrorCode::kDenied, where + ": refused");
    if (request.version.empty()) {
      content = node->versions.back().content;
    } else {
      for (const Version& version : node->versions) {
        if (version.id == request.version) content = version.content;
      }
    }
    if (options_.capabilities.conditional_write && request.version.empty() &&
        !request.validator.empty() && request.validator != node->versions.back().validator) {
      return fail(ErrorCode::kConflict, where + ": another content by now");
    }
    if (content == nullptr) return fail(ErrorCode::kNotFound, where + ": no such version");
    if (content->size() != request.size) {
      return fail(ErrorCode::kConflict,
                  fmt::format("{}: {} bytes, not {}", where, content->size(), request.size));
    }
    if (request.offset > content->size() || request.length > content->size() - request.offset) {
      return fail(ErrorCode::kInvalid, where + ": beyond the end");
    }
    state_->bytes_read += request.length;
  }
  Bytes rest = as_bytes(*content).subspan(request.offset, request.length);
  while (!rest.empty()) {
    const std::size_t piece = std::min(rest.size(), kPiece);
    if (!sink(rest.first(piece))) return fail(ErrorCode::kCancelled, "read: the sink gave up");
    rest = rest.subspan(piece);
  }
  return {};
}

Result<void> FakeRemoteStore::read_many(
    const CallContext& call, const std::vector<RemoteEntry>& files,
    const std::function<void(const RemoteId&, std::string content)>& on_file) {
  Running running(*this, "read_many", fmt::format("{} files", files.size()));
  TRY(running.arrive(call));
  if (options_.capabilities.bulk_read_max == 0) return RemoteStore::read_many(call, files, on_file);
  if (files.size() > options_.capabilities.bulk_read_max) {
    return fail(ErrorCode::kInvalid, "read_many: too many files");
  }
  std::vector<std::pair<RemoteId, std::string>> intact;
  {
    MutexLock lock(mutex_);
    for (const RemoteEntry& wanted : files) {
      const Node* const node = find_locked(wanted.id);
      if (node == nullptr || node->kind != NodeKind::kFile || !node->rights.has(Right::kRead) ||
          node->scan == ScanState::kScanning || node->scan == ScanState::kRefused ||
          node->versions.back().content->size() != wanted.size) {
        continue;
      }
      state_->bytes_read += wanted.size;
      intact.emplace_back(wanted.id, *node->versions.back().content);
    }
    std::shuffle(intact.begin(), intact.end(), state_->random);
  }
  for (auto& [id, content] : intact) on_file(id, std::move(content));
  return {};
}

Result<void> FakeRemoteStore::check_target_locked(const char* operation, const UploadTarget& target,
                                                  std::uint64_t size, bool look_at_name) const {
  if (size > options_.capabilities.max_file_size) {
    return fail(ErrorCode::kTooLarge, fmt::format("{}: {} bytes", operation, size));
  }
  if (!target.file.empty()) {
    TRY_ASSIGN(const Node* const node, get_locked(operation, NodeKind::kFile, target.file));
    TRY(check_change_locked(operation, *node, Right::kWrite));
    if (node->lock_to_write && node->lock_holder != options_.user) {
      return fail(ErrorCode::kBusy, fmt::format("{}: the lock is needed first", operation));
    }
    if (options_.capabilities.conditional_write && !target.before.empty() &&
        target.before != node->versions.back().validator) {
      return fail(ErrorCode::kConflict, fmt::format("{}: changed meanwhile", operation));
    }
  } else {
    TRY_ASSIGN(const Node* const folder, folder_locked(operation, target.parent, Right::kCreate));
    if (folder->parent.empty() && !options_.capabilities.root_takes_files) {
      return fail(ErrorCode::kNotPermitted, fmt::format("{}: the root takes no files", operation));
    }
    const Result<void> name = check_name_locked(*folder, target.name, RemoteId());
    if (!name && (look_at_name || name.error().code != ErrorCode::kExists)) return name;
  }
  if (state_->quota && (size > *state_->quota || used_locked() > *state_->quota - size)) {
    return fail(ErrorCode::kOverQuota,
                fmt::format("{}: {} of {} bytes used", operation, used_locked(), *state_->quota));
  }
  return {};
}

RemoteEntry FakeRemoteStore::store_locked(const UploadTarget& target, std::string content) {
  state_->bytes_written += content.size();
  if (options_.alter) options_.alter(content);
  // A taken name gets here only with `sessions_add_versions`.
  Node* node =
      target.file.empty() ? child_locked(target.parent, target.name) : find_locked(target.file);
  const bool fresh = node == nullptr;
  if (fresh) {
    node =
        &add_node_locked(NodeKind::kFile, *find_locked(target.parent), target.name, options_.user);
  }
  add_version_locked(*node, std::move(content), target.modified, options_.user);
  note_locked(*node, options_.user, fresh ? "add_file" : "add_file_version");
  return entry_locked(*node);
}

Result<RemoteEntry> FakeRemoteStore::put(const CallContext& call, const UploadTarget& target,
                                         Bytes content) {
  Running running(*this, "put", target.file.empty() ? target.name : target.file.value);
  TRY(running.arrive(call));
  if (content.size() > options_.capabilities.put_max) {
    return fail(ErrorCode::kInvalid, "put: larger than put_max");
  }
  MutexLock lock(mutex_);
  TRY(check_target_locked("put", target, content.size(), true));
  return store_locked(target, std::string(as_text(content)));
}

Result<RemoteEntry> FakeRemoteStore::put_stream(const CallContext& call, const UploadTarget& target,
                                                const ContentSource& source) {
  Running running(*this, "put_stream", target.file.empty() ? target.name : target.file.value);
  TRY(running.arrive(call));
  if (!options_.capabilities.stream_put) return RemoteStore::put_stream(call, target, source);
  std::string content(source.size, '\0');
  const MutableBytes all = std::as_writable_bytes(std::span(content));
  for (std::size_t at = 0; at < all.size(); at += kPiece) {
    if (!source.read(at, all.subspan(at, std::min(kPiece, all.size() - at))))
      return fail(ErrorCode::kIo, "put_stream: the content could not be read");
  }
  MutexLock lock(mutex_);
  TRY(check_target_locked("put_stream", target, source.size, true));
  return store_locked(target, std::move(content));
}

Result<UploadSession> FakeRemoteStore::upload_begin(const CallContext& call,
                                                    const UploadTarget& target,
                                                    std::uint64_t size) {
  Running running(*this, "upload_begin", target.file.empty() ? target.name : target.file.value);
  TRY(running.arrive(call));
  if (options_.capabilities.stream_put) return RemoteStore::upload_begin(call, target, size);
  MutexLock lock(mutex_);
  TRY(check_target_locked("upload_begin", target, size, true));
  UploadSession session;
  session.id = fmt::format("s{}", state_->next_session++);
  session.address = "fake/uploads/" + session.id;
  session.size = size;
  session.chunk_size = options_.capabilities.chunk_size;
  session.target = target;
  state_->sessions.emplace(session.id, Session{target, size, 0, {}});
  return session;
}

Result<std::optional<RemoteEntry>> FakeRemoteStore::upload_chunk(const CallContext& call,
                                                                 UploadSession& session,
                                                                 Bytes chunk) {
  Running running(*this, "upload_chunk", fmt::format("{} {}", session.id, session.next_chunk));
  TRY(running.arrive(call));
  MutexLock lock(mutex_);
  const auto found = state_->sessions.find(session.id);
  if (found == state_->sessions.end()) {
    return fail(ErrorCode::kConflict, fmt::format("upload_chunk: no session {}", session.id));
  }
  Session& open = found->second;
  if (session.next_chunk != open.chunks_stored) {
    return fail(ErrorCode::kConflict, fmt::format("upload_chunk: number {}, expected {}",
                                                  session.next_chunk, open.chunks_stored));
  }
  const std::uint64_t chunk_size = options_.capabilities.chunk_size;
  const std::uint64_t expected =
      std::min<std::uint64_t>(chunk_size, open.size - open.content.size());
  if (chunk.size() != expected) {
    return fail(ErrorCode::kInvalid,
                fmt::format("upload_chunk: {} bytes, expected {}", chunk.size(), expected));
  }
  if (open.content.size() + chunk.size() == open.size) {
    TRY(check_target_locked("upload_chunk", open.target, open.size,
                            !options_.sessions_add_versions));
  }
  open.content += as_text(chunk);
  ++open.chunks_stored;
  session.next_chunk = open.chunks_stored;
  if (open.content.size() < open.size) return std::optional<RemoteEntry>();
  Session finished = std::move(open);
  state_->sessions.erase(found);
  return std::optional<RemoteEntry>(store_locked(finished.target, std::move(finished.content)));
}

Result<UploadSession> FakeRemoteStore::upload_resume(const CallContext& call,
                                                     const UploadSession& session) {
  Running running(*this, "upload_resume", session.id);
  TRY(running.arrive(call));
  MutexLock lock(mutex_);
  const auto found = state_->sessions.find(session.id);
  if (found == state_->sessions.end()) {
    return fail(ErrorCode::kNotFound, fmt::format("upload_resume: no session {}", session.id));
  }
  UploadSession resumed = session;
  resumed.next_chunk = found->second.chunks_stored;
  return resumed;
}

Result<void> FakeRemoteStore::upload_abort(const CallContext& call, const UploadSession& session) {
  Running running(*this, "upload_abort", session.id);
  TRY(running.arrive(call));
  MutexLock lock(mutex_);
  state_->sessions.erase(session.id);
  return {};
}

Result<RemoteEntry> FakeRemoteStore::copy_file(const CallContext& call, const RemoteId& id,
                                               const RemoteId& new_parent,
                                               const std::string& name) {
  Running running(*this, "copy_file", id.value + " " + name);
  TRY(running.arrive(call));
  if (!options_.capabilities.copy) return RemoteStore::copy_file(call, id, new_parent, name);
  MutexLock lock(mutex_);
  TRY_ASSIGN(const Node* const node, get_locked("copy_file", NodeKind::kFile, id));
  if (!node->rights.has(Right::kRead)) return fail(ErrorCode::kDenied, "copy_file: no right");
  UploadTarget target;
  target.parent = new_parent;
  target.name = name;
  target.modified = node->versions.back().modified;
  const std::string content = *node->versions.back().content;
  TRY(check_target_locked("copy_file", target, content.size(), true));
  return store_locked(target, content);
}

Result<std::vector<RemoteVersion>> FakeRemoteStore::versions(const CallContext& call,
                                                             const RemoteId& file) {
  Running running(*this, "versions", file.value);
  TRY(running.arrive(call));
  if (!options_.capabilities.versions) return RemoteStore::versions(call, file);
  MutexLock lock(mutex_);
  TRY_ASSIGN(const Node* const node, get_locked("versions", NodeKind::kFile, file));
  if (!node->rights.has(Right::kVersions)) return fail(ErrorCode::kDenied, "versions: no right");
  std::vector<RemoteVersion> all;
  for (std::size_t i = node->versions.size(); i > 0; --i) {
    const Version& from = node->versions[i - 1];
    RemoteVersion version;
    version.id = from.id;
    version.number = static_cast<std::uint32_t>(i);
    version.size = from.content->size();
    version.modified = from.modified;
    version.created = from.created;
    version.author = from.author;
    version.current = i == node->versions.size();
    version.hashes = from.hashes;
    all.push_back(std::move(version));
  }
  return all;
}

Result<RemoteEntry> FakeRemoteStore::promote(const CallContext& call, const RemoteId& file,
                                             const VersionId& version) {
  Running running(*this, "promote", file.value + " " + version.value);
  TRY(running.arrive(call));
  if (!options_.capabilities.promote) return RemoteStore::promote(call, file, version);
  MutexLock lock(mutex_);
  TRY_ASSIGN(Node* const node, get_locked("promote", NodeKind::kFile, file));
  TRY(check_change_locked("promote", *node, Right::kVersions));
  const auto found =
      std::find_if(node->versions.begin(), node->versions.end(),
                   [&](const Version& candidate) { return candidate.id == version; });
  if (found == node->versions.end()) {
    return fail(ErrorCode::kNotFound, fmt::format("promote: no version {}", version.value));
  }
  std::rotate(found, found + 1, node->versions.end());
  node->versions.back().validator = Validator{fmt::format("w{}", state_->next_validator++)};
  node->changed = now();
  note_locked(*node, options_.user, "promote", version.value);
  return entry_locked(*node);
}

}  // namespace cabinetfs
