#include "tools/sandbox/kiteworks/wire.h"

#include <fmt/format.h>

#include <cctype>
#include <ctime>
#include <nlohmann/json.hpp>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/settings.h"
#include "tools/sandbox/kiteworks/state.h"

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

json optional_time(const std::optional<Millis>& time, const Settings& settings) {
  return time ? json(format_time(*time, settings)) : json(nullptr);
}

json dlp_status(const Node& file) {
  return file.forced_dlp.empty() || file.forced_dlp == "auto" ? "allowed" : file.forced_dlp;
}

// "objectId" -> "object_id"; the number of a version is called `version` in the older spelling.
json snake_case(const json& object) {
  json out = json::object();
  for (const auto& item : object.items()) {
    std::string key;
    for (const char c : item.key()) {
      const bool upper = c >= 'A' && c <= 'Z';
      if (upper) key += '_';
      key += upper ? static_cast<char>(c - 'A' + 'a') : c;
    }
    out[key == "version_number" ? "version" : key] = item.value();
  }
  return out;
}

}  // namespace

std::string to_text(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string format_time(Millis time, const Settings& settings) {
  const std::time_t seconds = time / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     settings.timestamps);
}

std::optional<Millis> parse_time(std::string_view text) {
  const std::string copy(text);
  std::tm parts{};
  const char* rest = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  Millis millis = Millis{timegm(&parts)} * 1000;
  if (*rest == '.') {
    int scale = 100;
    for (++rest; std::isdigit(static_cast<unsigned char>(*rest)) != 0; ++rest, scale /= 10) {
      millis += (*rest - '0') * scale;
    }
  }
  const std::string zone(rest);
  if (zone == "Z") return millis;
  int hours = 0;
  int minutes = 0;
  char sign = 0;
  int used = 0;
  const bool colon = std::sscanf(zone.c_str(), "%c%2d:%2d%n", &sign, &hours, &minutes, &used) == 3;
  if (!colon && std::sscanf(zone.c_str(), "%c%2d%2d%n", &sign, &hours, &minutes, &used) != 3) {
    return std::nullopt;
  }
  if ((sign != '+' && sign != '-') || zone.size() != static_cast<std::size_t>(used))
    return std::nullopt;
  const Millis offset = (Millis{hours} * 60 + minutes) * 60'000;
  return sign == '+' ? millis - offset : millis + offset;
}

std::string av_status(const Node& file, const Version& version, const Settings& settings) {
  if (!file.forced_av.empty() && file.forced_av != "auto") return file.forced_av;
  const bool scanning = version.stored != 0 && now_ms() < version.stored + settings.scan_ms;
  return scanning ? "scanning" : "allowed";
}

Wire::Wire(State& state, const Settings& settings, const User& viewer, std::string_view with)
    : state_(state), settings_(settings), viewer_(viewer) {
  std::string name;
  for (const char c : with) {
    if (c == '(' || c == ')' || c == ',' || c == ' ') {
      if (!name.empty()) with_.insert(name);
      name.clear();
    } else {
      name += c;
    }
  }
  if (!name.empty()) with_.insert(name);
}

json Wire::node(const Node& node) { return node.folder ? folder(node) : file(node); }

void Wire::append(std::string& out, const Node& node) {
  const auto with_permissions = with_.extract("permissions");
  out += to_text(this->node(node));
  if (with_permissions.empty()) return;
  const auto [text, first] = permission_texts_.try_emplace(
      {state_.tree.role(viewer_, node), node.type(), node.special, node.secure});
  if (first) text->second = ",\"permissions\":" + to_text(permissions(node)) + "}";
  out.pop_back();
  out += text->second;
  with_.insert(with_permissions.value());
}

std::string Wire::path(const Node& node) {
  if (node.parent == nullptr || node.parent == &state_.tree.root()) return node.name;
  if (node.parent != last_parent_) {
    last_parent_ = node.parent;
    last_parent_path_ = state_.tree.role(viewer_, *node.parent) == Role::kNone
                            ? std::string()
                            : state_.tree.path_of(viewer_, *node.parent);
  }
  return last_parent_path_.empty() ? node.name : last_parent_path_ + "/" + node.name;
}

void Wire::common(json& out, const Node& node) {
  const bool top =
      node.parent == &state_.tree.root() || state_.tree.role(viewer_, *node.parent) == Role::kNone;
  bool shared = false;
  for (const Node* at = &node; at != nullptr && !shared; at = at->parent)
    shared = at->members.size() > 1;
  out["id"] = node.id;
  out["parentId"] = top ? "0" : node.parent->id;
  out["name"] = node.name;
  out["type"] = std::string(1, node.type());
  out["path"] = path(node);
  out["created"] = format_time(node.created, settings_);
  out["modified"] = format_time(node.modified, settings_);
  out["creator"] = person(node.creator_id);
  out["userId"] = node.creator_id;
  out["deleted"] = Tree::is_deleted(node);
  out["permDeleted"] = false;
  out["isShared"] = shared;
  out["secure"] = node.secure;
  out["source"] = nullptr;
  if (settings_.legacy_scalars) {
    out["expire"] = nullptr;
  } else if (node.expire.empty()) {
    out["expire"] = 0;
  } else {
    out["expire"] = node.expire;
  }
  out["permalink"] = state_.base_url + "/w/f-" + node.id;
  if (with_.count("permissions") > 0) out["permissions"] = permissions(node);
  if (with_.count("currentUserRole") > 0)
    out["currentUserRole"] = role(state_.tree.role(viewer_, node));
}

