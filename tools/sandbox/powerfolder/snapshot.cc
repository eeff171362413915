#include "tools/sandbox/powerfolder/snapshot.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/jwt.h"
#include "tools/sandbox/powerfolder/ops.h"
#include "tools/sandbox/powerfolder/state.h"

namespace cabinetfs::sandbox::powerfolder {
namespace {

using nlohmann::json;

json blob_json(Blob& blob) {
  if (blob.in_memory()) return {{"bytes", kiteworks::base64_encode(blob.bytes())}};
  const bool ours = blob.owned();
  blob.keep_file();
  return {{"file", std::filesystem::absolute(blob.file()).string()},
          {"size", blob.size()},
          {"owned", ours}};
}

std::shared_ptr<Blob> blob_from(const json& text) {
  if (text.contains("bytes")) {
    return std::make_shared<Blob>(kiteworks::base64_decode(text.at("bytes").get<std::string>()));
  }
  return std::make_shared<Blob>(text.at("file").get<std::string>(),
                                text.at("size").get<std::int64_t>(), text.at("owned").get<bool>());
}

json node_json(const Node& node) {
  json versions = json::array();
  for (const Version& version : node.versions) {
    versions.push_back({{"blob", blob_json(*version.blob)},
                        {"modified", version.modified},
                        {"user", version.user_id}});
  }
  json children = json::array();
  for (const auto& child : node.children) children.push_back(node_json(*child.second));
  json out = {{"name", node.name},    {"id", node.id},           {"revision", node.revision},
              {"dir", node.dir},      {"created", node.created}, {"modified", node.modified},
              {"versions", versions}, {"children", children}};
  if (node.lock) {
    out["lock"] = {{"token", node.lock->token}, {"user", node.lock->user_id},
                   {"owner", node.lock->owner}, {"expires", node.lock->expires},
                   {"deep", node.lock->deep},   {"editor", node.lock->editor}};
  }
  return out;
}

std::unique_ptr<Node> node_from(const json& text) {
  auto node = std::make_unique<Node>();
  node->name = text.at("name");
  node->id = text.at("id");
  node->revision = text.at("revision");
  node->dir = text.at("dir");
  node->created = text.at("created");
  node->modified = text.at("modified");
  for (const json& version : text.at("versions")) {
    node->versions.push_back(
        {blob_from(version.at("blob")), version.at("modified"), version.at("user")});
  }
  if (text.contains("lock")) {
    const json& saved = text.at("lock");
    Lock lock;
    lock.token = saved.at("token");
    lock.user_id = saved.at("user");
    lock.owner = saved.at("owner");
    lock.expires = saved.at("expires");
    lock.deep = saved.at("deep");
    lock.editor = saved.at("editor");
    node->lock = lock;
  }
  for (const json& child : text.at("children")) attach(node_from(child), *node);
  return node;
}

json folder_json(const Folder& folder) {
  json members = json::object();
  for (const auto& [user_id, permission] : folder.members) {
    members[user_id] = static_cast<int>(permission);
  }
  return {{"id", folder.id},
          {"display", folder.display},
          {"members", members},
          {"special", folder.special},
          {"root", node_json(*folder.root)}};
}

std::unique_ptr<Folder> folder_from(const json& text) {
  auto folder = std::make_unique<Folder>();
  folder->id = text.at("id");
  folder->display = text.at("display");
  folder->special = text.at("special");
  for (const auto& item : text.at("members").items()) {
    folder->members[item.key()] = static_cast<Permission>(item.value().get<int>());
  }
  folder->root = node_from(text.at("root"));
  return folder;
}

json all_of(const std::vector<std::unique_ptr<Folder>>& folders) {
  json out = json::array();
  for (const auto& folder : folders) out.push_back(folder_json(*folder));
  return out;
}

void load(State& state, const json& text) {
  state.settings.change(text.at("settings"));
  state.auth.load(text.at("auth"));
  for (const json& saved : text.at("users")) {
    auto user = std::make_unique<User>();
    user->id = saved.at("id");
    user->name = saved.at("name");
    user->password = saved.at("password");
    user->quota = saved.at("quota");
    user->admin = saved.at("admin");
    state.users.push_back(std::move(user));
  }
  for (const json& saved : text.at("folders")) state.folders.push_back(folder_from(saved));
  for (const json& saved : text.at("kept")) state.kept.push_back(folder_from(saved));
  state.last_node_id = text.at("last_node_id");
}

}  // namespace

void save_state(State& state, const std::filesystem::path& dir) {
  json users = json::array();
  for (const auto& user : state.users) {
    users.push_back({{"id", user->id},
                     {"name", user->name},
                     {"password", user->password},
                     {"quota", user->quota},
                     {"admin", user->admin}});
  }
  const json all = {{"settings", to_json(*state.settings.get())},
                    {"auth", state.auth.save()},
                    {"users", users},
                    {"folders", all_of(state.folders)},
                    {"kept", all_of(state.kept)},
                    {"last_node_id", state.last_node_id}};
  const auto fresh = dir / "state.json.new";
  {
    std::ofstream out(fresh, std::ios::trunc);
    std::filesystem::permissions(
        fresh, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    out << all.dump(-1, ' ', false, json::error_handler_t::replace);
    if (!out.flush()) throw std::runtime_error("cannot write " + fresh.string());
  }
  std::filesystem::rename(fresh, dir / "state.json");
}

bool load_state(State& state, const std::filesystem::path& dir) {
  std::ifstream in(dir / "state.json");
  if (!in) return false;
  try {
    load(state, json::parse(in));
  } catch (const json::exception& error) {
    throw std::runtime_error(fmt::format("{}: {}", (dir / "state.json").string(), error.what()));
  }
  return true;
}

}  // namespace cabinetfs::sandbox::powerfolder
