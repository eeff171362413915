#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "backend/base/error.h"
#include "backend/remote_types.h"
#include "cache/inode.h"

namespace cabinetfs {

// An immutable content at the server: one version of one file. What block files are cached under.
struct ContentKey {
  RemoteId file;
  VersionId version;  // empty = the version that was current while `validator` held
  Validator validator;
  std::uint64_t size = 0;
  ContentHashes hashes;  // empty = not known
  friend bool operator==(const ContentKey&, const ContentKey&) = default;
};

enum class PinState : std::uint8_t { kInherit, kPinned, kUnpinned };
enum class SyncMode : std::uint8_t { kInherit, kLocal, kRemote };

// A change that the server, or this program, gave up on for now.
struct Failure {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::uint32_t attempts = 0;
  WallTime since{};
  WallTime next_try{};   // meaningful while !refused
  bool refused = false;  // waits for `retry`, `discard` or another change
  friend bool operator==(const Failure&, const Failure&) = default;
};

// A mutation that was sent and whose answer has not been recorded: after a restart or a lost
// answer, look before repeating.
struct Intent {
  enum class Kind : std::uint8_t { kNone, kCreateFolder, kPut, kUpload, kRename, kMove, kRemove };
  Kind kind = Kind::kNone;
  std::uint64_t generation = 0;       // content generation that was being sent
  Validator before;                   // the target's validator before sending; empty for a create
  std::uint32_t versions_before = 0;  // its version count, 0 = not known
  std::uint64_t size = 0;
  std::string md5;  // of the content sent, lower-case hex
  WallTime modified{};
  // Of a create: where it was sent to. The node may be renamed or deleted before the look.
  InodeNumber folder;
  std::string name;  // the server's spelling
  std::optional<UploadSession> session;
  friend bool operator==(const Intent& a, const Intent& b) {
    return a.kind == b.kind && a.generation == b.generation && a.before == b.before &&
           a.size == b.size;
  }
};

// Where a rename or move was sent to, when its answer has not been recorded. Besides the intent: a
// content may be waiting for its look at the same time.
struct SentPlace {
  InodeNumber folder;
  std::string name;  // the server's spelling
  // Where this changes validators: the version that `remote` told of. Empty: not known.
  VersionId version;
};

// Where an object stood on the server before the first of several renames and moves that bring it
// to its new place was sent: it goes back there when a later one is refused.
struct FirstPlace {
  InodeNumber folder;
  std::string name;  // the server's spelling
  friend bool operator==(const FirstPlace&, const FirstPlace&) = default;
};

// Everything that is stored of one node: what the server last told (`remote`), what this mount
// shows, and what is still to be told to the server. Plain data; the tree is its only writer.
struct NodeRecord {
  InodeNumber ino;
  NodeKind kind = NodeKind::kFile;

  // Confirmed. nullopt: the server has never had it (or has lost it, when `deleted_remotely` turned
  // an edit into a create).
  std::optional<RemoteEntry> remote;
  InodeNumber remote_parent;  // the node whose remote id is remote->parent

  // Shown.
  InodeNumber parent;  // none for the root and for a node that is gone from the tree
  std::string name;    // as POSIX programs see it
  std::uint64_t size = 0;
  WallTime mtime{}, atime{}, ctime{}, btime{};
  std::optional<std::uint32_t> mode;          // permission bits set by chmod, 07777
  bool times_local = false;                   // mtime was set here and is not the server's
  std::map<std::string, std::string> xattrs;  // of other programs
  std::optional<std::string> description;     // to be sent

  // To be told to the server.
  bool deleted = false;          // not shown any more; the remote object is still to be removed
  bool content_dirty = false;    // `staged` is newer than the server
  std::uint64_t generation = 0;  // counts commits of `staged`
  std::uint64_t uploaded_generation = 0;  // the last one that the server has
  std::string staged;              // StagedContent's record; empty when the content is the remote's
  std::optional<ContentKey> base;  // what stands under the staged ranges
  Validator base_validator;        // remote->validator when the edit began (lost updates)
  // What the server told of the base then: by these its version is found below newer ones.
  WallTime base_modified{};
  std::uint32_t base_version = 0;  // its number, 0 = not told
  bool upload_soon = false;        // fsync, or the user asked: do not wait for the quiet time
  WallTime changed_at{};           // of the last local change, for the quiet time
  Intent intent;
  std::optional<SentPlace> sent_place;
  std::optional<FirstPlace> first_place;
  std::optional<Failure> failure;
  std::string conflict;  // told in user.cabinet.state until the next clean change

  // Folders.
  WallTime listed_at{};  // zero: the children are not all known
  bool listed = false;

  PinState pin = PinState::kInherit;
  SyncMode sync = SyncMode::kInherit;
  // The server's lock was taken for a change made here (RemoteEntry::lock_to_write) and is given
  // back when that has arrived.
  bool lock_taken = false;

  // The server does not agree yet with what is shown.
  bool dirty() const {
    return deleted || content_dirty || !remote || description.has_value() || moved() ||
           sent_place.has_value();
  }
  // Name or folder differ from the server's. `remote_name_shown` is how remote->name is shown here.
  bool moved() const {
    return remote.has_value() && parent && (renamed || parent != remote_parent);
  }
  bool renamed = false;  // the shown name is not the one that stands for remote->name
};

// A node as it was at one moment; never changed, replaced by a newer one.
using NodePtr = std::shared_ptr<const NodeRecord>;

}  // namespace cabinetfs
