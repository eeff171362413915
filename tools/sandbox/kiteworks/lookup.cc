#include "tools/sandbox/kiteworks/lookup.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/sandbox/kiteworks/names.h"
#include "tools/sandbox/kiteworks/state.h"

namespace cabinetfs::sandbox::kiteworks {

using nlohmann::json;

Node* find_path(State& state, const User& user, std::string_view path) {
  Node* at = nullptr;
  bool first = true;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (name.empty()) continue;
    if (first) {
      const std::string folded = fold_name(name);
      for (Node* node : state.tree.top_of(user, true)) {
        if (node->folded == folded && !Tree::is_deleted(*node)) at = node;
      }
      first = false;
    } else if (at != nullptr) {
      at = at->folder ? state.tree.child(*at, name) : nullptr;
    }
    if (at == nullptr) return nullptr;
  }
  return at;
}

User& admin_user(State& state, const json& order) {
  if (!order.contains("user")) return *state.users.front();
  User* user = state.find_user(order.at("user").get<std::string>());
  if (user == nullptr) throw std::invalid_argument("no such user");
  return *user;
}

Node& admin_node(State& state, const json& order) {
  Node* node = nullptr;
  if (order.contains("id")) {
    node = state.tree.find(order.at("id").get<std::string>());
  } else {
    node = find_path(state, admin_user(state, order), order.at("path").get<std::string>());
  }
  if (node == nullptr) throw std::invalid_argument("no such file or folder");
  return *node;
}

}  // namespace cabinetfs::sandbox::kiteworks
