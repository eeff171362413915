#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/text.h"

namespace cabinetfs {

// A string with a meaning: a RemoteId never meets a name or a path by accident.
template <class Tag>
struct Identifier {
  std::string value;
  bool empty() const { return value.empty(); }
  friend bool operator==(const Identifier&, const Identifier&) = default;
  friend auto operator<=>(const Identifier&, const Identifier&) = default;
};
using RemoteId =
    Identifier<struct RemoteIdTag>;  // opaque; unique among files and folders of one account
using VersionId = Identifier<struct VersionIdTag>;  // opaque; empty = the current version
// Opaque; two equal validators of one file mean the same content. Compared for equality only,
// stored across restarts.
using Validator = Identifier<struct ValidatorTag>;

enum class NodeKind : std::uint8_t { kFile = 0, kFolder = 1 };
struct RemoteObject {
  NodeKind kind = NodeKind::kFile;
  RemoteId id;
};

// What this account may do with an object; a set of bits.
enum class Right : std::uint16_t {
  kList = 1 << 0,
  kRead = 1 << 1,
  kWrite = 1 << 2,   // new content (a new version) of a file
  kCreate = 1 << 3,  // children in a folder
  kDelete = 1 << 4,
  kRename = 1 << 5,  // rename and move
  kShare = 1 << 6,
  kVersions = 1 << 7,
  kLock = 1 << 8,
};
class Rights {
 public:
  constexpr Rights() = default;
  constexpr explicit Rights(std::uint16_t bits) : bits_(bits) {}
  static constexpr Rights all() { return Rights(0x1ff); }
  constexpr bool has(Right right) const { return (bits_ & static_cast<std::uint16_t>(right)) != 0; }
  constexpr Rights& add(Right right) {
    bits_ = static_cast<std::uint16_t>(bits_ | static_cast<std::uint16_t>(right));
    return *this;
  }
  constexpr Rights& remove(Right right) {
    bits_ = static_cast<std::uint16_t>(bits_ & ~static_cast<std::uint16_t>(right));
    return *this;
  }
  constexpr std::uint16_t bits() const { return bits_; }
  friend constexpr bool operator==(Rights, Rights) = default;

