#include "tools/sandbox/kenesto/state.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "tools/sandbox/kenesto/names.h"
#include "tools/sandbox/kenesto/shared.h"

namespace cabinetfs::sandbox::kenesto {

Ticks State::now() {
  const Ticks clock = std::chrono::duration_cast<std::chrono::nanoseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                              .count() /
                          100 +
                      clock_offset;
  last_now_ = std::max(clock, last_now_ + 1);
  return last_now_;
}

std::string State::new_id() { return stable_id(fmt::format("{:x}{:x}", random(), random())); }

std::string State::new_token(std::size_t bytes) {
  if (bytes % 3 == 0) ++bytes;  // else there would be no '='
  for (;;) {
    std::string raw(bytes, '\0');
    for (char& c : raw) c = static_cast<char>(random());
    std::string token = base64_encode(raw);
    if (token.find('+') != std::string::npos && token.find('/') != std::string::npos) return token;
  }
}

User* State::find_user(std::string_view id_or_email) const {
  const std::string folded = fold_name(id_or_email);
  for (const auto& user : users) {
    if (user->id == id_or_email || fold_name(user->email) == folded) return user.get();
  }
  return nullptr;
}

Organization* State::find_organization(std::string_view id_or_name) {
  for (Organization& organization : organizations) {
    if (organization.id == id_or_name || organization.name == id_or_name) return &organization;
  }
  return nullptr;
}

User& State::add_user(const std::string& email, const std::string& name,
                      const std::string& password, std::vector<std::string> organization_ids) {
  auto user = std::make_unique<User>();
  user->id = stable_id("user " + email);
  user->email = email;
  user->name = name;
  user->password = password;
  user->organizations = std::move(organization_ids);
  users.push_back(std::move(user));
  return *users.back();
}

Node& State::root_of(const User& user, const std::string& organization_id) {
  const std::string id = stable_id("root " + user.id + " " + organization_id);
  if (Node* known = tree.find(id)) return *known;
  auto root = std::make_unique<Node>();
  root->id = id;
  root->name = "Root";
  root->folder = true;
  root->owner_id = user.id;
  root->organization_id = organization_id;
  root->created = root->modified = now();
  return tree.add_root(std::move(root));
}

std::string State::add_session(Session session, std::int64_t lifetime_seconds) {
  const std::string token = new_token();
  session.expires = now() + lifetime_seconds * kTicksPerSecond;
  sessions.emplace(token, std::move(session));
  return token;
}

const Session* State::find_session(std::string_view token) {
  const auto found = sessions.find(token);
  return found == sessions.end() || found->second.expires <= now() ? nullptr : &found->second;
}

Rights rights_of(const User& user, const Node& node) {
  Rights out;
  Level level = Level::kNone;
  for (const Node* at = &node; at != nullptr; at = at->parent) {
    if (at->owner_id == user.id) return {true, true, true, true, true, true};
    const auto found = at->grants.find(user.id);
    if (found == at->grants.end()) continue;
    level = std::max(level, found->second.level);
    out.share |= found->second.share;
    out.upload |= found->second.upload;
  }
  out.view = level >= Level::kView || out.upload;
  out.download = level >= Level::kDownload;
  out.update = level >= Level::kUpdate;
  return out;
}

std::vector<Node*> shared_with(const State& state, const User& user) {
  std::vector<Node*> out;
  for (Node* node : state.tree.shared()) {
    if (node->archived || node->is_root() || node->grants.count(user.id) == 0) continue;
    // What is inside a folder that is visible anyway is found there.
    if (!rights_of(user, *node).view || rights_of(user, *node->parent).view) continue;
    out.push_back(node);
  }
  std::sort(out.begin(), out.end(), [](const Node* a, const Node* b) {
    return a->folded != b->folded ? a->folded < b->folded : a->id < b->id;
  });
  return out;
}

bool is_external(const Node& node, const std::string& organization_id) {
  return Tree::root_of(node).organization_id != organization_id;
}

std::int64_t used_by(const State& state, const User& user) {
  std::int64_t used = 0;
  for (const auto& entry : state.tree.all()) {
    const Node& node = *entry.second;
    if (node.folder || node.owner_id != user.id) continue;
    for (const Version& version : node.versions) used += version.blob->size();
  }
  return used;
}

namespace {

class Loader {
 public:
  Loader(State& state, const User& owner, std::filesystem::path root)
      : state_(state), settings_(state.settings.get()), owner_(owner), root_(std::move(root)) {}

  std::size_t run() {
    walk(root_, state_.root_of(owner_, owner_.organizations.front()));
    return skipped_;
  }

 private:
  void walk(const std::filesystem::path& dir, Node& parent) {
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      struct stat info {};
      const bool readable = ::stat(entry.path().c_str(), &info) == 0;
      const bool folder = readable && S_ISDIR(info.st_mode) && !entry.is_symlink();
      auto node = std::make_unique<Node>();
      node->name = entry.path().filename().string();
      if ((!folder && (!readable || !S_ISREG(info.st_mode))) ||
          !name_error(node->name, *settings_).empty()) {
        ++skipped_;
        continue;
      }
      node->id = stable_id(entry.path().lexically_relative(root_).string());
      node->folder = folder;
      node->owner_id = owner_.id;
      node->created = node->modified =
          Ticks{info.st_mtim.tv_sec} * kTicksPerSecond + info.st_mtim.tv_nsec / 100;
      if (folder) {
        walk(entry.path(), state_.tree.add_unsorted(std::move(node), parent));
        continue;
      }
      Version version;
      version.id = node->id;
      version.author_id = owner_.id;
      version.created = node->modified;
      version.blob =
          std::make_shared<Blob>(std::filesystem::absolute(entry.path()), info.st_size, false);
      node->history.push_back({node->created, owner_.name, "Create", stem_of(node->name), false});
      node->versions.push_back(std::move(version));
      state_.tree.add_unsorted(std::move(node), parent);
    }
    Tree::sort_children(parent);
  }

  State& state_;
  const std::shared_ptr<const Settings> settings_;
  const User& owner_;
  const std::filesystem::path root_;
  std::size_t skipped_ = 0;
};

}  // namespace

std::size_t load_directory(State& state, const std::filesystem::path& root) {
  std::error_code error;
  if (!std::filesystem::is_directory(root, error)) {
    throw std::runtime_error(fmt::format("{} is not a directory", root.string()));
  }
  try {
    return Loader(state, *state.users.front(), root).run();
  } catch (const std::filesystem::filesystem_error& failure) {
    throw std::runtime_error(failure.what());
  }
}

}  // namespace cabinetfs::sandbox::kenesto
