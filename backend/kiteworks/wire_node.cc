// Files, folders and what belongs to them.

#include <fmt/format.h>

#include <algorithm>

#include "backend/base/times.h"
#include "backend/kiteworks/quirks.h"
#include "backend/kiteworks/wire_json.h"

namespace cabinetfs::kiteworks {
namespace {

// The three spellings of one time must give one mark.
std::string mark_of(const Json& json) {
  if (const auto time = time_of(json)) {
    return std::to_string(
        std::chrono::floor<std::chrono::seconds>(*time).time_since_epoch().count());
  }
  return text_of(json);
}

std::string hash_text(const Json& json, std::size_t digits) {
  std::string text = text_of(json);
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text.size() == digits && from_hex(text) ? text : std::string();
}

ContentHashes hashes_of(const Json& json) {
  ContentHashes hashes;
  const Json& list = member(json, "fingerprints");
  if (list.is_array()) {
    for (const Json& item : list) {
      const std::string algo = text_of(member(item, "algo"));
      if (algo == "md5") hashes.md5 = hash_text(member(item, "hash"), 32);
      if (algo == "sha3-256") hashes.sha3_256 = hash_text(member(item, "hash"), 64);
    }
  }
  // Anything but 32 digits ("Generating...", another algorithm) leaves it unknown.
  if (hashes.md5.empty()) hashes.md5 = hash_text(member(json, "fingerprint"), 32);
  return hashes;
}

ScanState worst_scan(const Json& json) {
  ScanState state = ScanState::kUnknown;
  for (const char* const key : {"avStatus", "dlpStatus", "adminQuarantineStatus"}) {
    const std::string word = text_of(member(json, key));
    if (word == "disallowed") return ScanState::kRefused;
    if (word == "scanning" || word == "pending") state = ScanState::kScanning;
    if ((word == "allowed" || word == "clean") && state == ScanState::kUnknown) {
      state = ScanState::kAllowed;
    }
  }
  // Nobody has published the other words of the quarantine; "allowed" is the only one that lets
  // content through.
  const std::string quarantine = text_of(member(json, "adminQuarantineStatus"));
  if (!quarantine.empty() && quarantine != "allowed") return ScanState::kRefused;
  return state;
}

std::vector<std::string> tags_of(const Json& json) {
  std::vector<std::string> tags;
  if (!json.is_array()) return tags;
  for (const Json& item : json) {
    std::string tag = item.is_object() ? text_of(member(item, "name")) : text_of(item);
    if (!tag.empty()) tags.push_back(std::move(tag));
  }
  return tags;
}

void read_lock(const Json& json, WireNode& node) {
  const Json& locked = member(json, "locked");
  node.locked = flag_of(locked).value_or(false);
  node.lock_user = user_of(member(json, "lockUser"));
  const Json& safe_edit = member(json, "safeEdit");
  if (!node.locked && flag_of(member(safe_edit, "safeEditLocked")).value_or(false)) {
    node.locked = true;
    node.lock_user = user_of(member(safe_edit, "user"));
  }
  // Old servers say the id of the user instead of true; 1 may be either.
  if (node.locked && node.lock_user.id.empty() && locked.is_number() && locked != 1) {
    node.lock_user.id = text_of(locked);
  }
}

}  // namespace

Rights rights_of(NodeKind kind, const std::vector<std::string>& permissions) {
  const auto any = [&](std::initializer_list<std::string_view> names) {
    return std::any_of(permissions.begin(), permissions.end(), [&](const std::string& held) {
      return std::find(names.begin(), names.end(), held) != names.end();
    });
  };
  const bool folder = kind == NodeKind::kFolder;
  Rights rights;
  if (any({"properties_view", "view"})) rights.add(Right::kList);
  if (any({"download"})) rights.add(Right::kRead);
  if (any({"version_create"})) rights.add(Right::kWrite);
  if (folder && any({"file_add", "folder_add"})) rights.add(Right::kCreate);
  if (any({folder ? "folder_delete" : "file_delete"})) rights.add(Right::kDelete);
  // Renaming and moving are two rights there and one here; the server refuses what goes too far.
  if (any({"rename", "properties_edit", folder ? "folder_move" : "file_move"})) {
    rights.add(Right::kRename);
  }
  if (any({"user_add"})) rights.add(Right::kShare);
  if (!folder && any({"version_view"})) rights.add(Right::kVersions);
  if (!folder && any({"lock"})) rights.add(Right::kLock);
  return rights;
}

Result<WireNode> node_of(const Json& json) {
  WireNode node;
  RemoteEntry& entry = node.entry;
  entry.id.value = text_of(member(json, "id"));
  const std::string type = text_of(member(json, "type"));
  if (entry.id.empty()) return not_understood("an object without an id");
  if (type != "f" && type != "d") return not_understood("neither file nor folder");
  entry.kind = type == "d" ? NodeKind::kFolder : NodeKind::kFile;
  entry.name = text_of(member(json, "name"));
  if (entry.name.empty()) return not_understood("an object without a name");
  entry.parent.value = text_of(member(json, {"parentId", "parent_id"}));
  if (entry.parent.empty()) entry.parent.value = kRootId;
  node.deleted = flag_of(member(json, "deleted")).value_or(false);

  const Json& modified = member(json, "modified");
  const Json& client_modified = member(json, {"clientModified", "client_modified"});
  entry.changed = time_of(modified).value_or(WallTime());
  entry.modified = time_of(client_modified).value_or(entry.changed);
  entry.created = time_of(member(json, "created")).value_or(WallTime());
  node.modified_mark = mark_of(modified);
  node.client_modified_mark = mark_of(client_modified);

  const Json& permissions = member(json, "permissions");
  if (permissions.is_array()) {
    std::vector<std::string> names;
    for (const Json& name : permissions) names.push_back(text_of(name));
    entry.rights = rights_of(entry.kind, names);
  }
  entry.creator = user_of(member(json, "creator")).label();
  entry.modifier = user_of(member(json, {"modifier", "lastModifiedBy"})).label();
  entry.description = text_of(member(json, "description"));
  entry.tags = tags_of(member(json, "tags"));
  // 0, null and absent all mean "never".
  entry.expires = time_of(member(json, "expire"));
  entry.link = text_of(member(json, "permalink"));

  if (entry.kind == NodeKind::kFile) {
    const auto size = number_of(member(json, "size"));
    if (!size) return not_understood("a file without a size");
    entry.size = *size;
    entry.mime = text_of(member(json, "mime"));
    entry.hashes = hashes_of(json);
    entry.scan = worst_scan(json);
    read_lock(json, node);
    const auto count = number_of(member(json, "versionsCount"));
    if (count && *count <= UINT32_MAX) {
      node.versions_count = static_cast<std::uint32_t>(*count);
      entry.version_count = *node.versions_count;
    }
  }
  return node;
}

Result<WireNode> parse_node(std::string_view body) {
  TRY_ASSIGN(const Json json, parse_document(body));
  return node_of(json);
}

Result<WirePage<WireNode>> parse_nodes(std::string_view body) {
  TRY_ASSIGN(const Json json, parse_document(body));
  TRY_ASSIGN(const Envelope envelope, envelope_of(json));
  WirePage<WireNode> page;
  page.total = envelope.total;
  page.received = envelope.items->size();
  page.items.reserve(page.received);
  for (const Json& item : *envelope.items) {
    const std::string type = text_of(member(item, "type"));
    // Other kinds of objects are not part of a file tree. A file or folder that cannot be read
    // makes the whole list wrong, though: leaving it out would look like its deletion.
    if (!type.empty() && type != "f" && type != "d") continue;
    TRY_ASSIGN(WireNode node, node_of(item));
    page.items.push_back(std::move(node));
  }
  return page;
}

Result<WirePage<WireVersion>> parse_versions(std::string_view body) {
  TRY_ASSIGN(const Json json, parse_document(body));
  TRY_ASSIGN(const Envelope envelope, envelope_of(json));
  WirePage<WireVersion> page;
  page.total = envelope.total;
  page.received = envelope.items->size();
  for (const Json& item : *envelope.items) {
    WireVersion version;
    version.version.id.value = text_of(member(item, "id"));
    const auto size = number_of(member(item, "size"));
    const auto number = number_of(member(item, {"versionNumber", "version_number", "version"}));
    if (version.version.id.empty() || !size || !number) return not_understood("a version");
    version.version.size = *size;
    version.server_number = *number;
    version.version.created = time_of(member(item, "created")).value_or(WallTime());
    version.version.modified = time_of(member(item, {"clientModified", "client_modified"}))
                                   .value_or(version.version.created);
    version.version.author =
        user_of(member(item, {"creator", "user", "userId", "user_id"})).label();
    version.version.hashes = hashes_of(item);
    version.name = text_of(member(item, "name"));
    version.deleted = flag_of(member(item, "deleted")).value_or(false);
    page.items.push_back(std::move(version));
  }
  return page;
}

std::string format_time(WallTime time) {
  std::string text = format_rfc3339(time);
  text.pop_back();
  return text + "+0000";
}

}  // namespace cabinetfs::kiteworks
