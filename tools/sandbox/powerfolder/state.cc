#include "tools/sandbox/powerfolder/state.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <array>
#include <stdexcept>

#include "tools/sandbox/http/blob.h"

namespace cabinetfs::sandbox::powerfolder {
namespace {

constexpr std::string_view kLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

Millis modified_of(const struct stat& info) {
  return Millis{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1000000;
}

class Loader {
 public:
  explicit Loader(State& state) : state_(state), owner_(state.users.front()->id) {}

  std::size_t run(const std::filesystem::path& root) {
    const bool bracketed = state_.settings.get()->id_style == "bracketed";
    for (const auto& entry : std::filesystem::directory_iterator(root)) {
      if (!entry.is_directory()) {
        ++skipped_;
        continue;
      }
      auto folder = std::make_unique<Folder>();
      const std::string name = entry.path().filename().string();
      folder->id = bracketed ? "[" + stable_text("folder " + name, 22) + "]"
                             : stable_text("folder " + name, 20);
      folder->root = make(entry, true);
      folder->members[owner_] = Permission::kOwner;
      walk(entry.path(), *folder->root);
      state_.folders.push_back(std::move(folder));
    }
    return skipped_;
  }

 private:
  void walk(const std::filesystem::path& dir, Node& parent) {
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      const bool is_dir = entry.is_directory() && !entry.is_symlink();
      struct stat info {};
      if (::stat(entry.path().c_str(), &info) != 0 || (!is_dir && !S_ISREG(info.st_mode))) {
        ++skipped_;
        continue;
      }
      auto node = make(entry, is_dir);
      node->parent = &parent;
      if (is_dir) {
        walk(entry.path(), *node);
      } else {
        node->versions.push_back(
            {std::make_shared<Blob>(std::filesystem::absolute(entry.path()), info.st_size, false),
             node->modified, owner_});
      }
      const std::string name = node->name;
      parent.children.emplace(name, std::move(node));
    }
  }

  std::unique_ptr<Node> make(const std::filesystem::directory_entry& entry, bool dir) {
    auto node = state_.new_node(entry.path().filename().string(), dir);
    struct stat info {};
    if (::stat(entry.path().c_str(), &info) == 0)
      node->created = node->modified = modified_of(info);
    return node;
  }

  State& state_;
  const std::string owner_;
  std::size_t skipped_ = 0;
};

}  // namespace

std::string State::new_id(bool bracketed) {
  std::string out;
  for (int i = 0; i < (bracketed ? 22 : 20); ++i) out += kLetters[random() % kLetters.size()];
  return bracketed ? "[" + out + "]" : out;
}

User* State::find_user(std::string_view id_or_name) const {
  const std::string folded = fold(id_or_name);
  for (const auto& user : users) {
    if (user->id == id_or_name || fold(user->name) == folded) return user.get();
  }
  return nullptr;
}

User& State::add_user(const std::string& name, const std::string& password) {
  auto user = std::make_unique<User>();
  user->id = stable_text("user " + name, 20);
  user->name = name;
  user->password = password;
  users.push_back(std::move(user));
  return *users.back();
}

Folder* State::find_folder(std::string_view id) const {
  for (const auto& folder : folders) {
    if (folder->id == id) return folder.get();
  }
  return nullptr;
}

Folder& State::folder_of(Node& node) const {
  const Node& top = top_of(node);
  for (const auto& folder : folders) {
    if (folder->root.get() == &top) return *folder;
  }
  throw std::logic_error("a node without its folder");
}

std::unique_ptr<Node> State::new_node(const std::string& name, bool dir) {
  auto node = std::make_unique<Node>();
  node->name = name;
  node->dir = dir;
  node->id = ++last_node_id;
  node->created = node->modified = now_ms();
  return node;
}

std::string stable_text(std::string_view seed, std::size_t length) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(seed.data(), seed.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string out;
  for (std::size_t i = 0; i < length; ++i) out += kLetters[digest.at(i) % kLetters.size()];
  return out;
}

std::size_t load_directory(State& state, const std::filesystem::path& root) {
  std::error_code error;
  if (!std::filesystem::is_directory(root, error)) {
    throw std::runtime_error(fmt::format("{} is not a directory", root.string()));
  }
  try {
    return Loader(state).run(root);
  } catch (const std::filesystem::filesystem_error& failure) {
    throw std::runtime_error(failure.what());
  }
}

}  // namespace cabinetfs::sandbox::powerfolder
