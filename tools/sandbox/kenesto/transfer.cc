#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/sandbox/kenesto/call.h"
#include "tools/sandbox/kenesto/ops.h"
#include "tools/sandbox/kenesto/store.h"

// Content: DownloadFile (11), UploadFile and UploadFileCompleted (15).

namespace cabinetfs::sandbox::kenesto {
namespace {

using nlohmann::json;

int tenant_of(const Call& call) {
  return call.state.find_organization(call.organization_id)->tenant;
}

json download(Call& call) {
  std::string id = call.need_guid("fid");
  Node* document = call.state.tree.document_of(id);
  if (document == nullptr) {
    const Node* link = call.state.tree.find(id);
    if (link != nullptr && !link->link_type.empty() && call.rights(*link).view) {
      throw Failure("The document is an external link");
    }
  }
  if (document == nullptr || document->archived || !call.rights(*document).view) {
    throw Failure("The file does not exist");
  }
  call.need(call.rights(*document).download);
  const bool opened_by_it = call.session.kind == SessionKind::kExternal;
  if (is_external(*document, call.organization_id) != opened_by_it ||
      (opened_by_it && call.session.node_id != document->id)) {
    call.denied();
  }
  if (id == document->id && call.settings.document_id_serves == "current") {
    id = document->current().id;
  }
  if (call.settings.log_downloads) {
    record(call.state, call.user, *document, "Local Copy",
           fmt::format("Download: Document; Type: General, Name: {}", document->name), true);
  }
  const std::string path =
      fmt::format("/kenesto-sandbox/Customer Data/{}/Files/{}", tenant_of(call), id);
  return {{"AccessUrl",
           presign(call.state, call.settings, path, false, id, call.user, document->name)}};
}

// "A\B\name.ext": folders to make, and the name.
std::vector<std::string> split(const Call& call, std::string path) {
  if (call.settings.path_separators == "both") std::replace(path.begin(), path.end(), '/', '\\');
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('\\', begin), path.size());
    parts.push_back(call.checked_name(path.substr(begin, end - begin)));
    begin = end + 1;
  }
  return parts;
}

void refuse_same_name(const Call& call, const Node& folder, const std::string& name) {
  if (call.settings.same_name == "fail" &&
      Tree::document_named(folder, name, call.settings.case_sensitive) != nullptr) {
    throw Failure(fmt::format("A document with the name {} already exists", name));
  }
}

json begin_upload(Call& call) {
  const std::string asked = call.need_arg("p");
  const auto base = call.guid("bid");
  const auto folder_id = call.guid("fid");
  call.mutates(base ? *base : folder_id.value_or("root") + "/" + asked);
  std::vector<std::string> parts = split(call, asked);
  Upload upload;
  bool early = false;
  upload.name = parts.back();
  parts.pop_back();
  if (base) {
    const Node& document = call.document(*base);
    call.need_writable(document);
    upload.base_id = document.id;
  } else {
    const Node& folder = call.folder(folder_id);
    call.need(call.rights(folder).upload);
    upload.folder_id = folder.id;
    upload.subfolders = parts;
    if (parts.empty()) refuse_same_name(call, folder, upload.name);
    early = call.settings.visible_early && parts.empty();
  }
  upload.id = call.state.new_id();
  upload.user_id = call.user.id;
  upload.organization_id = call.organization_id;
  upload.description = call.arg("fd").value_or("");
  upload.keyword = call.arg("fk").value_or("");
  upload.path =
      fmt::format("/kenesto-sandbox/Temp/{}/{}/{}", tenant_of(call), upload.id, upload.name);
  upload.url =
      presign(call.state, call.settings, upload.path, true, upload.id, call.user, upload.name);
  upload.started = call.state.now();
  if (early) {
    create_document(call.state, call.user, call.folder(folder_id), upload.name,
                    std::make_shared<Blob>(std::string()), upload.id);
    upload.document_id = upload.id;
  }
  const json answer = {{"AccessUrl", upload.url}};
  call.state.uploads.emplace(upload.id, std::move(upload));
  return answer;
}

