#include "fs/status_json.h"

#include <nlohmann/json.hpp>

#include "backend/base/times.h"

namespace cabinetfs {

using nlohmann::json;

json versions_to_json(const std::vector<RemoteVersion>& versions) {
  json out = json::array();
  for (const RemoteVersion& version : versions) {
    out.push_back({{"number", version.number},
                   {"id", version.id.value},
                   {"size", version.size},
                   // Empty where the server does not tell.
                   {"modified", version.modified == WallTime{} ? std::string()
                                                               : format_rfc3339(version.modified)},
                   {"author", version.author},
                   {"current", version.current}});
  }
  return out;
}

json permissions_to_json(const std::vector<RemotePermission>& permissions) {
  json out = json::array();
  for (const RemotePermission& permission : permissions) {
    out.push_back({{"who", permission.who},
                   {"level", to_string(permission.level)},
                   {"vendor", permission.vendor_word}});
  }
  return out;
}

json history_to_json(const std::vector<RemoteEvent>& events) {
  json out = json::array();
  for (const RemoteEvent& event : events) {
    out.push_back({{"time", format_rfc3339(event.time)},
                   {"who", event.who},
                   {"event", event.event},
                   {"detail", event.detail}});
  }
  return out;
}

json quota_to_json(const Quota& quota) {
  json out{{"used", quota.used}, {"total", nullptr}};
  if (quota.total) out["total"] = *quota.total;
  return out;
}

json capabilities_to_json(const Capabilities& c) {
  json out{{"vendor", c.vendor},
           {"ranges", c.ranges},
           {"move", c.move},
           {"rename", c.rename},
           {"rename_keeps_extension", c.rename_keeps_extension},
           {"rename_changes_validator", c.rename_changes_validator},
           {"move_across_top", c.move_across_top},
           {"copy", c.copy},
           {"versions", c.versions},
           {"promote", c.promote},
           {"locks", c.locks},
           {"permissions", c.permissions},
           {"quota", c.quota},
           {"history", c.history},
           {"description", c.description},
           {"mail", c.mail},
           {"change_feed", c.change_feed},
           {"exclusive_create", c.exclusive_create},
           {"conditional_write", c.conditional_write},
           {"mtime_at_upload", c.mtime_at_upload},
           {"root_takes_files", c.root_takes_files},
           {"chunk_size", c.chunk_size},
           {"bulk_download", c.bulk_read_max > 0}};
  out["max_file_size"] = c.max_file_size == UINT64_MAX ? json(nullptr) : json(c.max_file_size);
  out["names"] = {{"case_sensitive", c.names.case_sensitive},
                  {"forbidden", c.names.forbidden},
                  {"max_characters", c.names.max_characters}};
  return out;
}

json account_to_json(const RemoteAccount& account) {
  return {{"id", account.id}, {"email", account.email}, {"name", account.name}};
}

json unsent_to_json(const std::vector<UnsentItem>& items) {
  json out = json::array();
  for (const UnsentItem& item : items) {
    out.push_back({{"ino", item.ino.value},
                   {"path", item.path},
                   {"action", item.action},
                   {"state", item.state},
                   {"size", item.size},
                   {"sent", item.sent},
                   {"message", item.message},
                   {"conflict", item.conflict}});
  }
  return out;
}

json content_stats_to_json(const ContentStats& stats) {
  return {{"cache_bytes", stats.cache_bytes},
          {"staged_bytes", stats.staged_bytes},
          {"cached_files", stats.cached_files},
          {"hits", stats.hits},
          {"misses", stats.misses},
          {"fetched_bytes", stats.fetched_bytes},
          {"prefetched_bytes", stats.prefetched_bytes},
          {"prefetched_unused_bytes", stats.prefetched_unused_bytes},
          {"evicted_bytes", stats.evicted_bytes},
          {"corrupt_blocks", stats.corrupt_blocks},
          {"memory_bytes", stats.memory_bytes}};
}

json status_to_json(const VolumeStatus& status) {
  return {{"online", status.online},
          {"offline_reason", status.offline_reason},
          {"unsent", unsent_to_json(status.unsent)},
          {"notices", unsent_to_json(status.notices)},
          {"unsent_bytes", status.unsent_bytes},
          {"sent_bytes", status.sent_bytes},
          {"uploads_done", status.uploads_done},
          {"failures", status.failures},
          {"conflicts", status.conflicts},
          {"nodes_known", status.nodes_known},
          {"nodes_loaded", status.nodes_loaded},
          {"listings", status.listings},
          {"listings_ahead", status.listings_ahead},
          {"cache", content_stats_to_json(status.content)}};
}

json node_to_json(const NodeInfo& info) {
  const NodeRecord& record = info.record;
  json out{{"ino", record.ino.value},
           {"path", info.path},
           {"kind", record.kind == NodeKind::kFolder ? "folder" : "file"},
           {"state", info.state},
           {"size", record.size},
           {"modified", format_rfc3339(record.mtime)},
           {"cached", info.cached_bytes},
           {"pin", to_word(record.pin)},
           {"sync", to_word(record.sync)}};
  out["id"] = record.remote ? json(record.remote->id.value) : json(nullptr);
  if (record.remote) out["description"] = record.remote->description;
  if (record.description) out["description"] = *record.description;
  return out;
}

const char* to_word(PinState state) {
  switch (state) {
    case PinState::kInherit:
      return "inherit";
    case PinState::kPinned:
      return "pinned";
    case PinState::kUnpinned:
      return "unpinned";
  }
  return "inherit";
}

const char* to_word(SyncMode mode) {
  switch (mode) {
    case SyncMode::kInherit:
      return "inherit";
    case SyncMode::kLocal:
      return "local";
    case SyncMode::kRemote:
      return "remote";
  }
  return "inherit";
}

std::optional<PinState> parse_pin_state(std::string_view word) {
  for (const PinState state : {PinState::kInherit, PinState::kPinned, PinState::kUnpinned}) {
    if (word == to_word(state)) return state;
  }
  return std::nullopt;
}

std::optional<SyncMode> parse_sync_mode(std::string_view word) {
  for (const SyncMode mode : {SyncMode::kInherit, SyncMode::kLocal, SyncMode::kRemote}) {
    if (word == to_word(mode)) return mode;
  }
  return std::nullopt;
}

std::string to_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace cabinetfs
