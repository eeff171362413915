#pragma once

#include <filesystem>

namespace cabinetfs::sandbox::kenesto {

struct State;

// Everything into `dir`/state.json; the files of the contents stay where they are. Throws
// std::runtime_error.
void save_state(State& state, const std::filesystem::path& dir);
// False if there is nothing saved there.
bool load_state(State& state, const std::filesystem::path& dir);

}  // namespace cabinetfs::sandbox::kenesto
