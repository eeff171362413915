#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace cabinetfs::sandbox {
class Router;
}

namespace cabinetfs::sandbox::kenesto {

struct Node;
struct State;
struct User;

// The vendor's part of /_admin; README.md describes it.
void add_admin_routes(State& state, Router& admin);

// All of the following under State::mutex; they throw std::invalid_argument.

// Whom an order is about: its `user`, or the first one.
User& admin_user(State& state, const nlohmann::json& order);
// Null if there is nothing there. Paths are the user's: own things, and at the top also what others
// have shared. Of several documents of one name the one that was changed last.
Node* find_path(State& state, const User& user, const std::string& path);
// The object of an order's `id` or `path`.
Node& admin_node(State& state, const nlohmann::json& order);
// How an object stands in /_admin/tree, without hashes.
nlohmann::json node_json(const State& state, const Node& node);
// POST /_admin/as.
nlohmann::json act_as(State& state, const nlohmann::json& order);

}  // namespace cabinetfs::sandbox::kenesto
