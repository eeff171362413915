#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/names.h"

// Listings of folders: filters, order, pages.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

enum class Deleted { kBoth, kOnly, kNot };

// The query parameters by which children are chosen and ordered.
class Selection {
 public:
  explicit Selection(const Call& call) : call_(call) {
    const auto deleted = call.request.arg("deleted");
    if (deleted) deleted_ = call.request.flag("deleted") ? Deleted::kOnly : Deleted::kNot;
    read_order();
    name_ = folded_arg("name");
    contains_ = folded_arg("name:contains");
    for (const char* field : {"created", "modified"}) {
      for (const char* relation : {"", ":gt", ":gte", ":lt", ":lte"})
        add_time_bound(field, relation);
    }
    if (const auto list = call.request.arg("id:in")) ids_ = split(*list);
    for (const char* key : {"userId", "userId:in"}) {
      if (const auto list = call.request.arg(key)) users_ = split(*list);
    }
    if (const auto list = call.request.arg("extensions")) extensions_ = split(*list);
    const auto type = call.request.arg("type");
    if (type && *type != "f" && *type != "d") {
      throw ApiError(400, "ERR_REQUEST_INVALID_FILTER", "type is not valid");
    }
    if (type) type_ = type->front();
  }

  Deleted deleted() const { return deleted_; }
  bool wants(char type) const { return type_ == 0 || type_ == type; }
  // The children as they are stored are the answer: live ones by name.
  bool natural() const {
    return deleted_ == Deleted::kNot && field_ == "name" && ascending_ && !filtered();
  }
  const std::optional<std::string>& name() const { return name_; }

  bool takes(const Node& node) const {
    const bool deleted = Tree::is_deleted(node);
    if ((deleted_ == Deleted::kOnly && !deleted) || (deleted_ == Deleted::kNot && deleted))
      return false;
    if (name_ && node.folded != *name_) return false;
    if (contains_ && node.folded.find(*contains_) == std::string::npos) return false;
    if (!ids_.empty() && ids_.count(node.id) == 0) return false;
    if (!users_.empty() && users_.count(node.creator_id) == 0) return false;
    if (!extensions_.empty() && !node.folder && extensions_.count(extension_of(node.name)) == 0)
      return false;
    return std::all_of(bounds_.begin(), bounds_.end(), [&node](const TimeBound& bound) {
      const Millis time = (bound.created ? node.created : node.modified) / 1000;
      const Millis limit = bound.time / 1000;
      if (bound.relation == ":gt") return time > limit;
      if (bound.relation == ":gte") return time >= limit;
      if (bound.relation == ":lt") return time < limit;
      if (bound.relation == ":lte") return time <= limit;
      return time == limit;
    });
  }

  void sort(std::vector<Node*>& nodes) const {
    const auto before = [this](const Node* a, const Node* b) {
      const int order = compare(*a, *b);
      return order != 0 ? (ascending_ ? order < 0 : order > 0) : a->id < b->id;
    };
    std::sort(nodes.begin(), nodes.end(), before);
  }

 private:
  struct TimeBound {
    bool created = false;
    std::string relation;
    Millis time = 0;
  };

  bool filtered() const {
    return name_ || contains_ || !ids_.empty() || !users_.empty() || !extensions_.empty() ||
           !bounds_.empty();
  }

  std::optional<std::string> folded_arg(const char* key) const {
    const auto value = call_.request.arg(key);
    return value ? std::optional(fold_name(*value)) : std::nullopt;
  }

  static std::set<std::string> split(std::string_view list) {
    std::set<std::string> out;
    while (!list.empty()) {
      const auto comma = list.find(',');
      out.emplace(list.substr(0, comma));
      list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    }
    return out;
  }

  void read_order() {
    const std::string order = call_.request.arg_or("orderBy", "name:asc");
    const auto colon = order.find(':');
    field_ = order.substr(0, colon);
    const std::string direction = colon == std::string::npos ? "asc" : order.substr(colon + 1);
    static const std::set<std::string> kFields = {"name", "created", "modified", "size"};
    if (kFields.count(field_) == 0 || (direction != "asc" && direction != "desc")) {
      throw ApiError(400, "ERR_REQUEST_INVALID_FILTER", "orderBy is not valid");
    }
    ascending_ = direction == "asc";
  }

  void add_time_bound(const char* field, const char* relation) {
    const auto text = call_.request.arg(std::string(field) + relation);
    if (!text) return;
    const auto time = parse_time(*text);
    if (!time)
      throw ApiError(400, "ERR_REQUEST_INVALID_FILTER", fmt::format("{} is not a date", field));
    bounds_.push_back({std::string_view(field) == "created", relation, *time});
  }

  int compare(const Node& a, const Node& b) const {
    const auto three_way = [](auto x, auto y) { return x < y ? -1 : (y < x ? 1 : 0); };
    if (field_ == "created") return three_way(a.created / 1000, b.created / 1000);
    if (field_ == "modified") return three_way(a.modified / 1000, b.modified / 1000);
    if (field_ == "size" && !a.folder && !b.folder) {
      return three_way(a.current().blob->size(), b.current().blob->size());
    }
    return a.folded.compare(b.folded);
  }

  const Call& call_;
  Deleted deleted_ = Deleted::kBoth;
  std::string field_;
  bool ascending_ = true;
  char type_ = 0;
  std::optional<std::string> name_, contains_;
  std::set<std::string> ids_, users_, extensions_;
  std::vector<TimeBound> bounds_;
};

