#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tools/sandbox/kenesto/state.h"

namespace cabinetfs::sandbox::kenesto {

// "2017-08-07T08:59:12.0940000Z"
std::string iso_time(Ticks time);

// Objects as one session sees them. Under State::mutex.
class Wire {
 public:
  Wire(State& state, const Settings& settings, const User& user, const std::string& organization_id,
       const std::string& token);

  nlohmann::json item(const Node& node);
  nlohmann::json version(const Node& document, const Version& version) const;
  nlohmann::json object_permissions(const Node& node) const;
  // A count as the listings tell it.
  nlohmann::json count(std::size_t number) const;
  std::string folder_id(const Node& folder) const;

 private:
  std::string external_token(const Node& node);

  State& state_;
  const Settings& settings_;
  const User& user_;
  const std::string& organization_id_;
  std::string viewer_token_;
};

}  // namespace cabinetfs::sandbox::kenesto
