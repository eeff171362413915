#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tools/sandbox/kiteworks/hasher.h"
#include "tools/sandbox/kiteworks/model.h"
#include "tools/sandbox/kiteworks/oauth.h"
#include "tools/sandbox/kiteworks/settings.h"

namespace cabinetfs::sandbox::kiteworks {

struct ContentLink {
  std::string file_id, version_id;
};

// Everything the server knows. One mutex for all of it: a request holds it while it looks and
// changes, and lets it go before content is sent. `settings` has its own.
struct State {
  std::mutex mutex;
  SettingsStore settings;

  Tree tree;
  std::vector<std::unique_ptr<User>> users;
  std::map<std::int64_t, UploadSession> uploads;
  std::deque<Activity> activities;
  std::vector<Comment> comments;
  std::vector<Mail> mails;
  std::map<std::string, ContentLink> links;
  std::map<std::string, std::int64_t> used;  // bytes by user id
  std::int64_t last_upload_id = 7000, last_activity_id = 1000, last_comment_id = 0;
  OAuth oauth;
  std::filesystem::path content_dir;
  std::string base_url;  // set when the server listens
  Hasher hasher;
  std::mt19937_64 random{std::random_device{}()};

  std::string new_id();
  User* find_user(std::string_view id_or_email) const;
  User& add_user(const std::string& email, const std::string& name, const std::string& password);
};

// A UUID that is always the same for the same text.
std::string stable_id(std::string_view text);

// Fills the account of the first user with the files of `root`; returns how many names the server
// would refuse. Throws std::runtime_error if the directory cannot be read.
std::size_t load_directory(State& state, const std::filesystem::path& root);

}  // namespace cabinetfs::sandbox::kiteworks
