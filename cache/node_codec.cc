#include "cache/node_codec.h"

#include "cache/record_codec.h"

namespace cabinetfs {
namespace {

using record::Reader;
using record::Writer;

// The first byte. It changes only when old programs must not read the record.
constexpr char kVersion = 1;

// Field numbers are stored: never give one to another field.
enum NodeField : std::uint32_t {
  kIno = 1,
  kKind = 2,
  kRemote = 3,
  kRemoteParent = 4,
  kParent = 5,
  kName = 6,
  kSize = 7,
  kMtime = 8,
  kAtime = 9,
  kCtime = 10,
  kBtime = 11,
  kMode = 12,
  kFlags = 13,
  kXattr = 14,  // repeated
  kDescription = 15,
  kGeneration = 16,
  kUploadedGeneration = 17,
  kStaged = 18,
  kBase = 19,
  kBaseValidator = 20,
  kChangedAt = 21,
  kIntent = 22,
  kFailure = 23,
  kConflict = 24,
  kListedAt = 25,
  kPin = 26,
  kSync = 27,
  kLockTaken = 28,
  kSentFolder = 29,
  kSentName = 30,
  kBaseModified = 31,
  kBaseVersion = 32,
  kSentVersion = 33,
  kFirstFolder = 34,
  kFirstName = 35,
};
enum NodeFlag : std::uint64_t {
  kTimesLocal = 1,
  kDeleted = 2,
  kContentDirty = 4,
  kUploadSoon = 8,
  kListed = 16,
  kRenamed = 32,
};
enum XattrField : std::uint32_t { kXattrName = 1, kXattrValue = 2 };

using Xattr = std::pair<std::string, std::string>;
bool decode_xattr(Reader& in, Xattr& xattr) {
  while (in.next()) {
    if (in.field() == kXattrName) xattr.first = in.text();
    if (in.field() == kXattrValue) xattr.second = in.text();
  }
  return in.good();
}

// What was left out because it is the same as another field.
struct Seen {
  bool name = false, size = false, mtime = false, atime = false, ctime = false;
};

void fill_in(NodeRecord& node, const Seen& seen) {
  if (node.remote) {
    if (!seen.name) node.name = node.remote->name;
    if (!seen.size) node.size = node.remote->size;
    if (!seen.mtime) node.mtime = node.remote->modified;
  }
  if (!seen.atime) node.atime = node.mtime;
  if (!seen.ctime) node.ctime = node.mtime;
}

bool decode_fields(Reader& in, NodeRecord& node) {
  Seen seen;
  while (in.next()) {
    switch (in.field()) {
      case kIno:
        node.ino.value = in.number();
        break;
      case kKind:
        node.kind = in.one_of(NodeKind::kFolder);
        break;
      case kRemote:
        node.remote = in.nested(record::decode_entry);
        break;
      case kRemoteParent:
        node.remote_parent.value = in.number();
        break;
      case kParent:
        node.parent.value = in.number();
        break;
      case kName:
        node.name = in.text(), seen.name = true;
        break;
      case kSize:
        node.size = in.number(), seen.size = true;
        break;
      case kMtime:
        node.mtime = in.time(), seen.mtime = true;
        break;
      case kAtime:
        node.atime = in.time(), seen.atime = true;
        break;
      case kCtime:
        node.ctime = in.time(), seen.ctime = true;
        break;
      case kBtime:
        node.btime = in.time();
        break;
      case kMode:
        node.mode = in.limited<std::uint32_t>();
        break;
      case kFlags: {
        const std::uint64_t flags = in.number();
        node.times_local = (flags & kTimesLocal) != 0;
        node.deleted = (flags & kDeleted) != 0;
        node.content_dirty = (flags & kContentDirty) != 0;
        node.upload_soon = (flags & kUploadSoon) != 0;
        node.listed = (flags & kListed) != 0;
        node.renamed = (flags & kRenamed) != 0;
        break;
      }
      case kXattr:
        node.xattrs.insert(in.nested(decode_xattr));
        break;
      case kDescription:
        node.description = in.text();
        break;
      case kGeneration:
        node.generation = in.number();
        break;
      case kUploadedGeneration:
        node.uploaded_generation = in.number();
        break;
      case kStaged:
        node.staged = in.text();
        break;
      case kBase:
        node.base = in.nested(record::decode_key);
        break;
      case kBaseValidator:
        node.base_validator.value = in.text();
        break;
      case kBaseModified:
        node.base_modified = in.time();
        break;
      case kBaseVersion:
        node.base_version = in.limited<std::uint32_t>();
        break;
      case kChangedAt:
        node.changed_at = in.time();
        break;
      case kSentFolder:
        if (!node.sent_place) node.sent_place.emplace();
        node.sent_place->folder.value = in.number();
        break;
      case kSentName:
        if (!node.sent_place) node.sent_place.emplace();
        node.sent_place->name = in.text();
        break;
      case kSentVersion:
        if (!node.sent_place) node.sent_place.emplace();
        node.sent_place->version.value = in.text();
        break;
      case kFirstFolder:
        if (!node.first_place) node.first_place.emplace();
        node.first_place->folder.value = in.number();
        break;
      case kFirstName:
        if (!node.first_place) node.first_place.emplace();
        node.first_place->name = in.text();
        break;
      case kIntent:
        node.intent = in.nested(record::decode_intent);
        break;
      case kFailure:
        node.failure = in.nested(record::decode_failure);
        break;
      case kConflict:
        node.conflict = in.text();
        break;
      case kListedAt:
        node.listed_at = in.time();
        break;
      case kPin:
        node.pin = in.one_of(PinState::kUnpinned);
        break;
      case kSync:
        node.sync = in.one_of(SyncMode::kRemote);
        break;
      case kLockTaken:
        node.lock_taken = in.flag();
        break;
      default:
        break;
    }
  }
  fill_in(node, seen);
  return in.good();
}

}  // namespace

std::string encode_node(const NodeRecord& node) {
  Writer out;
  out.put(kIno, node.ino.value);
  out.put(kKind, node.kind);
  if (node.remote) out.bytes(kRemote, record::encode_entry(*node.remote));
  out.put(kRemoteParent, node.remote_parent.value);
  out.put(kParent, node.parent.value);
  // Against the values that fill_in() gives.
  static const RemoteEntry kNothing;
  const RemoteEntry& entry = node.remote ? *node.remote : kNothing;
  if (node.name != entry.name) out.bytes(kName, node.name);
  if (node.size != entry.size) out.number(kSize, node.size);
  if (node.mtime != entry.modified) out.time(kMtime, node.mtime);
  if (node.atime != node.mtime) out.time(kAtime, node.atime);
  if (node.ctime != node.mtime) out.time(kCtime, node.ctime);
  out.put(kBtime, node.btime);
  if (node.mode) out.number(kMode, *node.mode);
  std::uint64_t flags = 0;
  if (node.times_local) flags |= kTimesLocal;
  if (node.deleted) flags |= kDeleted;
  if (node.content_dirty) flags |= kContentDirty;
  if (node.upload_soon) flags |= kUploadSoon;
  if (node.listed) flags |= kListed;
  if (node.renamed) flags |= kRenamed;
  out.put(kFlags, flags);
  for (const auto& [name, value] : node.xattrs) {
    Writer xattr;
    xattr.put(kXattrName, name);
    xattr.put(kXattrValue, value);
    out.bytes(kXattr, xattr.text());
  }
  if (node.description) out.bytes(kDescription, *node.description);
  out.put(kGeneration, node.generation);
  out.put(kUploadedGeneration, node.uploaded_generation);
  out.put(kStaged, node.staged);
  if (node.base) out.bytes(kBase, record::encode_key(*node.base));
  out.put(kBaseValidator, node.base_validator.value);
  out.put(kBaseModified, node.base_modified);
  out.put(kBaseVersion, std::uint64_t{node.base_version});
  out.put(kChangedAt, node.changed_at);
  out.put(kIntent, record::encode_intent(node.intent));
  if (node.sent_place) {
    out.number(kSentFolder, node.sent_place->folder.value);
    out.bytes(kSentName, node.sent_place->name);
    if (!node.sent_place->version.empty()) out.bytes(kSentVersion, node.sent_place->version.value);
  }
  if (node.first_place) {
    out.number(kFirstFolder, node.first_place->folder.value);
    out.bytes(kFirstName, node.first_place->name);
  }
  if (node.failure) out.bytes(kFailure, record::encode_failure(*node.failure));
  out.put(kConflict, node.conflict);
  out.put(kListedAt, node.listed_at);
  out.put(kPin, node.pin);
  out.put(kSync, node.sync);
  out.put(kLockTaken, std::uint64_t{node.lock_taken});
  return kVersion + out.take();
}

Result<NodeRecord> decode_node(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != kVersion)
    return fail(ErrorCode::kCorrupt, "node record: unknown version");
  Reader in(bytes.substr(1));
  NodeRecord node;
  if (!decode_fields(in, node)) return fail(ErrorCode::kCorrupt, "node record: malformed");
  return node;
}

}  // namespace cabinetfs
