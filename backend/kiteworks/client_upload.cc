// KiteworksStore: uploads.

#include <fmt/format.h>

#include <algorithm>

#include "backend/base/log.h"
#include "backend/kiteworks/client.h"
#include "backend/kiteworks/quirks.h"

namespace cabinetfs {

using namespace kiteworks;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

void add_times(Fields& fields, WallTime modified, bool fresh) {
  if (modified == WallTime()) return;
  fields.emplace_back("clientModified", format_time(modified));
  if (fresh) fields.emplace_back("clientCreated", format_time(modified));
}

std::uint64_t chunk_count(std::uint64_t size, std::uint64_t chunk_size) {
  // An empty file is one empty chunk.
  return std::max<std::uint64_t>(1, size / chunk_size + (size % chunk_size != 0 ? 1 : 0));
}

// The API itself answers for the session as for an id that does not exist.
bool forgotten(const ApiFailure& failure) {
  return failure.wire.from_api && may_mean_gone(failure.wire);
}

// A form cannot carry these unchanged: the file would be stored under another name. The server
// allows none of them anyway.
bool fits_in_a_form(const std::string& name) {
  const bool plain = std::none_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == '"' || c == '\\' || c == '/';
  });
  return plain && is_valid_utf8(name);
}

Error root_takes_no_files() {
  return {ErrorCode::kNotPermitted, "files cannot be stored beside the top folders"};
}

Error taken(const std::string& name) {
  return {ErrorCode::kExists, fmt::format("the name \"{}\" is taken", name)};
}

}  // namespace

Result<std::string> KiteworksStore::upload_name(const CallContext& call,
                                                const UploadTarget& target) {
  // A new version is named as the file is; callers that know the name save the request.
  if (!target.name.empty()) return target.name;
  TRY_ASSIGN(const WireNode node, fetch_node(call, NodeKind::kFile, target.file));
  return node.entry.name;
}

Result<RemoteEntry> KiteworksStore::uploaded(const CallContext& call, const UploadTarget& target,
                                             const HttpResponse& response, Origin origin) {
  const bool fresh = target.file.empty();
  Result<WireNode> node = parse_node(response.body);
  if (node && node->entry.kind == NodeKind::kFile && (fresh || node->entry.id == target.file)) {
    return after_change(finish(call, *std::move(node), origin));
  }
  Result<RemoteEntry> entry = entity(call, response, NodeKind::kFile, target.file);
  if (entry || !fresh || entry.error().code != ErrorCode::kUnavailable) return entry;
  // Stored, but the answer says nothing: what stands there under this name.
  TRY_ASSIGN(auto found, after_change(find_child(call, target.parent, target.name)));
  if (!found) return entry;
  return *std::move(found);
}

Result<RemoteEntry> KiteworksStore::put(const CallContext& call, const UploadTarget& target,
                                        Bytes content) {
  if (content.size() > config_.put_max) {
    return fail(ErrorCode::kInvalid, fmt::format("put of {} bytes", content.size()));
  }
  const bool fresh = target.file.empty();
  if (fresh && is_root(target.parent)) return fail(root_takes_no_files());
  TRY_ASSIGN(const std::string name, upload_name(call, target));
  if (!fits_in_a_form(name)) return fail(ErrorCode::kInvalid, "put: the server takes no such name");
  ApiRequest request;
  request.method = "POST";
  request.path = fresh ? object_path(NodeKind::kFolder, target.parent, "/actions/file")
                       : object_path(NodeKind::kFile, target.file);
  request.query = {{"returnEntity", "true"}, {"with", std::string(kWanted)}};
  request.label = fresh ? "POST /rest/folders/{id}/actions/file" : "POST /rest/files/{id}";
  request.about = "id=" + (fresh ? target.parent : target.file).value;
  request.idempotent = false;
  request.stall_timeout = patience_for(content.size());
  Fields fields;
  // Without it, a taken name would silently become a new version of somebody's file.
  if (fresh) fields.emplace_back("disableAutoVersion", "true");
  add_times(fields, target.modified, fresh);
  const auto response = api_.post_form(call, request, fields, {"body", name, content});
  if (!response) {
    return fail(fresh ? explain_create(call, target.parent, response.error())
                      : explain(call, target.file, response.error()));
  }
  return uploaded(call, target, *response, fresh ? Origin::kNewFile : Origin::kAnswer);
}

