#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tools/sandbox/powerfolder/auth.h"
#include "tools/sandbox/powerfolder/model.h"
#include "tools/sandbox/powerfolder/settings.h"

namespace cabinetfs::sandbox::powerfolder {

// Everything the server knows. One mutex for all of it: a request holds it while it looks and
// changes, and lets it go before content is sent. `settings` has its own.
struct State {
  std::mutex mutex;
  SettingsStore settings;

  std::vector<std::unique_ptr<User>> users;
  std::vector<std::unique_ptr<Folder>> folders;  // by age
  std::vector<std::unique_ptr<Folder>> kept;     // deleted, but not their data
  std::vector<Ghost> ghosts;
  Auth auth;
  std::map<std::string, std::int64_t> actions;  // calls of /api: "POST folders.create" -> how many
  std::int64_t content_range_puts = 0, truncated_puts = 0, empty_served = 0, last_node_id = 0;
  Millis settled = 0;  // what is older is seen by all views
  std::filesystem::path content_dir;
  std::string base_url;  // set when the server listens
  std::mt19937_64 random{std::random_device{}()};

  std::string new_id(bool bracketed);
  User* find_user(std::string_view id_or_name) const;
  User& add_user(const std::string& name, const std::string& password);
  Folder* find_folder(std::string_view id) const;
  Folder& folder_of(Node& node) const;
  std::unique_ptr<Node> new_node(const std::string& name, bool dir);
};

// Text of letters and digits that is always the same for the same `seed`.
std::string stable_text(std::string_view seed, std::size_t length);

// Fills the account of the first user with the files of `root`; returns how many things it leaves
// out: files at the top, where there are folders only, and what is neither file nor directory.
// Throws std::runtime_error if the directory cannot be read.
std::size_t load_directory(State& state, const std::filesystem::path& root);

}  // namespace cabinetfs::sandbox::powerfolder
