#include "tools/sandbox/kenesto/ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tools/sandbox/kenesto/state.h"

namespace cabinetfs::sandbox::kenesto {
namespace {

std::unique_ptr<Node> new_node(State& state, const User& actor, const std::string& name,
                               std::string id) {
  auto node = std::make_unique<Node>();
  node->id = id.empty() ? state.new_id() : std::move(id);
  node->name = name;
  node->owner_id = actor.id;
  node->created = node->modified = state.now();
  return node;
}

}  // namespace

void record(State& state, const User& actor, Node& document, const char* event, std::string value,
            bool view) {
  document.history.push_back({state.now(), actor.name, event, std::move(value), view});
}

Node& create_folder(State& state, const User& actor, Node& parent, const std::string& name,
                    bool vault) {
  auto node = new_node(state, actor, name, {});
  node->folder = true;
  node->vault = vault;
  return state.tree.add(std::move(node), parent);
}

Node& create_document(State& state, const User& actor, Node& parent, const std::string& name,
                      std::shared_ptr<Blob> blob, std::string id) {
  auto node = new_node(state, actor, name, std::move(id));
  Version version;
  version.id = node->id;  // a document is known by its first version
  version.author_id = actor.id;
  version.created = node->created;
  version.blob = std::move(blob);
  node->versions.push_back(std::move(version));
  Node& added = state.tree.add(std::move(node), parent);
  record(state, actor, added, "Create", stem_of(name));
  return added;
}

void add_version(State& state, const User& actor, Node& document, std::shared_ptr<Blob> blob,
                 std::string id) {
  const std::int64_t before = document.size();
  const std::int64_t after = blob->size();
  Version version;
  version.id = id.empty() ? state.new_id() : std::move(id);
  version.number = document.versions.back().number + 1;
  version.author_id = actor.id;
  version.created = document.modified = state.now();
  version.blob = std::move(blob);
  const bool waits = !document.holder_id.empty() && state.settings.get()->checkin_publishes;
  state.tree.add_version(document, std::move(version), !waits);
  record(state, actor, document, "Modify",
         fmt::format("Attribute: File Size; Old Value: {}; New Value: {}", before, after));
}

void rename_node(State& state, const User& actor, Node& node, const std::string& name) {
  if (!node.folder) {
    record(state, actor, node, "Modify",
           fmt::format("Attribute: Name; Old Value: {}; New Value: {}", node.name, name));
  }
  Tree::rename(node, name);
  node.modified = state.now();
}

void set_current(State& state, const User& actor, Node& document, std::size_t index,
                 const Settings& settings) {
  if (settings.set_current == "copy") {
    add_version(state, actor, document, document.versions.at(index).blob);
    return;
  }
  record(state, actor, document, "Modify",
         fmt::format("Attribute: Current Version; Old Value: {}; New Value: {}",
                     document.current().number, document.versions.at(index).number));
  document.current_index = index;
  document.modified = state.now();
}

void delete_document(State& state, Node& document, const Settings& settings) {
  if (settings.delete_archives) {
    state.tree.archive(document);
  } else {
    state.tree.purge(document);
  }
}

void delete_folder(State& state, Node& folder, const Settings& settings) {
  while (!folder.documents.empty()) delete_document(state, *folder.documents.back(), settings);
  while (!folder.folders.empty()) {
    Settings at_once = settings;  // only the top of what is deleted can still be seen
    at_once.delete_linger_ms = 0;
    delete_folder(state, *folder.folders.back(), at_once);
  }
  if (settings.delete_linger_ms == 0) {
    state.tree.purge(folder);
    return;
  }
  folder.deleted = true;
  folder.lingers_until = settings.delete_linger_ms < 0
                             ? -1
                             : state.now() + settings.delete_linger_ms * (kTicksPerSecond / 1000);
}

void check_out(const User& actor, Node& document) {
  document.holder_id = actor.id;
  document.versions_at_checkout = document.versions.size();
}

void check_in(State& state, const User& actor, Node& document, const std::string& comment) {
  if (state.settings.get()->checkin_publishes &&
      document.versions.size() > document.versions_at_checkout) {
    document.current_index = document.versions.size() - 1;
    document.modified = state.now();
  }
  document.holder_id.clear();
  if (!comment.empty()) document.versions.at(document.current_index).comment = comment;
  record(state, actor, document, "Modify",
         fmt::format("Attribute: Check In; Old Value: ; New Value: {}", comment));
}

void discard_check_out(State& state, Node& document) {
  document.holder_id.clear();
  // What nobody has seen goes with it.
  if (state.settings.get()->checkin_publishes) {
    state.tree.drop_versions(document,
                             std::min(document.versions_at_checkout, document.versions.size()));
  }
}

void settle(State& state, bool all) {
  std::vector<Node*> over;
  const Ticks now = state.now();
  for (const auto& entry : state.tree.all()) {
    Node& node = *entry.second;
    if (node.deleted && (all || (node.lingers_until >= 0 && node.lingers_until <= now))) {
      over.push_back(&node);
    }
  }
  for (Node* node : over) state.tree.purge(*node);
}

std::vector<Node*> children_of(State& state, const User& user, const Node& folder, bool only_own) {
  std::vector<Node*> over;
  const Ticks now = state.now();
  for (Node* child : folder.folders) {
    if (child->deleted && child->lingers_until >= 0 && child->lingers_until <= now) {
      over.push_back(child);
    }
  }
  for (Node* child : over) state.tree.purge(*child);
  std::vector<Node*> out(folder.folders);
  out.insert(out.end(), folder.documents.begin(), folder.documents.end());
  if (only_own) {
    std::erase_if(out, [&user](const Node* node) { return node->owner_id != user.id; });
  } else if (folder.is_root() && state.settings.get()->shared_in_root) {
    for (Node* node : shared_with(state, user)) out.push_back(node);
  }
  return out;
}

}  // namespace cabinetfs::sandbox::kenesto