Result<WireUpload> KiteworksStore::open_upload(const CallContext& call, const std::string& path,
                                               const std::string& label, const std::string& name,
                                               std::uint64_t size, std::uint64_t chunk_size,
                                               WallTime modified, bool fresh) {
  JsonText body;
  body.add("filename", name)
      .add("totalSize", size)
      .add("totalChunks", chunk_count(size, chunk_size));
  if (modified != WallTime()) {
    body.add("clientModified", format_time(modified));
    if (fresh) body.add("clientCreated", format_time(modified));
  }
  ApiRequest request;
  request.method = "POST";
  request.path = path;
  request.query = {{"returnEntity", "true"}};
  TRY_ASSIGN(request.json, body.take());
  request.label = label;
  request.idempotent = false;
  const auto response = api_.send(call, request);
  if (!response) {
    // Which object the refusal is about stands in the path.
    const std::string id = path.substr(0, path.find("/actions/"));
    const RemoteId about{id.substr(id.rfind('/') + 1)};
    return fail(fresh ? explain_create(call, about, response.error())
                      : explain(call, about, response.error()));
  }
  return parse_upload(response->body);
}

Result<UploadSession> KiteworksStore::upload_begin(const CallContext& call,
                                                   const UploadTarget& target, std::uint64_t size) {
  const bool fresh = target.file.empty();
  if (fresh && is_root(target.parent)) return fail(root_takes_no_files());
  if (fresh) {
    // The server would add a version to whatever has the name.
    TRY_ASSIGN(const auto found, find_node(call, target.parent, target.name));
    if (found) return fail(taken(target.name));
  }
  UploadSession session;
  session.size = size;
  session.target = target;
  session.chunk_size = capabilities().chunk_size;
  TRY_ASSIGN(const std::string name, upload_name(call, target));
  TRY_ASSIGN(
      const WireUpload upload,
      open_upload(call,
                  fresh ? object_path(NodeKind::kFolder, target.parent, "/actions/initiateUpload")
                        : object_path(NodeKind::kFile, target.file, "/actions/initiateUpload"),
                  fresh ? "POST /rest/folders/{id}/actions/initiateUpload"
                        : "POST /rest/files/{id}/actions/initiateUpload",
                  name, size, session.chunk_size, target.modified, fresh));
  session.id = upload.id;
  const Result<std::string> path =
      api_.upload_path(upload.uri.empty() ? upload.upload_url : upload.uri);
  // A file that took the name since we looked.
  const bool versioning = fresh && !upload.replaces.empty();
  if (versioning || !path) {
    if (const Result<void> aborted = upload_abort(call, session); !aborted) {
      log_info("kiteworks: an upload session was left open: {}", aborted.error().context);
    }
  }
  if (versioning) return fail(taken(target.name));
  if (!path) return fail(path.error());
  session.address = path->substr(1);
  return session;
}

ApiResult<HttpResponse> KiteworksStore::send_chunk(const CallContext& call, const std::string& path,
                                                   std::uint64_t index,
                                                   std::optional<std::uint64_t> last,
                                                   Bytes chunk) const {
  ApiRequest request;
  request.method = "POST";
  request.path = path;
  request.query = {{"returnEntity", "true"}, {"with", std::string(kWanted)}};
  request.label = "POST /{host}/rest/uploads/{id}";
  request.about = fmt::format("chunk {}", index);
  request.idempotent = false;
  // The last one is answered when all of them have been put together.
  if (last) request.stall_timeout = patience_for(*last);
  const std::string size = std::to_string(chunk.size());
  return api_.post_form(call, request,
                        {{"compressionMode", "NORMAL"},
                         {"compressionSize", size},
                         {"originalSize", size},
                         {"index", std::to_string(index)},
                         {"lastChunk", last ? "1" : "0"}},
                        {"content", "chunk", chunk});
}

