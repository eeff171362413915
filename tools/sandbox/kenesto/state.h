#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tools/sandbox/kenesto/model.h"
#include "tools/sandbox/kenesto/settings.h"

namespace cabinetfs::sandbox::kenesto {

struct Organization {
  std::string id, name;
  int tenant = 0;
};

struct User {
  std::string id, email, name, password;
  std::vector<std::string> organizations;  // ids; the first is the default
  std::int64_t quota = 0;                  // bytes; 0 = unlimited
};

enum class SessionKind { kLogin, kSession, kExternal };

struct Session {
  SessionKind kind = SessionKind::kSession;
  std::string user_id, organization_id;
  std::string node_id;  // external tokens: the only object that they open
  Ticks expires = 0;
};

// An upload from UploadFile to UploadFileCompleted.
struct Upload {
  std::string id;  // also in the path
  std::string user_id, organization_id, folder_id, name, base_id, description, keyword;
  std::vector<std::string> subfolders;  // out of a path with backslashes, made at the end
  std::string path, url;                // `path` is decoded
  Ticks started = 0;
  std::shared_ptr<Blob> blob;  // null until something was put
  bool completed = false;
  std::string document_id;  // what came out of it
};

// A URL of the object store that was given out, by its signature.
struct Presigned {
  std::string path;  // decoded
  bool upload = false;
  std::string key;  // upload id or version id
  std::string user, file_name;
  std::vector<std::pair<std::string, std::string>> query;  // decoded
  std::int64_t expires = 0;                                // seconds since 1970
  bool forced = false;                                     // an admin let it expire
};

struct Sequence {
  std::string id, name, prefix;
  std::int64_t next = 1;
  std::optional<std::int64_t> current;  // none before the first value was taken
  bool locked = false;
};

struct MutationCount {
  std::int64_t requests = 0, effects = 0;
};

// What the object store was asked wrongly.
struct StoreFaults {
  std::int64_t credentials = 0, content_type = 0, chunked = 0, no_length = 0, unsigned_headers = 0,
               expired = 0, bad_signature = 0, missing = 0;
};

// Everything the server knows. One mutex for all of it: a request holds it while it looks and
// changes, and lets it go before content is sent. `settings` has its own.
struct State {
  std::mutex mutex;
  SettingsStore settings;

  Tree tree;
  std::string access_key;
  std::vector<Organization> organizations;
  std::vector<std::unique_ptr<User>> users;
  std::map<std::string, Session, std::less<>> sessions;
  std::map<std::string, Upload> uploads;
  std::map<std::string, Presigned> presigned;
  // By organization and lower-case name.
  std::map<std::pair<std::string, std::string>, Sequence> sequences;
  std::map<std::string, std::map<std::string, MutationCount>> mutations;  // by call and target
  StoreFaults store_faults;
  Ticks clock_offset = 0;
  std::filesystem::path content_dir;
  std::string base_url, content_url;  // set when the servers listen
  std::mt19937_64 random{std::random_device{}()};

  Ticks now();  // never the same twice
  std::string new_id();
  // Base64 that holds '+', '/' and '='.
  std::string new_token(std::size_t bytes = 112);

  User* find_user(std::string_view id_or_email) const;
  Organization* find_organization(std::string_view id_or_name);
  User& add_user(const std::string& email, const std::string& name, const std::string& password,
                 std::vector<std::string> organization_ids);
  // The root folder of a user in an organization; made when it is first asked for.
  Node& root_of(const User& user, const std::string& organization_id);
  std::string add_session(Session session, std::int64_t lifetime_seconds);
  // Null if there is none or its time is over.
  const Session* find_session(std::string_view token);

 private:
  Ticks last_now_ = 0;
};

// What a user may do with an object.
struct Rights {
  bool owner = false, view = false, download = false, update = false, upload = false, share = false;
};
Rights rights_of(const User& user, const Node& node);
// Shared with the user, and in no folder that they see: what stands at their top.
std::vector<Node*> shared_with(const State& state, const User& user);
// Owned in an organization other than this one.
bool is_external(const Node& node, const std::string& organization_id);
std::int64_t used_by(const State& state, const User& user);

// Fills the account of the first user with the files of `root`; returns how many names were left
// out. Throws std::runtime_error if the directory cannot be read.
std::size_t load_directory(State& state, const std::filesystem::path& root);

}  // namespace cabinetfs::sandbox::kenesto
