#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace cabinetfs::sandbox::kiteworks {

struct Node;
struct State;
struct User;

// A live node by the path that the user sees ("Projects/a.txt"), in any case of letters; null if
// there is none.
Node* find_path(State& state, const User& user, std::string_view path);

// For orders of the administration: "user" (the first if absent), and "path" or "id". Throw
// std::invalid_argument.
User& admin_user(State& state, const nlohmann::json& order);
Node& admin_node(State& state, const nlohmann::json& order);

}  // namespace cabinetfs::sandbox::kiteworks