// Folders first, then files, each in the wanted order.
std::vector<Node*> select(const Node& folder, const Selection& selection, bool folders,
                          bool files) {
  std::vector<Node*> out;
  for (const char type : {'d', 'f'}) {
    if (!(type == 'd' ? folders : files) || !selection.wants(type)) continue;
    std::vector<Node*> part;
    const auto& live = type == 'd' ? folder.folders : folder.files;
    if (selection.name()) {  // the one live child of that name, without a walk
      const auto found = std::lower_bound(
          live.begin(), live.end(), *selection.name(),
          [](const Node* node, const std::string& folded) { return node->folded < folded; });
      if (found != live.end() && selection.takes(**found)) part.push_back(*found);
    } else {
      for (Node* node : live) {
        if (selection.takes(*node)) part.push_back(node);
      }
    }
    for (Node* node : folder.trash) {
      if (node->type() == type && selection.takes(*node)) part.push_back(node);
    }
    selection.sort(part);
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

Response children(Call& call, bool folders, bool files, bool spec_bare) {
  const bool live_only = call.request.arg("deleted") && !call.request.flag("deleted");
  const Node& folder = call.folder(call.param(0), !live_only);
  call.need_for_list(folder, "properties_view");
  const Selection selection(call);
  const Call::Page page = call.page();
  Wire wire = call.wire();
  std::string items = "[";
  std::size_t count = 0;
  const auto add = [&](const Node& node) {
    if (count++ > 0) items += ',';
    wire.append(items, node);
  };
  std::size_t total = 0;
  if (selection.natural()) {
    const std::size_t folder_count = folders && selection.wants('d') ? folder.folders.size() : 0;
    const std::size_t file_count = files && selection.wants('f') ? folder.files.size() : 0;
    total = folder_count + file_count;
    for (std::size_t i = page.offset; i < total && count < page.limit; ++i) {
      add(i < folder_count ? *folder.folders[i] : *folder.files[i - folder_count]);
    }
  } else {
    const std::vector<Node*> all = select(folder, selection, folders, files);
    total = all.size();
    for (std::size_t i = page.offset; i < total && count < page.limit; ++i) add(*all[i]);
  }
  return call.list_text(items + "]", total, page, spec_bare);
}

Response top(Call& call) {
  const Selection selection(call);
  const Call::Page page = call.page();
  std::vector<Node*> all = call.state.tree.top_of(call.user, call.settings.list_my_folder);
  std::size_t deleted = 0;
  for (const Node* node : all) deleted += node->deleted ? 1 : 0;
  all.erase(std::remove_if(all.begin(), all.end(),
                           [&](const Node* node) { return !selection.takes(*node); }),
            all.end());
  if (!selection.natural()) selection.sort(all);
  Wire wire = call.wire();
  json items = json::array();
  for (std::size_t i = page.offset; i < all.size() && items.size() < page.limit; ++i)
    items.push_back(wire.folder(*all[i]));
  const json extra = {{"totalDeletedFoldersCount", deleted}, {"totalDeletedFilesCount", 0}};
  return call.list(items, all.size(), page, false, &extra);
}

Response shared_folders(Call& call) {
  const Call::Page page = call.page();
  Wire wire = call.wire();
  json items = json::array();
  std::size_t total = 0;
  for (const Node* node : call.state.tree.top_of(call.user, false)) {
    if (node->deleted || node->members.size() < 2) continue;
    if (total++ >= page.offset && items.size() < page.limit) items.push_back(wire.folder(*node));
  }
  return call.list(items, total, page);
}

Response shared_files(Call& call) {
  const Call::Page page = call.page();
  Wire wire = call.wire();
  json items = json::array();
  std::size_t total = 0;
  for (const Node* node : call.state.tree.shared_files_of(call.user)) {
    if (total++ >= page.offset && items.size() < page.limit) items.push_back(wire.file(*node));
  }
  return call.list(items, total, page);
}

Response chain(Call& call, const Node& node) {
  json items = json::array();
  for (const Node* at : call.state.tree.chain_of(call.user, node)) {
    items.push_back({{"id", at->id}, {"name", at->name}});
  }
  return call.list(items, items.size(), {});
}

bool live_only(const Call& call) {
  return call.request.arg("deleted") && !call.request.flag("deleted");
}

}  // namespace

void add_listing_routes(Api& api) {
  api.route("GET", "/rest/folders/top", top);
  api.route("GET", "/rest/folders/shared", shared_folders);
  api.route("GET", "/rest/files/shared", shared_files);
  api.route("GET", "/rest/folders/{id}", [](Call& call) {
    const Node& folder = call.folder(call.param(0), !live_only(call));
    call.need(folder, "properties_view");
    return call.reply(200, call.wire().folder(folder));
  });
  api.route("GET", "/rest/files/{id}", [](Call& call) {
    const Node& file = call.file(call.param(0), !live_only(call));
    call.need(file, "properties_view");
    return call.reply(200, call.wire().file(file));
  });
  api.route("GET", "/rest/folders/{id}/children",
            [](Call& call) { return children(call, true, true, true); });
  api.route("GET", "/rest/folders/{id}/folders",
            [](Call& call) { return children(call, true, false, false); });
  api.route("GET", "/rest/folders/{id}/files",
            [](Call& call) { return children(call, false, true, false); });
  api.route("GET", "/rest/folders/{id}/tree",
            [](Call& call) { return chain(call, call.folder(call.param(0))); });
  api.route("GET", "/rest/files/{id}/path",
            [](Call& call) { return chain(call, *call.file(call.param(0)).parent); });
}

}  // namespace cabinetfs::sandbox::kiteworks
