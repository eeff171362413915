#pragma once

#include "cache/volume_core.h"

namespace cabinetfs {

// Takes the server's lock for a change that is made here (RemoteEntry::lock_to_write). That it was
// taken is stored before the server is asked, so that it is given back whatever happens then; the
// reconciler does that when the change has arrived and nobody writes. The object as the server has
// it now, or its error.
Result<RemoteEntry> take_write_lock(VolumeCore& core, const CallContext& call, InodeNumber ino,
                                    const RemoteId& id);
// Gives it up, with what it was taken for, unless somebody else has it by now. The object as the
// server has it then.
Result<RemoteEntry> give_up_write_lock(VolumeCore& core, const CallContext& call,
                                       const RemoteId& id);

}  // namespace cabinetfs
