#pragma once

#include <nlohmann/json_fwd.hpp>

#include "tools/sandbox/powerfolder/model.h"

namespace cabinetfs::sandbox {
class Router;
}

namespace cabinetfs::sandbox::powerfolder {

struct State;

void add_admin_routes(State& state, Router& admin);

// Does what a user would do, without that user's client; under State::mutex. Throws
// std::invalid_argument, or HttpError where the server itself refuses.
nlohmann::json act_as(State& state, const nlohmann::json& order);

// For orders of /_admin. Paths are "Top/dir/name" in the eyes of the user; the first one by
// default.
User& admin_user(State& state, const nlohmann::json& order);
// Null if there is nothing.
Node* find_path(State& state, const User& user, const std::string& path);
Node& admin_node(State& state, const nlohmann::json& order);

}  // namespace cabinetfs::sandbox::powerfolder
