#pragma once

#include <memory>
#include <string>

#include "backend/remote_store.h"

namespace cabinetfs {

// A store whose root is a folder of another one: `cabinetfs mount work:/Projects/Apollo`. `inner`
// outlives it. The folder is looked up by name at each root(), so that it may be replaced by
// another of that name; kNotFound when it is not there, kNotDirectory when it is a file.
std::unique_ptr<RemoteStore> make_rooted_store(RemoteStore& inner, const std::string& folder);

}  // namespace cabinetfs
