// KiteworksStore: listings.

#include <unordered_map>

#include "backend/kiteworks/client.h"
#include "backend/kiteworks/quirks.h"

namespace cabinetfs {

using namespace kiteworks;

namespace {

// 1,000 entries with all their permissions are about 5 MB.
constexpr std::size_t kListBody = 64u << 20;

// Of twins, the one that is spelled the same.
std::optional<WireNode> pick(std::vector<WireNode>& nodes, const std::string& name) {
  const std::string wanted = fold_name(name);
  std::optional<WireNode> found;
  for (WireNode& node : nodes) {
    if (node.deleted || fold_name(node.entry.name) != wanted) continue;
    if (!found || node.entry.name == name) found = std::move(node);
  }
  return found;
}

}  // namespace

Result<KiteworksStore::Nodes> KiteworksStore::list_path(const CallContext& call,
                                                        const std::string& path, const Query& query,
                                                        const std::string& label,
                                                        PageMemory& paging, const RemoteId& folder,
                                                        int depth) {
  Nodes nodes;
  const auto fetch = [&](std::uint64_t offset, std::uint64_t limit) -> Result<Page> {
    ApiRequest request;
    request.path = path;
    request.query = query;
    request.query.emplace_back("limit", std::to_string(limit));
    request.query.emplace_back("offset", std::to_string(offset));
    request.label = label;
    request.about = "id=" + folder.value;
    request.max_body = kListBody;
    const auto response = api_.send(call, request);
    if (!response) {
      if (is_root(folder)) return fail(static_cast<const Error&>(response.error()));
      return fail(explain(call, folder, response.error(), depth));
    }
    TRY_ASSIGN(WirePage<WireNode> page, parse_nodes(response->body));
    Page keys;
    keys.total = page.total;
    for (WireNode& node : page.items) {
      keys.keys.push_back(node.entry.id.value);
      nodes.push_back(std::move(node));
    }
    return keys;
  };
  TRY(collect_pages(paging, config_.page_limit, fetch, [&] { nodes.clear(); }));
  // Pages overlap by one entry, and deleted ones come along where the filter is not honoured.
  std::unordered_map<std::string, std::size_t> seen;
  Nodes unique;
  unique.reserve(nodes.size());
  for (WireNode& node : nodes) {
    if (node.deleted || !seen.emplace(node.entry.id.value, unique.size()).second) continue;
    node.entry.parent = folder;
    unique.push_back(std::move(node));
  }
  return unique;
}

Result<KiteworksStore::Nodes> KiteworksStore::list_root(const CallContext& call) {
  TRY_ASSIGN(const Account account, need_account(call));
  const RemoteId root{std::string(kRootId)};
  TRY_ASSIGN(
      Nodes nodes,
      list_path(call, "/rest/folders/top",
                {{"deleted", "false"}, {"orderBy", "name:asc"}, {"with", std::string(kWanted)}},
                "GET /rest/folders/top", paging_.top, root));
  // Some servers leave the personal folder out of the list; it belongs there all the same.
  bool have_own = account->my_folder.empty() || my_folder_hidden_.load();
  for (const WireNode& node : nodes)
    have_own = have_own || node.entry.id.value == account->my_folder;
  if (!have_own) {
    ApiRequest request;
    request.path = object_path(NodeKind::kFolder, RemoteId{account->my_folder});
    request.query = {{"deleted", "false"}, {"with", std::string(kWanted)}};
    request.label = "GET /rest/folders/{id}";
    request.about = "id=" + account->my_folder;
    const auto response = api_.send(call, request);
    Result<WireNode> own =
        response ? parse_node(response->body) : fail(static_cast<const Error&>(response.error()));
    if (own) {
      own->entry.parent = root;
      if (!own->deleted) nodes.push_back(*std::move(own));
    } else if (own.error().code == ErrorCode::kDenied || own.error().code == ErrorCode::kNotFound) {
      // An account without one; not asked again.
      my_folder_hidden_ = true;
    } else {
      return fail(own.error());
    }
  }
  if (config_.shared_files_in_root) {
    TRY_ASSIGN(
        Nodes shared,
        list_path(call, "/rest/files/shared",
                  {{"orderBy", "name"}, {"orderType", "asc"}, {"with", std::string(kWanted)}},
                  "GET /rest/files/shared", paging_.shared, root));
    for (WireNode& node : shared) nodes.push_back(std::move(node));
  }
  return nodes;
}

Result<KiteworksStore::Nodes> KiteworksStore::list_nodes(const CallContext& call,
                                                         const RemoteId& folder, int depth) {
  if (is_root(folder)) return list_root(call);
  return list_path(call, object_path(NodeKind::kFolder, folder, "/children"),
                   {{"deleted", "false"}, {"orderBy", "name:asc"}, {"with", std::string(kWanted)}},
                   "GET /rest/folders/{id}/children", paging_.children, folder, depth);
}

Result<std::vector<RemoteEntry>> KiteworksStore::list(const CallContext& call,
                                                      const RemoteId& folder) {
  TRY_ASSIGN(Nodes nodes, list_nodes(call, folder));
  std::vector<RemoteEntry> entries;
  entries.reserve(nodes.size());
  for (WireNode& node : nodes) {
    TRY_ASSIGN(RemoteEntry entry, finish(call, std::move(node), Origin::kListing));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::optional<WireNode>> KiteworksStore::find_listed(const CallContext& call,
                                                            const RemoteId& folder,
                                                            const std::string& name) {
  TRY_ASSIGN(Nodes nodes, list_nodes(call, folder));
  return pick(nodes, name);
}

Result<std::optional<WireNode>> KiteworksStore::find_node(const CallContext& call,
                                                          const RemoteId& folder,
                                                          const std::string& name) {
  // The list of top folders has no filter by name.
  if (is_root(folder)) return find_listed(call, folder, name);
  ApiRequest request;
  request.path = object_path(NodeKind::kFolder, folder, "/children");
  request.query = {
      {"deleted", "false"}, {"name", name}, {"limit", "100"}, {"with", std::string(kWanted)}};
  request.label = "GET /rest/folders/{id}/children";
  request.about = "id=" + folder.value;
  const auto response = api_.send(call, request);
  if (!response) return fail(explain(call, folder, response.error()));
  TRY_ASSIGN(WirePage<WireNode> page, parse_nodes(response->body));
  const std::string wanted = fold_name(name);
  bool filter_ignored = false;
  for (WireNode& node : page.items) {
    node.entry.parent = folder;
    filter_ignored = filter_ignored || fold_name(node.entry.name) != wanted;
  }
  // No page says that the filter compares names without regard to case, as the server does when it
  // stores something: what it leaves out is noticed there. A listing for each new file would be
  // dear.
  if (!filter_ignored) return pick(page.items, name);
  return find_listed(call, folder, name);
}

Result<std::optional<RemoteEntry>> KiteworksStore::find_child(const CallContext& call,
                                                              const RemoteId& folder,
                                                              const std::string& name) {
  TRY_ASSIGN(auto node, find_node(call, folder, name));
  if (!node) return std::optional<RemoteEntry>();
  TRY_ASSIGN(RemoteEntry entry, finish(call, *std::move(node), Origin::kListing));
  return std::optional<RemoteEntry>(std::move(entry));
}

}  // namespace cabinetfs
