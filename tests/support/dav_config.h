#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/dav_servers.h"

namespace cabinetfs {

// What the two servers need to know to be started.
struct DavPlace {
  std::filesystem::path run_dir;    // config, logs, locks
  std::filesystem::path directory;  // what is served
  std::uint16_t port = 0;
  std::string ready_path;  // answers without credentials, and only on this very server
};

std::filesystem::path dav_program(DavServer::Kind kind);  // empty: not installed
std::filesystem::path dav_modules(DavServer::Kind kind);  // the directory; empty: not installed
// Writes the files of the configuration and returns the command line that serves in the foreground.
std::vector<std::string> configure_dav(DavServer::Kind kind, const DavServerOptions& options,
                                       const DavPlace& place);

}  // namespace cabinetfs
