#include "tools/sandbox/kiteworks/admin.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/http/router.h"
#include "tools/sandbox/kiteworks/content.h"
#include "tools/sandbox/kiteworks/lookup.h"
#include "tools/sandbox/kiteworks/state.h"
#include "tools/sandbox/kiteworks/wire.h"

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

Response answer(const json& body, int status = 200) {
  return Response::json_text(status, body.dump(-1, ' ', false, json::error_handler_t::replace));
}

json time_or_null(const std::optional<Millis>& time, const Settings& settings) {
  return time ? json(format_time(*time, settings)) : json(nullptr);
}

json version_json(const State& state, const Settings& settings, const Node& node,
                  std::size_t index) {
  const Version& version = node.versions[index];
  const User* user = state.find_user(version.user_id);
  return {{"id", version.id},
          {"number", node.versions.size() - 1 - index},
          {"name", version.name},
          {"size", version.blob->size()},
          {"created", format_time(version.created, settings)},
          {"client_created", time_or_null(version.client_created, settings)},
          {"client_modified", time_or_null(version.client_modified, settings)},
          {"user", user == nullptr ? "" : user->email},
          {"note", version.note}};
}

json node_json(const State& state, const Settings& settings, const Node& node) {
  json members = json::object();
  for (const auto& [user_id, role] : node.members) {
    const User* user = state.find_user(user_id);
    const RoleInfo* info = find_role(static_cast<int>(role));
    if (user != nullptr && info != nullptr) members[user->email] = info->name;
  }
  const User* owner = nullptr;
  const Node* top = &node;
  for (; top->parent != nullptr && top->parent->parent != nullptr; top = top->parent) {
  }
  for (const auto& entry : top->members) {
    if (entry.second == Role::kOwner) owner = state.find_user(entry.first);
  }
  const User* locker = state.find_user(node.lock_user_id);
  json out = {{"id", node.id},
              {"parent", node.parent->id},
              {"name", node.name},
              {"type", std::string(1, node.type())},
              {"path", owner == nullptr ? node.name : state.tree.path_of(*owner, node)},
              {"deleted", Tree::is_deleted(node)},
              {"owner", owner == nullptr ? "" : owner->email},
              {"modified", format_time(node.modified, settings)},
              {"members", members},
              {"system", node.special != Special::kNone},
              {"lock_user", locker == nullptr ? "" : locker->email}};
  if (!node.folder) {
    out["size"] = node.current().blob->size();
    out["versions"] = json::array();
    for (std::size_t i = 0; i < node.versions.size(); ++i) {
      out["versions"].push_back(version_json(state, settings, node, i));
    }
  }
  return out;
}

Response tree(State& state, const Request& request) {
  const bool live_only = request.arg("deleted") && !request.flag("deleted");
  const bool with_hash = request.arg_or("hash", "1") != "0";
  json nodes = json::array();
  std::vector<std::vector<std::shared_ptr<Blob>>> blobs;
  {
    const std::lock_guard lock(state.mutex);
    const auto settings = state.settings.get();
    for (const auto& entry : state.tree.all()) {
      const Node& node = *entry.second;
      if (node.special == Special::kRoot || (live_only && Tree::is_deleted(node))) continue;
      nodes.push_back(node_json(state, *settings, node));
      blobs.emplace_back();
      for (const Version& version : node.versions) blobs.back().push_back(version.blob);
    }
  }
  // Hashing may take long, so it happens without the lock.
  for (std::size_t i = 0; with_hash && i < blobs.size(); ++i) {
    for (std::size_t v = 0; v < blobs[i].size(); ++v)
      nodes[i]["versions"][v]["md5"] = blobs[i][v]->hashes().md5;
    if (!blobs[i].empty()) nodes[i]["md5"] = blobs[i].back()->hashes().md5;
  }
  return answer({{"nodes", nodes}});
}

Response uploads(State& state) {
  const std::lock_guard lock(state.mutex);
  const auto settings = state.settings.get();
  json items = json::array();
  for (const auto& entry : state.uploads) {
    const User* user = state.find_user(entry.second.user_id);
    if (user != nullptr) items.push_back(Wire(state, *settings, *user).upload(entry.second));
  }
  return answer({{"uploads", items}});
}

Response expire_tokens(State& state, const json& order) {
  const std::lock_guard lock(state.mutex);
  std::string user_id;
  if (order.contains("user")) user_id = admin_user(state, order).id;
  state.oauth.expire(user_id, order.value("access", true), order.value("refresh", false));
  return answer(json::object());
}

Response new_token(State& state, const json& order) {
  const std::lock_guard lock(state.mutex);
  const auto optional = [&order](const char* key) {
    return order.contains(key) ? std::optional(order.at(key).get<std::int64_t>()) : std::nullopt;
  };
  const TokenPair pair = state.oauth.issue(admin_user(state, order).id, *state.settings.get(),
                                           optional("lifetime"), optional("refresh_lifetime"));
  return answer({{"access_token", pair.access}, {"refresh_token", pair.refresh}});
}