json Wire::folder(const Node& node) {
  json out = json::object();
  common(out, node);
  out["description"] = node.description;
  out["syncable"] = node.syncable;
  out["useFolderQuota"] = node.use_folder_quota;
  out["fileLifetime"] = node.file_lifetime;
  out["maxFileLifetime"] = 0;
  out["maxFolderExpiration"] = 0;
  if (with_.count("totalFilesCount") > 0) out["totalFilesCount"] = node.files.size();
  if (with_.count("totalFoldersCount") > 0) out["totalFoldersCount"] = node.folders.size();
  if (with_.count("totalMembersCount") > 0) out["totalMembersCount"] = node.members.size();
  return out;
}

json Wire::fingerprints(const Node& file, const Version& version, std::string& md5) {
  md5 = "Generating...";
  const Millis age = version.stored == 0 ? INT64_MAX : now_ms() - version.stored;
  bool with_md5 = age >= settings_.hash_ms;
  bool with_sha3 = with_md5 && (age == INT64_MAX || age >= settings_.hash_ms + settings_.sha3_ms);
  if (file.forced_hash == "ready") with_md5 = with_sha3 = true;
  if (file.forced_hash == "generating") with_md5 = with_sha3 = false;
  json list = json::array();
  std::optional<Hashes> hashes;
  if (with_md5) {
    hashes = version.blob->hashes_if_ready();
    if (!hashes) state_.hasher.request(version.blob);
  }
  if (!hashes) {
    list.push_back({{"algo", "md5"}, {"hash", md5}});
    return list;
  }
  md5 = file.forced_md5.empty() ? hashes->md5 : file.forced_md5;
  if (with_sha3 && file.forced_md5.empty()) {
    list.push_back({{"algo", "sha3-256"}, {"hash", hashes->sha3_256}});
  }
  list.push_back({{"algo", "md5"}, {"hash", md5}});
  return list;
}

json Wire::file(const Node& node) {
  json out = json::object();
  common(out, node);
  const Version& version = node.current();
  if (settings_.legacy_scalars) {
    out["size"] = std::to_string(version.blob->size());
    out["locked"] = node.lock_user_id.empty() ? 0 : 1;
  } else {
    out["size"] = version.blob->size();
    out["locked"] = !node.lock_user_id.empty();
  }
  out["lockUser"] = person(node.lock_user_id);
  out["mime"] = version.mime;
  std::string md5;
  out["fingerprints"] = fingerprints(node, version, md5);
  out["fingerprint"] = md5;
  out["clientCreated"] = optional_time(version.client_created, settings_);
  out["clientModified"] = optional_time(version.client_modified, settings_);
  out["modifier"] = person(node.modifier_id);
  out["lastModifiedBy"] = out["modifier"];
  out["safeEdit"] = {{"safeEditLocked", false}, {"user", nullptr}};
  out["avStatus"] = av_status(node, version, settings_);
  out["dlpStatus"] = dlp_status(node);
  out["adminQuarantineStatus"] = node.quarantine;
  out["tags"] = json::array();
  out["sharedBy"] = nullptr;
  out["sharedTime"] = nullptr;
  out["originalFileId"] = nullptr;
  out["pushed"] = false;
  out["overriddenExpire"] = false;
  out["wopiapp"] = nullptr;
  if (with_.count("versionsCount") > 0) out["versionsCount"] = node.versions.size();
  return out;
}

json Wire::version(const Node& file, std::size_t index) {
  const Version& version = file.versions[index];
  std::string md5;
  json list = fingerprints(file, version, md5);
  json out = {{"id", version.id},
              {"versionNumber", file.versions.size() - 1 - index},
              {"objectId", file.id},
              {"name", version.name},
              {"size", version.blob->size()},
              {"created", format_time(version.created, settings_)},
              {"deleted", false},
              {"userId", version.user_id},
              {"creator", person(version.user_id)},
              {"mime", version.mime},
              {"fingerprint", md5},
              {"fingerprintAlgo", "md5"},
              {"fingerprints", list},
              {"clientCreated", optional_time(version.client_created, settings_)},
              {"clientModified", optional_time(version.client_modified, settings_)},
              {"avStatus", av_status(file, version, settings_)},
              {"dlpStatus", dlp_status(file)},
              {"adminQuarantineStatus", file.quarantine},
              {"storageAvailable", true},
              {"tags", json::array()}};
  return settings_.snake_versions ? snake_case(out) : out;
}

