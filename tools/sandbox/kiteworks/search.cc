#include <nlohmann/json.hpp>

#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/lookup.h"
#include "tools/sandbox/kiteworks/names.h"

// Lookup by path and search by name.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

// Everything that the user sees and whose name contains the text, up to a number of hits.
std::vector<Node*> find_by_name(Call& call, const std::string& text, std::size_t most) {
  const std::string folded = fold_name(text);
  std::vector<Node*> hits;
  const std::function<void(Node&)> walk = [&](Node& node) {
    if (hits.size() >= most) return;
    if (node.folded.find(folded) != std::string::npos) hits.push_back(&node);
    for (Node* child : node.folders) walk(*child);
    for (Node* child : node.files) walk(*child);
  };
  for (Node* top : call.state.tree.top_of(call.user, true)) {
    if (!top->deleted) walk(*top);
  }
  return hits;
}

struct Hits {
  json files = json::array(), folders = json::array();
};

Hits find(Call& call, const std::optional<std::string>& path,
          const std::optional<std::string>& text) {
  std::vector<Node*> nodes;
  if (path) {
    // Paths are relative to the user's root; a leading slash is a name that nothing has.
    Node* node =
        path->empty() || path->front() == '/' ? nullptr : find_path(call.state, call.user, *path);
    if (node != nullptr) nodes.push_back(node);
  } else if (text && !text->empty()) {
    nodes = find_by_name(call, *text, 10'000);
  }
  const Call::Page page = call.page();
  Hits hits;
  Wire wire = call.wire();
  std::size_t taken = 0;
  for (std::size_t i = page.offset; i < nodes.size() && taken < page.limit; ++i, ++taken) {
    if (!call.allowed(*nodes[i], "properties_view")) continue;
    (nodes[i]->folder ? hits.folders : hits.files).push_back(wire.node(*nodes[i]));
  }
  return hits;
}

Response search(Call& call) {
  auto text = call.request.arg("content");
  if (!text) text = call.request.arg("content:contains");
  const Hits hits = find(call, call.request.arg("path"), text);
  const std::size_t total = hits.files.size() + hits.folders.size();
  return call.reply(200, {{"files", hits.files},
                          {"folders", hits.folders},
                          {"emails", json::array()},
                          {"metadata",
                           {{"total", total},
                            {"filesTotal", hits.files.size()},
                            {"foldersTotal", hits.folders.size()}}},
                          {"id", call.state.new_id()},
                          {"fullTextSearch", false}});
}

Response query(Call& call) {
  const auto types = call.request.arg("searchType");
  if (!types || !call.request.arg("includeContent")) {
    throw ApiError(422, "ERR_INVALID_PARAMETER", "searchType and includeContent are required",
                   "searchType");
  }
  Hits hits = find(call, call.request.arg("path"), call.request.arg("query"));
  if (types->find('f') == std::string::npos) hits.files = json::array();
  if (types->find('d') == std::string::npos) hits.folders = json::array();
  return call.reply(200, {{"files", hits.files},
                          {"folders", hits.folders},
                          {"emails", json::array()},
                          {"totalFiles", hits.files.size()},
                          {"totalFolders", hits.folders.size()},
                          {"totalEmails", 0}});
}

}  // namespace

void add_search_routes(Api& api) {
  api.route("GET", "/rest/search", search);
  api.route("GET", "/rest/query", query);
}

}  // namespace cabinetfs::sandbox::kiteworks
