#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/admin.h"
#include "tools/sandbox/kiteworks/jwt.h"
#include "tools/sandbox/kiteworks/lookup.h"
#include "tools/sandbox/kiteworks/ops.h"
#include "tools/sandbox/kiteworks/state.h"
#include "tools/sandbox/kiteworks/wire.h"

// Changes that a test makes in the name of a user, without that user's client.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

struct Order {
  State& state;
  User& user;
  const json& text;

  Node& node() const {
    json at = text;
    at["user"] = user.email;
    return admin_node(state, at);
  }
  json shown(const Node& shown_node) const {
    return Wire(state, *state.settings.get(), user).node(shown_node);
  }
};

// The folder of a path and the name in it; missing folders are made.
std::pair<Node*, std::string> place(const Order& order, std::string path) {
  while (!path.empty() && path.back() == '/') path.pop_back();
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {&order.state.tree.root(), path};
  const std::string dir = path.substr(0, slash);
  Node* folder = find_path(order.state, order.user, dir);
  if (folder == nullptr) {
    const auto [parent, name] = place(order, dir);
    folder = &create_folder(order.state, order.user, *parent, name);
  }
  if (!folder->folder) throw std::invalid_argument(dir + " is a file");
  return {folder, path.substr(slash + 1)};
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
  const auto [folder, name] = place(order, order.text.at("path").get<std::string>());
  if (folder == &order.state.tree.root()) throw std::invalid_argument("files cannot be at the top");
  NewContent content;
  content.blob = content_of(order);
  if (order.text.contains("client_modified")) {
    content.client_modified = parse_time(order.text.at("client_modified").get<std::string>());
  }
  Node* file = order.state.tree.child(*folder, name);
  if (file == nullptr) {
    file = &create_file(order.state, order.user, *folder, name, std::move(content));
  } else if (file->folder) {
    throw std::invalid_argument(name + " is a folder");
  } else {
    add_version(order.state, order.user, *file, std::move(content));
  }
  return order.shown(*file);
}

json make_dir(const Order& order) {
  const std::string path = order.text.at("path");
  if (find_path(order.state, order.user, path) != nullptr)
    throw std::invalid_argument(path + " exists");
  const auto [parent, name] = place(order, path);
  return order.shown(create_folder(order.state, order.user, *parent, name));
}

json remove(const Order& order) {
  delete_node(order.state, order.user, order.node());
  return json::object();
}

json purge(const Order& order) {
  Node& node = order.node();
  if (!node.deleted) delete_node(order.state, order.user, node);
  purge_node(order.state, order.user, node);
  return json::object();
}

void refuse_clash(const Order& order, const Node& parent, const std::string& name,
                  const Node& self) {
  const Node* other = order.state.tree.child(parent, name);
  if (other != nullptr && other != &self) throw std::invalid_argument(name + " exists");
}

json recover(const Order& order) {
  Node& node = order.node();
  refuse_clash(order, *node.parent, node.name, node);
  recover_node(order.state, order.user, node);
  return order.shown(node);
}

json rename(const Order& order) {
  Node& node = order.node();
  const std::string name = order.text.at("name");
  refuse_clash(order, *node.parent, name, node);
  rename_node(order.state, order.user, node, name);
  return order.shown(node);
}

json move(const Order& order) {
  Node& node = order.node();
  Node* to = find_path(order.state, order.user, order.text.at("to").get<std::string>());
  if (to == nullptr || !to->folder) throw std::invalid_argument("no such folder");
  if (Tree::is_below(*to, node)) throw std::invalid_argument("a folder does not move into itself");
  refuse_clash(order, *to, node.name, node);
  move_node(order.state, order.user, node, *to);
  return order.shown(node);
}

json promote(const Order& order) {
  Node& node = order.node();
  const std::string version = order.text.at("version");
  for (std::size_t i = 0; i < node.versions.size(); ++i) {
    if (node.versions[i].id == version) {
      promote_version(order.state, order.user, node, i);
      return order.shown(node);
    }
  }
  throw std::invalid_argument("no such version");
}

json lock_file(const Order& order, bool locked) {
  Node& node = order.node();
  if (node.folder) throw std::invalid_argument("not a file");
  set_lock(order.state, order.user, node, locked);
  return order.shown(node);
}

json share(const Order& order) {
  Node& node = order.node();
  const User* member = order.state.find_user(order.text.at("with").get<std::string>());
  if (member == nullptr) throw std::invalid_argument("no such user");
  const std::string name = order.text.at("role");
  Role role = Role::kNone;
  if (name != "none") {
    const RoleInfo* info = find_role(name, node.type());
    if (info == nullptr) throw std::invalid_argument("no such role");
    role = info->role;
  }
  set_role(order.state, order.user, node, *member, role);
  return order.shown(node);
}

json fill(const Order& order) {
  const std::string path = order.text.at("path");
  Node* folder = find_path(order.state, order.user, path);
  if (folder == nullptr) {
    const auto [parent, name] = place(order, path);
    folder = &create_folder(order.state, order.user, *parent, name);
  }
  const auto count = order.text.at("count").get<std::size_t>();
  const std::string prefix = order.text.value("prefix", "f");
  const auto size = order.text.value("size", std::size_t{0});
  const auto blob = std::make_shared<Blob>(std::string(size, 'x'));  // one for all of them
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = fmt::format("{}{:06}", prefix, i);
    if (order.state.tree.child(*folder, name) != nullptr)
      throw std::invalid_argument(name + " exists");
    NewContent content;
    content.blob = blob;
    create_file(order.state, order.user, *folder, name, std::move(content));
  }
  return order.shown(*folder);
}

}  // namespace

json act_as(State& state, const json& text) {
  static const std::map<std::string, json (*)(const Order&)> kOperations = {
      {"put", put},
      {"mkdir", make_dir},
      {"delete", remove},
      {"purge", purge},
      {"recover", recover},
      {"rename", rename},
      {"move", move},
      {"promote", promote},
      {"lock", [](const Order& order) { return lock_file(order, true); }},
      {"unlock", [](const Order& order) { return lock_file(order, false); }},
      {"share", share},
      {"fill", fill},
  };
  const auto found = kOperations.find(text.at("op").get<std::string>());
  if (found == kOperations.end()) throw std::invalid_argument("no such op");
  return found->second({state, admin_user(state, text), text});
}

}  // namespace cabinetfs::sandbox::kiteworks
