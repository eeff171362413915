#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>

#include "tools/sandbox/kenesto/admin.h"
#include "tools/sandbox/kenesto/names.h"
#include "tools/sandbox/kenesto/ops.h"
#include "tools/sandbox/kenesto/shared.h"
#include "tools/sandbox/kenesto/state.h"

// Changes that a test makes in the name of a user, without that user's client. Rights are not
// checked.

namespace cabinetfs::sandbox::kenesto {
namespace {

using nlohmann::json;

struct Order {
  State& state;
  User& user;
  const json& text;

  Node& node() const {
    json at = text;
    at["user"] = user.email;
    Node& found = admin_node(state, at);
    const std::string op = text.at("op");
    if (found.archived && op != "delete" && op != "purge") {
      throw std::invalid_argument("it is in the archive");
    }
    return found;
  }
  Node& document() const {
    Node& found = node();
    if (found.folder) throw std::invalid_argument("not a document");
    return found;
  }
  Node& folder() const {
    Node& found = node();
    if (!found.folder) throw std::invalid_argument("not a folder");
    return found;
  }
  std::string path() const { return text.at("path").get<std::string>(); }
  json shown(const Node& node) const { return node_json(state, node); }
};

Node& folder_at(const Order& order, const std::string& path);

// The folder of a path, made if it is missing, and the name in it.
std::pair<Node*, std::string> place(const Order& order, std::string path) {
  while (!path.empty() && path.back() == '/') path.pop_back();
  const auto slash = path.rfind('/');
  const std::string dir = slash == std::string::npos ? "" : path.substr(0, slash);
  return {&folder_at(order, dir), path.substr(slash + 1)};
}

Node& folder_at(const Order& order, const std::string& path) {
  Node* found = find_path(order.state, order.user, path);
  if (found == nullptr && path.empty()) throw std::invalid_argument("the user has no account");
  if (found == nullptr) {
    const auto [parent, name] = place(order, path);
    found = &create_folder(order.state, order.user, *parent, name, false);
  }
  if (!found->folder) throw std::invalid_argument(path + " is a document");
  return *found;
}

std::shared_ptr<Blob> content_of(const Order& order) {
  const json& text = order.text;
  Spool spool(order.state.content_dir, std::size_t{64} << 10);
  if (text.contains("content_base64")) {
    spool.append(base64_decode(text.at("content_base64").get<std::string>()));
  } else if (text.contains("size")) {
    std::mt19937_64 random(text.value("seed", std::uint64_t{1}));
    for (auto left = text.at("size").get<std::size_t>(); left > 0;) {
      std::string piece(std::min<std::size_t>(left, std::size_t{1} << 20), '\0');
      for (char& c : piece) c = static_cast<char>(random());
      spool.append(piece);
      left -= piece.size();
    }
  } else {
    spool.append(text.value("content", std::string()));
  }
  return spool.finish();
}

json put(const Order& order) {
  Node* document = nullptr;
  Node* folder = nullptr;
  std::string name;
  if (order.text.contains("id")) {
    document = &order.document();
  } else {
    const auto at = place(order, order.path());
    folder = at.first;
    name = at.second;
    const bool twin = order.text.value("twin", false);
    if (!twin) document = find_path(order.state, order.user, order.path());
  }
  if (document == nullptr) {
    document = &create_document(order.state, order.user, *folder, name, content_of(order));
  } else if (document->folder || document->versions.empty()) {
    throw std::invalid_argument("it has no content");
  } else {
    add_version(order.state, order.user, *document, content_of(order));
  }
  return order.shown(*document);
}

json make_dir(const Order& order) {
  if (find_path(order.state, order.user, order.path()) != nullptr) {
    throw std::invalid_argument(order.path() + " exists");
  }
  const auto [parent, name] = place(order, order.path());
  return order.shown(
      create_folder(order.state, order.user, *parent, name, order.text.value("vault", false)));
}

json remove(const Order& order, bool purge) {
  Node& node = order.node();
  if (node.is_root()) throw std::invalid_argument("the root stays");
  Settings settings = *order.state.settings.get();
  if (purge) settings.delete_archives = false;
  if (purge) settings.delete_linger_ms = 0;
  if (node.archived) {
    order.state.tree.purge(node);
  } else if (node.folder) {
    delete_folder(order.state, node, settings);
  } else {
    delete_document(order.state, node, settings);
  }
  return json::object();
}

json rename(const Order& order) {
  Node& node = order.node();
  if (node.is_root()) throw std::invalid_argument("the root has no name");
  const std::string name = order.text.at("name");
  if (node.folder) {
    const Node* other = Tree::folder_named(*node.parent, name, false);
    if (other != nullptr && other != &node) throw std::invalid_argument(name + " exists");
  }
  rename_node(order.state, order.user, node, name);
  return order.shown(node);
}

json set_version(const Order& order) {
  Node& node = order.document();
  const std::string id = order.text.at("version");
  for (std::size_t i = 0; i < node.versions.size(); ++i) {
    if (node.versions[i].id != id) continue;
    set_current(order.state, order.user, node, i, *order.state.settings.get());
    return order.shown(node);
  }
  throw std::invalid_argument("no such version");
}

json lock(const Order& order) {
  Node& node = order.document();
  check_out(order.user, node);
  return order.shown(node);
}

json unlock(const Order& order) {
  Node& node = order.document();
  check_in(order.state, order.user, node, order.text.value("comment", ""));
  return order.shown(node);
}

json discard(const Order& order) {
  Node& node = order.document();
  discard_check_out(order.state, node);
  return order.shown(node);
}

json freeze(const Order& order) {
  Node& node = order.document();
  node.frozen = order.text.value("frozen", true);
  return order.shown(node);
}

json vault(const Order& order) {
  Node& node = order.folder();
  node.vault = order.text.value("vault", true);
  return order.shown(node);
}

json share(const Order& order) {
  static const std::map<std::string, Level> kLevels = {{"NONE", Level::kNone},
                                                       {"VIEW_ONLY", Level::kView},
                                                       {"ALLOW_DOWNLOAD", Level::kDownload},
                                                       {"ALLOW_UPDATE_VERSIONS", Level::kUpdate}};
  Node& node = order.node();
  const User* member = order.state.find_user(order.text.at("with").get<std::string>());
  if (member == nullptr) throw std::invalid_argument("no such user");
  const auto level = kLevels.find(order.text.at("level").get<std::string>());
  if (level == kLevels.end()) throw std::invalid_argument("no such level");
  const Grant grant = {level->second, order.text.value("share", false),
                       node.folder && order.text.value("upload", false)};
  order.state.tree.set_grant(node, member->id, level->second == Level::kNone ? Grant{} : grant);
  return order.shown(node);
}

json link(const Order& order) {
  const auto [folder, name] = place(order, order.path());
  auto node = std::make_unique<Node>();
  node->id = order.state.new_id();
  node->name = name;
  node->owner_id = order.user.id;
  node->created = node->modified = order.state.now();
  node->link_type = order.text.value("link_type", "DROPBOX");
  node->link_size = order.text.value("size", std::int64_t{0});
  return order.shown(order.state.tree.add(std::move(node), *folder));
}

json fill(const Order& order) {
  Node& folder = folder_at(order, order.path());
  const auto count = order.text.at("count").get<std::size_t>();
  const std::string prefix = order.text.value("prefix", "f");
  const std::string suffix = order.text.value("suffix", "");
  const auto size = order.text.value("size", std::size_t{0});
  const auto blob = std::make_shared<Blob>(std::string(size, 'x'));  // one for all of them
  for (std::size_t i = 0; i < count; ++i) {
    create_document(order.state, order.user, folder, fmt::format("{}{:06}{}", prefix, i, suffix),
                    blob);
  }
  return order.shown(folder);
}

}  // namespace

json act_as(State& state, const json& text) {
  static const std::map<std::string, json (*)(const Order&)> kOperations = {
      {"put", put},
      {"mkdir", make_dir},
      {"delete", [](const Order& order) { return remove(order, false); }},
      {"purge", [](const Order& order) { return remove(order, true); }},
      {"rename", rename},
      {"promote", set_version},
      {"lock", lock},
      {"unlock", unlock},
      {"discard", discard},
      {"freeze", freeze},
      {"vault", vault},
      {"share", share},
      {"link", link},
      {"fill", fill},
  };
  const auto found = kOperations.find(text.at("op").get<std::string>());
  if (found == kOperations.end()) throw std::invalid_argument("no such op");
  return found->second({state, admin_user(state, text), text});
}

}  // namespace cabinetfs::sandbox::kenesto
