#pragma once

#include <filesystem>

namespace cabinetfs::sandbox::kiteworks {

struct State;

// The whole state as `state.json`; contents that are in files of `dir` stay where they are and
// outlive the process. Under State::mutex. Throws std::runtime_error.
void save_state(State& state, const std::filesystem::path& dir);
// False if there is none. Throws std::runtime_error if it cannot be read.
bool load_state(State& state, const std::filesystem::path& dir);

}  // namespace cabinetfs::sandbox::kiteworks
