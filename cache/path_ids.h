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

// What a confirmed rename or move has made of an object's names.
struct NewNames {
  InodeNumber ino;
  RemoteId from, to;
  // Of a file whose content is the same under another validator; empty: nothing is known of that.
  Validator was, is;
  bool any() const { return from != to || was != is; }
};

// The rows below `top`, shown or not, and what stands on an object there; inside the transaction
// that gives `top` its own. Does its work for validators where ids stay, too. Adds what the
// contents of these rows are called from now on.
Result<void> rebase_rows(VolumeCore& core, Tree::Txn& txn, InodeNumber top, const NewNames& names,
                         std::vector<ContentRename>& contents);
// Afterwards, with no lock held: the open files, and what is on this disk of those contents. A
// crash in between leaves nothing wrong behind: contents that are fetched again.
Result<void> rebase_files(VolumeCore& core, const NewNames& names,
                          const std::vector<ContentRename>& contents);

}  // namespace cabinetfs
