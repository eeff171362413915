#pragma once

#include <filesystem>

namespace cabinetfs::sandbox::powerfolder {

struct State;

// Everything into the directory, or out of it; under State::mutex. load_state() is false if nothing
// was saved there; both throw std::runtime_error with a reason.
void save_state(State& state, const std::filesystem::path& dir);
bool load_state(State& state, const std::filesystem::path& dir);

}  // namespace cabinetfs::sandbox::powerfolder
