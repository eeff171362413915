#pragma once

#include "tests/model/model_world.h"

namespace cabinetfs {

// The real clients, each with a server of its vendor's habits (or a real WebDAV server) behind it:
// "kiteworks", "kenesto", "powerfolder", "webdav".
std::vector<ModelWorld> served_worlds();

}  // namespace cabinetfs
