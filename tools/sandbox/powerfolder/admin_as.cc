#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/jwt.h"
#include "tools/sandbox/powerfolder/admin.h"
#include "tools/sandbox/powerfolder/ops.h"
#include "tools/sandbox/powerfolder/state.h"

// Changes that a test makes in the name of a user, without that user's client.

namespace cabinetfs::sandbox::powerfolder {
namespace {

using nlohmann::json;

struct Order {
  State& state;
  User& user;
  const json& text;

  std::string path() const {
    std::string path = text.at("path");
    while (!path.empty() && path.back() == '/') path.pop_back();
    return path;
  }
  Node& node() const {
    json at = text;
    at["user"] = user.name;
    return admin_node(state, at);
  }
};

json shown(const Node& node) {
  json out = {{"path", path_of(node)}, {"type", node.dir ? "d" : "f"}, {"size", node.size()}};
  if (!node.dir) out["versions"] = node.versions.size();
  return out;
}

std::pair<std::string, std::string> split(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

// The directory of that path; what is missing is made.
Node& directory(const Order& order, const std::string& path) {
  if (path.empty()) throw std::invalid_argument("at the top there are folders only");
  if (Node* found = find_path(order.state, order.user, path)) {
    if (!found->dir) throw std::invalid_argument(path + " is a file");
    return *found;
  }
  const auto [parent, name] = split(path);
  if (parent.empty()) {
    return *create_folder(order.state, order.user, name, {}, View::kAll).root;
  }
  return add_dir(order.state, directory(order, parent), name);
}

std::shared_ptr<Blob> content_of(const Order& order) {
  const json& text = order.text;
  Spool spool(order.state.content_dir, std::size_t{64} << 10);
  if (text.contains("content_base64")) {
    spool.append(kiteworks::base64_decode(text.at("content_base64").get<std::string>()));
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
  const auto [dir, name] = split(order.path());
  Node& parent = directory(order, dir);
  const auto found = parent.children.find(name);
  if (found != parent.children.end() && found->second->dir) {
    throw std::invalid_argument(name + " is a directory");
  }
  return shown(write_file(order.state, order.user, parent, name, content_of(order)));
}

json make_dir(const Order& order) {
  const std::string path = order.path();
  if (find_path(order.state, order.user, path) != nullptr) {
    throw std::invalid_argument(path + " exists");
  }
  return shown(directory(order, path));
}

// A top-level folder, whether or not there is one of that name.
json twin(const Order& order) {
  const Folder& folder = create_folder(order.state, order.user, order.path(),
                                       order.text.value("id", std::string()), View::kAll);
  return {{"id", folder.id}, {"path", folder.name()}};
}

json special(const Order& order) {
  Folder& folder = create_folder(
      order.state, order.user, order.path(),
      order.text.value("id", fmt::format("PB-{}-{}", order.user.id, order.path())), View::kAll);
  folder.display = order.text.value("name", std::string());
  folder.special = true;
  return {{"id", folder.id}, {"path", folder.name()}};
}

json remove(const Order& order) {
  Node& node = order.node();
  if (node.parent != nullptr) {
    remove_node(node);
  } else {
    delete_folder(order.state, order.state.folder_of(node), false, View::kAll);
  }
  return json::object();
}

void refuse_clash(const Node& parent, const std::string& name, const Node& self) {
  const auto found = parent.children.find(name);
  if (found != parent.children.end() && found->second.get() != &self) {
    throw std::invalid_argument(name + " exists");
  }
}

json rename(const Order& order) {
  Node& node = order.node();
  const std::string name = order.text.at("name");
  if (node.parent == nullptr) {
    if (find_path(order.state, order.user, name) != nullptr) {
      throw std::invalid_argument(name + " exists");
    }
    rename_folder(order.state, order.state.folder_of(node), name, View::kAll);
  } else {
    refuse_clash(*node.parent, name, node);
    move_node(node, *node.parent, name);
  }
  return shown(node);
}

json move(const Order& order) {
  Node& node = order.node();
  Node* to = find_path(order.state, order.user, order.text.at("to").get<std::string>());
  if (to == nullptr || !to->dir) throw std::invalid_argument("no such directory");
  if (node.parent == nullptr) throw std::invalid_argument("a top-level folder");
  if (is_below(*to, node)) throw std::invalid_argument("a directory does not move into itself");
  refuse_clash(*to, node.name, node);
  move_node(node, *to, node.name);
  return shown(node);
}

// As the server's own web editor locks: no client has the token.
json lock(const Order& order, bool locked) {
  Node& node = order.node();
  node.lock.reset();
  if (locked) {
    Lock held;
    held.token = "editor";
    held.user_id = order.user.id;
    held.owner = order.user.name;
    held.editor = true;
    node.lock = held;
  }
  return shown(node);
}

json share(const Order& order) {
  Folder& folder = order.state.folder_of(order.node());
  const User* member = order.state.find_user(order.text.at("with").get<std::string>());
  if (member == nullptr) throw std::invalid_argument("no such user");
  const auto permission = permission_of_name(order.text.at("permission").get<std::string>());
  if (!permission) throw std::invalid_argument("no such permission");
  if (*permission == Permission::kNoAccess) {
    folder.members.erase(member->id);
  } else {
    folder.members[member->id] = *permission;
  }
  return {{"id", folder.id}, {"path", folder.name()}};
}

json fill(const Order& order) {
  Node& dir = directory(order, order.path());
  const auto count = order.text.at("count").get<std::size_t>();
  const std::string prefix = order.text.value("prefix", "f");
  // One content for all of them.
  const auto blob =
      std::make_shared<Blob>(std::string(order.text.value("size", std::size_t{0}), 'x'));
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = fmt::format("{}{:06}", prefix, i);
    if (dir.children.count(name) > 0) throw std::invalid_argument(name + " exists");
    write_file(order.state, order.user, dir, name, blob);
  }
  return shown(dir);
}

}  // namespace

json act_as(State& state, const json& text) {
  static const std::map<std::string, json (*)(const Order&)> kOperations = {
      {"put", put},
      {"mkdir", make_dir},
      {"twin", twin},
      {"special", special},
      {"delete", remove},
      {"rename", rename},
      {"move", move},
      {"lock", [](const Order& order) { return lock(order, true); }},
      {"unlock", [](const Order& order) { return lock(order, false); }},
      {"share", share},
      {"fill", fill},
  };
  const auto found = kOperations.find(text.at("op").get<std::string>());
  if (found == kOperations.end()) throw std::invalid_argument("no such op");
  return found->second({state, admin_user(state, text), text});
}

}  // namespace cabinetfs::sandbox::powerfolder
