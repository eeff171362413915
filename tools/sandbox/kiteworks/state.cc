#include "tools/sandbox/kiteworks/state.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/names.h"

namespace cabinetfs::sandbox::kiteworks {
namespace {

std::string format_uuid(std::uint64_t high, std::uint64_t low) {
  high = (high & ~0xF000ULL) | 0x4000ULL;
  low = (low & ~(0xC000ULL << 48U)) | (0x8000ULL << 48U);
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32U, high >> 16U & 0xFFFFU,
                     high & 0xFFFFU, low >> 48U, low & 0xFFFFFFFFFFFFULL);
}

Millis modified_of(const struct stat& info) {
  return Millis{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1000000;
}

class Loader {
 public:
  Loader(State& state, const User& owner, std::filesystem::path root)
      : state_(state), settings_(state.settings.get()), owner_(owner), root_(std::move(root)) {}

  std::size_t run() {
    Node* my_folder = state_.tree.find(owner_.syncdir_id);
    std::set<std::string> seen = {"my folder", "my tray"};
    for (const auto& entry : std::filesystem::directory_iterator(root_)) {
      if (!seen.insert(fold_name(entry.path().filename().string())).second) {
        ++skipped_;
      } else if (entry.is_directory()) {
        if (Node* folder = add_folder(entry, state_.tree.root())) {
          state_.tree.set_member(*folder, owner_.id, Role::kOwner);
          walk(entry.path(), *folder);
        }
      } else {
        add_file(entry, *my_folder);
      }
    }
    state_.tree.sort_children(state_.tree.root());
    state_.tree.sort_children(*my_folder);
    return skipped_;
  }

 private:
  void walk(const std::filesystem::path& dir, Node& parent) {
    std::set<std::string> seen;
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      if (!seen.insert(fold_name(entry.path().filename().string())).second) {
        ++skipped_;  // differs from a sibling only in case
      } else if (entry.is_directory() && !entry.is_symlink()) {
        if (Node* folder = add_folder(entry, parent)) walk(entry.path(), *folder);
      } else {
        add_file(entry, parent);
      }
    }
    state_.tree.sort_children(parent);
  }

  std::unique_ptr<Node> make(const std::filesystem::directory_entry& entry, Millis modified) {
    auto node = std::make_unique<Node>();
    node->name = entry.path().filename().string();
    if (name_error(node->name, *settings_) != nullptr) {
      ++skipped_;
      return nullptr;
    }
    node->id = stable_id(entry.path().lexically_relative(root_).string());
    node->created = node->modified = modified;
    node->creator_id = node->modifier_id = owner_.id;
    return node;
  }

  Node* add_folder(const std::filesystem::directory_entry& entry, Node& parent) {
    struct stat info {};
    if (::stat(entry.path().c_str(), &info) != 0) return nullptr;
    auto node = make(entry, modified_of(info));
    if (!node) return nullptr;
    node->folder = true;
    return &state_.tree.add_unsorted(std::move(node), parent);
  }

  void add_file(const std::filesystem::directory_entry& entry, Node& parent) {
    struct stat info {};
    if (::stat(entry.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
      ++skipped_;
      return;
    }
    auto node = make(entry, modified_of(info));
    if (!node) return;
    Version version;
    version.id = stable_id(node->id + "/1");
    version.name = node->name;
    version.mime = mime_of(node->name);
    version.user_id = version.charged_to = owner_.id;
    version.created = node->modified;
    version.client_modified = node->modified / 1000 * 1000;
    version.blob =
        std::make_shared<Blob>(std::filesystem::absolute(entry.path()), info.st_size, false);
    state_.used[owner_.id] += info.st_size;
    node->versions.push_back(std::move(version));
    state_.tree.add_unsorted(std::move(node), parent);
  }

  State& state_;
  const std::shared_ptr<const Settings> settings_;
  const User& owner_;
  const std::filesystem::path root_;
  std::size_t skipped_ = 0;
};

}  // namespace

std::string State::new_id() { return format_uuid(random(), random()); }

User* State::find_user(std::string_view id_or_email) const {
  const std::string folded = fold_name(id_or_email);
  for (const auto& user : users) {
    if (user->id == id_or_email || fold_name(user->email) == folded) return user.get();
  }
  return nullptr;
}

User& State::add_user(const std::string& email, const std::string& name,
                      const std::string& password) {
  auto user = std::make_unique<User>();
  user->id = stable_id("user " + email);
  user->email = email;
  user->name = name;
  user->password = password;
  user->created = now_ms();
  user->basedir_id = stable_id("basedir " + email);
  const auto system_folder = [&](const char* folder_name, Special special) {
    auto node = std::make_unique<Node>();
    node->id = stable_id(std::string(folder_name) + " " + email);
    node->name = folder_name;
    node->folder = true;
    node->special = special;
    node->created = node->modified = user->created;
    node->creator_id = node->modifier_id = user->id;
    node->members[user->id] = Role::kOwner;
    return tree.add(std::move(node), tree.root()).id;
  };
  user->syncdir_id = system_folder("My Folder", Special::kSyncDir);
  user->mydir_id = system_folder("My Tray", Special::kMyDir);
  users.push_back(std::move(user));
  return *users.back();
}

std::string stable_id(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_md5(), nullptr);
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, digest.data(), sizeof high);
  std::memcpy(&low, digest.data() + sizeof high, sizeof low);
  return format_uuid(high, low);
}

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

}  // namespace cabinetfs::sandbox::kiteworks
