#pragma once

#include "cache/volume_core.h"

namespace cabinetfs {

// For stores whose ids are places (Capabilities::ids_follow_path): a rename or move gives a new id
// to the object and to all that is below it. Two rules keep every id that is sent true: nothing is
// asked about an object while its own place, or a folder's above it, is being changed or is not
// known after a lost answer; and no place is changed while anything below it is in flight.

// Whose answer has to be taken in before the server can be asked about `node`, by any of the ids
// that this needs: its own, its target folder's, its base's. None: nobody's.
Result<InodeNumber> moving_for(VolumeCore& core, Tree::Txn& txn, const NodeRecord& node);
// The same for one object itself and the folders above it.
Result<InodeNumber> moving_at(VolumeCore& core, Tree::Txn& txn, InodeNumber ino);
// Somebody in flight who needs this object's id, or one below it.
Result<InodeNumber> in_flight_by_way_of(VolumeCore& core, Tree::Txn& txn, InodeNumber ino);

// The rows below `top`, shown or not, and what stands on an object there, when its id goes from one
// to another; inside the transaction that gives `top` its own.
Result<void> rebase_rows(VolumeCore& core, Tree::Txn& txn, InodeNumber top, const RemoteId& from,
                         const RemoteId& to);
// Afterwards, with no lock held: the open files.
Result<void> rebase_files(VolumeCore& core, const RemoteId& from, const RemoteId& to);

}  // namespace cabinetfs
