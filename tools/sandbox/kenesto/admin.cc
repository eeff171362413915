#include "tools/sandbox/kenesto/admin.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/sandbox/http/router.h"
#include "tools/sandbox/kenesto/ops.h"
#include "tools/sandbox/kenesto/shared.h"
#include "tools/sandbox/kenesto/state.h"
#include "tools/sandbox/kenesto/wire.h"

namespace cabinetfs::sandbox::kenesto {

using nlohmann::json;

User& admin_user(State& state, const json& order) {
  User* user = order.contains("user") ? state.find_user(order.at("user").get<std::string>())
                                      : state.users.front().get();
  if (user == nullptr) throw std::invalid_argument("no such user");
  return *user;
}

Node* find_path(State& state, const User& user, const std::string& path) {
  if (user.organizations.empty()) return nullptr;
  Node* at = &state.root_of(user, user.organizations.front());
  for (const std::string_view part : [&path] {
         std::vector<std::string_view> parts;
         std::string_view rest = path;
         while (!rest.empty()) {
           const auto slash = rest.find('/');
           if (slash != 0) parts.push_back(rest.substr(0, slash));
           rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
         }
         return parts;
       }()) {
    Node* next = Tree::folder_named(*at, part, true);
    if (next == nullptr) next = Tree::document_named(*at, part, true);
    if (next == nullptr) next = Tree::folder_named(*at, part, false);
    if (next == nullptr) next = Tree::document_named(*at, part, false);
    if (next == nullptr && at->is_root()) {
      for (Node* node : shared_with(state, user)) {
        if (node->folded == fold_name(part)) next = node;
      }
    }
    if (next == nullptr || next->deleted) return nullptr;
    at = next;
  }
  return at;
}

Node& admin_node(State& state, const json& order) {
  Node* node = nullptr;
  if (order.contains("id")) {
    node = state.tree.find(order.at("id").get<std::string>());
  } else {
    node = find_path(state, admin_user(state, order), order.at("path").get<std::string>());
  }
  if (node == nullptr) throw std::invalid_argument("no such object");
  return *node;
}

namespace {

const char* level_name(Level level) {
  switch (level) {
    case Level::kNone:
      return "NONE";
    case Level::kView:
      return "VIEW_ONLY";
    case Level::kDownload:
      return "ALLOW_DOWNLOAD";
    case Level::kUpdate:
      return "ALLOW_UPDATE_VERSIONS";
  }
  return "";
}

std::string path_of(const Node& node) {
  if (node.is_root()) return {};
  const std::string above = path_of(*node.parent);
  return above.empty() ? node.name : above + "/" + node.name;
}

std::string email_of(const State& state, const std::string& id) {
  const User* user = state.find_user(id);
  return user == nullptr ? std::string() : user->email;
}

Response answer(const json& body, int status = 200) {
  return Response::json_text(status, body.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace

json node_json(const State& state, const Node& node) {
  json members = json::object();
  for (const auto& [user_id, grant] : node.grants) {
    std::string text = level_name(grant.level);
    if (grant.share) text += "+share";
    if (grant.upload) text += "+upload";
    members[email_of(state, user_id)] = text;
  }
  json versions = json::array();
  for (std::size_t i = 0; i < node.versions.size(); ++i) {
    const Version& version = node.versions[i];
    versions.push_back({{"id", version.id},
                        {"number", version.number},
                        {"size", version.blob->size()},
                        {"current", i == node.current_index},
                        {"user", email_of(state, version.author_id)},
                        {"comment", version.comment},
                        {"created", iso_time(version.created)}});
  }
  return {{"id", node.id},
          {"parent", node.is_root() ? "" : node.parent->id},
          {"name", node.name},
          {"path", path_of(node)},
          {"type", node.folder ? "d" : "f"},
          {"deleted", node.deleted || node.archived},
          {"owner", email_of(state, node.owner_id)},
          {"size", node.folder ? 0 : node.size()},
          {"modified", iso_time(node.modified)},
          {"description", node.description},
          {"keyword", node.keyword},
          {"versions", versions},
          {"vault", node.vault},
          {"frozen", node.frozen},
          {"link_type", node.link_type},
          {"lock_user", email_of(state, node.holder_id)},
          {"members", members}};
}

namespace {

Response tree(State& state, const Request& request) {
  const bool with_hash = request.arg_or("hash", "1") != "0";
  const bool with_deleted = request.arg_or("deleted", "true") != "false";
  json nodes = json::array();
  std::vector<std::vector<std::shared_ptr<Blob>>> blobs;
  std::vector<std::size_t> current;
  {
    const std::lock_guard lock(state.mutex);
    for (const auto& entry : state.tree.all()) {
      const Node& node = *entry.second;
      if (node.is_root() || (!with_deleted && (node.deleted || node.archived))) continue;
      nodes.push_back(node_json(state, node));
      blobs.emplace_back();
      current.push_back(node.current_index);
      for (const Version& version : node.versions) blobs.back().push_back(version.blob);
    }
  }
  // Hashing may take long, so it happens without the lock.
  for (std::size_t i = 0; with_hash && i < blobs.size(); ++i) {
    for (std::size_t v = 0; v < blobs[i].size(); ++v) {
      nodes[i]["versions"][v]["md5"] = blobs[i][v]->hashes().md5;
    }
    if (!blobs[i].empty()) nodes[i]["md5"] = nodes[i]["versions"][current[i]]["md5"];
  }
  return answer({{"nodes", nodes}});
}

Response content(State& state, const Request& request) {
  std::shared_ptr<const Blob> blob;
  std::string name;
  {
    const std::lock_guard lock(state.mutex);
    json order = json::object();
    for (const char* key : {"id", "path", "user"}) {
      if (const auto value = request.arg(key)) order[key] = *value;
    }
    const Node& node = admin_node(state, order);
    if (node.folder || node.versions.empty()) throw std::invalid_argument("it has no content");
    blob = node.current().blob;
    name = node.name;
    if (const auto number = request.arg("version")) {
      blob = nullptr;
      for (const Version& version : node.versions) {
        if (std::to_string(version.number) == *number) blob = version.blob;
      }
      if (blob == nullptr) throw std::invalid_argument("no such version");
    }
  }
  return send_blob(request, std::move(blob), name);
}

json store(const State& state) {
  const StoreFaults& faults = state.store_faults;
  return {{"credentials", faults.credentials},
          {"content_type", faults.content_type},
          {"chunked", faults.chunked},
          {"no_length", faults.no_length},
          {"unsigned_headers", faults.unsigned_headers},
          {"expired", faults.expired},
          {"bad_signature", faults.bad_signature},
          {"missing", faults.missing},
          {"urls", state.presigned.size()}};
}

json uploads(const State& state) {
  json out = json::array();
  for (const auto& entry : state.uploads) {
    const Upload& upload = entry.second;
    out.push_back({{"id", upload.id},
                   {"user", email_of(state, upload.user_id)},
                   {"name", upload.name},
                   {"folder", upload.folder_id},
                   {"base", upload.base_id},
                   {"put", upload.blob != nullptr},
                   {"size", upload.blob == nullptr ? 0 : upload.blob->size()},
                   {"completed", upload.completed}});
  }
  return {{"uploads", out}};
}

json mutations(const State& state) {
  json out = json::object();
  for (const auto& [call, targets] : state.mutations) {
    for (const auto& [target, count] : targets) {
      out[call][target] = {{"requests", count.requests}, {"effects", count.effects}};
    }
  }
  return out;
}

json organizations(const State& state) {
  json out = json::array();
  for (const Organization& one : state.organizations) {
    json users = json::array();
    for (const auto& user : state.users) {
      for (const std::string& id : user->organizations) {
        if (id == one.id) users.push_back({{"email", user->email}, {"id", user->id}});
      }
    }
    out.push_back({{"id", one.id}, {"name", one.name}, {"tenant", one.tenant}, {"users", users}});
  }
  return {{"organizations", out}};
}

json sequences(const State& state) {
  json out = json::array();
  for (const auto& entry : state.sequences) {
    const Sequence& sequence = entry.second;
    out.push_back({{"name", sequence.name},
                   {"prefix", sequence.prefix},
                   {"next", sequence.next},
                   {"current", sequence.current ? json(*sequence.current) : json(nullptr)},
                   {"locked", sequence.locked}});
  }
  return {{"sequences", out}};
}

json expire_tokens(State& state, const json& order) {
  const std::string user_id = order.contains("user") ? admin_user(state, order).id : "";
  const std::string kind = order.value("kind", "session");
  std::size_t ended = 0;
  for (auto& entry : state.sessions) {
    Session& session = entry.second;
    const char* name = session.kind == SessionKind::kLogin      ? "login"
                       : session.kind == SessionKind::kExternal ? "external"
                                                                : "session";
    if ((kind != "all" && kind != name) || (!user_id.empty() && session.user_id != user_id)) {
      continue;
    }
    session.expires = 0;
    ++ended;
  }
  return {{"ended", ended}};
}

json new_token(State& state, const json& order) {
  const User& user = admin_user(state, order);
  const Organization* organization =
      order.contains("organization")
          ? state.find_organization(order.at("organization").get<std::string>())
          : state.find_organization(user.organizations.at(0));
  if (organization == nullptr) throw std::invalid_argument("no such organization");
  const std::int64_t lifetime = order.value("lifetime", state.settings.get()->access_lifetime);
  return {{"access_token",
           state.add_session({SessionKind::kSession, user.id, organization->id, {}, 0}, lifetime)}};
}

json expire_urls(State& state, const json& order) {
  const std::string kind = order.value("kind", "all");
  if (kind != "all" && kind != "download" && kind != "upload") {
    throw std::invalid_argument("kind is all, download or upload");
  }
  std::size_t ended = 0;
  for (auto& entry : state.presigned) {
    if (kind == "all" || entry.second.upload == (kind == "upload")) {
      entry.second.forced = true;
      ++ended;
    }
  }
  return {{"ended", ended}};
}

json advance_clock(State& state, const json& order) {
  const auto seconds = order.at("advance").get<std::int64_t>();
  if (seconds < 0) throw std::invalid_argument("the clock does not go back");
  state.clock_offset += seconds * kTicksPerSecond;
  return {{"now", iso_time(state.now())}};
}

}  // namespace

void add_admin_routes(State& state, Router& admin) {
  const auto add = [&admin](const char* method, const std::string& path,
                            std::function<Response(Request&)> run) {
    admin.add(method, "/_admin/" + path, [run = std::move(run)](Request& request) {
      try {
        return run(request);
      } catch (const std::exception& error) {
        // A bad order; the reason is all that the caller needs.
        return answer({{"error", error.what()}}, 400);
      }
    });
  };
  const auto get = [&](const char* path, std::function<json(const State&)> run) {
    add("GET", path, [&state, run = std::move(run)](Request&) {
      const std::lock_guard lock(state.mutex);
      return answer(run(state));
    });
  };
  const auto post = [&](const char* path, std::function<json(State&, const json&)> run) {
    add("POST", path, [&state, run = std::move(run)](Request& request) {
      const json order = request.body.empty() ? json::object() : json::parse(request.body);
      const std::lock_guard lock(state.mutex);
      return answer(run(state, order));
    });
  };
  add("GET", "tree", [&state](Request& request) { return tree(state, request); });
  add("GET", "content", [&state](Request& request) { return content(state, request); });
  get("settings", [](const State& s) { return to_json(*s.settings.get()); });
  get("store", store);
  get("uploads", uploads);
  get("mutations", mutations);
  get("organizations", organizations);
  get("sequences", sequences);
  post("settings", [](State& s, const json& changes) {
    s.settings.change(changes);
    return to_json(*s.settings.get());
  });
  post("mutations/reset", [](State& s, const json&) {
    s.mutations.clear();
    s.store_faults = {};
    return json::object();
  });
  post("expire_tokens", expire_tokens);
  post("token", new_token);
  post("expire_urls", expire_urls);
  post("clock", advance_clock);
  post("settle", [](State& s, const json&) {
    settle(s, true);
    return json::object();
  });
  post("quota", [](State& s, const json& order) {
    admin_user(s, order).quota = order.at("bytes").get<std::int64_t>();
    return json::object();
  });
  post("as", act_as);
}

}  // namespace cabinetfs::sandbox::kenesto
