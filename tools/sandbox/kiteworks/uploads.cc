#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/jwt.h"
#include "tools/sandbox/kiteworks/names.h"
#include "tools/sandbox/kiteworks/uploads.h"

// Uploads in chunks: open a session, send chunks in order, look at a session, abort it.

namespace cabinetfs::sandbox::kiteworks {

using nlohmann::json;

void check_upload_target(const Call& call, const Node& folder, const std::string& filename) {
  if (&folder == &call.state.tree.root()) {
    throw ApiError(403, "ERR_ENTITY_IS_BASE_DIR", "Files cannot be added to the base folder");
  }
  call.check_name(filename, "filename");
  const std::string extension = extension_of(filename);
  for (const std::string& restricted : call.settings.restricted_extensions) {
    if (extension == restricted) {
      throw ApiError(403, "ERR_ENTITY_RESTRICTED_EXTENSION", "The file extension is restricted");
    }
  }
  const Node* existing = call.state.tree.child(folder, filename);
  if (existing == nullptr) {
    call.need(folder, "file_add");
    return;
  }
  if (existing->folder) throw ApiError(409, "ERR_ENTITY_EXISTS", "A folder of that name exists");
  check_new_version(call, *existing);
}

void check_new_version(const Call& call, const Node& file) {
  call.need(file, "version_create");
  call.check_lock(file);
}

void check_upload_size(const Call& call, const Node& into, std::int64_t size) {
  if (call.settings.max_upload_size > 0 && size > call.settings.max_upload_size) {
    throw ApiError(422, "ERR_LICENSE_MAX_UPLOAD_SIZE", "The file is too large");
  }
  call.check_quota(into, size);
}

Node& store_upload(Call& call, Node& folder, Node* file, const std::string& filename,
                   NewContent content) {
  if (file == nullptr) file = call.state.tree.child(folder, filename);
  const std::string extension = extension_of(filename);
  for (const std::string& restricted : call.settings.restricted_types) {
    if (extension == restricted)
      throw ApiError(403, "ERR_ENTITY_RESTRICTED_TYPE", "The file type is restricted");
  }
  if (file != nullptr) {
    if (file->folder) throw ApiError(409, "ERR_ENTITY_EXISTS", "A folder of that name exists");
    check_new_version(call, *file);
    add_version(call.state, call.user, *file, std::move(content));
    return *file;
  }
  call.need(folder, "file_add");
  return create_file(call.state, call.user, folder, filename, std::move(content));
}

Response open_session(Call& call, UploadSession session) {
  const json body = call.body();
  const auto number = [&body](const char* name, std::int64_t least) -> std::optional<std::int64_t> {
    const auto text = Call::text(body, name);
    if (!text) return std::nullopt;
    std::int64_t value = 0;
    const char* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end || value < least) {
      throw ApiError(422, "ERR_INVALID_PARAMETER", fmt::format("{} is not valid", name), name);
    }
    return value;
  };
  session.total_size = number("totalSize", 0);
  session.total_chunks = number("totalChunks", 1);
  if (session.total_size.has_value() != session.total_chunks.has_value()) {
    throw ApiError(422, "ERR_INVALID_PARAMETER", "totalSize and totalChunks belong together",
                   "totalChunks");
  }
  session.client_created = call.time(body, "clientCreated");
  session.client_modified = call.time(body, "clientModified");
  session.tracking_id = Call::text(body, "tracking_id").value_or("");
  session.note = call.request.header("x-kw-note");
  session.id = ++call.state.last_upload_id;
  session.user_id = call.user.id;
  session.started = session.last = now_ms();
  // Contents of more than a few kilobytes live in files, so that many of them do not fill the
  // memory.
  session.content = std::make_unique<Spool>(call.state.content_dir, std::size_t{64} << 10);
  const auto added = call.state.uploads.emplace(session.id, std::move(session)).first;
  return call.reply(static_cast<int>(call.settings.upload_init_status),
                    call.wire().upload(added->second));
}

