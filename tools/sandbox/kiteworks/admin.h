#pragma once

#include <nlohmann/json_fwd.hpp>

namespace cabinetfs::sandbox {
class Router;
}

namespace cabinetfs::sandbox::kiteworks {

struct OAuthClient;
struct State;

// The vendor's part of /_admin; README.md describes it.
void add_admin_routes(State& state, Router& admin);

// Throws std::invalid_argument for an unknown key.
void change_client(OAuthClient& client, const nlohmann::json& changes);

// POST /_admin/as. Under State::mutex; throws std::invalid_argument.
nlohmann::json act_as(State& state, const nlohmann::json& order);

}  // namespace cabinetfs::sandbox::kiteworks
