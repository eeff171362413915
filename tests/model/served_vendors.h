#pragma once

// The servers behind served_model_server.h that have files of their own; for that one only.

#include <memory>

#include "tests/model/served_model_server.h"

namespace cabinetfs {

bool has_webdav_server();
std::unique_ptr<ServedModelServer> make_webdav_model_server();

}  // namespace cabinetfs
