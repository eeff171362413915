#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/sandbox/kenesto/call.h"
#include "tools/sandbox/kenesto/ops.h"
#include "tools/sandbox/kenesto/shared.h"
#include "tools/sandbox/kenesto/wire.h"

// Documents: RetrieveFileVersions (4, 18), RetrieveDocumentHistory (27), SetCurrentFileVersion
// (28), DeleteAsset (16), UpdateAssetName.

namespace cabinetfs::sandbox::kenesto {
namespace {

using nlohmann::json;

json versions(Call& call) {
  const Node& document = call.document(call.need_guid("fid"));
  const Wire wire(call.state, call.settings, call.user, call.organization_id, call.token);
  json items = json::array();
  for (const Version& version : document.versions) {
    items.push_back(wire.version(document, version));
  }
  if (call.settings.version_order == "newest") std::reverse(items.begin(), items.end());
  return {{"FileVersionsList", items}};
}

json history(Call& call) {
  const Node& document = call.document(call.need_guid("dId"));
  json updates = json::array();
  json views = json::array();
  for (const HistoryEvent& event : document.history) {
    (event.view ? views : updates)
        .push_back({{"Date", iso_time(event.time)},
                    {"User", event.user},
                    {"Event", event.event},
                    {"Value", event.value}});
  }
  return {{"UPDATE_HISTORY", updates}, {"VIEW_HISTORY", views}};
}

json promote(Call& call) {
  const json body = call.body();
  const std::string id = call.as_guid(call.text(body, "fileId", true));
  call.mutates(id);
  Node* document = call.state.tree.document_of(id);
  if (document == nullptr || document->archived || !call.rights(*document).view) {
    throw Failure("The version does not exist");
  }
  call.need_writable(*document);
  const auto found = std::find_if(document->versions.begin(), document->versions.end(),
                                  [&id](const Version& version) { return version.id == id; });
  set_current(call.state, call.user, *document,
              static_cast<std::size_t>(found - document->versions.begin()), call.settings);
  return nullptr;
}

json remove(Call& call) {
  const std::string id = call.need_guid("aid");
  call.mutates(id);
  if (fold_name(call.arg("fc").value_or("")) != "general") throw Failure("Unknown family code");
  Node& document = call.document(id);
  call.need(call.rights(document).owner);
  call.need_unlocked(document);
  delete_document(call.state, document, call.settings);
  return nullptr;
}

json rename(Call& call) {
  const std::string id = call.need_guid("did");
  call.mutates(id);
  Node& document = call.document(id);
  const Rights rights = call.rights(document);
  call.need(rights.owner || (rights.update && call.settings.rename_by == "update"));
  call.need_unlocked(document);
  std::string name = call.need_arg("dn");
  if (call.settings.rename_extension == "keep") name += extension_of(document.name);
  name = call.checked_name(name);
  const Node* other = Tree::document_named(*document.parent, name, call.settings.case_sensitive);
  if (call.settings.rename_duplicates == "fail" && other != nullptr && other != &document) {
    throw Failure(fmt::format("A document with the name {} already exists", name));
  }
  rename_node(call.state, call.user, document, name);
  return nullptr;
}

}  // namespace

void add_document_routes(Api& api) {
  api.route("GET", "RetrieveFileVersions", kLowerFailed, versions);
  api.route("GET", "RetrieveDocumentHistory", kUpper, history);
  api.route("POST", "SetCurrentFileVersion", kFailed, promote);
  api.route("GET", "DeleteAsset", kLowerFailed, remove);
  api.undocumented("GET", "UpdateAssetName", rename);
}

}  // namespace cabinetfs::sandbox::kenesto
