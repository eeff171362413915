#include "tools/sandbox/kiteworks/snapshot.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/jwt.h"
#include "tools/sandbox/kiteworks/state.h"

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

json time_json(const std::optional<Millis>& time) { return time ? json(*time) : json(nullptr); }

std::optional<Millis> time_from(const json& text) {
  return text.is_null() ? std::nullopt : std::optional(text.get<Millis>());
}

json blob_json(Blob& blob) {
  if (blob.in_memory()) return {{"bytes", base64_encode(blob.bytes())}};
  const bool ours = blob.owned();
  blob.keep_file();
  return {{"file", std::filesystem::absolute(blob.file()).string()},
          {"size", blob.size()},
          {"owned", ours}};
}

std::shared_ptr<Blob> blob_from(const json& text) {
  if (text.contains("bytes"))
    return std::make_shared<Blob>(base64_decode(text.at("bytes").get<std::string>()));
  return std::make_shared<Blob>(text.at("file").get<std::string>(),
                                text.at("size").get<std::int64_t>(), text.at("owned").get<bool>());
}

json node_json(const Node& node) {
  json versions = json::array();
  for (const Version& v : node.versions) {
    versions.push_back({{"id", v.id},
                        {"name", v.name},
                        {"mime", v.mime},
                        {"user", v.user_id},
                        {"note", v.note},
                        {"blob", blob_json(*v.blob)},
                        {"created", v.created},
                        {"stored", v.stored},
                        {"client_created", time_json(v.client_created)},
                        {"client_modified", time_json(v.client_modified)},
                        {"charged_to", v.charged_to}});
  }
  json members = json::object();
  for (const auto& [user_id, role] : node.members) members[user_id] = static_cast<int>(role);
  return {{"id", node.id},
          {"name", node.name},
          {"parent", node.parent->id},
          {"folder", node.folder},
          {"deleted", node.deleted},
          {"special", static_cast<int>(node.special)},
          {"created", node.created},
          {"modified", node.modified},
          {"creator", node.creator_id},
          {"modifier", node.modifier_id},
          {"description", node.description},
          {"members", members},
          {"versions", versions},
          {"lock", node.lock_user_id},
          {"av", node.forced_av},
          {"dlp", node.forced_dlp},
          {"quarantine", node.quarantine},
          {"hash", node.forced_hash},
          {"md5", node.forced_md5},
          {"secure", node.secure},
          {"syncable", node.syncable},
          {"folder_quota", node.use_folder_quota},
          {"expire", node.expire},
          {"file_lifetime", node.file_lifetime}};
}

std::unique_ptr<Node> node_from(const json& text) {
  auto node = std::make_unique<Node>();
  node->id = text.at("id");
  node->name = text.at("name");
  node->folder = text.at("folder");
  node->deleted = text.at("deleted");
  node->special = static_cast<Special>(text.at("special").get<int>());
  node->created = text.at("created");
  node->modified = text.at("modified");
  node->creator_id = text.at("creator");
  node->modifier_id = text.at("modifier");
  node->description = text.at("description");
  for (const auto& item : text.at("members").items()) {
    node->members[item.key()] = static_cast<Role>(item.value().get<int>());
  }
  for (const json& v : text.at("versions")) {
    Version version;
    version.id = v.at("id");
    version.name = v.at("name");
    version.mime = v.at("mime");
    version.user_id = v.at("user");
    version.note = v.at("note");
    version.blob = blob_from(v.at("blob"));
    version.created = v.at("created");
    version.stored = v.at("stored");
    version.client_created = time_from(v.at("client_created"));
    version.client_modified = time_from(v.at("client_modified"));
    version.charged_to = v.at("charged_to");
    node->versions.push_back(std::move(version));
  }
  node->lock_user_id = text.at("lock");
  node->forced_av = text.at("av");
  node->forced_dlp = text.at("dlp");
  node->quarantine = text.at("quarantine");
  node->forced_hash = text.at("hash");
  node->forced_md5 = text.at("md5");
  node->secure = text.at("secure");
  node->syncable = text.at("syncable");
  node->use_folder_quota = text.at("folder_quota");
  node->expire = text.at("expire");
  node->file_lifetime = text.at("file_lifetime");
  return node;
}

void save_below(const Node& node, json& out) {
  for (const auto* list : {&node.folders, &node.files, &node.trash}) {
    for (const Node* child : *list) {
      out.push_back(node_json(*child));  // a parent before its children
      save_below(*child, out);
    }
  }
}

json session_json(UploadSession& s) {
  return {{"id", s.id},
          {"user", s.user_id},
          {"filename", s.filename},
          {"folder", s.folder_id},
          {"file", s.file_id},
          {"mail", s.mail_id},
          {"note", s.note},
          {"total_size", s.total_size ? json(*s.total_size) : json(nullptr)},
          {"total_chunks", s.total_chunks ? json(*s.total_chunks) : json(nullptr)},
          {"chunks", s.chunks},
          {"last_chunk_size", s.last_chunk_size},
          {"client_created", time_json(s.client_created)},
          {"client_modified", time_json(s.client_modified)},
          {"started", s.started},
          {"last", s.last},
          {"tracking_id", s.tracking_id},
          {"content", blob_json(*s.content->finish())}};
}

