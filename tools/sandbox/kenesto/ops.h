#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/sandbox/kenesto/model.h"
#include "tools/sandbox/kenesto/settings.h"

namespace cabinetfs::sandbox::kenesto {

struct State;
struct User;

// What can be done to an account. Names, clashes and rights have been checked by the caller. All
// under State::mutex.
Node& create_folder(State& state, const User& actor, Node& parent, const std::string& name,
                    bool vault);
// An empty `id` is a new one.
Node& create_document(State& state, const User& actor, Node& parent, const std::string& name,
                      std::shared_ptr<Blob> blob, std::string id = {});
void add_version(State& state, const User& actor, Node& document, std::shared_ptr<Blob> blob,
                 std::string id = {});
void rename_node(State& state, const User& actor, Node& node, const std::string& name);
void set_current(State& state, const User& actor, Node& document, std::size_t index,
                 const Settings& settings);
void delete_document(State& state, Node& document, const Settings& settings);
void delete_folder(State& state, Node& folder, const Settings& settings);
void check_out(const User& actor, Node& document);
// An empty comment leaves the version's own.
void check_in(State& state, const User& actor, Node& document, const std::string& comment);

void discard_check_out(State& state, Node& document);

void record(State& state, const User& actor, Node& document, const char* event, std::string value,
            bool view = false);

// Ends what was only still listed, once its time has come; `all`: at once.
void settle(State& state, bool all);
// Folders and documents as a listing shows them, unsorted: lingering ones included, at the root
// also what others have shared, unless `only_own`.
std::vector<Node*> children_of(State& state, const User& user, const Node& folder, bool only_own);

}  // namespace cabinetfs::sandbox::kenesto