namespace {

// A session for a new version is not opened while the file is being looked into, nor when something
// was found. Of uploads in one request the page says nothing of that kind.
void check_scanned(const Call& call, const Node& file) {
  if (call.settings.scan_ms > 0) call.check_scan(file, file.current());
}

std::string required_filename(const json& body) {
  const auto name = Call::text(body, "filename");
  if (!name) throw ApiError(422, "ERR_INPUT_REQUIRED", "filename is required", "filename");
  return *name;
}

std::int64_t announced_size(const json& body) {
  const auto text = Call::text(body, "totalSize");
  std::int64_t value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

Response initiate_in_folder(Call& call) {
  Node& folder = call.destination(call.param(0));
  const json body = call.body();
  UploadSession session;
  session.filename = required_filename(body);
  check_upload_target(call, folder, session.filename);
  check_upload_size(call, folder, announced_size(body));
  session.folder_id = folder.id;
  if (const Node* existing = call.state.tree.child(folder, session.filename)) {
    check_scanned(call, *existing);
    session.file_id = existing->id;
  }
  return open_session(call, std::move(session));
}

Response initiate_version(Call& call) {
  const Node& file = call.file(call.param(0));
  const json body = call.body();
  UploadSession session;
  session.filename = required_filename(body);
  call.check_name(session.filename, "filename");
  check_new_version(call, file);
  check_scanned(call, file);
  check_upload_size(call, file, announced_size(body));
  session.folder_id = file.parent->id;
  session.file_id = file.id;
  return open_session(call, std::move(session));
}

UploadSession& find_session(const Call& call, std::string_view text) {
  std::int64_t id = 0;
  std::from_chars(text.data(), text.data() + text.size(), id);
  const auto found = call.state.uploads.find(id);
  if (found == call.state.uploads.end() || found->second.user_id != call.user.id) call.missing();
  if (now_ms() - found->second.last > call.settings.upload_timeout * 1000) {
    call.state.uploads.erase(found);
    call.missing();
  }
  return found->second;
}

struct Chunk {
  std::int64_t index = 0, original_size = 0, compressed_size = 0;
  bool last = false;
  std::unique_ptr<Spool> content;
};

Chunk read_chunk(Call& call) {
  Chunk chunk;
  json fields = json::object();
  const bool form = call.request.header("content-type").rfind("multipart/form-data", 0) == 0;
  if (form) {
    const auto content = call.request.form.find("content");
    if (content == call.request.form.end()) {
      throw ApiError(422, "ERR_INVALID_PARAMETER", "content is required", "content");
    }
    chunk.content = std::move(content->second);
    call.request.form.erase(content);
    for (const auto& field : call.request.form) fields[field.first] = field.second->text();
  } else {
    fields = call.body();
    chunk.content = std::make_unique<Spool>(call.state.content_dir, std::size_t{16} << 20);
    try {
      chunk.content->append(base64_decode(Call::text(fields, "content").value_or("")));
    } catch (const std::invalid_argument&) {
      throw ApiError(422, "ERR_INVALID_PARAMETER", "content is not base64", "content");
    }
  }
  const auto number = [&fields](const char* name) {
    const auto text = Call::text(fields, name);
    std::int64_t value = -1;
    if (text) {
      const char* end = text->data() + text->size();
      const auto parsed = std::from_chars(text->data(), end, value);
      if (parsed.ec != std::errc() || parsed.ptr != end) value = -1;
    }
    if (value < 0)
      throw ApiError(422, "ERR_INVALID_PARAMETER", fmt::format("{} is not valid", name), name);
    return value;
  };
  if (Call::text(fields, "compressionMode").value_or("") != "NORMAL") {
    throw ApiError(422, "ERR_INPUT_NOT_IN_LIST", "compressionMode is not supported",
                   "compressionMode");
  }
  chunk.index = number("index");
  chunk.original_size = number("originalSize");
  chunk.compressed_size = number("compressionSize");
  if (Call::text(fields, "lastChunk")) chunk.last = number("lastChunk") == 1;
  return chunk;
}

void check_chunk(const Call& call, const UploadSession& session, const Chunk& chunk) {
  const std::int64_t size = chunk.content->size();
  if (chunk.original_size != size || chunk.compressed_size != size) {
    throw ApiError(422, "ERR_INVALID_PARAMETER", "The size of the chunk is not what was announced",
                   "originalSize");
  }
  if (size > call.settings.upload_chunk_max) {
    throw ApiError(422, "ERR_INPUT_MAX_VALUE", "The chunk is too large", "content");
  }
  if (chunk.index != session.chunks + 1) {
    throw ApiError(422, "ERR_INPUT_NOT_IN_LIST",
                   fmt::format("Chunk {} was expected", session.chunks + 1), "index");
  }
  if (session.total_size && session.content->size() + size > *session.total_size) {
    throw ApiError(422, "ERR_INVALID_PARAMETER", "More data than totalSize", "content");
  }
}

Response finish(Call& call, UploadSession& open) {
  // Finished or refused, the session is gone.
  const auto node = call.state.uploads.extract(open.id);
  UploadSession session = std::move(node.mapped());
  if (session.total_size && session.content->size() != *session.total_size) {
    throw ApiError(422, "ERR_INVALID_PARAMETER", "The size of the file is not totalSize",
                   "totalSize");
  }
  Node& folder = call.folder(session.folder_id);
  NewContent content;
  check_upload_size(call, folder, session.content->size());
  content.client_created = session.client_created;
  content.client_modified = session.client_modified;
  content.note = session.note;
  Node* file = nullptr;
  if (!session.file_id.empty()) {
    file = call.state.tree.find(session.file_id);
    // The file that was to get a version has gone in the meantime: a new one takes the name.
    if (file != nullptr && Tree::is_deleted(*file)) file = nullptr;
  }
  content.blob = session.content->finish();
  Node& stored = store_upload(call, folder, file, session.filename, std::move(content));
  if (!session.mail_id.empty()) {
    for (Mail& mail : call.state.mails) {
      if (mail.id == session.mail_id) mail.files.push_back(stored.id);
    }
  }
  return call.created(201, stored);
}

Response chunk(Call& call, std::string_view id) {
  UploadSession& session = find_session(call, id);
  Chunk piece = read_chunk(call);
  if (call.settings.resend_chunk == "accept" && piece.index == session.chunks &&
      session.chunks > 0) {
    session.content->truncate(session.content->size() - session.last_chunk_size);
    --session.chunks;
  }
  check_chunk(call, session, piece);
  session.content->append(*piece.content);
  session.last_chunk_size = piece.content->size();
  ++session.chunks;
  session.last = now_ms();
  const bool complete = session.total_chunks ? session.chunks == *session.total_chunks : piece.last;
  if (complete) return finish(call, session);
  return call.reply(200, call.wire().upload(session));
}

Response list_sessions(Call& call) {
  const Call::Page page = call.page();
  json items = json::array();
  std::size_t total = 0;
  for (const auto& [id, session] : call.state.uploads) {
    if (session.user_id != call.user.id) continue;
    if (total++ >= page.offset && items.size() < page.limit)
      items.push_back(call.wire().upload(session));
  }
  return call.list(items, total, page);
}

}  // namespace

void add_upload_routes(Api& api) {
  api.route("POST", "/rest/folders/{id}/actions/initiateUpload", initiate_in_folder);
  api.route("POST", "/rest/files/{id}/actions/initiateUpload", initiate_version);
  api.route("POST", "/{host}/rest/uploads/{id}", [](Call& call) {
    if (call.param(0) != call.settings.upload_prefix) call.missing();
    return chunk(call, call.param(1));
  });
  api.route("POST", "/rest/uploads/{id}", [](Call& call) {
    if (!call.settings.upload_prefix.empty() && call.settings.require_upload_prefix) call.missing();
    return chunk(call, call.param(0));
  });
  api.route("GET", "/rest/uploads", list_sessions);
  api.route("GET", "/rest/uploads/{id}", [](Call& call) {
    return call.reply(200, call.wire().upload(find_session(call, call.param(0))));
  });
  api.route("DELETE", "/rest/uploads/{id}", [](Call& call) {
    call.state.uploads.erase(find_session(call, call.param(0)).id);
    Response response;
    response.status = 204;
    return response;
  });
}

}  // namespace cabinetfs::sandbox::kiteworks
