// KiteworksStore: creating, renaming, moving, copying and removing.

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "backend/base/log.h"
#include "backend/base/pause.h"
#include "backend/kiteworks/client.h"
#include "backend/kiteworks/quirks.h"

namespace cabinetfs {

using namespace kiteworks;

namespace {

// Of a folder whose answer is missing or says nothing, each after a look.
constexpr int kDeleteTries = 3;

Error root_stays(const char* operation) {
  return {ErrorCode::kNotPermitted, fmt::format("{}: the root of the account", operation)};
}

Query entity_query() { return {{"returnEntity", "true"}, {"with", std::string(kWanted)}}; }

// Something that may be sent object by object after a bulk call was refused as a whole.
bool is_final(ErrorCode code) {
  return !is_transient(code) && code != ErrorCode::kCancelled &&
         code != ErrorCode::kUnauthenticated;
}

}  // namespace

Result<RemoteEntry> KiteworksStore::create_folder(const CallContext& call, const RemoteId& parent,
                                                  const std::string& name) {
  ApiRequest request;
  request.method = "POST";
  // Under id 0 it becomes a top folder.
  request.path = object_path(NodeKind::kFolder, parent, "/folders");
  request.query = entity_query();
  request.label = "POST /rest/folders/{id}/folders";
  request.about = "id=" + parent.value;
  request.idempotent = false;
  JsonText body;
  body.add("name", name);
  if (is_root(parent) && config_.secure_top_folders) body.add("secure", true);
  if (is_root(parent) && config_.syncable_top_folders) body.add("syncable", true);
  TRY_ASSIGN(request.json, body.take());
  const auto response = api_.send(call, request);
  if (!response) return fail(explain_create(call, parent, response.error()));
  Result<RemoteEntry> made = entity(call, *response, NodeKind::kFolder, RemoteId());
  if (made || made.error().code != ErrorCode::kUnavailable) return made;
  TRY_ASSIGN(auto found, after_change(find_child(call, parent, name)));
  if (!found) return made;
  return *std::move(found);
}

Result<RemoteEntry> KiteworksStore::rename(const CallContext& call, NodeKind kind,
                                           const RemoteId& id, const std::string& name) {
  if (is_root(id)) return fail(root_stays("rename"));
  ApiRequest request;
  request.method = "PUT";
  request.path = object_path(kind, id);
  request.query = entity_query();
  request.label = kind == NodeKind::kFile ? "PUT /rest/files/{id}" : "PUT /rest/folders/{id}";
  request.about = "id=" + id.value;
  // The name is told, not changed: twice means the same.
  request.idempotent = true;
  TRY_ASSIGN(request.json, JsonText().add("name", name).take());
  const auto response = api_.send(call, request);
  if (!response) return fail(explain(call, id, response.error()));
  return entity(call, *response, kind, id);
}

Result<RemoteEntry> KiteworksStore::move(const CallContext& call, NodeKind kind, const RemoteId& id,
                                         const RemoteId& new_parent) {
  if (is_root(id)) return fail(root_stays("move"));
  const bool file = kind == NodeKind::kFile;
  if (file && is_root(new_parent)) {
    return fail(ErrorCode::kNotPermitted, "move: files cannot be stored beside the top folders");
  }
  ApiRequest request;
  request.method = "POST";
  request.path =
      file ? "/rest/files/actions/move" : object_path(NodeKind::kFolder, id, "/actions/move");
  request.query = entity_query();
  request.label = file ? "POST /rest/files/actions/move" : "POST /rest/folders/{id}/actions/move";
  request.about = fmt::format("id={} to={}", id.value, new_parent.value);
  request.idempotent = false;
  request.stall_timeout = patience_for(kWorthPatience);  // how much it is, nobody knows
  TRY_ASSIGN(const bool numeric, sent_as_number(call, id.value));
  JsonText body;
  if (file) body.add_ids("ids", {id.value}, numeric);
  TRY_ASSIGN(request.json, body.add_id("destinationFolderId", new_parent.value, numeric).take());
  const auto response = api_.send(call, request);
  if (!response) return fail(explain(call, id, response.error()));
  TRY_ASSIGN(RemoteEntry moved, entity(call, *response, kind, id));
  if (moved.parent != new_parent) {
    // An answer from before the move, or one that does not tell the parent.
    TRY_ASSIGN(moved, after_change(stat(call, kind, id)));
    if (moved.parent != new_parent) {
      return fail(ErrorCode::kUnavailable, request.about + ": accepted, but not moved");
    }
  }
  return moved;
}

Result<bool> KiteworksStore::is_empty(const CallContext& call, const RemoteId& folder) {
  ApiRequest look;
  look.path = object_path(NodeKind::kFolder, folder, "/children");
  look.query = {{"deleted", "false"}, {"limit", "1"}};
  look.label = "GET /rest/folders/{id}/children";
  look.about = "id=" + folder.value;
  const auto response = api_.send(call, look);
  if (!response) return fail(explain(call, folder, response.error()));
  TRY_ASSIGN(const WirePage<WireNode> page, parse_nodes(response->body));
  if (page.received == 0 && page.total.value_or(0) == 0) return true;
  const bool only_deleted = std::all_of(page.items.begin(), page.items.end(),
                                        [](const WireNode& node) { return node.deleted; });
  if (!only_deleted || page.received != page.items.size()) return false;
  // A server that lists the deleted ones too: all of it has to be seen.
  TRY_ASSIGN(const std::vector<RemoteEntry> inside, list(call, folder));
  return inside.empty();
}

Result<void> KiteworksStore::remove(const CallContext& call, NodeKind kind, const RemoteId& id) {
  if (is_root(id)) return fail(root_stays("remove"));
  const bool folder = kind == NodeKind::kFolder;
  ApiRequest request;
  request.method = "DELETE";
  request.path = object_path(kind, id);
  request.label = folder ? "DELETE /rest/folders/{id}" : "DELETE /rest/files/{id}";
  request.about = "id=" + id.value;
  // The server deletes whole trees without a question: repeated here, after another look.
  request.idempotent = !folder;
  std::optional<Error> lost;
  for (int tries = 1;; ++tries) {
    if (folder) {
      const Result<bool> empty = is_empty(call, id);
      if (!empty && empty.error().code == ErrorCode::kNotFound) return {};
      if (!empty) return fail(lost.value_or(empty.error()));
      if (!*empty) {
        return fail(ErrorCode::kNotEmpty, fmt::format("remove id={}: not empty", id.value));
      }
    }
    const auto response = api_.send(call, request);
    if (response) return {};
    const Error error = explain(call, id, response.error());
    if (error.code == ErrorCode::kNotFound) return {};
    const bool again = folder && is_lost(error) && tries < kDeleteTries;
    if (!again || !pause(call, config_.second_look)) return fail(error);
    lost = error;
  }
}

std::vector<Result<void>> KiteworksStore::remove_files(const CallContext& call,
                                                       const std::vector<RemoteId>& ids) {
  std::vector<Result<void>> results;
  results.reserve(ids.size());
  for (std::size_t from = 0; from < ids.size(); from += kBulkIds) {
    const std::size_t count = std::min(kBulkIds, ids.size() - from);
    if (count == 1) {
      results.push_back(remove(call, NodeKind::kFile, ids[from]));
      continue;
    }
    std::string list;
    for (std::size_t i = from; i < from + count; ++i) list += (i > from ? "," : "") + ids[i].value;
    ApiRequest request;
    request.method = "DELETE";
    request.path = "/rest/files";
    request.query = {{"id:in", list}, {"partialSuccess", "true"}};
    request.label = "DELETE /rest/files";
    request.in_parts = true;
    request.about = fmt::format("{} files", count);
    const auto response = api_.send(call, request);
    Result<WireBulk> bulk = response && !response->body.empty() ? parse_bulk(response->body)
                                                                : Result<WireBulk>(WireBulk());
    for (std::size_t i = from; i < from + count; ++i) {
      if (!response && !is_final(response.error().code)) {
        results.emplace_back(fail(static_cast<const Error&>(response.error())));
        continue;
      }
      const auto failed = [&](const WireBulk::Failure& item) { return item.id == ids[i].value; };
      const bool done =
          response && (response->status != 207 ||
                       (bulk && std::find(bulk->succeeded.begin(), bulk->succeeded.end(),
                                          ids[i].value) != bulk->succeeded.end()));
      const bool refused = bulk && std::any_of(bulk->failed.begin(), bulk->failed.end(), failed);
      if (done && !refused) {
        results.emplace_back();
      } else {
        // Alone, its own answer tells why, or that it is gone already.
        results.push_back(remove(call, NodeKind::kFile, ids[i]));
      }
    }
  }
  return results;
}

Result<RemoteEntry> KiteworksStore::copy_file(const CallContext& call, const RemoteId& id,
                                              const RemoteId& new_parent, const std::string& name) {
  if (is_root(new_parent)) {
    return fail(ErrorCode::kNotPermitted, "copy: files cannot be stored beside the top folders");
  }
  TRY_ASSIGN(const WireNode source, fetch_node(call, NodeKind::kFile, id));
  // On a clash the server would append a number.
  TRY_ASSIGN(const auto clash, find_node(call, new_parent, name));
  if (clash) return fail(ErrorCode::kExists, fmt::format("copy: \"{}\" is taken", name));
  ApiRequest request;
  request.method = "POST";
  request.path = "/rest/files/actions/copy";
  request.query = entity_query();
  request.label = "POST /rest/files/actions/copy";
  request.about = fmt::format("id={} to={}", id.value, new_parent.value);
  request.idempotent = false;
  request.stall_timeout = patience_for(source.entry.size);
  TRY_ASSIGN(const bool numeric, sent_as_number(call, id.value));
  JsonText body;
  body.add_ids("ids", {id.value}, numeric).add_id("destinationFolderId", new_parent.value, numeric);
  if (name != source.entry.name) body.add("newFileName", name);
  TRY_ASSIGN(request.json, body.take());
  const auto response = api_.send(call, request);
  if (!response) return fail(explain(call, id, response.error()));
  Result<RemoteEntry> made = entity(call, *response, NodeKind::kFile, RemoteId());
  if (!made && made.error().code == ErrorCode::kUnavailable) {
    TRY_ASSIGN(auto found, after_change(find_child(call, new_parent, name)));
    if (found) made = *std::move(found);
  }
  if (!made || made->name == name) return made;
  // Numbered after all, since somebody took the name, or named like the source.
  Result<RemoteEntry> renamed = rename(call, NodeKind::kFile, made->id, name);
  if (!renamed && !is_lost(renamed.error()) && renamed.error().code != ErrorCode::kCancelled) {
    if (const Result<void> undone = remove(call, NodeKind::kFile, made->id); !undone) {
      log_warn("kiteworks: a copy was left behind as \"{}\": {}", made->name,
               undone.error().context);
    }
  }
  return renamed;
}

Result<void> KiteworksStore::set_description(const CallContext& call, NodeKind kind,
                                             const RemoteId& id, const std::string& text) {
  if (kind == NodeKind::kFile) {
    return fail(ErrorCode::kNotSupported, "files have no description that could be set");
  }
  if (is_root(id)) return fail(root_stays("set_description"));
  ApiRequest request;
  request.method = "PUT";
  request.path = object_path(kind, id);
  request.label = "PUT /rest/folders/{id}";
  request.about = "id=" + id.value;
  TRY_ASSIGN(request.json, JsonText().add("description", text).take());
  const auto response = api_.send(call, request);
  if (!response) return fail(explain(call, id, response.error()));
  return {};
}

}  // namespace cabinetfs
