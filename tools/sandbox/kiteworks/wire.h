#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include "tools/sandbox/kiteworks/model.h"

namespace cabinetfs::sandbox::kiteworks {

struct Settings;
struct State;

std::string to_text(const nlohmann::json& value);
std::string format_time(Millis time, const Settings& settings);
// `2026-01-21T20:43:42` with `+0000`, `+00:00`, another offset, or `Z`, and optional fractions.
std::optional<Millis> parse_time(std::string_view text);

std::string av_status(const Node& file, const Version& version, const Settings& settings);

// The JSON shapes of the API, as one user sees the objects. Used under State::mutex.
class Wire {
 public:
  // `with` is the query parameter: "(permissions,path)".
  Wire(State& state, const Settings& settings, const User& viewer, std::string_view with = {});

  nlohmann::json node(const Node& node);
  // Appends what node() is as text. For long lists: what is alike in all of them is written once.
  void append(std::string& out, const Node& node);
  nlohmann::json folder(const Node& node);
  nlohmann::json file(const Node& node);
  nlohmann::json version(const Node& file, std::size_t index);
  nlohmann::json upload(const UploadSession& session);
  nlohmann::json me(const User& user) const;
  nlohmann::json person(const std::string& user_id) const;  // null if unknown
  nlohmann::json activity(const Activity& activity);
  nlohmann::json permissions(const Node& node) const;
  nlohmann::json role(Role role) const;
  nlohmann::json member(const Node& node, const std::string& user_id, Role role) const;

 private:
  void common(nlohmann::json& out, const Node& node);
  nlohmann::json fingerprints(const Node& file, const Version& version, std::string& md5);
  std::string path(const Node& node);

  State& state_;
  const Settings& settings_;
  const User& viewer_;
  std::set<std::string, std::less<>> with_;
  // The path of the folder that was asked about last: listings ask for the same one again and
  // again.
  const Node* last_parent_ = nullptr;
  std::string last_parent_path_;
  // As text, by what they depend on.
  std::map<std::tuple<Role, char, Special, bool>, std::string> permission_texts_;
};

}  // namespace cabinetfs::sandbox::kiteworks