 private:
  std::uint16_t bits_ = 0;
};
// Sorted, comma separated: "create,delete,list,...".
std::string to_string(Rights rights);

enum class AccessLevel : std::uint8_t { kNone, kView, kRead, kWrite, kManage, kOwner };
std::string_view to_string(AccessLevel level);
std::optional<AccessLevel> parse_access_level(std::string_view text);

enum class ScanState : std::uint8_t { kUnknown, kAllowed, kScanning, kRefused };
std::string_view to_string(ScanState state);

enum class LockState : std::uint8_t { kUnknown, kFree, kHeldByUs, kHeldByOther };

struct ContentHashes {
  std::string md5;       // lower-case hex, empty = not known
  std::string sha3_256;  // the same
  friend bool operator==(const ContentHashes&, const ContentHashes&) = default;
};

// A file or folder as the server last told. Fields that the server did not tell are empty.
struct RemoteEntry {
  RemoteId id;
  RemoteId parent;
  std::string name;  // the server's spelling, hostile input
  NodeKind kind = NodeKind::kFile;
  std::uint64_t size = 0;  // 0 for folders
  WallTime modified{};     // the uploader's mtime where the vendor keeps it
  WallTime changed{};      // the server's own time of the last change
  WallTime created{};
  Validator validator;  // files only
  std::optional<Rights> rights;
  ContentHashes hashes;
  ScanState scan = ScanState::kUnknown;
  LockState lock = LockState::kUnknown;
  std::string lock_holder;
  bool lock_to_write = false;       // new content is taken only from whoever holds the lock
  std::uint32_t version_count = 0;  // 0 = not told
  bool system = false;              // may not be renamed, moved or deleted by anybody
  std::string mime;
  std::string creator;
  std::string modifier;
  std::string description;
  std::vector<std::string> tags;
  std::optional<WallTime> expires;
  std::string link;  // web address for people
  friend bool operator==(const RemoteEntry&, const RemoteEntry&) = default;
};

struct RemoteVersion {
  VersionId id;
  std::uint32_t number = 0;  // 1 = the oldest, counting up; the current one has the highest
  std::uint64_t size = 0;
  WallTime modified{};
  WallTime created{};
  std::string author;
  bool current = false;
  ContentHashes hashes;
};

struct RemotePermission {
  std::string who;  // e-mail where the vendor has it
  AccessLevel level = AccessLevel::kNone;
  std::string vendor_word;
};

struct RemoteEvent {
  WallTime time{};
  std::string who;
  std::string event;
  std::string detail;
};

struct RemoteAccount {
  std::string id;
  std::string email;
  std::string name;
};

struct Quota {
  std::uint64_t used = 0;
  std::optional<std::uint64_t> total;  // nullopt = no limit
};

struct RemoteChange {
  RemoteId file;    // either may be empty
  RemoteId folder;  // the folder whose listing changed
};
struct ChangeSet {
  std::vector<RemoteChange> changes;
  std::string cursor;
  bool complete = true;  // false: the feed may have a hole; look at everything in use
};

struct ReadRequest {
  RemoteId file;
  VersionId version;  // empty = current
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t size = 0;  // of the whole version, checked against the server's answer
  // Of the content that is wanted, where the caller knows it: a store that can tell answers
  // kConflict for any other. Empty = only the size is checked.
  Validator validator{};
  // Rather kNotSupported than to receive what stands before the part, where the server turns out to
  // send whole contents only (Capabilities::ranges).
  bool part_only = false;
};

struct UploadTarget {
  RemoteId file;    // a new version of this file, or empty:
  RemoteId parent;  // a new file in this folder
  std::string name;
  WallTime modified{};  // told to the server where it keeps it
  // What `file` held when the caller last looked: a store that can tell answers kConflict when it
  // holds something else by now. Empty = whatever it holds.
  Validator before{};
};

// The content of an upload that is sent as one stream.
struct ContentSource {
  std::uint64_t size = 0;
  // Fills the buffer from the offset with exactly its size; false = cannot be read. Called from
  // one engine thread at a time, in order, from the start again when the upload is repeated.
  std::function<bool(std::uint64_t offset, MutableBytes out)> read;
};

// A running upload; plain data, stored across restarts.
struct UploadSession {
  std::string id;       // opaque
  std::string address;  // where chunks go, opaque, without credentials
  std::uint64_t size = 0;
  std::uint64_t chunk_size = 0;
  std::uint64_t next_chunk = 0;
  UploadTarget target;
};

struct Mail {
  std::vector<std::string> to, cc, bcc;
  std::string subject;
  std::string body;
  struct Attachment {
    std::string name;
    std::uint64_t size = 0;
    // Fills the buffer from the offset with exactly its size; false = cannot be read.
    std::function<bool(std::uint64_t offset, MutableBytes out)> read;
  };
  std::vector<Attachment> attachments;
  bool draft = false;
};

// What may stand in a name on the server.
struct NameRules {
  bool case_sensitive = true;
  std::string forbidden;           // single bytes that may not occur (besides '/' and NUL)
  bool control_forbidden = false;  // below 0x20 and 0x7f
  bool leading_dot_forbidden = false;
  bool trailing_dot_forbidden = false;
  bool leading_space_forbidden = false;
  bool trailing_space_forbidden = false;
  std::size_t max_characters = 255;  // Unicode code points
};

struct Capabilities {
  std::string vendor;  // "kiteworks"; shown to users, never asked by code
  NameRules names;
  bool root_takes_files = true;  // false: files cannot live directly in the root
  // False: the server sends whole contents only, and parts are cut out of them. Not always known
  // from the beginning; see RemoteStore::capabilities().
  bool ranges = true;
  bool move = true, rename = true, copy = false;
  // rename() of a file only to a name with the same extension (extension_of()).
  bool rename_keeps_extension = false;
  // rename() and move() give a file another validator although its content stays: that it is the
  // same one shows in the id of its current version.
  bool rename_changes_validator = false;
  // False: nothing moves from one top-level folder to another, to the root or out of it.
  bool move_across_top = true;
  bool versions = false, promote = false, locks = false, permissions = false, quota = false;
  bool history = false, description = false, mail = false, change_feed = false;
  bool exclusive_create = false;  // the server itself refuses a create onto an existing name
  bool conditional_write = false;
  bool mtime_at_upload = false;
  // An id says where the object stands: rename() and move() answer with a new one, and what lies
  // below a folder goes with it, as RemoteStore::rebase() computes.
  bool ids_follow_path = false;
  std::uint64_t put_max = 0;  // largest content for put(); 0 = sessions only
  bool stream_put = false;    // put_stream() takes what is larger, and there are no sessions
  std::uint64_t chunk_size = 8u << 20;
  std::uint64_t max_file_size = UINT64_MAX;
  std::size_t bulk_read_max = 0;  // files of one read_many(); 0 = not available
  std::size_t bulk_remove_max = 1;
};

// Both states of capabilities whose `ranges` may turn false later, so that references stay good.
class RangedCapabilities {
 public:
  explicit RangedCapabilities(Capabilities all) : with_(std::move(all)), without_(with_) {
    without_.ranges = false;
  }
  const Capabilities& get(bool ranges) const { return ranges ? with_ : without_; }

 private:
  Capabilities with_, without_;
};

}  // namespace cabinetfs