UploadSession session_from(const json& text, const State& state) {
  UploadSession s;
  s.id = text.at("id");
  s.user_id = text.at("user");
  s.filename = text.at("filename");
  s.folder_id = text.at("folder");
  s.file_id = text.at("file");
  s.mail_id = text.at("mail");
  s.note = text.at("note");
  s.total_size = time_from(text.at("total_size"));
  s.total_chunks = time_from(text.at("total_chunks"));
  s.chunks = text.at("chunks");
  s.last_chunk_size = text.at("last_chunk_size");
  s.client_created = time_from(text.at("client_created"));
  s.client_modified = time_from(text.at("client_modified"));
  s.started = text.at("started");
  s.last = text.at("last");
  s.tracking_id = text.at("tracking_id");
  s.content = std::make_unique<Spool>(state.content_dir, std::size_t{64} << 10);
  s.content->append(blob_from(text.at("content"))->read_all());
  return s;
}

json activity_json(const Activity& a) {
  return {a.id,        a.created,   a.event,      a.message, a.user_id,   a.node_id,
          a.node_name, a.node_path, a.version_id, a.folder,  a.ancestors, a.size};
}

Activity activity_from(const json& text) {
  Activity a;
  a.id = text.at(0);
  a.created = text.at(1);
  a.event = text.at(2);
  a.message = text.at(3);
  a.user_id = text.at(4);
  a.node_id = text.at(5);
  a.node_name = text.at(6);
  a.node_path = text.at(7);
  a.version_id = text.at(8);
  a.folder = text.at(9);
  a.ancestors = text.at(10).get<std::vector<std::string>>();
  a.size = text.at(11);
  return a;
}

void load(State& state, const json& text) {
  state.settings.change(text.at("settings"));
  state.oauth.load(text.at("oauth"));
  for (const json& entry : text.at("users")) {
    auto user = std::make_unique<User>();
    user->id = entry.at("id");
    user->email = entry.at("email");
    user->name = entry.at("name");
    user->password = entry.at("password");
    user->created = entry.at("created");
    user->syncdir_id = entry.at("syncdir");
    user->mydir_id = entry.at("mydir");
    user->basedir_id = entry.at("basedir");
    user->quota = entry.at("quota");
    state.users.push_back(std::move(user));
  }
  std::set<Node*> parents;
  for (const json& entry : text.at("nodes")) {
    Node* parent = state.tree.find(entry.at("parent").get<std::string>());
    if (parent == nullptr) throw std::runtime_error("state.json: a node without its parent");
    state.tree.add_unsorted(node_from(entry), *parent);
    parents.insert(parent);
  }
  for (Node* parent : parents) state.tree.sort_children(*parent);
  for (const json& entry : text.at("uploads")) {
    UploadSession session = session_from(entry, state);
    const std::int64_t id = session.id;
    state.uploads.emplace(id, std::move(session));
  }
  for (const json& entry : text.at("activities")) state.activities.push_back(activity_from(entry));
  for (const json& entry : text.at("comments")) {
    Comment comment;
    comment.id = entry.at(0);
    comment.parent_id = entry.at(1);
    comment.file_id = entry.at(2);
    comment.user_id = entry.at(3);
    comment.contents = entry.at(4);
    comment.created = entry.at(5);
    comment.modified = entry.at(6);
    comment.deleted = entry.at(7);
    state.comments.push_back(std::move(comment));
  }
  for (const json& entry : text.at("mails")) {
    Mail mail;
    mail.id = entry.at(0);
    mail.sender_id = entry.at(1);
    mail.subject = entry.at(2);
    mail.body = entry.at(3);
    mail.to = entry.at(4).get<std::vector<std::string>>();
    mail.cc = entry.at(5).get<std::vector<std::string>>();
    mail.bcc = entry.at(6).get<std::vector<std::string>>();
    mail.files = entry.at(7).get<std::vector<std::string>>();
    mail.draft = entry.at(8);
    mail.date = entry.at(9);
    state.mails.push_back(std::move(mail));
  }
  state.used = text.at("used").get<std::map<std::string, std::int64_t>>();
  state.last_upload_id = text.at("last_upload_id");
  state.last_activity_id = text.at("last_activity_id");
  state.last_comment_id = text.at("last_comment_id");
}

}  // namespace

void save_state(State& state, const std::filesystem::path& dir) {
  json nodes = json::array();
  save_below(state.tree.root(), nodes);
  json users = json::array();
  for (const auto& user : state.users) {
    users.push_back({{"id", user->id},
                     {"email", user->email},
                     {"name", user->name},
                     {"password", user->password},
                     {"created", user->created},
                     {"syncdir", user->syncdir_id},
                     {"mydir", user->mydir_id},
                     {"basedir", user->basedir_id},
                     {"quota", user->quota}});
  }
  json uploads = json::array();
  for (auto& entry : state.uploads) uploads.push_back(session_json(entry.second));
  json activities = json::array();
  for (const Activity& activity : state.activities) activities.push_back(activity_json(activity));
  json comments = json::array();
  for (const Comment& c : state.comments) {
    comments.push_back(
        {c.id, c.parent_id, c.file_id, c.user_id, c.contents, c.created, c.modified, c.deleted});
  }
  json mails = json::array();
  for (const Mail& m : state.mails) {
    mails.push_back(
        {m.id, m.sender_id, m.subject, m.body, m.to, m.cc, m.bcc, m.files, m.draft, m.date});
  }
  const json all = {{"settings", to_json(*state.settings.get())},
                    {"oauth", state.oauth.save()},
                    {"users", users},
                    {"nodes", nodes},
                    {"uploads", uploads},
                    {"activities", activities},
                    {"comments", comments},
                    {"mails", mails},
                    {"used", state.used},
                    {"last_upload_id", state.last_upload_id},
                    {"last_activity_id", state.last_activity_id},
                    {"last_comment_id", state.last_comment_id}};
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

}  // namespace cabinetfs::sandbox::kiteworks
