#include "tools/sandbox/powerfolder/admin.h"

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/http/message.h"
#include "tools/sandbox/http/router.h"
#include "tools/sandbox/kiteworks/content.h"
#include "tools/sandbox/powerfolder/ops.h"
#include "tools/sandbox/powerfolder/state.h"

namespace cabinetfs::sandbox::powerfolder {
namespace {

using nlohmann::json;

Response answer(const json& body, int status = 200) {
  return Response::json_text(status, body.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string user_name(const State& state, const std::string& id) {
  const User* user = state.find_user(id);
  return user == nullptr ? "" : user->name;
}

json folder_json(const State& state, const Folder& folder) {
  json members = json::object();
  for (const auto& [user_id, permission] : folder.members) {
    members[user_name(state, user_id)] = permission_name(permission);
  }
  return {{"id", folder.id},
          {"name", folder.display.empty() ? folder.name() : folder.display},
          {"internal_name", folder.name()},
          {"owner", user_name(state, folder.owner())},
          {"members", members},
          {"special", folder.special}};
}

// Versions get their md5 later: hashing may take long.
struct Listed {
  json nodes = json::array();
  std::vector<std::vector<std::shared_ptr<Blob>>> blobs;
};

void list_node(const State& state, const Folder& folder, const Node& node, Listed& out) {
  json entry = {{"id", node.id},
                {"folder", folder.id},
                {"name", node.name},
                {"path", path_of(node)},
                {"type", node.dir ? "d" : "f"},
                {"owner", user_name(state, folder.owner())},
                {"deleted", false},
                {"modified", node.modified},
                {"locked", node.lock.has_value()}};
  out.blobs.emplace_back();
  if (!node.dir) {
    entry["size"] = node.size();
    json versions = json::array();
    for (std::size_t i = 0; i < node.versions.size(); ++i) {
      const Version& version = node.versions[i];
      versions.push_back({{"number", node.versions.size() - 1 - i},
                          {"size", version.blob->size()},
                          {"modified", version.modified},
                          {"user", user_name(state, version.user_id)}});
      out.blobs.back().push_back(version.blob);
    }
    entry["versions"] = versions;
  }
  out.nodes.push_back(std::move(entry));
  for (const auto& child : node.children) list_node(state, folder, *child.second, out);
}

Response tree(State& state, const Request& request) {
  Listed listed;
  json folders = json::array();
  json kept = json::array();
  {
    const std::lock_guard lock(state.mutex);
    for (const auto& folder : state.folders) {
      folders.push_back(folder_json(state, *folder));
      list_node(state, *folder, *folder->root, listed);
    }
    for (const auto& folder : state.kept) kept.push_back(folder_json(state, *folder));
  }
  if (request.arg_or("hash", "1") != "0") {
    for (std::size_t i = 0; i < listed.blobs.size(); ++i) {
      const auto& blobs = listed.blobs[i];
      json& node = listed.nodes[i];
      for (std::size_t v = 0; v < blobs.size(); ++v) {
        node["versions"][v]["md5"] = blobs[v]->hashes().md5;
      }
      if (!blobs.empty()) node["md5"] = node["versions"].back()["md5"];
    }
  }
  return answer({{"folders", folders}, {"kept", kept}, {"nodes", listed.nodes}});
}

Response content(State& state, const Request& request) {
  const std::lock_guard lock(state.mutex);
  json order = {{"path", request.arg_or("path", "")}};
  if (const auto user = request.arg("user")) order["user"] = *user;
  const Node& file = admin_node(state, order);
  if (file.dir) throw std::invalid_argument("not a file");
  const std::size_t number = std::stoul(request.arg_or("version", "0"));
  if (number >= file.versions.size()) throw std::invalid_argument("no such version");
  return kiteworks::send_blob(request, file.versions[file.versions.size() - 1 - number].blob,
                              file.name);
}

Response actions(State& state) {
  const std::lock_guard lock(state.mutex);
  return answer({{"actions", state.actions},
                 {"content_range_puts", state.content_range_puts},
                 {"truncated_puts", state.truncated_puts},
                 {"empty_listings_served", state.empty_served}});
}

Response change_settings(State& state, const json& changes) {
  state.settings.change(changes);
  if (changes.contains("empty_listings")) {
    const std::lock_guard lock(state.mutex);
    state.empty_served = 0;
  }
  return answer(to_json(*state.settings.get()));
}

Response expire_tokens(State& state, const json& order) {
  const std::lock_guard lock(state.mutex);
  const std::string user_id = order.contains("user") ? admin_user(state, order).id : "";
  state.auth.expire(user_id, order.value("login", true), order.value("access", true),
                    order.value("refresh", false));
  return answer(json::object());
}

Response new_token(State& state, const json& order) {
  const std::lock_guard lock(state.mutex);
  const auto settings = state.settings.get();
  const User& user = admin_user(state, order);
  const std::int64_t lifetime = order.value("lifetime", settings->access_lifetime);
  const TokenPair pair = state.auth.issue(
      user.id, lifetime, order.value("refresh_lifetime", settings->refresh_lifetime));
  return answer({{"access_token", pair.access},
                 {"refresh_token", pair.refresh},
                 {"login_token", state.auth.issue_login(user.id, lifetime)}});
}

Response change_account(State& state, const json& order) {
  const std::lock_guard lock(state.mutex);
  User& user = admin_user(state, order);
  if (order.contains("bytes")) user.quota = order.at("bytes").get<std::int64_t>();
  if (order.contains("password")) user.password = order.at("password").get<std::string>();
  if (order.contains("admin")) user.admin = order.at("admin").get<bool>();
  if (order.value("unlock", false)) user.failures = 0;
  return answer({{"name", user.name}, {"quota", user.quota}, {"failures", user.failures}});
}

Response settle(State& state) {
  const std::lock_guard lock(state.mutex);
  for (const auto& folder : state.folders) {
    folder->dav_from = folder->api_from = folder->old_name_until = 0;
  }
  state.ghosts.clear();
  state.settled = now_ms();
  return answer(json::object());
}

}  // namespace

User& admin_user(State& state, const json& order) {
  if (!order.contains("user")) return *state.users.front();
  User* user = state.find_user(order.at("user").get<std::string>());
  if (user == nullptr) throw std::invalid_argument("no such user");
  return *user;
}

Node* find_path(State& state, const User& user, const std::string& path) {
  Node* at = nullptr;
  bool top = true;
  for (const std::string& part : split_path(percent_encode(path, "-._~/"))) {
    if (top) {
      for (const auto& folder : state.folders) {
        if (at == nullptr && folder->name() == part && folder->of(user.id) >= Permission::kRead) {
          at = folder->root.get();
        }
      }
      top = false;
    } else {
      const auto found = at->children.find(part);
      at = found == at->children.end() ? nullptr : found->second.get();
    }
    if (at == nullptr) return nullptr;
  }
  return at;
}

Node& admin_node(State& state, const json& order) {
  Node* node = find_path(state, admin_user(state, order), order.at("path").get<std::string>());
  if (node == nullptr) throw std::invalid_argument("no such file or directory");
  return *node;
}

void add_admin_routes(State& state, Router& admin) {
  const auto guarded = [](std::function<Response(Request&)> run) {
    return [run = std::move(run)](Request& request) {
      try {
        return run(request);
      } catch (const std::exception& error) {
        return answer({{"error", error.what()}}, 400);  // a bad order; the reason is all it takes
      }
    };
  };
  const auto get = [&](const char* path, std::function<Response(Request&)> run) {
    admin.add("GET", path, guarded(std::move(run)));
  };
  const auto post = [&](const char* path, std::function<Response(State&, const json&)> run) {
    admin.add("POST", path, guarded([&state, run = std::move(run)](Request& request) {
                return run(state,
                           request.body.empty() ? json::object() : json::parse(request.body));
              }));
  };
  get("/_admin/tree", [&state](Request& request) { return tree(state, request); });
  get("/_admin/content", [&state](Request& request) { return content(state, request); });
  get("/_admin/actions", [&state](Request&) { return actions(state); });
  get("/_admin/settings", [&state](Request&) { return answer(to_json(*state.settings.get())); });
  post("/_admin/settings", change_settings);
  post("/_admin/expire_tokens", expire_tokens);
  post("/_admin/token", new_token);
  post("/_admin/account", change_account);
  post("/_admin/quota", change_account);
  post("/_admin/settle", [](State& s, const json&) { return settle(s); });
  post("/_admin/as", [](State& s, const json& order) {
    const std::lock_guard lock(s.mutex);
    return answer(act_as(s, order));
  });
}

}  // namespace cabinetfs::sandbox::powerfolder
