#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "tools/sandbox/kenesto/call.h"
#include "tools/sandbox/kenesto/ops.h"
#include "tools/sandbox/kenesto/shared.h"
#include "tools/sandbox/kenesto/wire.h"

// Lists: RetrieveDocuments (3, 17), and what the app asks besides.

namespace cabinetfs::sandbox::kenesto {
namespace {

using nlohmann::json;

std::size_t number(const Call& call, const char* name, std::size_t fallback) {
  const auto text = call.arg(name);
  if (!text) return fallback;
  std::size_t value = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size()) {
    throw Fault(400, fmt::format("{} is not a number", *text));
  }
  return value;
}

void sort(const Call& call, std::vector<Node*>& nodes) {
  const std::string by = fold_name(call.arg("sb").value_or("MODIFICATION_DATE"));
  const std::string direction = fold_name(call.arg("sd").value_or("desc"));
  if (direction != "asc" && direction != "desc") throw Failure("Unknown sort direction");
  const bool ascending = direction == "asc";
  const auto arrange = [&](auto key) {
    std::sort(nodes.begin(), nodes.end(), [&](const Node* a, const Node* b) {
      const auto left = key(*a);
      const auto right = key(*b);
      if (left != right) return ascending ? left < right : right < left;
      return a->id < b->id;
    });
  };
  if (by == "modification_date") {
    arrange([](const Node& node) { return node.modified; });
  } else if (by == "file_extension") {
    arrange([](const Node& node) { return node.folder ? "" : fold_name(extension_of(node.name)); });
  } else if (by == "asset_name") {
    arrange([](const Node& node) { return std::string_view(node.folded); });
  } else if (by == "current_version_size") {
    arrange([](const Node& node) { return node.folder ? -1 : node.size(); });
  } else {
    throw Failure("Unknown sort key");
  }
}

json next_href(const Call& call, std::size_t page, bool last) {
  if (last || call.settings.next_href == "none") {
    if (call.settings.next_href_end == "null") return nullptr;
    return call.settings.next_href_end == "false" ? "false" : "";
  }
  std::string query;
  for (const auto& [name, value] : call.request.query) {
    if (fold_name(name) != "pn") query += name + "=" + percent_encode(value) + "&";
  }
  const std::string host =
      call.settings.next_href == "url" ? call.state.base_url : "http://app.kenesto.invalid";
  return fmt::format("{}{}?{}pn={}", host, call.request.path, query, page + 1);
}

// One page of `nodes` in the frame that all lists have.
json list(Call& call, std::vector<Node*> nodes, const std::string& folder_id,
          const std::string& folder_name) {
  const std::size_t size = number(call, "ps", 25);
  if (size != 25 && size != 100 && size != 200) {
    if (call.settings.ps_error == "html") throw Fault(500, "Forbidden page size");
    throw Failure("Forbidden page size");
  }
  const std::size_t page = number(call, "pn", 1);
  if (page == 0) throw Failure("Page numbers begin with 1");
  sort(call, nodes);
  for (std::size_t i = 0; i < nodes.size() && !call.settings.listed_twice.empty(); ++i) {
    if (nodes[i]->name != call.settings.listed_twice) continue;
    Node* const twice = nodes[i];
    nodes.insert(nodes.begin() + static_cast<std::ptrdiff_t>(i), twice);
    ++i;
  }
  const std::size_t pages = (nodes.size() + size - 1) / size;
  std::size_t begin = (page - 1) * size;
  std::size_t end = std::min(begin + size, nodes.size());
  if (page > pages) {  // beyond the last page: everything
    begin = 0;
    end = nodes.size();
  }
  Wire wire(call.state, call.settings, call.user, call.organization_id, call.token);
  json items = json::array();
  for (std::size_t i = begin; i < end; ++i) items.push_back(wire.item(*nodes[i]));
  const auto folders = static_cast<std::size_t>(
      std::count_if(nodes.begin(), nodes.end(), [](const Node* node) { return node->folder; }));
  return {
      {"DocumentsList", std::move(items)},
      {"TotalDocuments",
       wire.count(call.settings.total_counts == "files" ? nodes.size() - folders : nodes.size())},
      {"TotalFiles", wire.count(nodes.size() - folders)},
      {"TotalFolders", wire.count(folders)},
      {"next_href", next_href(call, page, page >= pages)},
      {"FolderId", folder_id},
      {"FolderName", folder_name}};
}

json documents(Call& call) {
  const Node& folder = call.folder(call.guid("fid"));
  const Wire wire(call.state, call.settings, call.user, call.organization_id, call.token);
  return list(call, children_of(call.state, call.user, folder, call.flag("ao")),
              wire.folder_id(folder), folder.name);
}

json shared(Call& call) {
  return list(call, shared_with(call.state, call.user), "", "Shared with me");
}

json checked_out(Call& call) {
  std::vector<Node*> nodes;
  for (const auto& entry : call.state.tree.all()) {
    if (entry.second->holder_id == call.user.id) nodes.push_back(entry.second.get());
  }
  return list(call, nodes, "", "Checked out by me");
}

json archived(Call& call) {
  std::vector<Node*> nodes;
  for (Node* node : call.state.tree.archived()) {
    if (node->owner_id == call.user.id || Tree::root_of(*node).owner_id == call.user.id) {
      nodes.push_back(node);
    }
  }
  return list(call, nodes, "", "Archived");
}

json quick_search(Call& call) {
  const std::string wanted = fold_name(call.need_arg("k"));
  std::vector<Node*> nodes;
  for (const auto& entry : call.state.tree.all()) {
    Node& node = *entry.second;
    const bool found = !node.is_root() && !node.archived && !node.deleted &&
                       node.folded.find(wanted) != std::string::npos;
    if (found && rights_of(call.user, node).view) nodes.push_back(&node);
  }
  return list(call, nodes, "", "Search");
}

json object_info(Call& call) {
  const std::string id = call.need_guid("oi");
  const std::string family = fold_name(call.need_arg("fc"));
  if (family != "general" && family != "folder") throw Failure("Unknown family code");
  Node& node = family == "folder" ? call.folder(id) : call.document(id);
  const bool external = is_external(node, call.organization_id);
  const bool opened_by_it = call.session.kind == SessionKind::kExternal;
  if (external != opened_by_it || (opened_by_it && call.session.node_id != node.id)) call.denied();
  Wire wire(call.state, call.settings, call.user, call.organization_id, call.token);
  json out = wire.item(node);
  out["ObjectPermissions"] = wire.object_permissions(node);
  return out;
}

json statistics(Call& call) {
  const Organization* organization = call.state.find_organization(call.organization_id);
  const auto tenant = call.arg("tid");
  if (tenant && *tenant != std::to_string(organization->tenant)) throw Failure("Unknown tenant");
  std::size_t own = 0;
  std::size_t all = 0;
  std::size_t held = 0;
  std::size_t gone = 0;
  for (const auto& entry : call.state.tree.all()) {
    const Node& node = *entry.second;
    if (node.folder) continue;
    const bool ours = node.owner_id == call.user.id;
    if (node.archived) {
      gone += ours ? 1 : 0;
      continue;
    }
    own += ours ? 1 : 0;
    all += rights_of(call.user, node).view ? 1 : 0;
    held += node.holder_id == call.user.id ? 1 : 0;
  }
  return {{"MyDocuments", own},
          {"AllDocuments", all},
          {"DocumentsSharedWithMe", all - own},
          {"DocumentsCheckedOutByMe", held},
          {"TotalArchivedDocuments", gone},
          {"TotalUsageSpace", used_by(call.state, call.user)}};
}

}  // namespace

void add_listing_routes(Api& api) {
  api.route("GET", "RetrieveDocuments", kLowerFailed, documents);
  api.undocumented("GET", "RetrieveSharedDocuments", shared);
  api.undocumented("GET", "RetrieveCheckedOutDocuments", checked_out);
  api.undocumented("GET", "RetrieveArchivedDocuments", archived);
  api.undocumented("GET", "DocumentsQuickSearch", quick_search);
  api.undocumented("GET", "RetrieveObjectInfo", object_info);
  api.undocumented("GET", "RetrieveStatistics", statistics);
}

}  // namespace cabinetfs::sandbox::kenesto
