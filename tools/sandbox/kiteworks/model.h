#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/roles.h"

namespace cabinetfs::sandbox::kiteworks {

// Times are milliseconds since 1970 (UTC) everywhere in the model.
using Millis = std::int64_t;
Millis now_ms();

struct Version {
  std::string id, name, mime, user_id, note;
  std::shared_ptr<Blob> blob;
  Millis created = 0;
  Millis stored = 0;  // when its scan and its hashing began; 0 for what was there from the start
  std::optional<Millis> client_created, client_modified;
  std::string charged_to;  // user whose quota it uses
};

enum class Special { kNone, kRoot, kSyncDir, kMyDir };

// A folder or a file. Owned by the Tree; nodes point at each other freely while they are in it.
struct Node {
  std::string id, name, folded;
  Node* parent = nullptr;  // null only for the root above all top folders
  bool folder = false, deleted = false;
  Special special = Special::kNone;
  Millis created = 0, modified = 0;
  std::string creator_id, modifier_id, description;
  std::map<std::string, Role> members;  // user id -> role, given here (not inherited)

  // Files
  std::vector<Version> versions;  // oldest first; the last is the current one
  std::string lock_user_id;       // empty: not locked
  std::string forced_av, forced_dlp, quarantine = "allowed", forced_hash, forced_md5;

  // Folders
  bool secure = false, syncable = false, use_folder_quota = false;
  std::string expire;  // empty: never
  std::int64_t file_lifetime = 0;
  std::vector<Node*> folders, files;  // live children, by folded name
  std::vector<Node*> trash;           // deleted children, by time of deletion

  char type() const { return folder ? 'd' : 'f'; }
  const Version& current() const { return versions.back(); }
  Version& current() { return versions.back(); }
};

struct User {
  std::string id, email, name, password;
  Millis created = 0;
  std::string syncdir_id, mydir_id, basedir_id;
  std::int64_t quota = 0;  // bytes; 0 = unlimited
};

struct UploadSession {
  std::int64_t id = 0;
  std::string user_id, filename, folder_id, file_id, mail_id, note;
  std::optional<std::int64_t> total_size, total_chunks;
  std::int64_t chunks = 0, last_chunk_size = 0;
  std::optional<Millis> client_created, client_modified;
  Millis started = 0, last = 0;
  std::unique_ptr<Spool> content;
  std::string tracking_id;
};

struct Activity {
  std::int64_t id = 0;
  Millis created = 0;
  std::string event, message, user_id, node_id, node_name, node_path, version_id;
  bool folder = false;
  std::vector<std::string> ancestors;  // folder ids, nearest first, at the time of the event
  std::int64_t size = 0;
  std::string detail;
};

struct Comment {
  std::int64_t id = 0, parent_id = 0;
  std::string file_id, user_id, contents;
  Millis created = 0, modified = 0;
  bool deleted = false;
};

struct Mail {
  std::string id, sender_id, subject, body;
  std::vector<std::string> to, cc, bcc, files;  // `files`: node ids
  bool draft = true;
  Millis date = 0;
};

// Names and places of all nodes. Not thread-safe.
class Tree {
 public:
  Tree();
  ~Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  Node& root() { return *root_; }
  Node* find(std::string_view id);
  const std::unordered_map<std::string, std::unique_ptr<Node>>& all() const { return nodes_; }

  // Live child of that name, folder or file.
  Node* child(const Node& parent, std::string_view name) const;
  // Puts a new node, whose id, name and kind are set, below its parent.
  Node& add(std::unique_ptr<Node> node, Node& parent);
  // As add(), but the children are in order only after sort_children(): for many at once.
  Node& add_unsorted(std::unique_ptr<Node> node, Node& parent);
  void sort_children(Node& parent);
  void rename(Node& node, const std::string& name);
  void move(Node& node, Node& parent, const std::string& name);
  void trash(Node& node);
  void restore(Node& node);
  // Removes the node and everything below it.
  void purge(Node& node);

  static bool is_deleted(const Node& node);                    // itself or a folder above it
  static bool is_below(const Node& node, const Node& folder);  // or is it
  Role role(const User& user, const Node& node) const;

  // What `user` sees at the top, by name.
  std::vector<Node*> top_of(const User& user, bool with_my_folder);
  // Live files that were shared singly with `user`, and are in no folder that they see.
  std::vector<Node*> shared_files_of(const User& user) const;
  // Path as `user` sees it: from the highest folder that is visible to them.
  std::string path_of(const User& user, const Node& node) const;
  // Folders from that highest one down to the node itself.
  std::vector<const Node*> chain_of(const User& user, const Node& node) const;
  void set_member(Node& node, const std::string& user_id, Role role);  // kNone removes

  // Nodes that somebody has locked. Kept apart, so that a folder's locked files are found without a
  // walk.
  std::set<Node*> locked;

 private:
  void link(Node& node);
  void unlink(Node& node);

  std::unordered_map<std::string, std::unique_ptr<Node>> nodes_;
  std::set<Node*> shared_;  // nodes that have members
  Node* root_ = nullptr;
};

}  // namespace cabinetfs::sandbox::kiteworks
