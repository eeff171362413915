#pragma once

#include <cstdint>
#include <string>

#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/ops.h"

namespace cabinetfs::sandbox::kiteworks {

// What all ways to upload have in common. They throw ApiError.

// May `filename` be put into the folder, as a new file or as a version of the one that is there?
void check_upload_target(const Call& call, const Node& folder, const std::string& filename);
void check_new_version(const Call& call, const Node& file);
void check_upload_size(const Call& call, const Node& into, std::int64_t size);
// A version of `file`, or of the file that has the name by now, or a new file.
Node& store_upload(Call& call, Node& folder, Node* file, const std::string& filename,
                   NewContent content);
// Opens a session out of the body of the request; name and target are in `session`.
Response open_session(Call& call, UploadSession session);

}  // namespace cabinetfs::sandbox::kiteworks
