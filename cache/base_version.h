#pragma once

#include "cache/volume_core.h"

namespace cabinetfs {

// A file was changed here in part, and others have saved a newer version meanwhile: what was never
// fetched of the edited version is read by that version's own id from now on. kConflict, with a
// reason for people: the vendor keeps no versions, or none of them is it. Asks the server.
Result<void> stand_on_old_version(VolumeCore& core, const CallContext& call, InodeNumber ino);

}  // namespace cabinetfs