Upload& find_upload(const Call& call, const std::string& url) {
  const std::string path = store_path(url);
  // .../Temp/TENANT/ID/NAME
  const auto name = path.rfind('/');
  const auto id = name == std::string::npos || name == 0 ? name : path.rfind('/', name - 1);
  if (id == std::string::npos) throw Failure("The upload does not exist");
  const auto found = call.state.uploads.find(path.substr(id + 1, name - id - 1));
  if (found == call.state.uploads.end() || found->second.path != path ||
      (call.settings.strict_completed_url && found->second.url != url) ||
      found->second.user_id != call.user.id) {
    throw Failure("The upload does not exist");
  }
  return found->second;
}

void check_quota(const Call& call, const Blob& blob) {
  if (call.user.quota > 0 && used_by(call.state, call.user) + blob.size() > call.user.quota) {
    throw Failure("VAL10400: the storage limit of the account has been reached");
  }
}

Node& new_version(Call& call, const Upload& upload, Node& document, const std::string& id) {
  call.need_writable(document);
  add_version(call.state, call.user, document, upload.blob, id);
  return document;
}

Node& complete_new(Call& call, const Upload& upload, const std::string& id) {
  Node* folder = &call.folder(upload.folder_id);
  call.need(call.rights(*folder).upload);
  for (const std::string& name : upload.subfolders) {
    Node* next = Tree::folder_named(*folder, name, call.settings.case_sensitive);
    if (next == nullptr) next = &create_folder(call.state, call.user, *folder, name, false);
    if (next->deleted) throw Failure("The folder does not exist");
    folder = next;
  }
  refuse_same_name(call, *folder, upload.name);
  Node* twin = Tree::document_named(*folder, upload.name, call.settings.case_sensitive);
  if (twin != nullptr && call.settings.same_name == "new_version") {
    return new_version(call, upload, *twin, id);
  }
  Node& made = create_document(call.state, call.user, *folder, upload.name, upload.blob, id);
  made.description = upload.description;
  made.keyword = upload.keyword;
  return made;
}

// The document was there from the first step on, empty.
Node& fill_early(Call& call, const Upload& upload) {
  Node& document = call.document(upload.document_id);
  document.versions.front().blob = upload.blob;
  document.modified = call.state.now();
  return document;
}

json complete_upload(Call& call) {
  const std::string url = call.need_arg("u");
  call.mutates(store_path(url));
  Upload& upload = find_upload(call, url);
  const auto answer = [&](const std::string& id) -> json {
    if (call.settings.completed_data == "id") return id;
    if (call.settings.completed_data == "object") return {{"Id", id}, {"FileName", upload.name}};
    return nullptr;
  };
  if (upload.completed && call.settings.completed_twice == "ok") return answer(upload.document_id);
  if (upload.completed && call.settings.completed_twice == "fail") {
    throw Failure("The upload does not exist");
  }
  if (upload.blob == nullptr) throw Failure("The file was not uploaded");
  if (upload.blob->size() == 0 && !call.settings.empty_files) throw Failure("The file is empty");
  check_quota(call, *upload.blob);
  const bool own_id = call.settings.path_id_is_document && !upload.completed;
  const std::string id = own_id ? upload.id : call.state.new_id();
  Node* document = nullptr;
  if (!upload.completed && !upload.document_id.empty()) {
    document = &fill_early(call, upload);
  } else if (upload.base_id.empty()) {
    document = &complete_new(call, upload, id);
  } else {
    document = &new_version(call, upload, call.document(upload.base_id), id);
    if (call.settings.bid_renames && document->name != upload.name) {
      rename_node(call.state, call.user, *document, upload.name);
    }
  }
  upload.completed = true;
  upload.document_id = document->id;
  if (call.settings.completed_twice != "again") upload.blob.reset();
  return answer(document->id);
}

}  // namespace

void add_transfer_routes(Api& api) {
  api.route("GET", "DownloadFile", kUpper, download);
  api.route("GET", "UploadFile", kUpper, begin_upload);
  api.route("GET", "UploadFileCompleted", kUpper, complete_upload);
}

}  // namespace cabinetfs::sandbox::kenesto
