#include "tools/sandbox/kenesto/snapshot.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "tools/sandbox/kenesto/shared.h"
#include "tools/sandbox/kenesto/state.h"

namespace cabinetfs::sandbox::kenesto {
namespace {

using nlohmann::json;

json blob_json(Blob* blob) {
  if (blob == nullptr) return nullptr;
  if (blob->in_memory()) return {{"bytes", base64_encode(blob->bytes())}};
  const bool ours = blob->owned();
  blob->keep_file();
  return {{"file", std::filesystem::absolute(blob->file()).string()},
          {"size", blob->size()},
          {"owned", ours}};
}

std::shared_ptr<Blob> blob_from(const json& text) {
  if (text.is_null()) return nullptr;
  if (text.contains("bytes")) {
    return std::make_shared<Blob>(base64_decode(text.at("bytes").get<std::string>()));
  }
  return std::make_shared<Blob>(text.at("file").get<std::string>(),
                                text.at("size").get<std::int64_t>(), text.at("owned").get<bool>());
}

json node_json(const Node& node) {
  json versions = json::array();
  for (const Version& v : node.versions) {
    versions.push_back(
        {v.id, v.number, blob_json(v.blob.get()), v.author_id, v.comment, v.created});
  }
  json grants = json::object();
  for (const auto& [user_id, grant] : node.grants) {
    grants[user_id] = {static_cast<int>(grant.level), grant.share, grant.upload};
  }
  json history = json::array();
  for (const HistoryEvent& e : node.history) {
    history.push_back({e.time, e.user, e.event, e.value, e.view});
  }
  return {{"id", node.id},
          {"parent", node.is_root() ? "" : node.parent->id},
          {"name", node.name},
          {"folder", node.folder},
          {"owner", node.owner_id},
          {"description", node.description},
          {"keyword", node.keyword},
          {"created", node.created},
          {"modified", node.modified},
          {"grants", grants},
          {"versions", versions},
          {"current", node.current_index},
          {"holder", node.holder_id},
          {"versions_at_checkout", node.versions_at_checkout},
          {"frozen", node.frozen},
          {"archived", node.archived},
          {"link_type", node.link_type},
          {"link_size", node.link_size},
          {"history", history},
          {"organization", node.organization_id},
          {"vault", node.vault},
          {"deleted", node.deleted},
          {"lingers_until", node.lingers_until}};
}

std::unique_ptr<Node> node_from(const json& text) {
  auto node = std::make_unique<Node>();
  node->id = text.at("id");
  node->name = text.at("name");
  node->folder = text.at("folder");
  node->owner_id = text.at("owner");
  node->description = text.at("description");
  node->keyword = text.at("keyword");
  node->created = text.at("created");
  node->modified = text.at("modified");
  for (const auto& item : text.at("grants").items()) {
    node->grants[item.key()] = {static_cast<Level>(item.value().at(0).get<int>()),
                                item.value().at(1), item.value().at(2)};
  }
  for (const json& v : text.at("versions")) {
    Version version;
    version.id = v.at(0);
    version.number = v.at(1);
    version.blob = blob_from(v.at(2));
    version.author_id = v.at(3);
    version.comment = v.at(4);
    version.created = v.at(5);
    node->versions.push_back(std::move(version));
  }
  node->current_index = text.at("current");
  node->holder_id = text.at("holder");
  node->versions_at_checkout = text.at("versions_at_checkout");
  node->frozen = text.at("frozen");
  node->archived = text.at("archived");
  node->link_type = text.at("link_type");
  node->link_size = text.at("link_size");
  for (const json& e : text.at("history")) {
    node->history.push_back({e.at(0), e.at(1), e.at(2), e.at(3), e.at(4)});
  }
  node->organization_id = text.at("organization");
  node->vault = text.at("vault");
  node->deleted = text.at("deleted");
  node->lingers_until = text.at("lingers_until");
  return node;
}

// A parent before its children.
void save_below(const Node& node, json& out) {
  for (const auto* list : {&node.folders, &node.documents}) {
    for (const Node* child : *list) {
      out.push_back(node_json(*child));
      save_below(*child, out);
    }
  }
}

json save_nodes(const State& state) {
  json nodes = json::array();
  for (const auto& entry : state.tree.all()) {
    if (entry.second->is_root()) nodes.push_back(node_json(*entry.second));
  }
  for (const auto& entry : state.tree.all()) {
    if (entry.second->is_root()) save_below(*entry.second, nodes);
  }
  for (const Node* node : state.tree.archived()) nodes.push_back(node_json(*node));
  return nodes;
}

void load_nodes(State& state, const json& nodes) {
  std::set<Node*> parents;
  for (const json& text : nodes) {
    const std::string parent_id = text.at("parent");
    if (parent_id.empty()) {
      state.tree.add_root(node_from(text));
      continue;
    }
    Node* parent = state.tree.find(parent_id);
    if (parent == nullptr) throw std::runtime_error("state.json: a node without its parent");
    auto node = node_from(text);
    if (node->archived) {
      state.tree.adopt_archived(std::move(node), *parent);
    } else {
      state.tree.add_unsorted(std::move(node), *parent);
      parents.insert(parent);
    }
  }
  for (Node* parent : parents) Tree::sort_children(*parent);
}

json upload_json(const Upload& u) {
  return {{"id", u.id},
          {"user", u.user_id},
          {"organization", u.organization_id},
          {"folder", u.folder_id},
          {"name", u.name},
          {"base", u.base_id},
          {"description", u.description},
          {"keyword", u.keyword},
          {"subfolders", u.subfolders},
          {"path", u.path},
          {"url", u.url},
          {"started", u.started},
          {"blob", blob_json(u.blob.get())},
          {"completed", u.completed},
          {"document", u.document_id}};
}

Upload upload_from(const json& text) {
  Upload u;
  u.id = text.at("id");
  u.user_id = text.at("user");
  u.organization_id = text.at("organization");
  u.folder_id = text.at("folder");
  u.name = text.at("name");
  u.base_id = text.at("base");
  u.description = text.at("description");
  u.keyword = text.at("keyword");
  u.subfolders = text.at("subfolders").get<std::vector<std::string>>();
  u.path = text.at("path");
  u.url = text.at("url");
  u.started = text.at("started");
  u.blob = blob_from(text.at("blob"));
  u.completed = text.at("completed");
  u.document_id = text.at("document");
  return u;
}

void load(State& state, const json& text) {
  state.settings.change(text.at("settings"));
  state.access_key = text.at("access_key");
  state.clock_offset = text.at("clock_offset");
  for (const json& o : text.at("organizations")) {
    state.organizations.push_back({o.at(0), o.at(1), o.at(2)});
  }
  for (const json& u : text.at("users")) {
    User& user = state.add_user(u.at(0), u.at(1), u.at(2), u.at(3));
    user.quota = u.at(4);
  }
  for (const auto& item : text.at("sessions").items()) {
    const json& s = item.value();
    state.sessions[item.key()] = {static_cast<SessionKind>(s.at(0).get<int>()), s.at(1), s.at(2),
                                  s.at(3), s.at(4)};
  }
  load_nodes(state, text.at("nodes"));
  for (const json& entry : text.at("uploads")) {
    Upload upload = upload_from(entry);
    const std::string id = upload.id;
    state.uploads.emplace(id, std::move(upload));
  }
  for (const auto& item : text.at("presigned").items()) {
    const json& p = item.value();
    Presigned& presigned = state.presigned[item.key()];
    presigned.path = p.at(0);
    presigned.upload = p.at(1);
    presigned.key = p.at(2);
    presigned.user = p.at(3);
    presigned.file_name = p.at(4);
    presigned.query = p.at(5).get<std::vector<std::pair<std::string, std::string>>>();
    presigned.expires = p.at(6);
    presigned.forced = p.at(7);
  }
  for (const json& s : text.at("sequences")) {
    Sequence sequence;
    sequence.id = s.at(1);
    sequence.name = s.at(2);
    sequence.prefix = s.at(3);
    sequence.next = s.at(4);
    if (!s.at(5).is_null()) sequence.current = s.at(5).get<std::int64_t>();
    sequence.locked = s.at(6);
    state.sequences[{s.at(0).get<std::string>(), fold_name(sequence.name)}] = sequence;
  }
}

}  // namespace

void save_state(State& state, const std::filesystem::path& dir) {
  json all = {{"settings", to_json(*state.settings.get())},
              {"access_key", state.access_key},
              {"clock_offset", state.clock_offset},
              {"nodes", save_nodes(state)}};
  for (const char* list : {"organizations", "users", "uploads", "sequences"}) {
    all[list] = json::array();
  }
  for (const char* map : {"sessions", "presigned"}) all[map] = json::object();
  for (const Organization& o : state.organizations) {
    all["organizations"].push_back({o.id, o.name, o.tenant});
  }
  for (const auto& user : state.users) {
    all["users"].push_back(
        {user->email, user->name, user->password, user->organizations, user->quota});
  }
  for (const auto& [token, s] : state.sessions) {
    all["sessions"][token] = {static_cast<int>(s.kind), s.user_id, s.organization_id, s.node_id,
                              s.expires};
  }
  for (const auto& entry : state.uploads) all["uploads"].push_back(upload_json(entry.second));
  for (const auto& [signature, p] : state.presigned) {
    all["presigned"][signature] = {p.path,      p.upload, p.key,     p.user,
                                   p.file_name, p.query,  p.expires, p.forced};
  }
  for (const auto& [key, s] : state.sequences) {
    all["sequences"].push_back({key.first, s.id, s.name, s.prefix, s.next,
                                s.current ? json(*s.current) : json(nullptr), s.locked});
  }
  const auto fresh = dir / "state.json.new";
  {
    std::ofstream out(fresh, std::ios::trunc);
    std::filesystem::permissions(
        fresh, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    out << all.dump(-1, ' ', false, json::error_handler_t::replace);
    if (!out.flush()) throw std::runtime_error("cannot write " + fresh.string());
  }
  std::filesystem::rename(fresh, dir / "state.json");
}

bool load_state(State& state, const std::filesystem::path& dir) {
  std::ifstream in(dir / "state.json");
  if (!in) return false;
  try {
    load(state, json::parse(in));
  } catch (const json::exception& error) {
    throw std::runtime_error(fmt::format("{}: {}", (dir / "state.json").string(), error.what()));
  }
  return true;
}

}  // namespace cabinetfs::sandbox::kenesto
