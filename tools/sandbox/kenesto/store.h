#pragma once

#include <string>

#include "tools/sandbox/http/server.h"
#include "tools/sandbox/kenesto/state.h"

namespace cabinetfs::sandbox::kenesto {

// A URL of the object store that is good for `lifetime` seconds. `path` is decoded. Under
// State::mutex.
std::string presign(State& state, const Settings& settings, const std::string& path, bool upload,
                    const std::string& key, const User& user, const std::string& file_name);

// The path of a URL of the store, decoded; the query does not matter.
std::string store_path(std::string_view url);

// What listens on the port of the object store. It knows presigned URLs and nothing of Kenesto.
void add_store_routes(State& state, Application& store);

}  // namespace cabinetfs::sandbox::kenesto
