#pragma once

#include "tools/sandbox/powerfolder/call.h"

namespace cabinetfs::sandbox::powerfolder {

// Folder ids in paths are base64 for URLs.
std::string path_id(const std::string& id);

Response api_folders(Call& call);
// /api/folders/<id in base64>
Response api_folder(Call& call);
// /api/files/<id in base64>[/<path>]
Response api_files(Call& call);
Response api_accounts(Call& call);

}  // namespace cabinetfs::sandbox::powerfolder