Result<std::optional<RemoteEntry>> KiteworksStore::upload_chunk(const CallContext& call,
                                                                UploadSession& session,
                                                                Bytes chunk) {
  const std::uint64_t count =
      session.chunk_size == 0 ? 0 : chunk_count(session.size, session.chunk_size);
  if (session.next_chunk >= count) {
    return fail(ErrorCode::kInvalid, fmt::format("upload {}: no more chunks", session.id));
  }
  const std::uint64_t offset = session.next_chunk * session.chunk_size;
  const std::uint64_t expected = std::min(session.chunk_size, session.size - offset);
  if (chunk.size() != expected) {
    return fail(ErrorCode::kInvalid, fmt::format("upload {}: a chunk of {} bytes instead of {}",
                                                 session.id, chunk.size(), expected));
  }
  TRY_ASSIGN(const std::string path, api_.upload_path(session.address));
  const std::uint64_t index = session.next_chunk + 1;  // the vendor counts from 1
  const bool last = index == count;
  if (last) TRY(check_unchanged(call, session));
  const auto response = send_chunk(
      call, path, index, last ? std::optional<std::uint64_t>(session.size) : std::nullopt, chunk);
  if (!response) {
    const ApiFailure& failure = response.error();
    // Whatever is wrong with the session or the order of chunks: the caller asks where the server
    // stands, and begins anew when the session is gone.
    const bool session_lost =
        failure.code == ErrorCode::kNotFound || forgotten(failure) ||
        (failure.code == ErrorCode::kInvalid && failure.wire.field != "filename");
    return fail(session_lost ? ErrorCode::kConflict : failure.code, failure.context);
  }
  if (!last) {
    const Result<WireUpload> told = parse_upload(response->body);
    if (told && told->uploaded_chunks && *told->uploaded_chunks != index) {
      return fail(ErrorCode::kConflict, fmt::format("upload {}: the server has {} chunks, not {}",
                                                    session.id, *told->uploaded_chunks, index));
    }
    session.next_chunk = index;
    return std::optional<RemoteEntry>();
  }
  TRY_ASSIGN(RemoteEntry entry, finish_upload(call, session, *response));
  session.next_chunk = index;
  return std::optional<RemoteEntry>(std::move(entry));
}

// The last chunk puts the version in place. The server has no condition for it, and the chunks
// before may have taken hours.
Result<void> KiteworksStore::check_unchanged(const CallContext& call,
                                             const UploadSession& session) {
  const UploadTarget& target = session.target;
  if (target.file.empty() || target.before.empty()) return {};
  const Result<RemoteEntry> now = stat(call, NodeKind::kFile, target.file);
  // This server says so of what is gone as well. The answer to the chunk decides.
  if (!now && now.error().code == ErrorCode::kDenied) return {};
  if (!now && now.error().code != ErrorCode::kNotFound) return fail(now.error());
  if (now && now->validator == target.before) return {};
  // What was planned on the old version is planned again; nothing of this session is of use.
  if (const Result<void> aborted = upload_abort(call, session); !aborted) {
    log_info("kiteworks: an upload session was left open: {}", aborted.error().context);
  }
  return fail(ErrorCode::kConflict,
              fmt::format("upload {}: id={} was {} by others meanwhile", session.id,
                          target.file.value, now ? "changed" : "deleted"));
}

Result<RemoteEntry> KiteworksStore::finish_upload(const CallContext& call,
                                                  const UploadSession& session,
                                                  const HttpResponse& response) {
  // The session in the file's place. Both have an id, and only a file has a type.
  const Result<WireNode> file = parse_node(response.body);
  if (const Result<WireUpload> told = parse_upload(response.body); told && !file) {
    const std::uint64_t count = chunk_count(session.size, session.chunk_size);
    if (told->uploaded_chunks.value_or(count) < count) {
      return fail(ErrorCode::kConflict, fmt::format("upload {}: the server has {} chunks of {}",
                                                    session.id, *told->uploaded_chunks, count));
    }
    if (told->finished == false) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("upload {}: all of it is there, and not in place yet", session.id));
    }
  }
  TRY_ASSIGN(RemoteEntry entry, uploaded(call, session.target, response, Origin::kAnswer));
  const Validator& before = session.target.before;
  if (!before.empty() && entry.validator == before) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("upload {}: accepted, but id={} is what it was before", session.id,
                            entry.id.value));
  }
  if (entry.size != session.size) {
    return fail(ErrorCode::kConflict, fmt::format("upload {}: stored as {} bytes instead of {}",
                                                  session.id, entry.size, session.size));
  }
  // A name that was free when we looked may have been taken while the chunks went up; then ours has
  // become a version of the other's file.
  if (!session.target.file.empty()) return entry;
  const std::string& name = session.target.name;
  // Only its own answer is from after it for certain.
  if (file && file->versions_count == 1u && entry.name == name) return entry;
  const auto versions = fetch_versions(call, entry.id);
  // Without the right to see versions, only another spelling of the name tells.
  if (!versions && versions.error().code == ErrorCode::kDenied) {
    if (entry.name == name || fold_name(entry.name) != fold_name(name)) return entry;
    return fail(taken(name));
  }
  if (!versions) return fail(after_change(versions.error()));
  if (versions->size() < 2) return entry;
  const RemoteVersion& theirs = (*versions)[1].version;
  const Result<void> undone = post_promote(call, entry.id, theirs.id, theirs.size);
  return fail(ErrorCode::kExists,
              fmt::format("the name \"{}\" was taken during the upload; ours is an old version of "
                          "id={}{}",
                          session.target.name, entry.id.value,
                          undone ? "" : ", and on top: " + undone.error().context));
}

