#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tools/sandbox/http/blob.h"

namespace cabinetfs::sandbox::kenesto {

// Times are ticks of 100 ns since 1970 (UTC) everywhere in the model, as on the wire.
using Ticks = std::int64_t;
constexpr Ticks kTicksPerSecond = 10'000'000;

// Each includes the ones before.
enum class Level { kNone, kView, kDownload, kUpdate };

// What a participant may do with an object and all below it.
struct Grant {
  Level level = Level::kNone;
  bool share = false, upload = false;
};

struct Version {
  std::string id;  // of the first one: the document's own id
  int number = 1;
  std::shared_ptr<Blob> blob;
  std::string author_id, comment;
  Ticks created = 0;
};

struct HistoryEvent {
  Ticks time = 0;
  std::string user, event, value;
  bool view = false;  // belongs to VIEW_HISTORY
};

// A folder or a document. Owned by the Tree; nodes point at each other freely while they are in it.
struct Node {
  std::string id, name, folded;  // the name of a document is its FileName
  Node* parent = nullptr;        // null only for the roots, of which each user has one
  bool folder = false;
  std::string owner_id, description, keyword;
  Ticks created = 0, modified = 0;
  std::map<std::string, Grant> grants;  // by user id, given here (not inherited)

  // Documents
  std::vector<Version> versions;  // by number; empty for an external link
  std::size_t current_index = 0;
  std::string holder_id;  // who has it checked out; empty: nobody
  std::size_t versions_at_checkout = 0;
  bool frozen = false, archived = false;
  std::string link_type;  // "DROPBOX" and the like; empty: an ordinary document
  std::int64_t link_size = 0;
  std::vector<HistoryEvent> history;

  // Folders
  std::string organization_id;  // roots only
  bool vault = false;
  bool deleted = false;                   // gone, but still listed
  Ticks lingers_until = 0;                // until then; -1: until told otherwise
  std::vector<Node*> folders, documents;  // by folded name; documents may share one

  const Version& current() const { return versions.at(current_index); }
  std::int64_t size() const { return versions.empty() ? link_size : current().blob->size(); }
  bool is_root() const { return parent == nullptr; }
};

// Names and places of all nodes. Not thread-safe.
class Tree {
 public:
  Tree() = default;
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  Node* find(std::string_view id);
  const std::unordered_map<std::string, std::unique_ptr<Node>>& all() const { return nodes_; }
  // The document that has a version of that id; null if there is none.
  Node* document_of(std::string_view version_id);

  // Child of that name; null if there is none. Lingering folders count.
  static Node* folder_named(const Node& parent, std::string_view name, bool case_sensitive);
  // Of several documents the one that was changed last.
  static Node* document_named(const Node& parent, std::string_view name, bool case_sensitive);

  Node& add_root(std::unique_ptr<Node> root);
  // Puts a new node, whose id, name and kind are set, below its parent.
  Node& add(std::unique_ptr<Node> node, Node& parent);
  // As add(), but the children are in order only after sort_children(): for many at once.
  Node& add_unsorted(std::unique_ptr<Node> node, Node& parent);
  static void sort_children(Node& parent);
  static void rename(Node& node, const std::string& name);
  // It becomes the current one unless that is not wanted yet.
  void add_version(Node& document, Version version, bool current = true);
  // Those after the first `count`.
  void drop_versions(Node& document, std::size_t count);
  void set_grant(Node& node, const std::string& user_id, const Grant& grant);
  // Out of its folder into the archive of the root above it.
  void archive(Node& document);
  void adopt_archived(std::unique_ptr<Node> document, Node& root);
  // Removes the node and everything below it.
  void purge(Node& node);

  const std::set<Node*>& shared() const { return shared_; }
  const std::vector<Node*>& archived() const { return archive_; }

  static const Node& root_of(const Node& node);
  static bool is_below(const Node& node, const Node& folder);  // or is it

 private:
  static void link(Node& node);
  static void unlink(Node& node);
  Node& take(std::unique_ptr<Node> node, Node* parent);

  std::unordered_map<std::string, std::unique_ptr<Node>> nodes_;
  std::unordered_map<std::string, Node*> by_version_;
  std::set<Node*> shared_;      // nodes that have grants
  std::vector<Node*> archive_;  // oldest first
};

// "report.tar.gz" -> "report.tar" and ".gz", as .NET splits names: ".profile" is all extension.
std::string stem_of(std::string_view file_name);
std::string extension_of(std::string_view file_name);

}  // namespace cabinetfs::sandbox::kenesto
