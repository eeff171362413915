#pragma once

#include <string>

#include "tools/sandbox/http/message.h"
#include "tools/sandbox/powerfolder/errors.h"
#include "tools/sandbox/powerfolder/settings.h"
#include "tools/sandbox/powerfolder/state.h"

namespace cabinetfs::sandbox::powerfolder {

// One authenticated request, while State::mutex is held.
struct Call {
  State& state;
  const Settings& settings;
  Request& request;
  User& user;
};

// What the account sees at the top of /webdav, by age.
std::vector<Folder*> visible_folders(const Call& call);
// Throws HttpError 403, or 404 for a folder that the account must not know of.
void need(const Call& call, const Folder& folder, Permission permission);

Response error_response(const Settings& settings, const HttpError& error);

}  // namespace cabinetfs::sandbox::powerfolder
