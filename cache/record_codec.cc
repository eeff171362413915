#include "cache/record_codec.h"

namespace cabinetfs::record {
namespace {

// Field numbers are stored: never give one to another field.
enum EntryField : std::uint32_t {
  kEntryId = 1,
  kEntryParent = 2,
  kEntryName = 3,
  kEntryKind = 4,
  kEntrySize = 5,
  kEntryModified = 6,
  kEntryChanged = 7,
  kEntryCreated = 8,
  kEntryValidator = 9,
  kEntryRights = 10,
  kEntryMd5 = 11,
  kEntryMd5Text = 12,
  kEntrySha3 = 13,
  kEntrySha3Text = 14,
  kEntryScan = 15,
  kEntryLock = 16,
  kEntryLockHolder = 17,
  kEntryVersionCount = 18,
  kEntrySystem = 19,
  kEntryMime = 20,
  kEntryCreator = 21,
  kEntryModifier = 22,
  kEntryDescription = 23,
  kEntryTag = 24,  // repeated
  kEntryExpires = 25,
  kEntryLink = 26,
  kEntryLockToWrite = 27,
};
enum KeyField : std::uint32_t {
  kKeyFile = 1,
  kKeyVersion = 2,
  kKeyValidator = 3,
  kKeySize = 4,
  kKeyMd5 = 5,
  kKeyMd5Text = 6,
  kKeySha3 = 7,
  kKeySha3Text = 8,
};
enum IntentField : std::uint32_t {
  kIntentKind = 1,
  kIntentGeneration = 2,
  kIntentBefore = 3,
  kIntentVersionsBefore = 4,
  kIntentSize = 5,
  kIntentMd5 = 6,
  kIntentMd5Text = 7,
  kIntentModified = 8,
  kIntentSession = 9,
  kIntentFolder = 10,
  kIntentName = 11,
};
enum SessionField : std::uint32_t {
  kSessionId = 1,
  kSessionAddress = 2,
  kSessionSize = 3,
  kSessionChunkSize = 4,
  kSessionNextChunk = 5,
  kSessionTarget = 6,
};
enum TargetField : std::uint32_t {
  kTargetFile = 1,
  kTargetParent = 2,
  kTargetName = 3,
  kTargetModified = 4,
};
enum FailureField : std::uint32_t {
  kFailureCode = 1,
  kFailureMessage = 2,
  kFailureAttempts = 3,
  kFailureSince = 4,
  kFailureNextTry = 5,
  kFailureRefused = 6,
};

std::string encode_session(const UploadSession& session) {
  Writer target;
  target.put(kTargetFile, session.target.file.value);
  target.put(kTargetParent, session.target.parent.value);
  target.put(kTargetName, session.target.name);
  target.put(kTargetModified, session.target.modified);
  Writer out;
  out.put(kSessionId, session.id);
  out.put(kSessionAddress, session.address);
  out.put(kSessionSize, session.size);
  out.put(kSessionChunkSize, session.chunk_size);
  out.put(kSessionNextChunk, session.next_chunk);
  out.put(kSessionTarget, target.text());
  return out.take();
}

bool decode_target(Reader& in, UploadTarget& target) {
  while (in.next()) {
    switch (in.field()) {
      case kTargetFile:
        target.file.value = in.text();
        break;
      case kTargetParent:
        target.parent.value = in.text();
        break;
      case kTargetName:
        target.name = in.text();
        break;
      case kTargetModified:
        target.modified = in.time();
        break;
      default:
        break;
    }
  }
  return in.good();
}

bool decode_session(Reader& in, UploadSession& session) {
  while (in.next()) {
    switch (in.field()) {
      case kSessionId:
        session.id = in.text();
        break;
      case kSessionAddress:
        session.address = in.text();
        break;
      case kSessionSize:
        session.size = in.number();
        break;
      case kSessionChunkSize:
        session.chunk_size = in.number();
        break;
      case kSessionNextChunk:
        session.next_chunk = in.number();
        break;
      case kSessionTarget:
        session.target = in.nested(decode_target);
        break;
      default:
        break;
    }
  }
  return in.good();
}

}  // namespace

std::string encode_entry(const RemoteEntry& entry) {
  Writer out;
  out.put(kEntryId, entry.id.value);
  out.put(kEntryParent, entry.parent.value);
  out.put(kEntryName, entry.name);
  out.put(kEntryKind, entry.kind);
  out.put(kEntrySize, entry.size);
  out.put(kEntryModified, entry.modified);
  out.put(kEntryChanged, entry.changed);
  out.put(kEntryCreated, entry.created);
  out.put(kEntryValidator, entry.validator.value);
  if (entry.rights) out.number(kEntryRights, entry.rights->bits());
  out.hash(kEntryMd5, entry.hashes.md5);
  out.hash(kEntrySha3, entry.hashes.sha3_256);
  out.put(kEntryScan, entry.scan);
  out.put(kEntryLock, entry.lock);
  out.put(kEntryLockHolder, entry.lock_holder);
  out.put(kEntryVersionCount, std::uint64_t{entry.version_count});
  out.put(kEntrySystem, std::uint64_t{entry.system});
  out.put(kEntryMime, entry.mime);
  out.put(kEntryCreator, entry.creator);
  out.put(kEntryModifier, entry.modifier);
  out.put(kEntryDescription, entry.description);
  for (const std::string& tag : entry.tags) out.bytes(kEntryTag, tag);
  if (entry.expires) out.time(kEntryExpires, *entry.expires);
  out.put(kEntryLink, entry.link);
  out.put(kEntryLockToWrite, std::uint64_t{entry.lock_to_write});
  return out.take();
}

std::string encode_key(const ContentKey& key) {
  Writer out;
  out.put(kKeyFile, key.file.value);
  out.put(kKeyVersion, key.version.value);
  out.put(kKeyValidator, key.validator.value);
  out.put(kKeySize, key.size);
  out.hash(kKeyMd5, key.hashes.md5);
  out.hash(kKeySha3, key.hashes.sha3_256);
  return out.take();
}

std::string encode_intent(const Intent& intent) {
  Writer out;
  out.put(kIntentKind, intent.kind);
  out.put(kIntentGeneration, intent.generation);
  out.put(kIntentBefore, intent.before.value);
  out.put(kIntentVersionsBefore, std::uint64_t{intent.versions_before});
  out.put(kIntentSize, intent.size);
  out.hash(kIntentMd5, intent.md5);
  out.put(kIntentModified, intent.modified);
  if (intent.session) out.bytes(kIntentSession, encode_session(*intent.session));
  out.put(kIntentFolder, intent.folder.value);
  out.put(kIntentName, intent.name);
  return out.take();
}

std::string encode_failure(const Failure& failure) {
  Writer out;
  out.number(kFailureCode, static_cast<std::uint64_t>(failure.code));
  out.put(kFailureMessage, failure.message);
  out.put(kFailureAttempts, std::uint64_t{failure.attempts});
  out.put(kFailureSince, failure.since);
  out.put(kFailureNextTry, failure.next_try);
  out.put(kFailureRefused, std::uint64_t{failure.refused});
  return out.take();
}

bool decode_entry(Reader& in, RemoteEntry& entry) {
  while (in.next()) {
    switch (in.field()) {
      case kEntryId:
        entry.id.value = in.text();
        break;
      case kEntryParent:
        entry.parent.value = in.text();
        break;
      case kEntryName:
        entry.name = in.text();
        break;
      case kEntryKind:
        entry.kind = in.one_of(NodeKind::kFolder);
        break;
      case kEntrySize:
        entry.size = in.number();
        break;
      case kEntryModified:
        entry.modified = in.time();
        break;
      case kEntryChanged:
        entry.changed = in.time();
        break;
      case kEntryCreated:
        entry.created = in.time();
        break;
      case kEntryValidator:
        entry.validator.value = in.text();
        break;
      case kEntryRights:
        entry.rights = Rights(in.limited<std::uint16_t>());
        break;
      case kEntryMd5:
        entry.hashes.md5 = in.hash();
        break;
      case kEntryMd5Text:
        entry.hashes.md5 = in.text();
        break;
      case kEntrySha3:
        entry.hashes.sha3_256 = in.hash();
        break;
      case kEntrySha3Text:
        entry.hashes.sha3_256 = in.text();
        break;
      case kEntryScan:
        entry.scan = in.one_of(ScanState::kRefused);
        break;
      case kEntryLock:
        entry.lock = in.one_of(LockState::kHeldByOther);
        break;
      case kEntryLockHolder:
        entry.lock_holder = in.text();
        break;
      case kEntryVersionCount:
        entry.version_count = in.limited<std::uint32_t>();
        break;
      case kEntrySystem:
        entry.system = in.flag();
        break;
      case kEntryMime:
        entry.mime = in.text();
        break;
      case kEntryCreator:
        entry.creator = in.text();
        break;
      case kEntryModifier:
        entry.modifier = in.text();
        break;
      case kEntryDescription:
        entry.description = in.text();
        break;
      case kEntryTag:
        entry.tags.push_back(in.text());
        break;
      case kEntryExpires:
        entry.expires = in.time();
        break;
      case kEntryLockToWrite:
        entry.lock_to_write = in.flag();
        break;
      case kEntryLink:
        entry.link = in.text();
        break;
      default:
        break;
    }
  }
  return in.good();
}

bool decode_key(Reader& in, ContentKey& key) {
  while (in.next()) {
    switch (in.field()) {
      case kKeyFile:
        key.file.value = in.text();
        break;
      case kKeyVersion:
        key.version.value = in.text();
        break;
      case kKeyValidator:
        key.validator.value = in.text();
        break;
      case kKeySize:
        key.size = in.number();
        break;
      case kKeyMd5:
        key.hashes.md5 = in.hash();
        break;
      case kKeyMd5Text:
        key.hashes.md5 = in.text();
        break;
      case kKeySha3:
        key.hashes.sha3_256 = in.hash();
        break;
      case kKeySha3Text:
        key.hashes.sha3_256 = in.text();
        break;
      default:
        break;
    }
  }
  return in.good();
}

bool decode_intent(Reader& in, Intent& intent) {
  while (in.next()) {
    switch (in.field()) {
      case kIntentKind:
        intent.kind = in.one_of(Intent::Kind::kRemove);
        break;
      case kIntentGeneration:
        intent.generation = in.number();
        break;
      case kIntentBefore:
        intent.before.value = in.text();
        break;
      case kIntentVersionsBefore:
        intent.versions_before = in.limited<std::uint32_t>();
        break;
      case kIntentSize:
        intent.size = in.number();
        break;
      case kIntentMd5:
        intent.md5 = in.hash();
        break;
      case kIntentMd5Text:
        intent.md5 = in.text();
        break;
      case kIntentModified:
        intent.modified = in.time();
        break;
      case kIntentSession:
        intent.session = in.nested(decode_session);
        break;
      case kIntentFolder:
        intent.folder.value = in.number();
        break;
      case kIntentName:
        intent.name = in.text();
        break;
      default:
        break;
    }
  }
  return in.good();
}

bool decode_failure(Reader& in, Failure& failure) {
  while (in.next()) {
    switch (in.field()) {
      case kFailureCode:
        failure.code = in.one_of(ErrorCode::kNoAccess);
        break;
      case kFailureMessage:
        failure.message = in.text();
        break;
      case kFailureAttempts:
        failure.attempts = in.limited<std::uint32_t>();
        break;
      case kFailureSince:
        failure.since = in.time();
        break;
      case kFailureNextTry:
        failure.next_try = in.time();
        break;
      case kFailureRefused:
        failure.refused = in.flag();
        break;
      default:
        break;
    }
  }
  return in.good();
}

}  // namespace cabinetfs::record