Result<UploadSession> KiteworksStore::upload_resume(const CallContext& call,
                                                    const UploadSession& session) {
  ApiRequest request;
  request.path = path_of("/rest/uploads/", session.id);
  request.label = "GET /rest/uploads/{id}";
  request.about = "id=" + session.id;
  const auto response = api_.send(call, request);
  if (!response) {
    // The server forgets finished and expired sessions alike, and answers as for a strange id.
    const ApiFailure& failure = response.error();
    const bool gone = failure.code == ErrorCode::kNotFound || forgotten(failure);
    return fail(gone ? ErrorCode::kNotFound : failure.code, failure.context);
  }
  TRY_ASSIGN(const WireUpload upload, parse_upload(response->body));
  const std::uint64_t done = upload.uploaded_chunks.value_or(0);
  const std::uint64_t count =
      session.chunk_size == 0 ? 0 : chunk_count(session.size, session.chunk_size);
  if (upload.finished.value_or(false)) {
    return fail(ErrorCode::kNotFound, fmt::format("upload {}: finished", session.id));
  }
  // Being put together, which takes its time. The session goes when that is done; where it never
  // is, the upload begins again.
  if (done >= count && may_still_finish(session)) {
    return fail(ErrorCode::kTryAgain,
                fmt::format("upload {}: all of it is there, and not in place yet", session.id));
  }
  const bool same =
      done < count && upload.total_size == session.size && upload.uploaded_chunks &&
      upload.uploaded_size.value_or(done * session.chunk_size) == done * session.chunk_size;
  if (!same) {
    // Another upload, or half a chunk: nothing to build on.
    if (const Result<void> aborted = upload_abort(call, session); !aborted) {
      log_info("kiteworks: an upload session was left open: {}", aborted.error().context);
    }
    return fail(ErrorCode::kNotFound,
                fmt::format("upload {}: the server's state does not fit", session.id));
  }
  UploadSession resumed = session;
  resumed.next_chunk = done;
  return resumed;
}

bool KiteworksStore::may_still_finish(const UploadSession& session) {
  constexpr std::size_t kSessions = 256;
  const SteadyTime now = Clock::system().steady();
  MutexLock lock(mutex_);
  if (complete_since_.size() >= kSessions && complete_since_.count(session.id) == 0)
    complete_since_.erase(complete_since_.begin());
  const SteadyTime since = complete_since_.try_emplace(session.id, now).first->second;
  if (now - since < config_.assembly.value_or(patience_for(session.size))) return true;
  complete_since_.erase(session.id);
  return false;
}

Result<void> KiteworksStore::upload_abort(const CallContext& call, const UploadSession& session) {
  ApiRequest request;
  request.method = "DELETE";
  request.path = path_of("/rest/uploads/", session.id);
  request.label = "DELETE /rest/uploads/{id}";
  request.about = "id=" + session.id;
  const auto response = api_.send(call, request);
  if (response || response.error().code == ErrorCode::kNotFound || forgotten(response.error())) {
    return {};
  }
  return fail(static_cast<const Error&>(response.error()));
}

}  // namespace cabinetfs