Response change_file(State& state, const json& order) {
  const std::lock_guard lock(state.mutex);
  Node& file = admin_node(state, order);
  if (file.folder) throw std::invalid_argument("not a file");
  const auto set = [&order](const char* key, std::string& field) {
    if (order.contains(key)) field = order.at(key).get<std::string>();
  };
  set("av", file.forced_av);
  set("dlp", file.forced_dlp);
  set("quarantine", file.quarantine);
  set("hash", file.forced_hash);
  set("md5", file.forced_md5);
  return answer(json::object());
}

Response set_quota(State& state, const json& order) {
  const std::lock_guard lock(state.mutex);
  admin_user(state, order).quota = order.at("bytes").get<std::int64_t>();
  return answer(json::object());
}

Response mails(State& state) {
  const std::lock_guard lock(state.mutex);
  const auto settings = state.settings.get();
  json out = json::array();
  for (const Mail& mail : state.mails) {
    json files = json::array();
    for (const std::string& id : mail.files) {
      const Node* file = state.tree.find(id);
      if (file == nullptr || file->folder) continue;
      files.push_back({{"id", id},
                       {"name", file->name},
                       {"size", file->current().blob->size()},
                       {"md5", file->current().blob->hashes().md5}});
    }
    const User* sender = state.find_user(mail.sender_id);
    out.push_back({{"id", mail.id},
                   {"sender", sender == nullptr ? "" : sender->email},
                   {"subject", mail.subject},
                   {"body", mail.body},
                   {"to", mail.to},
                   {"cc", mail.cc},
                   {"bcc", mail.bcc},
                   {"draft", mail.draft},
                   {"date", format_time(mail.date, *settings)},
                   {"files", files}});
  }
  return answer({{"mails", out}});
}

Response content(State& state, const Request& request) {
  const std::lock_guard lock(state.mutex);
  json order = json::object();
  for (const char* key : {"id", "path", "user"}) {
    if (const auto value = request.arg(key)) order[key] = *value;
  }
  const Node& file = admin_node(state, order);
  if (file.folder) throw std::invalid_argument("not a file");
  const std::size_t number = static_cast<std::size_t>(std::stoul(request.arg_or("version", "0")));
  if (number >= file.versions.size()) throw std::invalid_argument("no such version");
  return send_blob(request, file.versions[file.versions.size() - 1 - number].blob, file.name);
}

}  // namespace

void change_client(OAuthClient& client, const json& changes) {
  OAuthClient changed = client;
  for (const auto& item : changes.items()) {
    const std::string& key = item.key();
    const json& value = item.value();
    if (key == "id") {
      changed.id = value.get<std::string>();
    } else if (key == "secret") {
      changed.secret = value.get<std::string>();
    } else if (key == "redirect_uris") {
      changed.redirect_uris = value.get<std::vector<std::string>>();
    } else if (key == "public") {
      changed.is_public = value.get<bool>();
    } else if (key == "jwt_public_key") {
      changed.jwt_public_key = value.get<std::string>();
    } else if (key == "jwt_issuer") {
      changed.jwt_issuer = value.get<std::string>();
    } else if (key == "jwt_audience") {
      changed.jwt_audience = value.get<std::string>();
    } else {
      throw std::invalid_argument("unknown key of the client: " + key);
    }
  }
  client = changed;
}

void add_admin_routes(State& state, Router& admin) {
  const auto guarded = [](std::function<Response(Request&)> run) {
    return [run = std::move(run)](Request& request) {
      try {
        return run(request);
      } catch (
          const std::exception& error) {  // a bad order; the reason is all that the caller needs
        return answer({{"error", error.what()}}, 400);
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
  get("/_admin/uploads", [&state](Request&) { return uploads(state); });
  get("/_admin/mails", [&state](Request&) { return mails(state); });
  get("/_admin/content", [&state](Request& request) { return content(state, request); });
  get("/_admin/settings", [&state](Request&) { return answer(to_json(*state.settings.get())); });
  post("/_admin/settings", [](State& s, const json& changes) {
    s.settings.change(changes);
    return answer(to_json(*s.settings.get()));
  });
  post("/_admin/expire_tokens", expire_tokens);
  post("/_admin/token", new_token);
  post("/_admin/client", [](State& s, const json& changes) {
    const std::lock_guard lock(s.mutex);
    change_client(s.oauth.client, changes);
    return answer(json::object());
  });
  post("/_admin/file", change_file);
  post("/_admin/quota", set_quota);
  post("/_admin/as", [](State& s, const json& order) {
    const std::lock_guard lock(s.mutex);
    return answer(act_as(s, order));
  });
}

}  // namespace cabinetfs::sandbox::kiteworks
