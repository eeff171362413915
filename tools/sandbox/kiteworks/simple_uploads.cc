#include <nlohmann/json.hpp>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/jwt.h"
#include "tools/sandbox/kiteworks/uploads.h"

// Uploads in one request: multipart forms and base64 in JSON.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

struct Upload {
  std::string filename;
  NewContent content;
  bool disable_auto_version = false;
};

// What came in memory, because it was small, stays there; the rest moves into the content
// directory.
std::shared_ptr<Blob> keep(const Call& call, Spool& spool) {
  Spool kept(call.state.content_dir, std::size_t{64} << 10);
  kept.append(spool);
  return kept.finish();
}

Upload read_form(Call& call) {
  Upload upload;
  // The older sample calls the part `file`.
  const char* part = call.request.form.count("body") > 0 ? "body" : "file";
  const auto found = call.request.form.find(part);
  if (found == call.request.form.end())
    throw ApiError(422, "ERR_INVALID_PARAMETER", "body is required", "body");
  const auto name = call.request.form_filenames.find(part);
  if (name != call.request.form_filenames.end()) upload.filename = name->second;
  upload.content.blob = keep(call, *found->second);
  upload.content.client_created = call.time_field("clientCreated");
  upload.content.client_modified = call.time_field("clientModified");
  upload.content.note = call.request.header("x-kw-note");
  const std::string no_version = call.request.field("disableAutoVersion").value_or("");
  upload.disable_auto_version = no_version == "true" || no_version == "1" || no_version == "True";
  return upload;
}

Upload read_json(Call& call) {
  const json body = call.body();
  Upload upload;
  upload.filename = Call::text(body, "name").value_or("");
  upload.disable_auto_version = Call::truth(body, "disableAutoVersion");
  upload.content.client_created = call.time(body, "clientCreated");
  upload.content.client_modified = call.time(body, "clientModified");
  upload.content.note = call.request.header("x-kw-note");
  try {
    upload.content.blob =
        std::make_shared<Blob>(base64_decode(Call::text(body, "content").value_or("")));
  } catch (const std::invalid_argument&) {
    throw ApiError(422, "ERR_INVALID_PARAMETER", "content is not base64", "content");
  }
  return upload;
}

Response into_folder(Call& call, Upload upload) {
  Node& folder = call.destination(call.param(0));
  const Node* existing = call.state.tree.child(folder, upload.filename);
  if (upload.disable_auto_version && existing != nullptr) {
    throw ApiError(409, "ERR_ENTITY_EXISTS", "Entity exists");
  }
  check_upload_target(call, folder, upload.filename);
  check_upload_size(call, folder, upload.content.blob->size());
  const Node& stored =
      store_upload(call, folder, nullptr, upload.filename, std::move(upload.content));
  Response response = call.reply(200, call.wire().file(stored));
  response.headers.emplace_back(call.settings.location_header,
                                call.state.base_url + "/rest/files/" + stored.id);
  return response;
}

Response new_version(Call& call) {
  Node& file = call.file(call.param(0));
  Upload upload = read_form(call);
  check_new_version(call, file);
  check_upload_size(call, file, upload.content.blob->size());
  Node& stored = store_upload(call, *file.parent, &file, file.name, std::move(upload.content));
  return call.reply(200, call.wire().file(stored));
}

}  // namespace

void add_simple_upload_routes(Api& api) {
  const auto form = [](Call& call) { return into_folder(call, read_form(call)); };
  api.route("POST", "/rest/folders/{id}/actions/file", form);
  api.route("POST", "/rest/folders/{id}/files", form);
  api.route("POST", "/rest/folders/{id}/actions/fileBase64Encoded",
            [](Call& call) { return into_folder(call, read_json(call)); });
  api.route("POST", "/rest/files/{id}", new_version);
  api.route("POST", "/rest/files/{id}/versions", new_version);
}

}  // namespace cabinetfs::sandbox::kiteworks