json Wire::upload(const UploadSession& session) {
  const std::string prefix = settings_.upload_prefix.empty() ? "" : settings_.upload_prefix + "/";
  const std::string uri = fmt::format("{}rest/uploads/{}", prefix, session.id);
  Settings zulu = settings_;
  zulu.timestamps = "Z";
  return {{"id", session.id},
          {"userId", session.user_id},
          {"uri", uri},
          {"uploadUrl", state_.base_url + "/" + uri},
          {"totalSize", session.total_size.value_or(0)},
          {"totalChunks", session.total_chunks.value_or(0)},
          {"uploadedSize", session.content->size()},
          {"uploadedChunks", session.chunks},
          {"timestamp", format_time(session.started, zulu)},
          {"lastTimestamp", format_time(session.last, zulu)},
          {"error", "OK"},
          {"completeOk", 0},
          {"finished", false},
          {"svrUploadTime", session.last - session.started},
          {"clientName", session.filename},
          {"fileUrl", ""},
          {"location", state_.base_url.substr(state_.base_url.find("//") + 2)},
          {"replaceId", session.file_id.empty() ? json(nullptr) : json(session.file_id)},
          {"backend", "acfs"},
          {"clientCreated", optional_time(session.client_created, zulu)},
          {"clientModified", optional_time(session.client_modified, zulu)},
          {"emailId", session.mail_id.empty() ? json(nullptr) : json(session.mail_id)},
          {"requestFileId", nullptr}};
}

json Wire::me(const User& user) const {
  json out = {{"id", user.id},
              {"name", user.name},
              {"email", user.email},
              {"created", format_time(user.created, settings_)},
              {"profileIcon", user.id},
              {"userTypeId", 1},
              {"adminRoleId", 0},
              {"internal", true},
              {"active", true},
              {"verified", true},
              {"suspended", false},
              {"deleted", false},
              {"deactivated", false},
              {"extDL", false},
              {"serviceName", "kiteworks"},
              {"metadata", json::array()}};
  if (settings_.system_ids) {
    out["basedirId"] = user.basedir_id;
    out["mydirId"] = user.mydir_id;
    out["syncdirId"] = user.syncdir_id;
  }
  return out;
}

json Wire::person(const std::string& user_id) const {
  for (const auto& user : state_.users) {
    if (user->id == user_id) {
      return {{"id", user->id},
              {"name", user->name},
              {"email", user->email},
              {"profileIcon", user->id}};
    }
  }
  return nullptr;
}

json Wire::permissions(const Node& node) const {
  const Role held = state_.tree.role(viewer_, node);
  json out = json::array();
  for (const std::string& name : permission_names(node.type())) {
    bool allowed = role_allows(held, name);
    // System folders have a place of their own, whoever asks.
    if (node.special != Special::kNone &&
        (name == "folder_delete" || name == "folder_move" || name == "rename")) {
      allowed = false;
    }
    if (node.secure && name == "download") allowed = false;
    if (!allowed && settings_.denied_permissions == "omitted") continue;
    out.push_back({{"id", permission_id(name)}, {"name", name}, {"allowed", allowed}});
  }
  return out;
}

json Wire::role(Role role) const {
  const RoleInfo* info = find_role(static_cast<int>(role));
  if (info == nullptr) return nullptr;
  return {{"id", static_cast<int>(role)},
          {"name", info->name},
          {"rank", info->rank},
          {"type", std::string(1, info->type)}};
}

json Wire::member(const Node& node, const std::string& user_id, Role member_role) const {
  return {{"objectId", node.id},
          {"userId", user_id},
          {"roleId", static_cast<int>(member_role)},
          {"user", person(user_id)},
          {"role", role(member_role)},
          {"created", format_time(node.created, settings_)}};
}

json Wire::activity(const Activity& activity) {
  json object = {
      {"id", activity.node_id}, {"name", activity.node_name}, {"path", activity.node_path}};
  json data = json::object();
  if (activity.folder) {
    data["folder"] = object;
  } else {
    object["size"] = activity.size;
    if (!activity.version_id.empty()) object["file_id"] = activity.version_id;
    data["file"] = object;
  }
  const Node* parent =
      activity.ancestors.empty() ? nullptr : state_.tree.find(activity.ancestors.front());
  if (parent != nullptr && parent->special != Special::kRoot) {
    data["parent_folder"] = {{"id", parent->id},
                             {"name", parent->name},
                             {"path", state_.tree.path_of(viewer_, *parent)}};
  }
  json user = person(activity.user_id);
  if (user.is_object()) user["userId"] = user["id"];
  return {{"id", activity.id},
          {"created", format_time(activity.created, settings_)},
          {"event", activity.event},
          {"type", activity.folder ? "folder" : "file"},
          {"successful", settings_.legacy_scalars ? json(1) : json(true)},
          {"message", activity.message},
          {"user", user},
          {"permissions", json::array()},
          {"data", data}};
}

}  // namespace cabinetfs::sandbox::kiteworks
