#pragma once

#include "tools/sandbox/kiteworks/content.h"
#include "tools/sandbox/kiteworks/jwt.h"
#include "tools/sandbox/kiteworks/names.h"
#include "tools/sandbox/kiteworks/oauth.h"
#include "tools/sandbox/kiteworks/state.h"

// What the sandbox has already and what is no vendor's: text, random numbers, ranges of a content.

namespace cabinetfs::sandbox::kenesto {

using kiteworks::base64_decode;
using kiteworks::base64_encode;
using kiteworks::fold_name;
using kiteworks::mime_of;
using kiteworks::random_hex;
using kiteworks::send_blob;
using kiteworks::stable_id;  // a GUID that is always the same for the same text

}  // namespace cabinetfs::sandbox::kenesto
