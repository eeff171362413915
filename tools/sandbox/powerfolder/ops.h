#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tools/sandbox/powerfolder/model.h"

namespace cabinetfs::sandbox::powerfolder {

struct Settings;
struct State;

// Through which door a change came in: the others learn of it late, where the settings say so.
enum class View { kDav, kApi, kAll };

// What can be done to an account. Rights, names and clashes are checked by the caller where it is
// not said otherwise. All under State::mutex.

// A new top-level folder of that user. An empty id: a new one.
Folder& create_folder(State& state, const User& owner, const std::string& name, std::string id,
                      View by);
void delete_folder(State& state, Folder& folder, bool keep_data, View by);
// The folder's name in WebDAV and in the API.
void rename_folder(State& state, Folder& folder, const std::string& name, View by);
// A directory becomes a top-level folder of its own, or a top-level folder a directory.
Folder& lift_to_top(State& state, const User& owner, Node& dir, const std::string& name);
Node& sink_from_top(State& state, Folder& folder, Node& parent, const std::string& name);

// Child of that name, by the server's idea of case; null if there is none.
Node* child_of(const Settings& settings, const Node& parent, std::string_view name);
Node& add_dir(State& state, Node& parent, const std::string& name);
// Makes a file, or a new version of the one that is there.
Node& write_file(State& state, const User& user, Node& parent, const std::string& name,
                 std::shared_ptr<Blob> content);
void remove_node(Node& node);
void move_node(Node& node, Node& parent, const std::string& name);
// Current versions only, with ids and times of their own. `deep` false: an empty directory.
std::unique_ptr<Node> copy_of(State& state, const User& user, const Node& node,
                              const std::string& name, bool deep);
void attach(std::unique_ptr<Node> node, Node& parent);

// Throws HttpError 403.
void check_name(const Settings& settings, std::string_view name, bool at_root);
// Throws HttpError with the status for a full account.
void check_quota(const State& state, const Folder& folder, std::int64_t more);
std::int64_t used_by(const State& state, const User& user);

}  // namespace cabinetfs::sandbox::powerfolder
