#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tools/sandbox/kiteworks/model.h"

namespace cabinetfs::sandbox::kiteworks {

struct State;

struct NewContent {
  std::shared_ptr<Blob> blob;
  std::optional<Millis> client_created, client_modified;
  std::string note;
};

// What can be done to an account. Names and clashes have been checked by the caller, rights too.
// Every change is written to the activities. All under State::mutex.
Node& create_folder(State& state, const User& actor, Node& parent, const std::string& name);
Node& create_file(State& state, const User& actor, Node& parent, const std::string& name,
                  NewContent content);
void add_version(State& state, const User& actor, Node& file, NewContent content);
void rename_node(State& state, const User& actor, Node& node, const std::string& name);
void move_node(State& state, const User& actor, Node& node, Node& parent);
void delete_node(State& state, const User& actor, Node& node);
void recover_node(State& state, const User& actor, Node& node);
void purge_node(State& state, const User& actor, Node& node);
// The file takes the version's name.
void promote_version(State& state, const User& actor, Node& file, std::size_t index);
void delete_version(State& state, const User& actor, Node& file, std::size_t index);
void set_lock(State& state, const User& actor, Node& file, bool locked);
void set_role(State& state, const User& actor, Node& node, const User& member, Role role);

// A fresh name for `name` in the folder: "a.txt" -> "a (2).txt".
std::string free_name(const State& state, const Node& parent, const std::string& name);
// The user whose quota pays for what is put into the folder.
const User& payer_of(const State& state, const Node& node, const User& actor);

void record(State& state, const User& actor, const char* event, const Node& node,
            std::string message = {});

}  // namespace cabinetfs::sandbox::kiteworks
